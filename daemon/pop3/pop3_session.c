#include "pop3/pop3_session.h"

#include "base/mem.h"
#include "base/panic.h"
#include "pop3/pop3_priv.h"

#include <stdarg.h>

enum {
	ANYWHERE = 1 << POP3_STATE_AUTHORIZATION | 1 << POP3_STATE_TRANSACTION,
	BEFORE_LOGIN = 1 << POP3_STATE_AUTHORIZATION,
	AFTER_LOGIN = 1 << POP3_STATE_TRANSACTION,
};

/* How many arguments a command may have. */
enum arguments {
	NO_ARGS,
	SOME_ARGS, /* the handler looks */
};

static const struct pop3_command {
	struct str verb;
	unsigned states;
	enum arguments arguments;
	enum pop3_next (*start)(struct pop3_session *s, struct str args,
	                        struct strbuf *out);
} commands[] = {
	/* clang-format off */
	{ STR_INIT("CAPA"), ANYWHERE,     NO_ARGS,   pop3_cmd_capa }, /* RFC 2449 5 */
	{ STR_INIT("STLS"), BEFORE_LOGIN, NO_ARGS,   pop3_cmd_stls }, /* RFC 2595 4 */
	{ STR_INIT("USER"), BEFORE_LOGIN, SOME_ARGS, pop3_cmd_user }, /* RFC 1939 7 */
	{ STR_INIT("PASS"), BEFORE_LOGIN, SOME_ARGS, pop3_cmd_pass }, /* RFC 1939 7 */
	{ STR_INIT("AUTH"), BEFORE_LOGIN, SOME_ARGS, pop3_cmd_auth }, /* RFC 5034 4 */
	{ STR_INIT("STAT"), AFTER_LOGIN,  NO_ARGS,   pop3_cmd_stat }, /* RFC 1939 5 */
	{ STR_INIT("LIST"), AFTER_LOGIN,  SOME_ARGS, pop3_cmd_list }, /* RFC 1939 5 */
	{ STR_INIT("UIDL"), AFTER_LOGIN,  SOME_ARGS, pop3_cmd_uidl }, /* RFC 1939 7 */
	{ STR_INIT("RETR"), AFTER_LOGIN,  SOME_ARGS, pop3_cmd_retr }, /* RFC 1939 5 */
	{ STR_INIT("TOP"),  AFTER_LOGIN,  SOME_ARGS, pop3_cmd_top },  /* RFC 1939 7 */
	{ STR_INIT("DELE"), AFTER_LOGIN,  SOME_ARGS, pop3_cmd_dele }, /* RFC 1939 5 */
	{ STR_INIT("RSET"), AFTER_LOGIN,  NO_ARGS,   pop3_cmd_rset }, /* RFC 1939 5 */
	{ STR_INIT("NOOP"), AFTER_LOGIN,  NO_ARGS,   pop3_cmd_noop }, /* RFC 1939 5 */
	{ STR_INIT("QUIT"), ANYWHERE,     NO_ARGS,   pop3_cmd_quit }, /* RFC 1939 4, 6 */
	/* clang-format on */
};

static const char *const state_words[] = {
#define STATE(id, word) [POP3_STATE_##id] = word,
#include "pop3/pop3_states.def"
#undef STATE
};
_Static_assert(ARRAY_LEN(state_words) == POP3_STATE_COUNT, "one word for each state");

const struct pop3_conf pop3_conf_default = {
	.hostname = STR_INIT("localhost"),
	.line_max_bytes = 1024,
	.auth_max_bytes = 12288,
	.bad_max = 20,
	.auth_tries = 3,
	.output_soft_bytes = 64 * 1024,
};

struct pop3_session *
pop3_session_new(const struct pop3_conf *conf, const struct pop3_ops *ops, void *ops_arg,
                 bool is_secure)
{
	struct pop3_session *s = mem_alloc(sizeof(*s));

	s->conf = conf;
	s->ops = ops;
	s->ops_arg = ops_arg;
	s->is_secure = is_secure;
	s->entries = strbuf_heap(POP3_DROP_MAX * sizeof(struct pop3_entry));
	s->deleted = strbuf_heap(POP3_DROP_MAX / 8 + 1);
	return s;
}

void
pop3_session_free(struct pop3_session **s)
{
	if (!*s)
		return;
	pop3_stream_end(*s);
	pop3_forget_login(*s);
	strbuf_release(&(*s)->entries);
	strbuf_release(&(*s)->deleted);
	mem_free(*s);
	*s = NULL;
}

enum pop3_next
pop3_ok(struct pop3_session *s, struct strbuf *out, const char *format, ...)
{
	va_list ap;

	s->bad = 0;
	strbuf_lit(out, "+OK ");
	va_start(ap, format);
	strbuf_vprintf(out, format, ap);
	va_end(ap);
	strbuf_lit(out, "\r\n");
	return POP3_READ;
}

enum pop3_next
pop3_err_text(struct pop3_session *s, struct strbuf *out, const char *text)
{
	strbuf_printf(out, "-ERR %s\r\n", text);
	if (++s->bad < s->conf->bad_max)
		return POP3_READ;
	s->fault = ERR_LIMIT;
	s->state = POP3_STATE_END;
	return POP3_CLOSE;
}

/* RFC 2449 8 and RFC 3206: a client may tell by the code whether to ask for another
   password. */
static const char *
code_of(enum err e)
{
	if (e == ERR_AUTH || e == ERR_ACCOUNT_OFF)
		return "[AUTH] ";
	if (err_is_temporary(e))
		return "[SYS/TEMP] ";
	return e == ERR_CORRUPT ? "[SYS/PERM] " : "";
}

