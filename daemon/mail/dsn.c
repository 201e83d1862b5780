#include "mail/dsn.h"

#include "base/utf8.h"
#include "mail/date.h"
#include "mail/encoded.h"
#include "mail/header.h"

enum {
	DIAGNOSTIC_MAX =
		900, /* bytes of one diagnostic or address; a line may have 998 */
	PEOPLE_RCPT_MAX = 100, /* recipients that the text for people names */
	HEADER_MAX = 64 << 10, /* bytes of the original's header, where it goes alone */
	MADE_MAX = 8 << 20,    /* bytes of a part that we write */
};

#define WHOLE      "message/rfc822"
#define WHOLE_UTF8 "message/global"

static const struct {
	const char *word;   /* RFC 3464 2.3.3 */
	const char *people; /* heads the text for people */
} actions[] = {
	[DSN_FAILED] = { "failed", "Your message could not be delivered to:" },
	[DSN_DELAYED] = { "delayed", "Your message has not been delivered yet to:" },
	[DSN_DELIVERED] = { "delivered", "Your message was delivered to:" },
	[DSN_RELAYED] = { "relayed", "Your message was handed on, to a server that sends "
	                             "no receipts, for:" },
	[DSN_EXPANDED] = { "expanded", "Your message was sent on to the members of:" },
};

/* One line of what others said: line ends and runs of spaces become one space, controls
   are dropped, and what is not ASCII too where the report may hold none. */
static void
add_line(struct strbuf *out, struct str s, bool is_ascii)
{
	bool had_space = false;
	size_t start = out->n;

	s = str_trim(utf8_first(s, DIAGNOSTIC_MAX));
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f) {
			had_space = true;
			continue;
		}
		if (had_space && out->n > start)
			strbuf_byte(out, ' ');
		had_space = false;
		strbuf_byte(out, is_ascii && c >= 0x80 ? '?' : (char)c);
	}
}

static void
add_field(struct strbuf *out, const char *name, struct str value, bool is_ascii)
{
	if (!value.n)
		return;
	strbuf_printf(out, "%s: ", name);
	add_line(out, value, is_ascii);
	strbuf_lit(out, "\r\n");
}

static void
add_date(struct strbuf *out, const char *name, int64_t unix_ms, int zone_min)
{
	if (!unix_ms)
		return;
	strbuf_printf(out, "%s: ", name);
	date_format_rfc5322(out, unix_ms, zone_min);
	strbuf_lit(out, "\r\n");
}

/* Who has an address in UTF-8 is reached by SMTPUTF8, which takes 8-bit text, and reads
   the report of RFC 6533. For anybody else it is 7-bit text, whatever it is about: nobody
   would hear of one that a server without 8BITMIME does not take. */
static bool
is_global(const struct dsn *d)
{
	return !ascii_check(d->to);
}

static bool
has_action(const struct dsn *d, enum dsn_action action)
{
	for (size_t i = 0; i < d->rcpt_count; i++) {
		if (d->rcpts[i].action == action)
			return true;
	}
	return false;
}

static const char *
subject_of(const struct dsn *d)
{
	if (has_action(d, DSN_FAILED))
		return "Undelivered mail: your message could not be delivered";
	if (has_action(d, DSN_DELAYED))
		return "Delayed mail: your message is still on its way";
	return "Delivered mail: receipt for your message";
}

static void
add_header(struct strbuf *out, const struct dsn *d)
{
	strbuf_lit(out, "From: Mail Delivery System <MAILER-DAEMON@");
	add_line(out, d->host, true);
	strbuf_lit(out, ">\r\n");
	add_field(out, "To", d->to, false);
	strbuf_printf(out, "Subject: %s\r\n", subject_of(d));
	add_date(out, "Date", d->now_ms, d->zone_min);
	add_field(out, "Message-ID", d->message_id, true);
	strbuf_lit(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	                "Content-Type: multipart/report; report-type=");
	strbuf_add(out,
	           is_global(d) ? STR("global-delivery-status") : STR("delivery-status"));
	strbuf_lit(out, ";\r\n\tboundary=\"");
	strbuf_add(out, d->boundary);
	strbuf_lit(out, "\"\r\n\r\nThis is a delivery report in several parts.\r\n");
}

