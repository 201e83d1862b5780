/* What stands in TXT records: SPF, DKIM keys, DMARC, MTA-STS, TLS reports; and the
 * mistakes that people make there. */
#include "base/panic.h"
#include "policy/dkim_key.h"
#include "policy/dmarc.h"
#include "policy/mta_sts.h"
#include "policy/records_priv.h"
#include "policy/report_ask.h"
#include "policy/spf.h"
#include "policy/spf_record.h"

enum {
	LOOKUPS_RFC = 10, /* RFC 7208 4.6.4 */
	TAGS_MAX = 30,
	SHORT_KEY = 220, /* base64 characters of a 1024 bit RSA key */
	URI_ROOM = 4096,
};

/* The records that begin like this, or were meant to: with other letters, or a space in
   front, which their readers do not accept. How many there are. */
static size_t
pick(const struct dns_answer *a, struct str start, struct str *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (str_starts_icase(str_trim(a->records[i].text), start) && n < max)
			out[n++] = a->records[i].text;
	}
	return n;
}

/* The value of a tag in "a=b; c=d", trimmed; false: it is not there. */
static bool
find_tag(struct str text, const char *name, struct str *value_out)
{
	struct str part;

	for (int i = 0; i < TAGS_MAX && str_next(&text, ';', &part); i++) {
		size_t eq = str_find(part, '=');

		if (eq == SIZE_MAX ||
		    !str_eq_icase(str_trim(str_first(part, eq)), str_from(name)))
			continue;
		*value_out = str_trim(str_from_offset(part, eq + 1));
		return true;
	}
	*value_out = str_from(NULL);
	return false;
}

/* --- SPF ---------------------------------------------------------------------------- */

static bool
has_word(struct str text, struct str word)
{
	struct str term;

	while (str_next(&text, ' ', &term)) {
		if (str_eq_icase(term, word))
			return true;
	}
	return false;
}

static bool
uses_ptr(struct str text)
{
	struct str term;

	while (str_next(&text, ' ', &term)) {
		if (term.n && (term.p[0] == '+' || term.p[0] == '?' || term.p[0] == '~' ||
		               term.p[0] == '-'))
			term = str_from_offset(term, 1);
		if (str_eq_icase(term, STR("ptr")) || str_starts_icase(term, STR("ptr:")))
			return true;
	}
	return false;
}

void
records_judge_spf(const struct records_conf *c, const struct record_row *row,
                  const struct dns_answer *a, struct record_finding *f)
{
	struct str spf[RECORDS_VALUES_MAX];
	size_t n = pick(a, STR("v=spf1"), spf, RECORDS_VALUES_MAX);

	(void)row;
	for (size_t i = 0; i < n; i++)
		records_keep(f, spf[i]);
	f->expected =
		records_spf_merge(spf, n, c->ips, c->ip_count, c->hostname, f->arena);
	if (!n)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (n > 1)
		records_say(f, RECORD_CONFLICT, CAUSE_SPF_TWO_RECORDS);
	else if (!spf_record_is(spf[0]))
		records_say(f, RECORD_DIFFERS, CAUSE_SPF_BROKEN);
	else if (has_word(spf[0], STR("+all")) || has_word(spf[0], STR("all")))
		records_say(f, RECORD_DIFFERS, CAUSE_SPF_PLUS_ALL);
	else if (uses_ptr(spf[0]))
		records_say(f, RECORD_DIFFERS, CAUSE_SPF_PTR);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}

static enum record_cause
cause_of(const struct spf_verdict *v)
{
	if (v->result == SPF_PERMERROR)
		return v->terms > LOOKUPS_RFC ? CAUSE_SPF_TOO_MANY
		       : v->voids > 2         ? CAUSE_SPF_VOIDS
		                              : CAUSE_SPF_BROKEN;
	return CAUSE_SPF_OUR_IP;
}

enum policy_step
records_evaluate_spf(struct records *r, struct record_row *row, struct lookups *l,
                     struct arena *a, int64_t now_ms)
{
	const struct records_conf *c = r->conf;
	unsigned most = 0;

	if (row->state != RECORD_OK || row->found_count != 1)
		return POLICY_DONE;
	for (size_t i = 0; i < c->ip_count; i++) {
		struct spf_request request = {
			.ip = c->ips[i],
			.helo = c->hostname,
			.sender = arena_printf(a, "postmaster@%.*s", STR_ARG(c->domain)),
			.receiver = c->hostname,
			.now_ms = now_ms,
		};
		struct spf_verdict v;

		if (spf_check(&request, l, a, &v) == POLICY_NEED)
			return POLICY_NEED;
		most = v.terms > most ? v.terms : most;
		if (v.result == SPF_TEMPERROR) {
			row->state = RECORD_UNKNOWN;
			row->cause = CAUSE_NO_ANSWER;
		} else if (v.result != SPF_PASS) {
			char text[ADDR_TEXT_MAX];

			row->state = RECORD_DIFFERS;
			row->cause = cause_of(&v);
			row->detail = arena_printf(
				a, "%.*s: %.*s", STR_ARG(addr_ip_text(&c->ips[i], &text)),
				STR_ARG(v.reason));
			return POLICY_DONE;
		}
	}
	/* What is good needs no other text. */
	if (row->state == RECORD_OK)
		row->expected = row->found;
	row->detail = arena_printf(a, "%u of 10 look-ups", most);
	return POLICY_DONE;
}

