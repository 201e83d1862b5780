#include "smtp/smtp_client_reply.h"

void
smtp_reply_init(struct smtp_reply_parser *p)
{
	*p = (struct smtp_reply_parser){ .line = strbuf_heap(SMTP_REPLY_LINE_MAX) };
}

void
smtp_reply_fini(struct smtp_reply_parser *p)
{
	strbuf_release(&p->line);
}

/* Three digits, of which the first is 2-5; 0 for anything else. */
static int
parse_code(struct str s)
{
	if (s.n < 3 || s.p[0] < '2' || s.p[0] > '5' || !byte_is_digit(s.p[1]) ||
	    !byte_is_digit(s.p[2]))
		return 0;
	return (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + (s.p[2] - '0');
}

static enum smtp_reply_result
parse_line(struct smtp_reply_parser *p, struct smtp_reply_line *line_out)
{
	struct str s = strbuf_str(&p->line);
	int code;
	bool is_last;

	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	code = parse_code(s);
	if (!code || (p->code && code != p->code))
		return REPLY_BAD;
	/* A code alone is a reply as well (RFC 5321 4.2). */
	if (s.n > 3 && s.p[3] != ' ' && s.p[3] != '-')
		return REPLY_BAD;
	is_last = s.n == 3 || s.p[3] == ' ';
	p->is_whole = true;
	p->code = is_last ? 0 : code;
	if (is_last)
		p->total = 0;
	*line_out = (struct smtp_reply_line){
		.code = code,
		.is_last = is_last,
		.text = str_from_offset(s, 4),
	};
	return REPLY_LINE;
}

enum smtp_reply_result
smtp_reply_next(struct smtp_reply_parser *p, struct str *in,
                struct smtp_reply_line *line_out)
{
	size_t end = str_find(*in, '\n');
	size_t take = end == SIZE_MAX ? in->n : end + 1;
	struct str part = str_first(*in, end == SIZE_MAX ? in->n : end);

	if (p->is_whole) {
		strbuf_clear(&p->line);
		p->is_whole = false;
	}
	strbuf_add(&p->line, str_first(part, SMTP_REPLY_LINE_MAX - p->line.n));
	if (take > SMTP_REPLY_MAX - p->total)
		return REPLY_BAD;
	p->total += take;
	*in = str_from_offset(*in, take);
	return end == SIZE_MAX ? REPLY_MORE : parse_line(p, line_out);
}

/* One to `max` digits off *s. */
static bool
skip_number(struct str *s, size_t max)
{
	size_t n = 0;

	while (n < s->n && n < max && byte_is_digit(s->p[n]))
		n++;
	*s = str_from_offset(*s, n);
	return n > 0;
}

struct str
smtp_reply_enhanced(int code, struct str *text)
{
	struct str rest = *text, found;

	if (!rest.n || rest.p[0] != '0' + code / 100 || code / 100 == 3)
		return (struct str){ 0 };
	if (!skip_number(&rest, 1) || !str_skip_byte(&rest, '.') ||
	    !skip_number(&rest, 3) || !str_skip_byte(&rest, '.') ||
	    !skip_number(&rest, 3))
		return (struct str){ 0 };
	if (rest.n && rest.p[0] != ' ' && rest.p[0] != '\t')
		return (struct str){ 0 };
	found = str_first(*text, text->n - rest.n);
	*text = str_trim(rest);
	return found;
}
