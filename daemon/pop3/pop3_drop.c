/* The maildrop: what is in it, its messages, and what goes at QUIT. */
#include "base/mem.h"
#include "base/panic.h"
#include "mail/header.h"
#include "pop3/pop3_priv.h"

enum {
	LINE_PIECE_BYTES = 64 * 1024,
};

static const struct pop3_entry *
entry(const struct pop3_session *s, size_t i)
{
	return (const struct pop3_entry *)(const void *)s->entries.p + i;
}

static bool
is_deleted(const struct pop3_session *s, size_t i)
{
	return ((unsigned)(unsigned char)s->deleted.p[i / 8] >> (i % 8) & 1U) != 0;
}

void
pop3_session_begin(struct pop3_session *s, uint32_t uidvalidity)
{
	strbuf_clear(&s->entries);
	strbuf_clear(&s->deleted);
	s->count = s->deleted_count = 0;
	s->bytes = s->deleted_bytes = 0;
	s->uidvalidity = uidvalidity;
}

bool
pop3_session_entry(struct pop3_session *s, uint32_t uid, uint32_t size)
{
	struct pop3_entry e = { .uid = uid, .size = size };

	if (s->count >= POP3_DROP_MAX)
		return false;
	CHECK(s->count == 0 || entry(s, s->count - 1)->uid < uid);
	strbuf_bytes(&s->entries, &e, sizeof(e));
	if (s->count % 8 == 0)
		strbuf_byte(&s->deleted, '\0');
	s->count++;
	s->bytes += size;
	return true;
}

/* The message that args names: its position. False where there is none, or no more. */
static bool
find_message(const struct pop3_session *s, struct str args, size_t *i_out)
{
	uint32_t number;

	if (!str_parse_u32(str_trim(args), &number) || number < 1 || number > s->count)
		return false;
	*i_out = number - 1;
	return !is_deleted(s, *i_out);
}

static enum pop3_next
no_such_message(struct pop3_session *s, struct strbuf *out)
{
	return pop3_err_text(s, out, "No such message");
}

enum pop3_next
pop3_cmd_stat(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	return pop3_ok(s, out, "%zu %llu", s->count - s->deleted_count,
	               (unsigned long long)(s->bytes - s->deleted_bytes));
}

enum pop3_next
pop3_cmd_noop(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	return pop3_ok(s, out, "Nothing done");
}

enum pop3_next
pop3_cmd_dele(struct pop3_session *s, struct str args, struct strbuf *out)
{
	size_t i;

	if (!find_message(s, args, &i))
		return no_such_message(s, out);
	s->deleted.p[i / 8] = (char)((unsigned char)s->deleted.p[i / 8] | 1u << (i % 8));
	s->deleted_count++;
	s->deleted_bytes += entry(s, i)->size;
	return pop3_ok(s, out, "Message %zu goes at QUIT", i + 1);
}

enum pop3_next
pop3_cmd_rset(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	if (s->deleted.n)
		memset(s->deleted.p, 0, s->deleted.n);
	s->deleted_count = 0;
	s->deleted_bytes = 0;
	return pop3_ok(s, out, "Maildrop has %zu messages (%llu octets)", s->count,
	               (unsigned long long)s->bytes);
}

/* ---- answers of many lines -------------------------------------------------- */

void
pop3_stream_end(struct pop3_session *s)
{
	if (s->message.p)
		s->ops->release(s->ops_arg);
	s->message = (struct str){ NULL, 0 };
	s->stream = POP3_STREAM_NONE;
}

static void
add_entry(struct pop3_session *s, size_t i, struct strbuf *out)
{
	const struct pop3_entry *e = entry(s, i);

	strbuf_u64(out, i + 1);
	strbuf_byte(out, ' ');
	if (s->stream == POP3_STREAM_UIDL) {
		strbuf_u64(out, s->uidvalidity);
		strbuf_byte(out, '.');
		strbuf_u64(out, e->uid);
	} else {
		strbuf_u64(out, e->size);
	}
	strbuf_lit(out, "\r\n");
}

/* A line's end is CRLF, also where LF alone was stored. */
static void
add_end(const struct str *message, size_t lf, struct strbuf *out)
{
	if (lf == 0 || message->p[lf - 1] != '\r')
		strbuf_byte(out, '\r');
	strbuf_byte(out, '\n');
}

/* One line of the message, or a piece of a long one, a dot before a dot (RFC 1939 3).
   False: TOP has enough. */
static bool
add_line(struct pop3_session *s, struct strbuf *out)
{
	struct str rest = str_from_offset(s->message, s->at);
	struct str piece = str_first(rest, LINE_PIECE_BYTES);
	const char *lf = memchr(piece.p, '\n', piece.n);
	bool is_start = s->at == 0 || s->message.p[s->at - 1] == '\n';

	if (is_start && s->at >= s->body_at && s->lines_left != UINT64_MAX &&
	    s->lines_left-- == 0)
		return false;
	if (lf)
		piece.n = (size_t)(lf - piece.p);
	if (is_start && piece.n && piece.p[0] == '.')
		strbuf_byte(out, '.');
	strbuf_add(out, piece);
	s->at += piece.n;
	if (lf)
		add_end(&s->message, s->at++, out);
	else if (s->at == s->message.n)
		strbuf_lit(out, "\r\n");
	return true;
}

