/* cmd_copy.c - COPY and MOVE (RFC 3501 6.4.7, RFC 6851), with COPYUID (RFC 4315 3). */
#include "imap/imap_priv.h"

struct copy {
	struct imap_set uids;
	struct str name;
	bool is_move;
	struct imap_copied copied;
};

enum {
	CODE_MAX = 4 * 1024 * 1024,
};

static const struct str none;

static enum imap_step
start_copy(struct imap_session *s, struct imap_args *args, bool is_move)
{
	struct copy *copy = ARENA_NEW(s->arena, struct copy);
	enum err bad_name;

	copy->is_move = is_move;
	if (!imap_args_space(args) ||
	    !imap_take_messages(s, args, s->is_uid, &copy->uids) ||
	    !imap_args_space(args) || !imap_args_mailbox(args, &copy->name, &bad_name) ||
	    !imap_args_end(args))
		return imap_bad_args(s, args);
	if (bad_name != OK)
		return imap_no(s, STR("TRYCREATE"), STR("No such mailbox"));
	if (copy->uids.n == 0)
		return imap_ok(s, none, none);
	s->job = copy;
	s->ops->copy(s->ops_arg,
	             &(struct imap_copying){ copy->uids.ranges, copy->uids.n, copy->name,
	                                     is_move },
	             s->arena, &copy->copied);
	return STEP_WAIT;
}

/* COPY set mailbox                                                 RFC 3501 6.4.7 */
IMAP_START(imap_cmd_copy)
{
	(void)out;
	return start_copy(s, args, false);
}

/* MOVE set mailbox                                                 RFC 6851 3.1 */
IMAP_START(imap_cmd_move)
{
	(void)out;
	return start_copy(s, args, true);
}

/* In the order of the pairs. Each set has its own ranges, as long as they get: what a set
   means is the list it stands for, and some clients read a whole range or a whole list,
   but no mixture (Mail::IMAPClient's copy). */
static void
add_uids(struct strbuf *code, const uint32_t *uids, size_t n)
{
	size_t first = 0;

	for (size_t i = 1; i <= n; i++) {
		if (i < n && uids[i] == uids[i - 1] + 1)
			continue;
		if (first > 0)
			strbuf_byte(code, ',');
		strbuf_u64(code, uids[first]);
		if (i - 1 > first) {
			strbuf_byte(code, ':');
			strbuf_u64(code, uids[i - 1]);
		}
		first = i;
	}
}

static struct str
copyuid(struct imap_session *s, const struct imap_copied *c)
{
	struct strbuf code = strbuf_arena(s->arena, CODE_MAX);

	if (!c->to)
		return none;
	strbuf_lit(&code, "COPYUID ");
	strbuf_u64(&code, c->uidvalidity);
	strbuf_byte(&code, ' ');
	add_uids(&code, c->from, c->n);
	strbuf_byte(&code, ' ');
	add_uids(&code, c->to, c->n);
	return code.overflow ? none : strbuf_str(&code);
}

IMAP_RESUME(imap_copied)
{
	const struct copy *copy = s->job;
	struct str code = none;

	if (copy->copied.n > 0)
		code = copyuid(s, &copy->copied);
	/* Before the EXPUNGEs that follow (RFC 6851 4.3); a move that failed may have
	   moved some. */
	if (copy->is_move && code.n > 0) {
		strbuf_lit(out, "* OK [");
		strbuf_add(out, code);
		strbuf_lit(out, "] Moved\r\n");
		code = none;
	}
	if (answer == ERR_NOT_FOUND)
		return imap_no(s, STR("TRYCREATE"), STR("No such mailbox"));
	if (answer != OK)
		return imap_error(s, answer);
	if (copy->copied.n == 0)
		return imap_ok(s, STR("EXPUNGEISSUED"), STR("The messages are gone"));
	return imap_ok(s, code, none);
}
