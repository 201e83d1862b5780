/* imap_input.c - bytes into commands: lines, literals, messages, replies.
 *
 * Each phase that takes bytes has a feeder, which takes what it can use and may change
 * the phase. What is announced is judged before a '+' asks for it: a literal that is
 * too large is never read.
 */
#include "base/panic.h"
#include "imap/imap_priv.h"

enum {
	COMMAND_BUDGET = 64 * 1024 * 1024, /* arguments, and results over a mailbox */
};

static size_t
command_max(const struct imap_session *s)
{
	return s->state == IMAP_STATE_NOT_AUTH ? s->conf->command_first_max_bytes
	                                       : s->conf->command_max_bytes;
}

enum literal {
	LITERAL_NONE,
	LITERAL_SYNC,
	LITERAL_NONSYNC,
};

/* Does the line end in "{123}" or "{123+}"? A number beyond all bounds becomes the
   largest one. *text_out is the line without it. */
static enum literal
find_literal(struct str line, struct str *text_out, uint64_t *size_out)
{
	enum literal kind = LITERAL_SYNC;
	size_t at = str_find_last(line, '{');
	struct str digits;

	if (line.n == 0 || line.p[line.n - 1] != '}' || at == SIZE_MAX)
		return LITERAL_NONE;
	digits = str_from_offset(str_first(line, line.n - 1), at + 1);
	if (digits.n > 0 && digits.p[digits.n - 1] == '+') {
		kind = LITERAL_NONSYNC;
		digits.n--;
	}
	if (digits.n == 0)
		return LITERAL_NONE;
	for (size_t i = 0; i < digits.n; i++) {
		if (!byte_is_digit(digits.p[i]))
			return LITERAL_NONE;
	}
	if (!str_parse_u64(digits, size_out))
		*size_out = UINT64_MAX;
	*text_out = str_first(line, at);
	return kind;
}

/* Nothing more can be read that would make sense: say so, and end. */
static void
refuse(struct imap_session *s, enum err why, struct str text, struct strbuf *out)
{
	s->fault = why;
	if (s->tag.n > 0) {
		(void)imap_bad(s, text);
		imap_reply_tagged(s, out);
	}
	if (s->cmd && (s->cmd->flags & CMD_MESSAGES))
		s->ops->append_abort(s->ops_arg);
	imap_session_bye(s, text, out);
}

/* A literal that is no message. */
static void
begin_literal(struct imap_session *s, uint64_t size, enum literal kind,
              struct strbuf *out)
{
	size_t max = command_max(s);
	size_t left = max > s->command.n ? max - s->command.n : 0;

	if (s->state == IMAP_STATE_NOT_AUTH && size > s->conf->literal_first_max_bytes) {
		refuse(s, ERR_TOO_LARGE, STR("Literal too large"), out);
		return;
	}
	if (size > left && kind == LITERAL_NONSYNC) {
		refuse(s, ERR_TOO_LARGE, STR("Literal too large"), out);
		return;
	}
	if (size > left) {
		/* The client has not sent it, and will not (RFC 3501 7.5). */
		(void)imap_bad(s, STR("Literal too large"));
		imap_finish(s, out);
		return;
	}
	s->literal_left = size;
	s->phase = size > 0 ? PHASE_LITERAL : PHASE_LINE;
	strbuf_printf(&s->command, "{%llu}\r\n", (unsigned long long)size);
	if (kind == LITERAL_SYNC)
		strbuf_lit(out, "+ Ready for the literal\r\n");
}

/* The line so far is in s->command, but for the announcement of the literal. */
static void
announced(struct imap_session *s, uint64_t size, enum literal kind, struct strbuf *out)
{
	struct str rest = strbuf_str(&s->command);
	struct imap_args args;
	enum imap_step step;
	const char *wrong = NULL;

	s->is_nonsync = kind == LITERAL_NONSYNC;
	if (!s->cmd) {
		wrong = imap_identify(s, &rest);
		if (!wrong)
			wrong = imap_refusal(s);
		if (wrong && kind == LITERAL_SYNC) {
			(void)imap_bad(s, str_from(wrong));
			imap_finish(s, out);
			return;
		}
	}
	if (!wrong && (s->cmd->flags & CMD_MESSAGES)) {
		args = imap_args_make(imap_arguments(s), s->arena);
		step = imap_append_literal(s, &args, size, out);
		if (step != STEP_LITERAL) {
			imap_take_step(s, step, out);
			return;
		}
	}
	begin_literal(s, size, kind, out);
}

