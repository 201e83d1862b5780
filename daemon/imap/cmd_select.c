/* cmd_select.c - opening and leaving a mailbox (RFC 3501 6.3.1, 6.3.2, 6.4.2). */
#include "imap/imap_priv.h"

static const struct str none;

static enum imap_step
select_box(struct imap_session *s, struct imap_args *args, bool is_readonly)
{
	struct str name;
	enum err bad_name;
	struct imap_box *box;

	if (!imap_args_space(args) || !imap_args_mailbox(args, &name, &bad_name))
		return imap_bad_args(s, args);
	/* SELECT parameters (RFC 4466 2.1) may follow; none is known. */
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	/* Whatever comes of it, the old mailbox is left (RFC 3501 6.3.1). */
	imap_session_leave(s);
	if (bad_name != OK)
		return imap_error(s, ERR_NOT_FOUND);
	box = ARENA_NEW(s->arena, struct imap_box);
	s->job = box;
	s->is_readonly = is_readonly;
	s->ops->open(s->ops_arg, name, is_readonly, s->arena, box);
	return STEP_WAIT;
}

/* SELECT mailbox                                                   RFC 3501 6.3.1 */
IMAP_START(imap_cmd_select)
{
	(void)out;
	return select_box(s, args, false);
}

/* EXAMINE mailbox                                                  RFC 3501 6.3.2 */
IMAP_START(imap_cmd_examine)
{
	(void)out;
	return select_box(s, args, true);
}

static void
number(struct strbuf *out, struct str before, uint64_t n, struct str after)
{
	strbuf_add(out, before);
	strbuf_u64(out, n);
	strbuf_add(out, after);
}

IMAP_RESUME(imap_selected)
{
	const struct imap_box *box = s->job;
	const struct mailbox_info *info = &box->info;

	if (answer != OK) {
		s->is_readonly = false;
		return imap_error(s, answer);
	}
	s->state = IMAP_STATE_SELECTED;
	s->box_id = info->id;
	s->uid_validity = info->uidvalidity;
	s->uid_next = info->uidnext;
	s->exists = info->exists;
	s->since_rows = s->since_gone = info->highestmodseq;
	s->recent_n = box->recent_n;
	if (box->recent_first < info->uidnext)
		imap_view_add_run(&s->recent, box->recent_first, info->uidnext - 1);
	(void)imap_keywords_set(s, box->keywords, box->keywords_n);

	imap_reply_known_flags(s, out);
	number(out, STR("* "), s->exists, STR(" EXISTS\r\n"));
	number(out, STR("* "), s->recent_n, STR(" RECENT\r\n"));
	if (box->unseen_seq > 0)
		number(out, STR("* OK [UNSEEN "), box->unseen_seq,
		       STR("] First unseen\r\n"));
	number(out, STR("* OK [UIDVALIDITY "), s->uid_validity, STR("] UIDs valid\r\n"));
	number(out, STR("* OK [UIDNEXT "), s->uid_next, STR("] Predicted next UID\r\n"));
	return imap_ok(s, s->is_readonly ? STR("READ-ONLY") : STR("READ-WRITE"), none);
}

/* UNSELECT                                                         RFC 3691 2 */
IMAP_START(imap_cmd_unselect)
{
	(void)out;
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	imap_session_leave(s);
	return imap_ok(s, none, none);
}

/* CLOSE: removes what is \Deleted without a word.                  RFC 3501 6.4.2 */
IMAP_START(imap_cmd_close)
{
	static const struct uid_range all = { 1, UINT32_MAX };

	(void)out;
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	if (s->is_readonly) {
		imap_session_leave(s);
		return imap_ok(s, none, none);
	}
	s->ops->expunge(s->ops_arg, &all, 1);
	return STEP_WAIT;
}

IMAP_RESUME(imap_closed)
{
	(void)out;
	/* A client in no mailbox could not say CLOSE again: on an error it stays. */
	if (answer != OK)
		return imap_error(s, answer);
	imap_session_leave(s);
	return imap_ok(s, none, none);
}