enum pop3_next
pop3_err(struct pop3_session *s, struct strbuf *out, enum err e)
{
	char text[160];
	struct strbuf b = strbuf_on(text);

	strbuf_printf(&b, "%s%s", code_of(e), err_get(e)->text);
	return pop3_err_text(s, out, strbuf_cstr(&b));
}

enum pop3_next
pop3_ask(struct pop3_session *s, pop3_resume_fn *resume)
{
	CHECK(!s->resume);
	s->resume = resume;
	return POP3_WAIT;
}

void
pop3_session_greet(struct pop3_session *s, struct strbuf *out)
{
	(void)pop3_ok(s, out, "%.*s POP3 ready", STR_ARG(s->conf->hostname));
}

/* Nothing more is said or heard. */
static enum pop3_next
end_for(struct pop3_session *s, enum err fault)
{
	s->fault = fault;
	s->state = POP3_STATE_END;
	return POP3_CLOSE;
}

static enum pop3_next
take_command(struct pop3_session *s, struct str line, struct strbuf *out)
{
	struct str verb = str_first(line, str_find(line, ' '));
	struct str args = str_from_offset(line, verb.n < line.n ? verb.n + 1 : line.n);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct pop3_command *c = &commands[i];

		if (!str_eq_icase(verb, c->verb))
			continue;
		if (!(c->states & 1u << s->state))
			return pop3_err(s, out, ERR_SEQUENCE);
		if (c->arguments == NO_ARGS && str_trim(args).n)
			return pop3_err(s, out, ERR_COMMAND_ARGS);
		return c->start(s, args, out);
	}
	(void)pop3_err(s, out, ERR_COMMAND);
	if (line_is_http(line))
		return end_for(s, ERR_COMMAND);
	return s->state == POP3_STATE_END ? POP3_CLOSE : POP3_READ;
}

static enum pop3_next
take_bad_line(struct pop3_session *s, enum line_result result, struct strbuf *out)
{
	if (s->state == POP3_STATE_SASL)
		s->state = POP3_STATE_AUTHORIZATION;
	if (result != LINE_LONG)
		return pop3_err(s, out,
		                result == LINE_NUL ? ERR_NUL_BYTE : ERR_BARE_NEWLINE);
	(void)pop3_err(s, out, ERR_LINE_TOO_LONG);
	return end_for(s, ERR_LINE_TOO_LONG);
}

enum pop3_next
pop3_session_input(struct pop3_session *s, struct str in, size_t *used_out,
                   struct strbuf *out)
{
	enum pop3_next next = POP3_READ;

	*used_out = 0;
	CHECK(!s->resume && !s->stream);
	while (next == POP3_READ && s->state != POP3_STATE_END) {
		bool is_sasl = s->state == POP3_STATE_SASL;
		size_t max = is_sasl ? s->conf->auth_max_bytes : s->conf->line_max_bytes;
		struct str line;
		size_t used = 0;
		enum line_result result = line_next(
			&s->reader, str_from_offset(in, *used_out), max, &line, &used);

		if (result == LINE_MORE)
			return POP3_READ;
		*used_out += used;
		if (result != LINE_OK)
			next = take_bad_line(s, result, out);
		else if (is_sasl)
			next = pop3_auth_line(s, line, out);
		else
			next = take_command(s, line, out);
		if (next == POP3_READ && out->n >= s->conf->output_soft_bytes)
			return POP3_MORE;
	}
	return s->state == POP3_STATE_END && next == POP3_READ ? POP3_CLOSE : next;
}

enum pop3_next
pop3_session_resume(struct pop3_session *s, enum err answer, struct strbuf *out)
{
	pop3_resume_fn *resume = s->resume;

	CHECK(resume);
	s->resume = NULL;
	/* A goodbye may have come between question and answer. */
	if (s->state == POP3_STATE_END)
		return POP3_CLOSE;
	return resume(s, answer, out);
}

enum pop3_next
pop3_session_drained(struct pop3_session *s, struct strbuf *out)
{
	return s->stream ? pop3_stream_on(s, out) : POP3_READ;
}

void
pop3_session_secured(struct pop3_session *s)
{
	s->is_secure = true;
	s->state = POP3_STATE_AUTHORIZATION;
	s->reader = (struct line_reader){ 0 };
	pop3_forget_login(s);
}

void
pop3_session_bye(struct pop3_session *s, struct str text, struct strbuf *out)
{
	/* In the middle of a message a line more would be a line of it. */
	if (!s->stream)
		strbuf_printf(out, "-ERR [SYS/TEMP] %.*s\r\n", STR_ARG(text));
	s->state = POP3_STATE_END;
}

enum pop3_state
pop3_session_state(const struct pop3_session *s)
{
	return s->state;
}

const char *
pop3_state_word(enum pop3_state state)
{
	return state_words[state];
}

bool
pop3_session_is_waiting(const struct pop3_session *s)
{
	return s->resume != NULL;
}

bool
pop3_session_is_at_rest(const struct pop3_session *s)
{
	return !s->resume && !s->stream && s->reader.seen == 0;
}

enum err
pop3_session_fault(const struct pop3_session *s)
{
	return s->fault;
}

void
pop3_session_check(const struct pop3_session *s)
{
	CHECK(s->state < POP3_STATE_COUNT);
	CHECK(s->entries.n == s->count * sizeof(struct pop3_entry));
	CHECK(s->deleted_count <= s->count && s->deleted_bytes <= s->bytes);
	CHECK(s->state == POP3_STATE_TRANSACTION || s->state == POP3_STATE_END ||
	      !s->stream);
	CHECK(!s->resume || !s->stream);
	CHECK(s->message.p == NULL || s->stream == POP3_STREAM_BODY || s->resume);
}