/* --- DKIM --------------------------------------------------------------------------- */

/* Without the white space that a tag may hold (RFC 6376 3.2). */
static struct str
squeeze(struct str s, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			strbuf_byte(&b, c);
	}
	return strbuf_str(&b);
}

static bool
is_base64(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!byte_is_alnum(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	return true;
}

/* Why this p= is not ours. */
static enum record_cause
key_cause(struct str p, struct str ours)
{
	if (!p.n)
		return CAUSE_DKIM_REVOKED;
	if (str_find(p, '"') != SIZE_MAX || str_find(p, '\\') != SIZE_MAX)
		return CAUSE_DKIM_QUOTES;
	if (!is_base64(p))
		return CAUSE_DKIM_SPACES;
	if (p.n < ours.n && str_starts(ours, p))
		return CAUSE_DKIM_TRUNCATED;
	if (p.n > 60 && p.n < SHORT_KEY)
		return CAUSE_DKIM_WEAK;
	return CAUSE_DKIM_OTHER_KEY;
}

/* What verifiers make of a record that has the right key. */
static enum record_cause
use_cause(struct str text, struct arena *a)
{
	struct dkim_key_record record;

	if (dkim_key_record_parse(text, a, &record) != OK)
		return CAUSE_DKIM_SYNTAX;
	if (!(record.use & DKIM_KEY_SHA256) || !(record.use & DKIM_KEY_FOR_MAIL))
		return CAUSE_DKIM_USE;
	return record.use & DKIM_KEY_TESTING ? CAUSE_DKIM_TESTING : CAUSE_NONE;
}

/* One record against one key. */
static enum record_cause
compare_key(struct str text, struct str wanted, struct arena *a)
{
	struct str p, ours, k, wanted_k;
	bool has_quotes =
		str_find(text, '"') != SIZE_MAX || str_find(text, '\\') != SIZE_MAX;

	(void)find_tag(wanted, "p", &ours);
	(void)find_tag(wanted, "k", &wanted_k);
	if (!find_tag(text, "p", &p))
		return has_quotes ? CAUSE_DKIM_QUOTES : CAUSE_DKIM_SYNTAX;
	p = squeeze(p, a);
	if (!str_eq(p, ours))
		return key_cause(p, ours);
	if (has_quotes)
		return CAUSE_DKIM_QUOTES;
	if (!find_tag(text, "k", &k))
		k = STR("rsa");
	if (!str_eq_icase(k, wanted_k))
		return CAUSE_DKIM_TYPE;
	return use_cause(text, a);
}

void
records_judge_dkim(const struct records_conf *c, const struct record_row *row,
                   const struct dns_answer *a, struct record_finding *f)
{
	enum record_cause worst = CAUSE_NONE;
	size_t good = 0, keys = 0;

	(void)c;
	for (size_t i = 0; i < a->count; i++) {
		enum record_cause cause =
			compare_key(a->records[i].text, row->expected[0], f->arena);

		records_keep(f, a->records[i].text);
		keys += cause != CAUSE_DKIM_SYNTAX;
		/* t=y is said, and harmless for the key itself. */
		good += cause == CAUSE_NONE || cause == CAUSE_DKIM_TESTING;
		if (cause != CAUSE_NONE)
			worst = cause;
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (!good)
		records_say(f, RECORD_DIFFERS, worst);
	else if (keys > 1)
		records_say(f, RECORD_CONFLICT, CAUSE_DKIM_TWO_RECORDS);
	else
		records_say(f, RECORD_OK,
		            worst == CAUSE_DKIM_TESTING ? worst : CAUSE_NONE);
}

/* --- DMARC -------------------------------------------------------------------------- */

/* none, none for now, quarantine, … */
static int
strength(const struct dmarc_record *r)
{
	return (int)r->p * 2 - r->is_testing;
}

/* Does this list of addresses for reports have ours? */
static bool
has_address(struct str rua, struct str ours)
{
	char bytes[URI_ROOM];
	struct strbuf room = strbuf_on(bytes);
	struct dmarc_uri uri;

	while (dmarc_uri_next(&rua, &room, &uri)) {
		if (str_eq_icase(uri.scheme, STR("mailto")) &&
		    str_eq_icase(uri.address, ours))
			return true;
	}
	return false;
}

/* A tag that RFC 9989 4.7 does not know, or that stands there twice. */
static enum record_cause
odd_tag(struct str text, struct str *name_out)
{
	static const char *const known[] = { "v",  "p",   "sp",  "np",  "adkim", "aspf",
		                             "fo", "rua", "ruf", "psd", "t" };
	bool seen[ARRAY_LEN(known)] = { false };
	struct str part;

	while (str_next(&text, ';', &part)) {
		struct str name;
		size_t eq, i = 0;

		part = str_trim(part);
		eq = str_find(part, '=');
		name = str_trim(str_first(part, eq == SIZE_MAX ? part.n : eq));
		if (!name.n)
			continue;
		while (i < ARRAY_LEN(known) && !str_eq_icase(name, str_from(known[i])))
			i++;
		*name_out = str_first(name, 40);
		if (i < ARRAY_LEN(known) && seen[i])
			return CAUSE_DMARC_TWICE;
		if (i < ARRAY_LEN(known)) {
			seen[i] = true;
			continue;
		}
		if (str_eq_icase(name, STR("pct")))
			return CAUSE_DMARC_PCT;
		/* rf and ri are of the first edition and harmless. */
		if (!str_eq_icase(name, STR("rf")) && !str_eq_icase(name, STR("ri")))
			return CAUSE_DMARC_TYPO;
	}
	return CAUSE_NONE;
}

static void
judge_dmarc_text(const struct records_conf *c, const struct record_row *row,
                 struct str text, struct record_finding *f)
{
	struct dmarc_record has, want = { 0 };
	struct str tag = { NULL, 0 };
	enum record_cause odd = odd_tag(text, &tag);

	CHECK(dmarc_record_parse(row->expected[0], &want) == OK);
	f->detail = arena_str(f->arena, odd == CAUSE_NONE ? STR("") : tag);
	if (odd != CAUSE_NONE)
		records_say(f, RECORD_DIFFERS, odd);
	else if (dmarc_record_parse(text, &has) != OK || has.is_amended)
		records_say(f, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX);
	else if (strength(&has) != strength(&want))
		records_say(f, RECORD_DIFFERS,
		            strength(&has) < strength(&want) ? CAUSE_DMARC_WEAKER
		                                             : CAUSE_DMARC_STRICTER);
	else if (c->dmarc_rua.n && !has_address(has.rua, c->dmarc_rua))
		records_say(f, RECORD_DIFFERS, CAUSE_DMARC_NO_REPORTS);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}

void
records_judge_dmarc(const struct records_conf *c, const struct record_row *row,
                    const struct dns_answer *a, struct record_finding *f)
{
	struct str found[2];
	size_t n = pick(a, STR("v=DMARC1"), found, 2);

	for (size_t i = 0; i < a->count; i++)
		records_keep(f, a->records[i].text);
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (!n)
		records_say(f, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX);
	else if (n > 1)
		records_say(f, RECORD_CONFLICT, CAUSE_DMARC_TWO_RECORDS);
	else
		judge_dmarc_text(c, row, found[0], f);
}

/* --- MTA-STS and TLS reports -------------------------------------------------------- */

typedef enum err find_fn(const struct dns_answer *txt, struct str *value_out);

/* Exactly one record of that version, and in it what its readers find: false, and said
   why. */
static bool
find_only(const struct dns_answer *a, struct str version, find_fn *find,
          struct str *value_out, struct record_finding *f)
{
	struct str found[2];
	size_t n = pick(a, version, found, 2);

	for (size_t i = 0; i < a->count; i++)
		records_keep(f, a->records[i].text);
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (n > 1)
		records_say(f, RECORD_CONFLICT, CAUSE_STS_TWO_RECORDS);
	else if (find(a, value_out) != OK)
		records_say(f, RECORD_DIFFERS, CAUSE_STS_SYNTAX);
	else
		return true;
	return false;
}

void
records_judge_sts(const struct records_conf *c, const struct record_row *row,
                  const struct dns_answer *a, struct record_finding *f)
{
	struct str id;

	(void)row;
	if (!find_only(a, STR("v=STSv1"), mta_sts_record_find, &id, f))
		return;
	if (str_eq(id, c->sts_id))
		records_say(f, RECORD_OK, CAUSE_NONE);
	else
		records_say(f, RECORD_DIFFERS, CAUSE_STS_STALE);
}

void
records_judge_tls_reports(const struct records_conf *c, const struct record_row *row,
                          const struct dns_answer *a, struct record_finding *f)
{
	struct str rua;

	(void)row;
	if (!find_only(a, STR("v=TLSRPTv1"), report_tls_record_find, &rua, f))
		return;
	if (c->tls_rua.n && !has_address(rua, c->tls_rua))
		records_say(f, RECORD_DIFFERS, CAUSE_OTHER_VALUE);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}
