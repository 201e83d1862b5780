#include "store/head.h"

#include "base/pack.h"

void
head_fields_pack(const struct message_head *h, struct strbuf *out)
{
	pack_str(out, h->from);
	pack_str(out, h->to);
	pack_str(out, h->cc);
	pack_str(out, h->subject);
	pack_str(out, h->preview);
	pack_str(out, h->from_address);
	pack_str(out, h->subject_base);
	pack_str(out, h->message_id);
	pack_str(out, h->in_reply_to);
	pack_str(out, h->references);
}

void
head_fields_unpack(struct str bytes, struct message_head *h)
{
	struct unpack u = unpack_from(bytes);

	h->from = unpack_str(&u);
	h->to = unpack_str(&u);
	h->cc = unpack_str(&u);
	h->subject = unpack_str(&u);
	h->preview = unpack_str(&u);
	h->from_address = unpack_str(&u);
	h->subject_base = unpack_str(&u);
	h->message_id = unpack_str(&u);
	h->in_reply_to = unpack_str(&u);
	h->references = unpack_str(&u);
}

enum err
head_keep(struct str *const *strings, size_t count, struct arena *a)
{
	for (size_t i = 0; i < count; i++) {
		char *p = arena_try(a, strings[i]->n + 1);

		if (!p)
			return ERR_LIMIT;
		if (strings[i]->n)
			memcpy(p, strings[i]->p, strings[i]->n);
		*strings[i] = str_make(p, strings[i]->n);
	}
	return OK;
}
