#include "policy/auth_results.h"

#include "base/utf8.h"

/* The writer counts columns: a line is folded before the word that would reach over
   it, and only where a space may stand. */

enum {
	COLUMNS = 77,
	VALUE_MAX = 330,  /* bytes of a value: local part, "@", domain, and some */
	REASON_MAX = 300, /* bytes of a reason */
	SIGNATURE_MIN = 8 /* RFC 6008 4 */
};

struct writer {
	struct strbuf *out;
	size_t column;
};

/* A word, with a space in front or at the start of a new line. */
static void
word(struct writer *w, struct str s)
{
	if (w->column + 1 + s.n > COLUMNS && w->column > 1) {
		strbuf_lit(w->out, "\r\n\t");
		w->column = 8;
	} else if (w->column) {
		strbuf_byte(w->out, ' ');
		w->column++;
	}
	strbuf_add(w->out, s);
	w->column += s.n;
}

/* The next result begins: what was before it, if only our name, ends with a semicolon. */
static void
begin(struct writer *w, struct str method, const char *result)
{
	struct str value = str_from(result);

	strbuf_lit(w->out, ";\r\n\t");
	strbuf_add(w->out, method);
	strbuf_byte(w->out, '=');
	strbuf_add(w->out, value);
	w->column = 8 + method.n + 1 + value.n;
}

/* Takes one character that may stand in a header: printing ASCII, space, or UTF-8 that
   is no control. What is none is "?", and a byte long. */
static struct str
take_printable(struct str *s)
{
	struct str rest = *s, one;
	uint32_t c;

	if (!utf8_next(&rest, &c)) {
		*s = str_from_offset(*s, 1);
		return STR("?");
	}
	one = str_first(*s, s->n - rest.n);
	*s = rest;
	/* C0, DEL, C1, and what turns or hides the text around it. */
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
		return STR("?");
	return one;
}

