#include "policy/dkim_text.h"

#include "base/base64.h"

enum {
	COLUMN_MAX = 76,
	NAMES_MAX = 8192,  /* bytes of h= */
	REPEATED_MAX = 10, /* fields of one name that are signed, the lowest ones */
	BASE64_MAX = 2 * CRYPTO_SIGNATURE_MAX,
};

/* A space, not a tab: dkimpy 1.1.4 finds a set's signature by the bytes " i=1;". */
static void
fold(struct dkim_text *t)
{
	strbuf_lit(&t->b, "\r\n ");
	t->column = 1;
}

static void
put(struct dkim_text *t, struct str s)
{
	strbuf_add(&t->b, s);
	t->column += s.n;
}

/* Behind the last tag, or the field's name. */
static void
separate(struct dkim_text *t, size_t width)
{
	if (t->b.p[t->b.n - 1] != ':')
		put(t, STR(";"));
	if (t->column + 1 + width > COLUMN_MAX)
		fold(t);
	else
		put(t, STR(" "));
}

void
dkim_text_begin(struct dkim_text *t, struct arena *a, struct str name)
{
	*t = (struct dkim_text){ .b = strbuf_arena(a, DKIM_TEXT_MAX) };
	put(t, name);
	put(t, STR(":"));
}

void
dkim_text_tag(struct dkim_text *t, const char *name, struct str value)
{
	struct str n = str_from(name);

	separate(t, n.n + 2 + value.n);
	put(t, n);
	put(t, STR("="));
	put(t, value);
}

void
dkim_text_number(struct dkim_text *t, const char *name, int64_t value)
{
	char room[24];
	struct strbuf number = strbuf_on(room);

	strbuf_i64(&number, value);
	dkim_text_tag(t, name, strbuf_str(&number));
}

void
dkim_text_list(struct dkim_text *t, const char *name, struct str list)
{
	struct str one;
	bool is_first = true;

	dkim_text_tag(t, name, STR(""));
	while (str_next(&list, ':', &one)) {
		if (!is_first)
			put(t, STR(":"));
		if (!is_first && t->column + one.n + 1 > COLUMN_MAX)
			fold(t);
		put(t, one);
		is_first = false;
	}
}

void
dkim_text_signature(struct dkim_text *t)
{
	dkim_text_tag(t, "b", STR(""));
	t->signature_at = t->b.n;
}

enum err
dkim_text_end(const struct dkim_text *t, const struct crypto_key *key,
              const struct sha256 *digest, bool is_folded, struct strbuf *out)
{
	size_t width = is_folded ? COLUMN_MAX - 1 : BASE64_MAX;
	char bytes_room[CRYPTO_SIGNATURE_MAX], room[BASE64_MAX];
	struct strbuf bytes = strbuf_on(bytes_room), text = strbuf_on(room);
	struct str rest, whole = strbuf_str(&t->b);
	enum err e = crypto_key_sign(key, digest, &bytes);

	if (e != OK)
		return e;
	base64_format(&text, strbuf_str(&bytes));
	strbuf_add(out, str_first(whole, t->signature_at));
	for (rest = strbuf_str(&text); rest.n; rest = str_from_offset(rest, width)) {
		if (is_folded)
			strbuf_lit(out, "\r\n ");
		strbuf_add(out, str_first(rest, width));
	}
	strbuf_add(out, str_from_offset(whole, t->signature_at));
	strbuf_lit(out, "\r\n");
	return out->overflow || t->b.overflow ? ERR_LIMIT : OK;
}

struct str
dkim_algorithm_of(const struct crypto_key *key)
{
	return crypto_key_kind(key) == CRYPTO_RSA ? STR("rsa-sha256")
	                                          : STR("ed25519-sha256");
}

/* RFC 6376 5.4.1, and what later RFCs ask for. Trace fields and what mail systems change
   on the way are left out. */
static const struct {
	struct str name;
	bool is_once; /* one more is named than there are */
} signed_names[] = {
	{ STR_INIT("from"), true },
	{ STR_INIT("sender"), true },
	{ STR_INIT("reply-to"), true },
	{ STR_INIT("to"), true },
	{ STR_INIT("cc"), true },
	{ STR_INIT("subject"), true },
	{ STR_INIT("date"), true },
	{ STR_INIT("message-id"), true },
	{ STR_INIT("in-reply-to"), false },
	{ STR_INIT("references"), false },
	{ STR_INIT("mime-version"), false },
	{ STR_INIT("content-type"), true },
	{ STR_INIT("content-transfer-encoding"), false },
	{ STR_INIT("list-unsubscribe"), false },      /* RFC 8058 4 */
	{ STR_INIT("list-unsubscribe-post"), false }, /* RFC 8058 4 */
	{ STR_INIT("tls-required"), false },          /* RFC 8689 4.1 */
};

static void
add_name(struct strbuf *list, struct str name, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list->n)
			strbuf_byte(list, ':');
		strbuf_add(list, name);
	}
}

struct str
dkim_names_of(const struct dkim_fields *f, bool with_dkim, struct arena *a)
{
	struct strbuf list = strbuf_arena(a, NAMES_MAX);
	struct str dkim = STR("dkim-signature");

	for (size_t i = 0; i < ARRAY_LEN(signed_names); i++) {
		size_t count = dkim_fields_named(f, signed_names[i].name);

		if (count > REPEATED_MAX)
			count = REPEATED_MAX;
		else if (signed_names[i].is_once)
			count++;
		add_name(&list, signed_names[i].name, count);
	}
	if (with_dkim)
		add_name(&list, dkim,
		         dkim_fields_named(f, dkim) < REPEATED_MAX
		                 ? dkim_fields_named(f, dkim)
		                 : REPEATED_MAX);
	return strbuf_str(&list);
}