/* Parts of what kind may be encoded: RFC 6522 4 for the header, RFC 6533 6 for the global
   ones. A whole message may not (RFC 2046 5.2.1), and a delivery-status need not. */
static void
add_part(struct strbuf *out, const struct dsn *d, const char *type, struct str body)
{
	bool is_8bit = !ascii_check(body);
	bool is_whole = str_eq(str_from(type), STR(WHOLE)) ||
	                str_eq(str_from(type), STR(WHOLE_UTF8));
	bool is_raw = is_8bit && (is_global(d) || is_whole);

	strbuf_lit(out, "\r\n--");
	strbuf_add(out, d->boundary);
	strbuf_printf(out, "\r\nContent-Type: %s\r\n", type);
	if (is_raw)
		strbuf_lit(out, "Content-Transfer-Encoding: 8bit\r\n");
	else if (is_8bit)
		strbuf_lit(out, "Content-Transfer-Encoding: quoted-printable\r\n");
	strbuf_lit(out, "\r\n");
	if (is_8bit && !is_raw)
		quoted_printable_format(body, out);
	else
		strbuf_add(out, body);
}

/* The recipients of one kind, for people. */
static void
add_people_rcpts(struct strbuf *out, const struct dsn *d, enum dsn_action action)
{
	size_t named = 0;

	for (size_t i = 0; i < d->rcpt_count; i++) {
		const struct dsn_rcpt *r = &d->rcpts[i];

		if (r->action != action)
			continue;
		if (named == 0)
			strbuf_printf(out, "%s\r\n\r\n", actions[action].people);
		if (named++ == PEOPLE_RCPT_MAX) {
			strbuf_lit(out, "  (and more, named below)\r\n");
			break;
		}
		strbuf_lit(out, "  <");
		add_line(out, r->address, false);
		strbuf_lit(out, ">\r\n");
		if (r->diagnostic.n) {
			strbuf_lit(out, "    ");
			if (r->remote_host.n) {
				add_line(out, r->remote_host, false);
				strbuf_lit(out, " said: ");
			}
			add_line(out, r->diagnostic, false);
			strbuf_lit(out, "\r\n");
		}
	}
	if (named)
		strbuf_lit(out, "\r\n");
}

static void
format_people(struct strbuf *out, const struct dsn *d)
{
	strbuf_lit(out, "This is the mail server at ");
	add_line(out, d->host, true);
	strbuf_lit(out, ".\r\n\r\n");
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		add_people_rcpts(out, d, (enum dsn_action)i);
	if (has_action(d, DSN_FAILED))
		strbuf_lit(out, "No further attempt will be made for the addresses that "
		                "failed.\r\n");
	else if (has_action(d, DSN_DELAYED))
		strbuf_lit(
			out,
			"You need not do anything: further attempts will be made.\r\n");
	if (d->trace_id.n) {
		strbuf_lit(out, "Your administrator finds the whole story under ");
		add_line(out, d->trace_id, true);
		strbuf_lit(out, ".\r\n");
	}
}

/* An address, with its type or without: utf-8-addr-xtext where there may be no UTF-8. A
   field that would be longer than a line is left out rather than empty. */
static void
add_address(struct strbuf *out, const char *field, struct str s, bool global)
{
	char bytes[DIAGNOSTIC_MAX];
	struct strbuf ascii = strbuf_on(bytes);

	if (!global && !ascii_check(s)) {
		encoded_format_address(s, &ascii);
		if (ascii.overflow)
			return;
		s = strbuf_str(&ascii);
	}
	strbuf_add(out, str_from(field));
	add_line(out, s, !global);
	strbuf_lit(out, "\r\n");
}

