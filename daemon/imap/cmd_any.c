/* cmd_any.c - commands that need no mailbox (RFC 3501 6.1), and IDLE. */
#include "imap/imap_priv.h"

enum {
	ID_FIELDS_MAX = 30, /* RFC 2971 3.3 */
};

static const struct str none;

/* CAPABILITY                                                       RFC 3501 6.1.1 */
IMAP_START(imap_cmd_capability)
{
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	strbuf_lit(out, "* ");
	imap_reply_capability(s, out);
	strbuf_lit(out, "\r\n");
	return imap_ok(s, none, none);
}

/* NOOP, CHECK: what changed is told at their end.                  RFC 3501 6.1.2, 6.4.1 */
IMAP_START(imap_cmd_noop)
{
	(void)out;
	return imap_args_end(args) ? imap_ok(s, none, none) : imap_bad_args(s, args);
}

/* LOGOUT                                                           RFC 3501 6.1.3 */
IMAP_START(imap_cmd_logout)
{
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	strbuf_lit(out, "* BYE Logging out\r\n");
	(void)imap_ok(s, none, none);
	return STEP_CLOSE;
}

/* ID NIL / ID ("name" "value" …): looked at for its syntax only.   RFC 2971 3.1 */
IMAP_START(imap_cmd_id)
{
	struct str field, value;
	unsigned n = 0;

	if (!imap_args_space(args))
		return imap_bad_args(s, args);
	if (!imap_args_at(args, '(')) {
		if (!imap_args_nstring(args, &value) || value.p || !imap_args_end(args))
			return imap_bad_args(s, args);
	} else {
		if (!imap_args_open(args))
			return imap_bad_args(s, args);
		while (!imap_args_at(args, ')')) {
			if ((n > 0 && !imap_args_space(args)) ||
			    !imap_args_string(args, &field) || !imap_args_space(args) ||
			    !imap_args_nstring(args, &value))
				return imap_bad_args(s, args);
			if (++n > ID_FIELDS_MAX)
				return imap_bad(s, STR("Too many fields"));
		}
		if (!imap_args_close(args) || !imap_args_end(args))
			return imap_bad_args(s, args);
	}
	strbuf_lit(out, "* ID (\"name\" \"Mailstead\")\r\n");
	return imap_ok(s, none, none);
}

/* ENABLE: there is nothing to enable yet, which is no error.       RFC 5161 3.1 */
IMAP_START(imap_cmd_enable)
{
	struct str word;

	do {
		if (!imap_args_space(args) || !imap_args_atom(args, &word))
			return imap_bad_args(s, args);
	} while (imap_args_at(args, ' '));
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	strbuf_lit(out, "* ENABLED\r\n");
	return imap_ok(s, none, none);
}

/* NAMESPACE: one, personal.                                        RFC 2342 5 */
IMAP_START(imap_cmd_namespace)
{
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	strbuf_lit(out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return imap_ok(s, none, none);
}

/* IDLE: what changed since the last command is told first, the rest as it comes.
                                                                    RFC 2177 3 */
IMAP_START(imap_cmd_idle)
{
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	strbuf_lit(out, "+ idling\r\n");
	if (s->state != IMAP_STATE_SELECTED)
		return STEP_REPLY;
	s->stage = STAGE_SYNC;
	return imap_sync_start(s);
}

IMAP_REPLY(imap_idle_reply)
{
	(void)out;
	s->job = s; /* not idle any more */
	if (str_eq_icase(line, STR("DONE")))
		return imap_ok(s, none, none);
	return imap_bad(s, STR("Expected DONE"));
}