/* One line of a command. */
static void
take_line(struct imap_session *s, struct str line, struct strbuf *out)
{
	struct str text = line;
	uint64_t size = 0;
	enum literal kind = find_literal(line, &text, &size);

	if (s->state == IMAP_STATE_NOT_AUTH && line_is_http(line)) {
		refuse(s, ERR_COMMAND, STR("This is an IMAP server"), out);
		return;
	}
	/* What comes before the login may be a password, in any form. */
	if (!s->arena)
		s->arena = s->state == IMAP_STATE_NOT_AUTH
		                   ? arena_new_secret(COMMAND_BUDGET)
		                   : arena_new(COMMAND_BUDGET);
	if (s->command.n + line.n > command_max(s)) {
		refuse(s, ERR_LINE_TOO_LONG, STR("Command too long"), out);
		return;
	}
	if (kind == LITERAL_NONE) {
		strbuf_add(&s->command, line);
		imap_begin(s, out);
		return;
	}
	strbuf_add(&s->command, text);
	announced(s, size, kind, out);
}

static bool
feed_line(struct imap_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	size_t max = command_max(s);
	struct str line;
	enum line_result result;

	result = line_next(&s->line, in, max, &line, used_out);
	switch (result) {
	case LINE_MORE:
		return false;
	case LINE_OK:
		take_line(s, line, out);
		return true;
	case LINE_LONG:
		refuse(s, ERR_LINE_TOO_LONG, STR("Command too long"), out);
		return true;
	case LINE_BARE_LF:
	case LINE_BARE_CR:
		refuse(s, ERR_BARE_NEWLINE, STR("Lines must end in CRLF"), out);
		return true;
	case LINE_NUL:
		refuse(s, ERR_NUL_BYTE, STR("NUL bytes are not allowed"), out);
		return true;
	}
	PANIC("no such result");
}

static size_t
take_of_literal(struct imap_session *s, struct str in)
{
	size_t n = in.n;

	if (n > s->literal_left)
		n = (size_t)s->literal_left;
	s->literal_left -= n;
	return n;
}

static bool
feed_literal(struct imap_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	(void)out;
	*used_out = take_of_literal(s, in);
	strbuf_add(&s->command, str_first(in, *used_out));
	if (s->literal_left == 0)
		s->phase = PHASE_LINE;
	return s->literal_left == 0;
}

static bool
feed_data(struct imap_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	*used_out = take_of_literal(s, in);
	if (*used_out > 0)
		imap_append_bytes(s, str_first(in, *used_out));
	if (s->literal_left > 0)
		return false;
	imap_take_step(s, imap_append_ended(s), out);
	return true;
}

static bool
feed_skip(struct imap_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	(void)out;
	*used_out = take_of_literal(s, in);
	if (s->literal_left == 0)
		s->phase = PHASE_LINE;
	return s->literal_left == 0;
}

static bool
feed_reply(struct imap_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	struct str line;
	enum line_result result =
		line_next(&s->line, in, IMAP_REPLY_MAX, &line, used_out);

	if (result == LINE_MORE)
		return false;
	if (result != LINE_OK) {
		refuse(s, ERR_SYNTAX, STR("Malformed line"), out);
		return true;
	}
	imap_take_step(s, s->cmd->reply(s, line, out), out);
	return true;
}

typedef bool feed_fn(struct imap_session *s, struct str in, size_t *used_out,
                     struct strbuf *out);
static feed_fn *const feeders[PHASE_COUNT] = {
	[PHASE_LINE] = feed_line,   [PHASE_LITERAL] = feed_literal,
	[PHASE_DATA] = feed_data,   [PHASE_SKIP] = feed_skip,
	[PHASE_REPLY] = feed_reply,
};

enum imap_next
imap_session_input(struct imap_session *s, struct str in, size_t *used_out,
                   struct strbuf *out)
{
	bool goes_on = true;

	*used_out = 0;
	while (goes_on && feeders[s->phase]) {
		size_t n = 0;

		if (imap_is_full(s, out))
			return IMAP_MORE;
		goes_on = feeders[s->phase](s, str_from_offset(in, *used_out), &n, out);
		*used_out += n;
	}
	return imap_next_of(s);
}
