/* imap_strings.c - strings as a server writes them (RFC 3501 9: string, date-time,
 * mailbox). */
#include "imap/imap_args.h"
#include "imap/imap_utf7.h"
#include "mail/date.h"

enum {
	QUOTED_MAX = 1000, /* longer ones go as literals: some clients have small lines */
};

static bool
is_quotable(struct str s)
{
	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r' || c == '\n' || c == '\0' || c >= 0x80)
			return false;
	}
	return true;
}

void
imap_string_format(struct strbuf *out, struct str s)
{
	if (!is_quotable(s)) {
		strbuf_byte(out, '{');
		strbuf_u64(out, s.n);
		strbuf_lit(out, "}\r\n");
		strbuf_add(out, s);
		return;
	}
	strbuf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			strbuf_byte(out, '\\');
		strbuf_byte(out, s.p[i]);
	}
	strbuf_byte(out, '"');
}

void
imap_mailbox_format(struct strbuf *out, struct str name)
{
	char bytes[IMAP_NAME_MAX_BYTES * 3];
	struct strbuf wire = strbuf_on(bytes);

	imap_utf7_format(&wire, name);
	imap_string_format(out, strbuf_str(&wire));
}

void
imap_date_time_format(struct strbuf *out, int64_t ms)
{
	strbuf_byte(out, '"');
	date_format_imap(out, ms, 0);
	strbuf_byte(out, '"');
}
