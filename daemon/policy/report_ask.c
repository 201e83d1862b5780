#include "policy/report_ask.h"

#include "base/strbuf.h"
#include "mail/address.h"
#include "policy/dmarc.h"

enum {
	URI_ROOM = 1024,
	FIELDS_MAX = 32, /* of a TLS-RPT record */
};

/* --- the record ---------------------------------------------------------------------- */

/* "v=TLSRPTv1" and nothing else before the first ";".                    RFC 8460 3 */
static bool
is_tls_record(struct str text)
{
	return str_skip(&text, STR("v=TLSRPTv1")) && str_starts(str_trim(text), STR(";"));
}

enum err
report_tls_record_find(const struct dns_answer *txt, struct str *rua_out)
{
	struct str text = { 0 }, field;
	unsigned fields = 0;

	for (size_t i = 0; i < txt->count; i++) {
		if (!is_tls_record(txt->records[i].text))
			continue;
		if (text.n)
			return ERR_NOT_FOUND;
		text = txt->records[i].text;
	}
	while (fields++ < FIELDS_MAX && str_next(&text, ';', &field)) {
		field = str_trim(field);
		if (!str_skip(&field, STR("rua")))
			continue;
		field = str_trim(field);
		if (!str_skip(&field, STR("=")))
			continue;
		*rua_out = str_trim(field);
		return rua_out->n ? OK : ERR_NOT_FOUND;
	}
	return ERR_NOT_FOUND;
}

/* --- one URI ------------------------------------------------------------------------- */

static struct str
host_of(struct str name, struct arena *a)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);

	return domain_normalize(name, &b) == OK ? arena_str(a, strbuf_str(&b)) : STR("");
}

static void
read_mailto(const struct dmarc_uri *uri, struct arena *a, struct report_target *t)
{
	struct address address;

	t->address = arena_str(a, uri->address);
	t->size_max_bytes = uri->size_max_bytes;
	if (address_parse(t->address, 0, a, &address) != OK || address.is_literal) {
		t->refused = "it is no address";
		return;
	}
	t->host = host_of(address.domain, a);
	if (!t->host.n)
		t->refused = "its domain is none";
}

static bool
is_url_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '<' ||
		    s.p[i] == '>')
			return false;
	}
	return s.n > 0 && s.n <= REPORT_URL_MAX;
}

/* "https://host/path?query", on its one port. */
static void
read_https(struct str url, struct arena *a, struct report_target *t)
{
	struct str rest = str_from_offset(url, sizeof("https://") - 1), host;
	size_t at = 0;

	t->is_https = true;
	t->address = arena_str(a, str_first(url, REPORT_URL_MAX));
	rest = str_first(rest, str_find(rest, '#'));
	while (at < rest.n && rest.p[at] != '/' && rest.p[at] != '?')
		at++;
	host = str_first(rest, at);
	rest = str_from_offset(rest, at);
	if (str_ends(host, STR(":443")))
		host.n -= 4;
	t->host = host_of(host, a);
	if (!is_url_text(url) || !t->host.n) {
		t->refused = "it is no URL of HTTPS on its own port";
		return;
	}
	t->path = str_starts(rest, STR("/")) ? arena_str(a, rest)
	                                     : arena_printf(a, "/%.*s", STR_ARG(rest));
}

static void
read_one(enum report_kind kind, struct str uri, struct arena *a, struct report_target *t)
{
	char bytes[URI_ROOM];
	struct strbuf room = strbuf_on(bytes);
	struct dmarc_uri parsed;
	struct str rest = uri;

	*t = (struct report_target){ 0 };
	if (kind == REPORT_TLS && uri.n > 8 &&
	    str_eq_icase(str_first(uri, 8), STR("https://"))) {
		read_https(uri, a, t);
		return;
	}
	if (uri.n < URI_ROOM && dmarc_uri_next(&rest, &room, &parsed) &&
	    str_eq_icase(parsed.scheme, STR("mailto"))) {
		read_mailto(&parsed, a, t);
		return;
	}
	t->address = arena_str(a, str_first(uri, REPORT_URL_MAX));
	t->refused = kind == REPORT_TLS ? "it is neither mailto: nor https:"
	                                : "it is no mailto:";
}

