/* cmd_append.c - APPEND, of one message or several (RFC 3501 6.3.11, RFC 3502).
 *
 * The command is read in pieces. Each announced literal comes to imap_append_literal
 * with what stood before it; the store is asked whether the message may come, its bytes
 * go to append_data as they arrive, and after the last one append_commit makes all of
 * them appear at once. Once something failed, messages that the client sends anyway
 * (LITERAL+) are dropped, and the reply at the command's end says what it was.
 */
#include "imap/imap_priv.h"

#include <string.h>

enum append_at {
	AT_BEGIN,  /* append_begin is asked */
	AT_END,    /* append_end is asked */
	AT_COMMIT, /* append_commit is asked */
};

struct append {
	enum append_at at;
	struct imap_append message;
	struct imap_copied copied;
	unsigned n;        /* messages complete */
	enum err error;    /* OK: nothing failed so far */
	const char *wrong; /* a syntax error */
};

static const struct str none;

/* "mailbox " before the first message; true, and a name of length 0, where the literal
   that comes is the name itself. */
static bool
take_mailbox(struct imap_args *args, struct append *append, bool *is_name_next)
{
	enum err bad_name;

	*is_name_next = false;
	if (!imap_args_space(args))
		return false;
	if (imap_args_at_end(args)) {
		*is_name_next = true;
		return true;
	}
	if (!imap_args_mailbox(args, &append->message.mailbox, &bad_name))
		return false;
	if (bad_name != OK)
		append->error = ERR_NOT_FOUND;
	return true;
}

/* " [(flags) ][date ]" before each message. */
static bool
take_attributes(struct imap_args *args, struct append *append)
{
	struct imap_append *m = &append->message;

	m->flags = (struct imap_flags){ 0 };
	m->has_date = false;
	if (!imap_args_space(args))
		return false;
	if (imap_args_at(args, '(') &&
	    (!imap_args_flags(args, false, &m->flags) || !imap_args_space(args)))
		return false;
	if (imap_args_at(args, '"')) {
		m->has_date = true;
		if (!imap_args_date_time(args, &m->date_ms) || !imap_args_space(args))
			return false;
	}
	return imap_args_end(args);
}

/* The reply now, or, where the client sends the message in any case, after it. */
static enum imap_step
give_up(struct imap_session *s, const struct append *append, uint64_t size,
        struct strbuf *out)
{
	s->ops->append_abort(s->ops_arg);
	s->literal_left = size;
	if (s->is_nonsync) {
		/* Nobody sends that much to be refused. */
		if (size / 8 > s->conf->append_max_bytes) {
			strbuf_lit(out, "* BYE Message too large\r\n");
			(void)imap_error(s, ERR_TOO_LARGE);
			return STEP_CLOSE;
		}
		strbuf_clear(&s->command);
		return size > 0 ? STEP_SKIP : STEP_LINE;
	}
	s->literal_left = 0;
	if (append->wrong)
		return imap_bad(s, str_from(append->wrong));
	if (append->error == ERR_NOT_FOUND)
		return imap_no(s, STR("TRYCREATE"), STR("No such mailbox"));
	return imap_error(s, append->error);
}

enum imap_step
imap_append_literal(struct imap_session *s, struct imap_args *args, uint64_t size,
                    struct strbuf *out)
{
	struct append *append = s->job;
	bool is_name_next;

	if (!append) {
		struct append first = { 0 };

		if (take_mailbox(args, &first, &is_name_next) && is_name_next)
			return STEP_LITERAL;
		append = ARENA_NEW(s->arena, struct append);
		*append = first;
		s->job = append;
		append->wrong = args->error;
	}
	if (!append->wrong && !take_attributes(args, append))
		append->wrong = args->error;
	if (!append->wrong && size == 0)
		append->wrong = "A message cannot be empty";
	if (!append->error && size > s->conf->append_max_bytes)
		append->error = ERR_TOO_LARGE;
	if (append->wrong || append->error)
		return give_up(s, append, size, out);
	append->message.size = size;
	append->at = AT_BEGIN;
	s->literal_left = size;
	s->ops->append_begin(s->ops_arg, &append->message);
	return STEP_WAIT;
}

/* A literal that is not of BINARY holds no NUL (RFC 3501 9, CHAR8); what was taken could
   never be handed out again as it is. */
void
imap_append_bytes(struct imap_session *s, struct str bytes)
{
	struct append *append = s->job;

	if (!append->wrong && memchr(bytes.p, '\0', bytes.n))
		append->wrong = "NUL bytes are not allowed in a message";
	s->ops->append_data(s->ops_arg, bytes);
}

/* The message has arrived; what follows may announce one more. */
enum imap_step
imap_append_ended(struct imap_session *s)
{
	struct append *append = s->job;

	append->at = AT_END;
	s->ops->append_end(s->ops_arg);
	return STEP_WAIT;
}

static enum imap_step
begun(struct imap_session *s, struct append *append, enum err answer, struct strbuf *out)
{
	if (answer != OK) {
		append->error = answer;
		return give_up(s, append, s->literal_left, out);
	}
	/* What came before the message is done with. */
	strbuf_clear(&s->command);
	if (!s->is_nonsync)
		strbuf_lit(out, "+ Ready for the message\r\n");
	return s->literal_left > 0 ? STEP_DATA : imap_append_ended(s);
}

static enum imap_step
committed(struct imap_session *s, const struct append *append)
{
	const struct imap_copied *c = &append->copied;
	struct imap_set_builder uids;
	struct strbuf code = strbuf_arena(s->arena, 1024 * 1024);
	struct imap_set set;

	imap_set_builder_init(&uids, s->arena);
	for (size_t i = 0; i < c->n; i++) {
		if (!imap_set_builder_add(&uids, c->to[i], c->to[i]))
			return imap_ok(s, none, none);
	}
	set = imap_set_builder_set(&uids);
	strbuf_lit(&code, "APPENDUID "); /* RFC 4315 3 */
	strbuf_u64(&code, c->uidvalidity);
	strbuf_byte(&code, ' ');
	imap_set_format(&code, set.ranges, set.n);
	return imap_ok(s, code.overflow ? none : strbuf_str(&code), none);
}

IMAP_RESUME(imap_append_answered)
{
	struct append *append = s->job;

	switch (append->at) {
	case AT_BEGIN:
		return begun(s, append, answer, out);
	case AT_END:
		if (answer != OK) {
			append->error = answer;
			s->ops->append_abort(s->ops_arg);
		}
		append->n++;
		return STEP_LINE;
	case AT_COMMIT:
		break;
	}
	if (answer == ERR_NOT_FOUND)
		return imap_no(s, STR("TRYCREATE"), STR("No such mailbox"));
	return answer == OK ? committed(s, append) : imap_error(s, answer);
}

/* The end of the command: the line behind the last message must be empty. */
IMAP_START(imap_cmd_append)
{
	struct append *append = s->job;

	s->is_nonsync = false;
	if (!append)
		return imap_bad(s, STR("A message must follow as a literal"));
	if (!append->wrong && append->error == OK && !imap_args_end(args))
		append->wrong = args->error;
	if (append->wrong || append->error != OK || append->n == 0)
		return give_up(s, append, 0, out);
	append->at = AT_COMMIT;
	s->ops->append_commit(s->ops_arg, s->arena, &append->copied);
	return STEP_WAIT;
}