/* One piece of the answer; false at its end. */
static bool
add_piece(struct pop3_session *s, struct strbuf *out)
{
	if (s->stream == POP3_STREAM_BODY)
		return s->at < s->message.n && add_line(s, out);
	if (s->at >= s->count)
		return false;
	if (!is_deleted(s, s->at))
		add_entry(s, s->at, out);
	s->at++;
	return true;
}

enum pop3_next
pop3_stream_on(struct pop3_session *s, struct strbuf *out)
{
	while (out->n < s->conf->output_soft_bytes) {
		if (add_piece(s, out))
			continue;
		strbuf_lit(out, ".\r\n");
		pop3_stream_end(s);
		return POP3_READ;
	}
	return POP3_MORE;
}

static enum pop3_next
begin_stream(struct pop3_session *s, enum pop3_stream stream, struct strbuf *out)
{
	s->stream = stream;
	s->at = 0;
	return pop3_stream_on(s, out);
}

enum pop3_next
pop3_cmd_list(struct pop3_session *s, struct str args, struct strbuf *out)
{
	size_t i;

	if (!str_trim(args).n) {
		(void)pop3_ok(s, out, "%zu messages", s->count - s->deleted_count);
		return begin_stream(s, POP3_STREAM_LIST, out);
	}
	if (!find_message(s, args, &i))
		return no_such_message(s, out);
	return pop3_ok(s, out, "%zu %u", i + 1, entry(s, i)->size);
}

/* Unique ids are UIDVALIDITY and UID of the message in INBOX: they never mean another. */
enum pop3_next
pop3_cmd_uidl(struct pop3_session *s, struct str args, struct strbuf *out)
{
	size_t i;

	if (!str_trim(args).n) {
		(void)pop3_ok(s, out, "%zu messages", s->count - s->deleted_count);
		return begin_stream(s, POP3_STREAM_UIDL, out);
	}
	if (!find_message(s, args, &i))
		return no_such_message(s, out);
	return pop3_ok(s, out, "%zu %u.%u", i + 1, s->uidvalidity, entry(s, i)->uid);
}

static enum pop3_next
message_found(struct pop3_session *s, enum err e, struct strbuf *out)
{
	struct str message = s->message;

	if (e != OK) {
		s->message = (struct str){ NULL, 0 };
		return e == ERR_NOT_FOUND ? pop3_err_text(s, out, "The message is gone")
		                          : pop3_err(s, out, e);
	}
	CHECK(message.p);
	s->body_at = header_size(message);
	(void)pop3_ok(s, out, "%zu octets", message.n);
	return begin_stream(s, POP3_STREAM_BODY, out);
}

static enum pop3_next
ask_message(struct pop3_session *s, size_t i, uint64_t lines)
{
	s->lines_left = lines;
	s->message = (struct str){ NULL, 0 };
	s->ops->message(s->ops_arg, entry(s, i)->uid, &s->message);
	return pop3_ask(s, message_found);
}

enum pop3_next
pop3_cmd_retr(struct pop3_session *s, struct str args, struct strbuf *out)
{
	size_t i;

	if (!find_message(s, args, &i))
		return no_such_message(s, out);
	return ask_message(s, i, UINT64_MAX);
}

/* TOP message lines: the header, the empty line, and so many lines of the body. */
enum pop3_next
pop3_cmd_top(struct pop3_session *s, struct str args, struct strbuf *out)
{
	struct str number;
	uint32_t lines;
	size_t i;

	args = str_trim(args);
	number = str_first(args, str_find(args, ' '));
	if (!str_parse_u32(str_trim(str_from_offset(args, number.n)), &lines))
		return pop3_err(s, out, ERR_COMMAND_ARGS);
	if (!find_message(s, number, &i))
		return no_such_message(s, out);
	return ask_message(s, i, lines);
}

/* ---- the end --------------------------------------------------------------------- */

static enum pop3_next
removed(struct pop3_session *s, enum err e, struct strbuf *out)
{
	s->state = POP3_STATE_END;
	if (e == OK)
		(void)pop3_ok(s, out, "Goodbye");
	else
		strbuf_lit(out,
		           "-ERR [SYS/TEMP] The deleted messages are not removed\r\n");
	return POP3_CLOSE;
}

/* The UIDs of deleted messages as ranges: neighbours in the maildrop may be one range,
   because UIDs between them are not there. */
static void
ask_remove(struct pop3_session *s)
{
	struct strbuf ranges = strbuf_heap(POP3_DROP_MAX * sizeof(struct uid_range));
	struct uid_range range = { 0, 0 };

	for (size_t i = 0; i <= s->count; i++) {
		bool goes = i < s->count && is_deleted(s, i);

		if (goes && !range.first)
			range.first = entry(s, i)->uid;
		if (goes)
			range.last = entry(s, i)->uid;
		if (!goes && range.first) {
			strbuf_bytes(&ranges, &range, sizeof(range));
			range.first = 0;
		}
	}
	CHECK(!ranges.overflow);
	s->ops->remove(s->ops_arg, (const struct uid_range *)(const void *)ranges.p,
	               ranges.n / sizeof(range));
	strbuf_release(&ranges);
}

enum pop3_next
pop3_cmd_quit(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	if (s->state == POP3_STATE_TRANSACTION && s->deleted_count) {
		ask_remove(s);
		return pop3_ask(s, removed);
	}
	return removed(s, OK, out);
}