/* How many bytes at the start need no care, neither in comments nor in quotes. */
static size_t
plain_bytes(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != '(' &&
	       s.p[n] != ')' && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

static void
take_plain(struct str *s, struct strbuf *b)
{
	size_t n = plain_bytes(*s);

	strbuf_add(b, str_first(*s, n));
	*s = str_from_offset(*s, n);
}

/* A comment, word by word so that it can be folded. */
static void
comment(struct writer *w, struct str text)
{
	char bytes[(2 * REASON_MAX) + 16];
	struct strbuf b = strbuf_on(bytes);

	text = str_trim(utf8_first(text, REASON_MAX));
	if (text.n == 0)
		return;
	strbuf_byte(&b, '(');
	for (take_plain(&text, &b); text.n; take_plain(&text, &b)) {
		struct str one;

		if (str_skip_byte(&text, ' ')) {
			if (b.n)
				word(w, strbuf_str(&b));
			strbuf_clear(&b);
			continue;
		}
		one = take_printable(&text);
		if (str_eq(one, STR("(")) || str_eq(one, STR(")")) ||
		    str_eq(one, STR("\\")))
			strbuf_byte(&b, '\\');
		strbuf_add(&b, one);
	}
	strbuf_byte(&b, ')');
	word(w, strbuf_str(&b));
}

/* RFC 2045 5.1: a token; and one "@" between two of them (RFC 8601 2.2: pvalue). */
static bool
is_plain(struct str s)
{
	bool has_at = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '@' && !has_at && i + 1 < s.n) {
			has_at = true;
			continue;
		}
		if (!byte_is_alnum(c) &&
		    (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?=", c)))
			return false;
	}
	return s.n > 0;
}

static void
property(struct writer *w, struct str name, struct str value)
{
	char bytes[(2 * VALUE_MAX) + 32];
	struct strbuf b = strbuf_on(bytes);

	value = utf8_first(value, VALUE_MAX);
	strbuf_add(&b, name);
	strbuf_byte(&b, '=');
	if (is_plain(value)) {
		strbuf_add(&b, value);
		word(w, strbuf_str(&b));
		return;
	}
	strbuf_byte(&b, '"');
	for (take_plain(&value, &b); value.n; take_plain(&value, &b)) {
		struct str one = take_printable(&value);

		if (str_eq(one, STR("\"")) || str_eq(one, STR("\\")))
			strbuf_byte(&b, '\\');
		strbuf_add(&b, one);
	}
	strbuf_byte(&b, '"');
	word(w, strbuf_str(&b));
}

static void
property_ip(struct writer *w, struct str name, const struct addr *ip)
{
	char text[ADDR_TEXT_MAX];

	property(w, name, addr_ip_text(ip, &text));
}

static void
write_iprev(struct writer *w, const struct auth_request *request,
            const struct auth_verdict *v)
{
	begin(w, STR("iprev"), iprev_result_word(v->iprev.result));
	comment(w, v->iprev.host);
	property_ip(w, STR("policy.iprev"), &request->ip);
}

static void
write_spf(struct writer *w, const struct auth_request *request,
          const struct auth_verdict *v)
{
	if (v->has_spf_from) {
		begin(w, STR("spf"), spf_result_word(v->spf_from.result));
		comment(w, v->spf_from.reason);
		property(w, STR("smtp.mailfrom"), request->sender);
	}
	begin(w, STR("spf"), spf_result_word(v->spf_helo.result));
	comment(w, v->spf_helo.reason);
	property(w, STR("smtp.helo"), request->helo);
}

/* As much of b= as tells it from the others (RFC 6008 4); of a copy nothing does. */
static struct str
signature_start(const struct auth_verdict *v, size_t which)
{
	struct str own = v->dkim[which]->signature;
	size_t n = SIGNATURE_MIN;

	for (size_t i = 0; i < v->dkim_count; i++) {
		struct str other = v->dkim[i]->signature;

		while (!str_eq(own, other) && n < own.n &&
		       str_eq(str_first(own, n), str_first(other, n)))
			n++;
	}
	return str_first(own, n);
}

static void
write_dkim(struct writer *w, const struct auth_verdict *v)
{
	if (v->dkim_count == 0)
		begin(w, STR("dkim"), dkim_result_word(DKIM_NONE));
	for (size_t i = 0; i < v->dkim_count; i++) {
		const struct dkim_verdict *d = v->dkim[i];
		const struct {
			struct str name, value;
		} rows[] = {
			{ STR("header.d"), d->domain },
			{ STR("header.s"), d->selector },
			{ STR("header.i"), d->identity },
			{ STR("header.a"), str_from(d->algorithm) },
			{ STR("header.b"), signature_start(v, i) },
		};

		begin(w, STR("dkim"), dkim_result_word(d->result));
		comment(w, d->reason);
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (rows[k].value.n)
				property(w, rows[k].name, rows[k].value);
	}
}

/* RFC 8617 7.1, 7.2. */
static void
write_arc(struct writer *w, const struct auth_request *request,
          const struct auth_verdict *v)
{
	char bytes[24];
	struct strbuf b = strbuf_on(bytes);

	begin(w, STR("arc"), arc_result_word(v->arc.result));
	comment(w, v->arc.reason);
	if (v->arc.result == ARC_PASS) {
		strbuf_u64(&b, v->arc.oldest_pass);
		property(w, STR("header.oldest-pass"), strbuf_str(&b));
	}
	/* Who seals it later must know: a chain is not broken for ever because DNS was
	   silent for a while. */
	if (v->arc.result == ARC_FAIL)
		property(w, AUTH_RESULTS_ARC_FAULT,
		         v->arc.is_temporary ? AUTH_RESULTS_TEMPORARY
		                             : AUTH_RESULTS_PERMANENT);
	property_ip(w, STR("smtp.remote-ip"), &request->ip);
}

static void
write_dmarc(struct writer *w, const struct auth_verdict *v, enum dmarc_policy applied)
{
	const struct dmarc_verdict *d = &v->dmarc;

	begin(w, STR("dmarc"), dmarc_result_word(d->result));
	comment(w, d->reason);
	if (v->is_arc_trusted)
		property(w, STR("policy.arc-domain"), v->arc_trusted_domain);
	if (d->from_domain.n)
		property(w, STR("header.from"), d->from_domain);
	if (d->policy_domain.n)
		property(w, STR("policy.dmarc"), str_from(dmarc_policy_word(d->policy)));
	property(w, STR("policy.applied"), str_from(dmarc_policy_word(applied)));
}

enum dmarc_policy
auth_results_disposition(const struct auth_verdict *verdict)
{
	if (verdict->dmarc.result != DMARC_FAIL || verdict->is_arc_trusted)
		return DMARC_POLICY_NONE;
	return verdict->dmarc.policy;
}

enum err
auth_results_format(const struct auth_request *request,
                    const struct auth_verdict *verdict, enum dmarc_policy applied,
                    struct strbuf *out)
{
	struct writer w = { .out = out };

	strbuf_lit(out, "Authentication-Results: ");
	strbuf_add(out, request->authserv_id);
	write_iprev(&w, request, verdict);
	write_spf(&w, request, verdict);
	write_dkim(&w, verdict);
	write_arc(&w, request, verdict);
	write_dmarc(&w, verdict, applied);
	strbuf_lit(out, "\r\n");
	return out->overflow ? ERR_LIMIT : OK;
}
