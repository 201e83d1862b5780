#include "base/event.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <unistd.h>

struct event_row {
	const char *name;
	size_t name_bytes;
	enum event_level level;
	const char *text;
};

enum {
	LEVEL_debug = LEVEL_DEBUG,
	LEVEL_info = LEVEL_INFO,
	LEVEL_warn = LEVEL_WARN,
	LEVEL_error = LEVEL_ERROR,
};

static const struct event_row rows[] = {
#define EVENT(id, name, level, text)                                                     \
	[EV_##id] = { name, sizeof(name) - 1, (enum event_level)LEVEL_##level, text },
#include "base/trace.def"
#undef EVENT
};
_Static_assert(ARRAY_LEN(rows) == EVENT_COUNT, "one row for each event");

static const char *const level_words[] = { "debug", "info", "warn", "error" };

static struct {
	enum event_level from;
	const char *role;
	event_sink_fn *sink;
	void *sink_arg;
} out = { .from = LEVEL_INFO, .role = "-" };

const char *
event_name(enum event_id id)
{
	return rows[id].name;
}

enum event_level
event_level(enum event_id id)
{
	return rows[id].level;
}

/* The store finds each event of each message by its name several times. */
enum event_id
event_find(struct str name)
{
	for (unsigned id = 0; id < EVENT_COUNT; id++) {
		if (name.n == rows[id].name_bytes &&
		    memcmp(name.p, rows[id].name, name.n) == 0)
			return (enum event_id)id;
	}
	return EVENT_COUNT;
}

bool
event_level_parse(struct str s, enum event_level *level_out)
{
	for (unsigned level = 0; level < ARRAY_LEN(level_words); level++) {
		if (str_eq(s, str_from(level_words[level]))) {
			*level_out = (enum event_level)level;
			return true;
		}
	}
	return false;
}

void
event_set_sink(event_sink_fn *sink, void *arg)
{
	out.sink = sink;
	out.sink_arg = arg;
}

void
event_set_log(enum event_level from, const char *role)
{
	out.from = from;
	out.role = role;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
			return false;
	}
	return s.n > 0;
}

/* C1 controls, bidi marks and other invisible characters can forge what a terminal or a
   browser shows, so they are written as escapes like the rest of the control bytes. */
static bool
is_invisible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f },   { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0xe0000, 0xe01ef },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

/* How one character, or one byte that belongs to none, is written. */
enum form {
	FORM_PLAIN,
	FORM_BACKSLASH,
	FORM_HEX,
};

/* Takes the next one off *rest. */
static enum form
next_form(struct str *rest, struct str *taken_out)
{
	struct str before = *rest;
	uint32_t c;

	if (!utf8_next(rest, &c)) {
		*taken_out = str_first(before, 1);
		*rest = str_from_offset(before, 1);
		return FORM_HEX;
	}
	*taken_out = str_first(before, before.n - rest->n);
	if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t')
		return FORM_BACKSLASH;
	return c < ' ' || is_invisible(c) ? FORM_HEX : FORM_PLAIN;
}

/* How many bytes at the start are printing ASCII that is written as it is: nearly all. */
static size_t
plain_bytes(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f && s.p[n] != '"' &&
	       s.p[n] != '\\')
		n++;
	return n;
}

static void
add_backslash(struct strbuf *b, char c)
{
	strbuf_byte(b, '\\');
	strbuf_byte(b, c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c);
}

void
logfmt_value(struct strbuf *b, struct str value)
{
	struct str part;

	if (is_plain(value)) {
		strbuf_add(b, value);
		return;
	}
	strbuf_byte(b, '"');
	for (;;) {
		size_t n = plain_bytes(value);

		strbuf_add(b, str_first(value, n));
		value = str_from_offset(value, n);
		if (!value.n)
			break;
		switch (next_form(&value, &part)) {
		case FORM_PLAIN:
			strbuf_add(b, part);
			break;
		case FORM_BACKSLASH:
			add_backslash(b, part.p[0]);
			break;
		case FORM_HEX:
			for (size_t i = 0; i < part.n; i++)
				strbuf_printf(b, "\\x%02x", (unsigned char)part.p[i]);
			break;
		}
	}
	strbuf_byte(b, '"');
}

/* As much of value as takes max bytes when escaped: so one hostile value of a peer cannot
   push the other fields out of an event. */
static struct str
first_escaped(struct str value, size_t max)
{
	static const size_t bytes_per_byte[] = {
		[FORM_PLAIN] = 1,
		[FORM_BACKSLASH] = 2,
		[FORM_HEX] = 4,
	};
	struct str rest = value, part;
	size_t sum = 0, taken = 0;

	if (value.n <= max / bytes_per_byte[FORM_HEX])
		return value;
	while (rest.n) {
		enum form form = next_form(&rest, &part);

		sum += part.n * bytes_per_byte[form];
		if (sum > max)
			break;
		taken += part.n;
	}
	return str_first(value, taken);
}

static bool
unescape(struct str *rest, struct strbuf *b)
{
	char c = rest->n ? rest->p[0] : '\0';

	if (c == 'x' && rest->n >= 3) {
		int high = byte_hex_value(rest->p[1]), low = byte_hex_value(rest->p[2]);

		if (high < 0 || low < 0)
			return false;
		strbuf_byte(b, (char)(high << 4 | low));
		*rest = str_from_offset(*rest, 3);
		return true;
	}
	if (c == 'n' || c == 'r' || c == 't')
		strbuf_byte(b, c == 'n' ? '\n' : c == 'r' ? '\r' : '\t');
	else if (c == '"' || c == '\\')
		strbuf_byte(b, c);
	else
		return false;
	*rest = str_from_offset(*rest, 1);
	return true;
}

