/* cmd_box.c - mailboxes as such: CREATE, DELETE, RENAME, (UN)SUBSCRIBE, STATUS. */
#include "imap/imap_priv.h"

static const struct str none;

/* One mailbox name and nothing else. False: the command is over, *step_out says how. */
static bool
take_name(struct imap_session *s, struct imap_args *args, enum err unknown,
          struct str *name_out, enum imap_step *step_out)
{
	enum err bad_name;

	if (!imap_args_space(args) || !imap_args_mailbox(args, name_out, &bad_name) ||
	    !imap_args_end(args)) {
		*step_out = imap_bad_args(s, args);
		return false;
	}
	if (bad_name != OK)
		*step_out = imap_error(s, unknown);
	return bad_name == OK;
}

/* CREATE mailbox                                                   RFC 3501 6.3.3 */
IMAP_START(imap_cmd_create)
{
	struct str name;
	enum imap_step step;

	(void)out;
	if (!take_name(s, args, ERR_INVALID, &name, &step))
		return step;
	if (str_eq(name, STR("INBOX")))
		return imap_error(s, ERR_EXISTS);
	s->ops->create(s->ops_arg, name);
	return STEP_WAIT;
}

/* DELETE mailbox                                                   RFC 3501 6.3.4 */
IMAP_START(imap_cmd_delete)
{
	struct str name;
	enum imap_step step;

	(void)out;
	if (!take_name(s, args, ERR_NOT_FOUND, &name, &step))
		return step;
	if (str_eq(name, STR("INBOX")))
		return imap_no(s, STR("CANNOT"), STR("INBOX cannot be deleted"));
	s->ops->remove(s->ops_arg, name);
	return STEP_WAIT;
}

/* RENAME from to                                                   RFC 3501 6.3.5 */
IMAP_START(imap_cmd_rename)
{
	struct str from, to;
	enum err bad_from, bad_to;

	(void)out;
	if (!imap_args_space(args) || !imap_args_mailbox(args, &from, &bad_from) ||
	    !imap_args_space(args) || !imap_args_mailbox(args, &to, &bad_to) ||
	    !imap_args_end(args))
		return imap_bad_args(s, args);
	if (bad_from != OK)
		return imap_error(s, ERR_NOT_FOUND);
	if (bad_to != OK)
		return imap_error(s, bad_to);
	if (str_eq(to, STR("INBOX")))
		return imap_error(s, ERR_EXISTS);
	/* "a" cannot go below itself. */
	if (to.n > from.n && str_starts(to, from) && to.p[from.n] == '/' &&
	    !str_eq(from, STR("INBOX")))
		return imap_error(s, ERR_INVALID);
	s->ops->rename(s->ops_arg, from, to);
	return STEP_WAIT;
}

/* SUBSCRIBE mailbox: also one that does not exist (yet).           RFC 3501 6.3.6 */
IMAP_START(imap_cmd_subscribe)
{
	struct str name;
	enum imap_step step;

	(void)out;
	if (!take_name(s, args, ERR_INVALID, &name, &step))
		return step;
	s->ops->subscribe(s->ops_arg, name, true);
	return STEP_WAIT;
}

/* UNSUBSCRIBE mailbox                                              RFC 3501 6.3.7 */
IMAP_START(imap_cmd_unsubscribe)
{
	struct str name;
	enum imap_step step;

	(void)out;
	if (!take_name(s, args, ERR_NOT_FOUND, &name, &step))
		return step;
	s->ops->subscribe(s->ops_arg, name, false);
	return STEP_WAIT;
}

IMAP_RESUME(imap_box_changed)
{
	(void)out;
	return imap_answer(s, answer);
}

/* --- STATUS */

static const struct status_item {
	struct str word;
	enum imap_status_item bit;
} status_items[] = {
	/* clang-format off */
	{ STR_INIT("MESSAGES"),    STATUS_MESSAGES },
	{ STR_INIT("RECENT"),      STATUS_RECENT },
	{ STR_INIT("UIDNEXT"),     STATUS_UIDNEXT },
	{ STR_INIT("UIDVALIDITY"), STATUS_UIDVALIDITY },
	{ STR_INIT("UNSEEN"),      STATUS_UNSEEN },
	{ STR_INIT("SIZE"),        STATUS_SIZE },    /* RFC 8438 */
	{ STR_INIT("DELETED"),     STATUS_DELETED }, /* RFC 9051 6.3.11 */
	/* clang-format on */
};

static bool
take_status_item(struct imap_args *args, unsigned *items)
{
	struct str word;

	if (!imap_args_atom(args, &word))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!str_eq_icase(status_items[i].word, word))
			continue;
		*items |= status_items[i].bit;
		return true;
	}
	return imap_args_fail(args, "Unknown status item");
}

bool
imap_take_status_items(struct imap_args *args, unsigned *items_out)
{
	*items_out = 0;
	if (!imap_args_open(args))
		return false;
	do {
		if (!take_status_item(args, items_out))
			return false;
	} while (str_skip_byte(&args->rest, ' '));
	return imap_args_close(args);
}

static uint64_t
status_value(const struct mailbox_info *info, enum imap_status_item bit)
{
	switch (bit) {
	case STATUS_MESSAGES:
		return info->exists;
	case STATUS_RECENT:
		/* UIDs may be missing in between; no more than there are messages. */
		if (info->recent_uid >= info->uidnext)
			return 0;
		return info->uidnext - info->recent_uid < info->exists
		               ? info->uidnext - info->recent_uid
		               : info->exists;
	case STATUS_UIDNEXT:
		return info->uidnext;
	case STATUS_UIDVALIDITY:
		return info->uidvalidity;
	case STATUS_UNSEEN:
		return info->unseen;
	case STATUS_SIZE:
		return info->size_bytes;
	case STATUS_DELETED:
		return info->deleted;
	}
	return 0;
}

void
imap_reply_status(const struct mailbox_info *info, unsigned items, struct strbuf *out)
{
	bool is_first = true;

	strbuf_lit(out, "* STATUS ");
	imap_mailbox_format(out, info->name);
	strbuf_lit(out, " (");
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!(items & status_items[i].bit))
			continue;
		if (!is_first)
			strbuf_byte(out, ' ');
		is_first = false;
		strbuf_add(out, status_items[i].word);
		strbuf_byte(out, ' ');
		strbuf_u64(out, status_value(info, status_items[i].bit));
	}
	strbuf_lit(out, ")\r\n");
}

struct status {
	unsigned items;
	struct str name;
	struct mailbox_info info;
};

/* STATUS mailbox (items)                                           RFC 3501 6.3.10 */
IMAP_START(imap_cmd_status)
{
	struct status *status = ARENA_NEW(s->arena, struct status);
	enum err bad_name;

	(void)out;
	if (!imap_args_space(args) ||
	    !imap_args_mailbox(args, &status->name, &bad_name) ||
	    !imap_args_space(args) || !imap_take_status_items(args, &status->items) ||
	    !imap_args_end(args))
		return imap_bad_args(s, args);
	if (bad_name != OK)
		return imap_error(s, ERR_NOT_FOUND);
	s->job = status;
	s->ops->status(s->ops_arg, status->name, s->arena, &status->info);
	return STEP_WAIT;
}

IMAP_RESUME(imap_status_found)
{
	struct status *status = s->job;

	if (answer != OK)
		return imap_error(s, answer);
	status->info.name = status->name;
	imap_reply_status(&status->info, status->items, out);
	return imap_ok(s, none, none);
}
