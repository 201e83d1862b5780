/* What the server offers, and what we say to it because of that. */
#include "base/utf8.h"
#include "mail/encoded.h"
#include "smtp/smtp_client_priv.h"

enum {
	PATH_MAX_BYTES = 1000, /* RFC 5321 4.5.3.1.3 says 256; UTF-8 and we are lenient */
	PARAM_MAX_BYTES = 1000,
	ORCPT_MAX_BYTES = 500, /* RFC 3461 5.4 */
};

/* SIZE [n]                                                            RFC 1870 4 */
static void
on_size(struct smtp_client_ext *ext, struct str args)
{
	uint64_t n;

	if (str_parse_u64(str_trim(args), &n))
		ext->size_max = n;
}

/* LIMITS RCPTMAX=n MAILMAX=n ...                                      RFC 9422 4 */
static void
on_limits(struct smtp_client_ext *ext, struct str args)
{
	struct str word;

	while (str_next(&args, ' ', &word)) {
		uint64_t n;

		if (str_skip_icase(&word, STR("RCPTMAX=")) && str_parse_u64(word, &n) &&
		    n)
			ext->rcpt_max = n;
		else if (str_skip_icase(&word, STR("MAILMAX=")) &&
		         str_parse_u64(word, &n) && n)
			ext->mail_max = n;
	}
}

static const struct offer {
	struct str keyword;
	enum smtp_client_offer bit;
	void (*parse)(struct smtp_client_ext *ext, struct str args);
} offers[] = {
	{ STR_INIT("PIPELINING"), SMTP_OFFER_PIPELINING, NULL },
	{ STR_INIT("SIZE"), SMTP_OFFER_SIZE, on_size },
	{ STR_INIT("8BITMIME"), SMTP_OFFER_8BITMIME, NULL },
	{ STR_INIT("SMTPUTF8"), SMTP_OFFER_SMTPUTF8, NULL },
	{ STR_INIT("DSN"), SMTP_OFFER_DSN, NULL },
	{ STR_INIT("STARTTLS"), SMTP_OFFER_STARTTLS, NULL },
	{ STR_INIT("ENHANCEDSTATUSCODES"), SMTP_OFFER_ENHANCED, NULL },
	{ STR_INIT("LIMITS"), SMTP_OFFER_LIMITS, on_limits },
	{ STR_INIT("REQUIRETLS"), SMTP_OFFER_REQUIRETLS, NULL },
};

void
smtp_client_ext_parse(struct smtp_client_ext *ext, struct str line)
{
	struct str args = str_trim(line), keyword = args;
	size_t space = str_find(args, ' ');

	if (space != SIZE_MAX)
		keyword = str_first(args, space);
	args = str_trim(str_from_offset(args, keyword.n));
	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		if (!str_eq_icase(keyword, offers[i].keyword))
			continue;
		ext->offers |= offers[i].bit;
		if (offers[i].parse)
			offers[i].parse(ext, args);
	}
}

/* One byte of a path; *in_quotes is kept over the calls. */
static bool
path_byte_check(char c, bool *in_quotes)
{
	unsigned char u = (unsigned char)c;

	if (c == '"')
		*in_quotes = !*in_quotes;
	if (u < ' ' || u == 0x7f)
		return false;
	return *in_quotes || (c != ' ' && c != '<' && c != '>');
}

bool
smtp_client_path_check(struct str s)
{
	bool in_quotes = false;

	if (s.n > PATH_MAX_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		/* A quoted pair may hold a quote, but nothing that no path may hold. */
		if (in_quotes && s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] >= ' ' &&
		    s.p[i + 1] < 0x7f) {
			i++;
			continue;
		}
		if (!path_byte_check(s.p[i], &in_quotes))
			return false;
	}
	return !in_quotes;
}

bool
smtp_client_param_check(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '=')
			return false;
	}
	return s.n <= PARAM_MAX_BYTES;
}

static void
add_param(struct strbuf *out, const char *name, struct str value)
{
	if (value.n && smtp_client_param_check(value))
		strbuf_printf(out, " %s=%.*s", name, STR_ARG(value));
}

void
smtp_client_format_mail(const struct smtp_client *c, struct strbuf *out)
{
	const struct smtp_client_message *m = c->message;

	strbuf_lit(out, "MAIL FROM:<");
	strbuf_add(out, m->from);
	strbuf_lit(out, ">");
	if (c->ext.offers & SMTP_OFFER_SIZE) {
		strbuf_lit(out, " SIZE=");
		strbuf_u64(out, m->size);
	}
	if (m->is_8bit && (c->ext.offers & SMTP_OFFER_8BITMIME))
		strbuf_lit(out, " BODY=8BITMIME");
	if (m->is_utf8 && (c->ext.offers & SMTP_OFFER_SMTPUTF8))
		strbuf_lit(out, " SMTPUTF8");
	if (m->is_tls_required) /* or it would not be sent: RFC 8689 4.2.1 */
		strbuf_lit(out, " REQUIRETLS");
	if (c->ext.offers & SMTP_OFFER_DSN) {
		add_param(out, "RET", m->ret);
		add_param(out, "ENVID", m->envid);
	}
	strbuf_lit(out, "\r\n");
}

/* ORCPT of the type utf-8, in a transaction without SMTPUTF8: utf-8-addr-xtext, which is
   ASCII (RFC 6533 3). Nothing where that is longer than others must take. */
static void
add_orcpt_ascii(struct strbuf *out, struct str orcpt)
{
	char bytes[ORCPT_MAX_BYTES];
	struct strbuf b = strbuf_on(bytes);

	if (!utf8_check(orcpt))
		return;
	encoded_format_address(orcpt, &b);
	if (!b.overflow)
		add_param(out, "ORCPT", strbuf_str(&b));
}

static void
add_notify(struct strbuf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
		{ SMTP_NOTIFY_FAILURE, "FAILURE" },
		{ SMTP_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	if (notify & SMTP_NOTIFY_NEVER) {
		strbuf_lit(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(notify & words[i].bit))
			continue;
		strbuf_add(out, str_from(before));
		strbuf_add(out, str_from(words[i].word));
		before = ",";
	}
}

void
smtp_client_format_rcpt(const struct smtp_client *c, const struct smtp_client_rcpt *rcpt,
                        struct strbuf *out)
{
	strbuf_lit(out, "RCPT TO:<");
	strbuf_add(out, rcpt->address);
	strbuf_lit(out, ">");
	if (c->ext.offers & SMTP_OFFER_DSN) {
		add_notify(out, rcpt->notify);
		if (!c->message->is_utf8 && !ascii_check(rcpt->orcpt))
			add_orcpt_ascii(out, rcpt->orcpt);
		else if (rcpt->orcpt.n <= ORCPT_MAX_BYTES)
			add_param(out, "ORCPT", rcpt->orcpt);
	}
	strbuf_lit(out, "\r\n");
}
