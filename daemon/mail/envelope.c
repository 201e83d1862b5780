#include "mail/envelope.h"

#include "mail/fetch_text.h"
#include "mail/header.h"

#include <stddef.h>

static const struct {
	struct str name;
	size_t offset;
} rows[] = {
	{ STR_INIT("Date"), offsetof(struct envelope_fields, date) },
	{ STR_INIT("Subject"), offsetof(struct envelope_fields, subject) },
	{ STR_INIT("From"), offsetof(struct envelope_fields, from) },
	{ STR_INIT("Sender"), offsetof(struct envelope_fields, sender) },
	{ STR_INIT("Reply-To"), offsetof(struct envelope_fields, reply_to) },
	{ STR_INIT("To"), offsetof(struct envelope_fields, to) },
	{ STR_INIT("Cc"), offsetof(struct envelope_fields, cc) },
	{ STR_INIT("Bcc"), offsetof(struct envelope_fields, bcc) },
	{ STR_INIT("In-Reply-To"), offsetof(struct envelope_fields, in_reply_to) },
	{ STR_INIT("Message-ID"), offsetof(struct envelope_fields, message_id) },
	{ STR_INIT("References"), offsetof(struct envelope_fields, references) },
};

void
envelope_read(struct str header, struct envelope_fields *fields_out)
{
	struct header_field f;

	*fields_out = (struct envelope_fields){ 0 };
	while (header_next(&header, &f)) {
		if (str_eq_icase(f.name, STR("Received")))
			fields_out->received_count++;
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct str *slot = (void *)((char *)fields_out + rows[i].offset);

			if (!str_eq_icase(f.name, rows[i].name))
				continue;
			*slot = f.value.n ? f.value : STR("");
			break;
		}
	}
}

static void
add_text(struct strbuf *out, struct str value, struct arena *a)
{
	if (!value.p) {
		strbuf_lit(out, "NIL");
		return;
	}
	value = header_unfold(value, a);
	fetch_string(out, value);
}

static void
add_entry(struct strbuf *out, const struct list_entry *e)
{
	if (e->kind == LIST_GROUP_BEGIN) {
		strbuf_lit(out, "(NIL NIL ");
		fetch_string(out, e->local);
		strbuf_lit(out, " NIL)");
		return;
	}
	if (e->kind == LIST_GROUP_END) {
		strbuf_lit(out, "(NIL NIL NIL NIL)");
		return;
	}
	strbuf_byte(out, '(');
	fetch_nstring(out, e->name);
	strbuf_byte(out, ' ');
	fetch_nstring(out, e->route);
	strbuf_byte(out, ' ');
	fetch_string(out, e->local);
	strbuf_byte(out, ' ');
	fetch_string(out, e->domain);
	strbuf_byte(out, ')');
}

/* Appends the list, or NIL where it is empty. */
static void
add_list(struct strbuf *out, const struct address_list *list)
{
	bool in_group = false;

	if (!list->count) {
		strbuf_lit(out, "NIL");
		return;
	}
	strbuf_byte(out, '(');
	for (size_t i = 0; i < list->count; i++) {
		const struct list_entry *e = &list->entries[i];

		/* A list that is cut still closes its group. */
		if (out->n > ENVELOPE_SOFT_MAX && i > 0 &&
		    (!in_group || e->kind != LIST_GROUP_END))
			continue;
		if (e->kind != LIST_MAILBOX)
			in_group = e->kind == LIST_GROUP_BEGIN;
		add_entry(out, e);
	}
	strbuf_byte(out, ')');
}

static void
parse_list(struct str value, struct arena *a, struct address_list *list_out)
{
	*list_out = (struct address_list){ 0 };
	if (value.n)
		address_list_parse(value, ENVELOPE_LIST_MAX, a, list_out);
}

void
envelope_format(const struct envelope_fields *f, struct arena *a, struct strbuf *out,
                struct address_list *from_out)
{
	const struct str others[] = { f->to, f->cc, f->bcc };
	const struct str like_from[] = { f->sender, f->reply_to };
	struct address_list from, list;

	strbuf_byte(out, '(');
	add_text(out, f->date, a);
	strbuf_byte(out, ' ');
	add_text(out, f->subject, a);
	strbuf_byte(out, ' ');
	parse_list(f->from, a, &from);
	add_list(out, &from);
	/* RFC 3501 7.4.2: From stands in for Sender and Reply-To that say nothing. */
	for (size_t i = 0; i < ARRAY_LEN(like_from); i++) {
		strbuf_byte(out, ' ');
		parse_list(like_from[i], a, &list);
		add_list(out, list.count ? &list : &from);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		strbuf_byte(out, ' ');
		parse_list(others[i], a, &list);
		add_list(out, &list);
	}
	strbuf_byte(out, ' ');
	add_text(out, f->in_reply_to, a);
	strbuf_byte(out, ' ');
	add_text(out, f->message_id, a);
	strbuf_byte(out, ')');
	if (from_out)
		*from_out = from;
}