/* RFC 3464 2.2 and 2.3; RFC 6533 3 for the utf-8 address type. */
static void
format_status(struct strbuf *out, const struct dsn *d)
{
	bool global = is_global(d);

	add_field(out, "Original-Envelope-Id", d->envelope_id, true);
	strbuf_lit(out, "Reporting-MTA: dns; ");
	add_line(out, d->host, true);
	strbuf_lit(out, "\r\n");
	add_date(out, "Arrival-Date", d->arrival_ms, d->zone_min);
	for (size_t i = 0; i < d->rcpt_count; i++) {
		const struct dsn_rcpt *r = &d->rcpts[i];

		strbuf_lit(out, "\r\n");
		if (r->original.n)
			add_address(out, "Original-Recipient: ", r->original, global);
		add_address(out,
		            ascii_check(r->address) ? "Final-Recipient: rfc822; "
		                                    : "Final-Recipient: utf-8; ",
		            r->address, global);
		strbuf_printf(out, "Action: %s\r\n", actions[r->action].word);
		add_field(out, "Status", r->status, true);
		if (r->remote_host.n) {
			strbuf_lit(out, "Remote-MTA: dns; ");
			add_line(out, r->remote_host, true);
			strbuf_lit(out, "\r\n");
		}
		if (r->diagnostic.n) {
			strbuf_add(out, r->remote_host.n
			                        ? STR("Diagnostic-Code: smtp; ")
			                        : STR("Diagnostic-Code: x-mailstead; "));
			add_line(out, r->diagnostic, !global);
			strbuf_lit(out, "\r\n");
		}
		add_date(out, "Last-Attempt-Date", r->last_attempt_ms, d->zone_min);
		add_field(out, "Final-Log-Id", r->final_log_id, true);
		if (r->action == DSN_DELAYED)
			add_date(out, "Will-Retry-Until", r->will_retry_until_ms,
			         d->zone_min);
	}
}

/* Its first fields, whole ones; the sender knows the rest. */
static struct str
header_first(struct str message)
{
	struct str header = str_first(message, header_size(message)), fields = header;
	struct header_field field;
	size_t used = 0;

	if (header.n <= HEADER_MAX)
		return header;
	while (header_next(&fields, &field) && header.n - fields.n <= HEADER_MAX)
		used = header.n - fields.n;
	return str_first(header, used);
}

static void
add_original(struct strbuf *out, const struct dsn *d)
{
	struct str header = str_first(d->original, header_size(d->original));
	struct str original = d->want_full ? d->original : header_first(d->original);
	/* A header in UTF-8, that is; one in another charset is only broken. */
	bool has_utf8 = !ascii_check(header) && utf8_check(header);

	if (d->want_full)
		add_part(out, d, has_utf8 ? WHOLE_UTF8 : WHOLE, original);
	else
		add_part(out, d,
		         has_utf8 ? "message/global-headers" : "text/rfc822-headers",
		         original);
	if (!str_ends(original, STR("\r\n")))
		strbuf_lit(out, "\r\n");
}

/* A part whose encoding depends on what it says. */
static void
add_made_part(struct strbuf *out, const struct dsn *d, const char *type,
              void (*format)(struct strbuf *out, const struct dsn *d))
{
	struct strbuf body = strbuf_heap(MADE_MAX);

	format(&body, d);
	out->overflow |= body.overflow;
	add_part(out, d, type, strbuf_str(&body));
	strbuf_release(&body);
}

void
dsn_format(struct strbuf *out, const struct dsn *d)
{
	add_header(out, d);
	add_made_part(out, d, "text/plain; charset=utf-8", format_people);
	add_made_part(out, d,
	              is_global(d) ? "message/global-delivery-status"
	                           : "message/delivery-status",
	              format_status);
	add_original(out, d);
	strbuf_lit(out, "\r\n--");
	strbuf_add(out, d->boundary);
	strbuf_lit(out, "--\r\n");
}