static bool
is_known(const struct report_targets *targets, const struct report_target *t)
{
	for (size_t i = 0; i < targets->count; i++) {
		if (str_eq_icase(targets->list[i].address, t->address))
			return true;
	}
	return false;
}

void
report_targets_read(enum report_kind kind, struct str rua, struct arena *a,
                    struct report_targets *targets_out)
{
	struct report_target t;
	struct str uri;

	*targets_out = (struct report_targets){ 0 };
	while (str_next(&rua, ',', &uri)) {
		uri = str_trim(uri);
		if (!uri.n)
			continue;
		if (targets_out->count == REPORT_TARGETS_MAX) {
			targets_out->left_out++;
			continue;
		}
		read_one(kind, uri, a, &t);
		if (!is_known(targets_out, &t))
			targets_out->list[targets_out->count++] = t;
	}
}

size_t
report_targets_good(const struct report_targets *targets)
{
	size_t n = 0;

	for (size_t i = 0; i < targets->count; i++)
		n += !targets->list[i].refused;
	return n;
}

/* --- consent ------------------------------------------------------------------------- */

/* The addresses that the one who is to get them names instead: at the same host, or none
   at all (RFC 9990 4, step 9). */
static void
take_other(struct report_target *t, struct str rua, struct arena *a)
{
	struct report_targets other;

	report_targets_read(REPORT_DMARC, rua, a, &other);
	for (size_t i = 0; i < other.count; i++) {
		if (!str_eq(other.list[i].host, t->host))
			t->refused = "its record sends them on to somebody else";
	}
	if (other.count && !t->refused)
		*t = other.list[0];
}

/* The record by which the other side agrees. */
static void
judge_consent(struct report_target *t, const struct dns_answer *answer, struct arena *a,
              bool *is_temp)
{
	struct dmarc_record record;

	if (answer->status == DNS_TEMP) {
		*is_temp = true;
		t->refused = "the name service did not say whether they want it";
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (dmarc_record_parse(answer->records[i].text, &record) == ERR_NOT_FOUND)
			continue;
		if (record.rua.n)
			take_other(t, record.rua, a);
		return;
	}
	t->refused = "they do not say that they want reports on this domain";
}

/* What is known of one; NULL and *is_own_out false: not yet. */
static const struct dns_answer *
find_consent(const struct report_target *t, struct str domain, struct str org,
             struct lookups *l, struct arena *a, bool *is_own_out)
{
	struct str other;

	*is_own_out = false;
	if (dmarc_org_domain(t->host, l, a, &other) == POLICY_NEED)
		return NULL;
	if (str_eq(t->host, domain) || (org.n && str_eq(org, other))) {
		*is_own_out = true;
		return NULL;
	}
	return lookups_find(l,
	                    arena_printf(a, "%.*s._report._dmarc.%.*s", STR_ARG(domain),
	                                 STR_ARG(t->host)),
	                    DNS_TXT);
}

enum policy_step
report_targets_consent(struct report_targets *targets, struct str policy_domain,
                       struct lookups *l, struct arena *a, bool *is_temp_out)
{
	const struct dns_answer *answers[REPORT_TARGETS_MAX] = { 0 };
	bool is_own[REPORT_TARGETS_MAX] = { 0 }, is_missing = false;
	struct str org;

	*is_temp_out = false;
	if (dmarc_org_domain(policy_domain, l, a, &org) == POLICY_NEED)
		return POLICY_NEED;
	for (size_t i = 0; i < targets->count; i++) {
		const struct report_target *t = &targets->list[i];

		if (t->refused)
			continue;
		answers[i] = find_consent(t, policy_domain, org, l, a, &is_own[i]);
		is_missing = is_missing || (!answers[i] && !is_own[i]);
	}
	if (is_missing)
		return POLICY_NEED;
	for (size_t i = 0; i < targets->count; i++) {
		if (answers[i])
			judge_consent(&targets->list[i], answers[i], a, is_temp_out);
	}
	return POLICY_DONE;
}