static bool
take_quoted(struct str *rest, struct strbuf *b)
{
	while (rest->n) {
		char c = rest->p[0];

		*rest = str_from_offset(*rest, 1);
		if (c == '"')
			return rest->n == 0 || rest->p[0] == ' ';
		if (c != '\\')
			strbuf_byte(b, c);
		else if (!unescape(rest, b))
			return false;
	}
	return false;
}

bool
logfmt_next(struct str *rest, struct str *key_out, struct strbuf *scratch)
{
	size_t at;

	strbuf_clear(scratch);
	while (str_skip_byte(rest, ' '))
		continue;
	at = str_find(*rest, '=');
	if (at == SIZE_MAX || !is_plain(str_first(*rest, at)))
		return false;
	*key_out = str_first(*rest, at);
	*rest = str_from_offset(*rest, at + 1);
	if (str_skip_byte(rest, '"'))
		return take_quoted(rest, scratch);
	at = str_find(*rest, ' ');
	strbuf_add(scratch, str_first(*rest, at));
	*rest = str_from_offset(*rest, at);
	return true;
}

void
event_again(struct event *e, enum event_id id, int64_t at_ms, struct str trace_id,
            struct str session_id, struct str body)
{
	e->id = id;
	e->at_ms = at_ms;
	e->trace_id = trace_id;
	e->session_id = session_id;
	e->body = strbuf_on(e->bytes);
	strbuf_add(&e->body, body);
}

void
event_init(struct event *e, enum event_id id, struct str trace_id, struct str session_id)
{
	event_again(e, id, clock_unix_ms(), trace_id, session_id, STR(""));
}

static void
add_field(struct event *e, const char *key, struct str value)
{
	static const size_t mark_bytes = sizeof(" truncated=1");
	size_t before = e->body.n;

	if (e->body.overflow)
		return;
	if (before)
		strbuf_byte(&e->body, ' ');
	strbuf_add(&e->body, str_from(key));
	strbuf_byte(&e->body, '=');
	logfmt_value(&e->body, value);
	if (!e->body.overflow && e->body.max - e->body.n >= mark_bytes)
		return;
	/* What does not fit goes as a whole; the mark is the last thing added. */
	e->body.overflow = false;
	strbuf_truncate(&e->body, before);
	strbuf_add(&e->body, before ? STR(" truncated=1") : STR("truncated=1"));
	e->body.overflow = true;
}

void
event_str(struct event *e, const char *key, struct str value)
{
	add_field(e, key, first_escaped(value, EVENT_FIELD_MAX));
}

void
event_i64(struct event *e, const char *key, int64_t value)
{
	char digits[24];
	struct strbuf b = strbuf_on(digits);

	strbuf_i64(&b, value);
	add_field(e, key, strbuf_str(&b));
}

static void
write_line(struct strbuf *line)
{
	size_t done = 0;

	strbuf_byte(line, '\n');
	while (done < line->n) {
		ssize_t n = write(STDERR_FILENO, line->p + done, line->n - done);

		if (n <= 0)
			return; /* nowhere left to say so */
		done += (size_t)n;
	}
}

static void
begin_line(struct strbuf *line, enum event_level level, const char *name)
{
	strbuf_printf(line, "%s %s role=%s", level_words[level], name, out.role);
}

void
event_log(const struct event *e)
{
	enum event_level level = rows[e->id].level;
	char bytes[EVENT_BODY_MAX + 256];
	struct strbuf line = strbuf_fixed(bytes, sizeof(bytes) - 1);

	if (level < out.from)
		return;
	begin_line(&line, level, rows[e->id].name);
	if (e->session_id.n)
		strbuf_printf(&line, " sid=%.*s", STR_ARG(str_first(e->session_id, 40)));
	if (e->trace_id.n)
		strbuf_printf(&line, " trace=%.*s", STR_ARG(str_first(e->trace_id, 40)));
	if (e->body.n) {
		strbuf_byte(&line, ' ');
		strbuf_add(&line, strbuf_str(&e->body));
	}
	line.max = line.cap = sizeof(bytes);
	line.overflow = false;
	write_line(&line);
}

void
event_tell(struct event *e)
{
	event_log(e);
	if (out.sink)
		out.sink(out.sink_arg, e);
}

void
log_line(enum event_level level, const char *name, const char *format, ...)
{
	char bytes[2048];
	struct strbuf line = strbuf_fixed(bytes, sizeof(bytes) - 1);
	va_list ap;

	if (level < out.from)
		return;
	begin_line(&line, level, name);
	strbuf_byte(&line, ' ');
	va_start(ap, format);
	strbuf_vprintf(&line, format, ap);
	va_end(ap);
	line.max = line.cap = sizeof(bytes);
	line.overflow = false;
	write_line(&line);
}

/* Adds the value of `field` in body; nothing where it has none. The null sender is
   written as in SMTP, or the sentence would have a hole. */
static void
add_value(struct strbuf *b, struct str field, struct str body)
{
	char bytes[EVENT_BODY_MAX];
	struct strbuf value = strbuf_on(bytes);
	struct str key;

	while (logfmt_next(&body, &key, &value)) {
		if (str_eq(key, field)) {
			strbuf_add(b, !value.n && str_eq(field, STR("from"))
			                      ? STR("<>")
			                      : strbuf_str(&value));
			return;
		}
	}
}

void
event_explain(enum event_id id, struct str body, struct strbuf *b)
{
	struct str text = str_from(rows[id].text);

	while (text.n) {
		size_t open = str_find(text, '{');
		size_t close = str_find(text, '}');

		strbuf_add(b, str_first(text, open));
		if (open == SIZE_MAX || close == SIZE_MAX || close < open)
			return;
		add_value(b, str_make(text.p + open + 1, close - open - 1), body);
		text = str_from_offset(text, close + 1);
	}
}
