#include "mail/received.h"

#include "mail/date.h"
#include "mail/header.h"

enum { WORD_MAX = 255 }; /* bytes of anything a client said */

static bool
is_harmless(char c)
{
	return byte_is_alnum(c) || (unsigned char)c >= 0x80 ||
	       (c && strchr(".-_@:+!#$%&'*/=?[]^`{|}~", c));
}

/* What a client said, made harmless: what may stand in no atom or domain becomes "?". */
static void
add_word(struct strbuf *out, struct str s)
{
	size_t at = out->n;

	s = str_first(s, WORD_MAX);
	strbuf_add(out, s);
	for (; at < out->n; at++) {
		if (!is_harmless(out->p[at]))
			out->p[at] = '?';
	}
}

/* The same with spaces: for text of our own in comments. */
static void
add_comment(struct strbuf *out, struct str s)
{
	struct str word;
	bool is_first = true;

	while (str_next(&s, ' ', &word)) {
		if (!is_first)
			strbuf_byte(out, ' ');
		is_first = false;
		add_word(out, word);
	}
}

static void
add_literal(struct strbuf *out, struct str ip)
{
	strbuf_byte(out, '[');
	if (str_find(ip, ':') != SIZE_MAX)
		strbuf_lit(out, "IPv6:");
	add_word(out, ip);
	strbuf_byte(out, ']');
}

/* "from helo (host [ip])": RFC 5321 4.4, the comment is what we know ourselves. */
static void
add_from(struct strbuf *out, const struct received *r)
{
	if (!r->helo.n && !r->client_ip.n)
		return;
	strbuf_lit(out, "from ");
	if (r->helo.n)
		add_word(out, r->helo);
	else
		add_literal(out, r->client_ip);
	if (r->client_ip.n) {
		strbuf_lit(out, " (");
		if (r->client_host.n) {
			add_word(out, r->client_host);
			strbuf_byte(out, ' ');
		}
		add_literal(out, r->client_ip);
		strbuf_byte(out, ')');
	}
	strbuf_lit(out, "\r\n\t");
}

const char *
received_keyword(const struct received *r)
{
	/* By TLS (1) and AUTH (2): RFC 3848, RFC 6531 4.3. */
	static const char *const esmtp[] = { "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" };
	static const char *const utf8[] = { "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA",
		                            "UTF8SMTPSA" };
	unsigned i = (r->is_tls ? 1u : 0u) | (r->is_auth ? 2u : 0u);

	if (r->is_utf8)
		return utf8[i];
	/* TLS and AUTH are extensions: who has them speaks ESMTP. */
	return r->is_esmtp || i ? esmtp[i] : "SMTP";
}

void
received_format(struct strbuf *out, const struct received *r)
{
	strbuf_lit(out, "Received: ");
	add_from(out, r);
	strbuf_lit(out, "by ");
	add_word(out, r->by);
	strbuf_lit(out, " with ");
	if (r->protocol.n)
		add_word(out, r->protocol);
	else
		strbuf_add(out, str_from(received_keyword(r)));
	if (r->trace_id.n) {
		strbuf_lit(out, " id ");
		add_word(out, r->trace_id);
	}
	if (r->tls.n) {
		strbuf_lit(out, "\r\n\t(");
		add_comment(out, r->tls);
		strbuf_byte(out, ')');
	}
	if (r->rcpt.n) {
		strbuf_lit(out, "\r\n\tfor <");
		add_word(out, r->rcpt);
		strbuf_byte(out, '>');
	}
	strbuf_lit(out, ";\r\n\t");
	date_format_rfc5322(out, r->at_ms, r->zone_min);
	strbuf_lit(out, "\r\n");
}

size_t
received_count(struct str header, size_t max)
{
	return header_count(header, STR("Received"), max);
}

void
return_path_format(struct strbuf *out, struct str from)
{
	size_t at;

	strbuf_lit(out, "Return-Path: <");
	at = out->n;
	strbuf_add(out, from);
	for (; at < out->n; at++) {
		/* The address grammar lets no control through; this is a second lock. */
		if ((unsigned char)out->p[at] < ' ' || out->p[at] == 0x7f)
			out->p[at] = '?';
	}
	strbuf_lit(out, ">\r\n");
}
