/* What should be published: rows from the configuration, and words. */
#include "policy/records.h"

#include "base/panic.h"

/* --- words -------------------------------------------------------------------------- */

static const struct {
	const char *word, *owner, *text;
} causes[] = {
#define CAUSE(id, word, owner, text) { word, owner, text },
#include "policy/records.def"
#undef CAUSE
};
_Static_assert(ARRAY_LEN(causes) == CAUSE_COUNT, "one row for each cause");

static const char *const states[] = { "unknown",  "ok",          "missing", "differs",
	                              "conflict", "propagating", "optional" };
_Static_assert(ARRAY_LEN(states) == RECORD_OPTIONAL + 1, "one word for each state");

const char *
record_state_word(enum record_state s)
{
	return states[s];
}

enum record_state
record_state_find(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (str_eq(word, str_from(states[i])))
			return (enum record_state)i;
	}
	return RECORD_UNKNOWN;
}

const char *
record_need_word(enum record_need n)
{
	static const char *const words[] = { "required_to_receive", "required_to_send",
		                             "recommended", "optional" };

	return words[n];
}

const char *
record_cause_word(enum record_cause c)
{
	return causes[c].word;
}

enum record_cause
record_cause_find(struct str word)
{
	for (size_t i = 0; i < CAUSE_COUNT; i++) {
		if (str_eq(word, str_from(causes[i].word)))
			return (enum record_cause)i;
	}
	return CAUSE_NONE;
}

const char *
record_cause_owner(enum record_cause c)
{
	return causes[c].owner;
}

const char *
record_cause_text(enum record_cause c)
{
	return causes[c].text;
}

bool
records_covers(const struct str *names, size_t count, struct str host)
{
	size_t dot = str_find(host, '.');
	struct str behind = dot == SIZE_MAX ? str_from(NULL) : str_from_offset(host, dot);

	for (size_t i = 0; i < count; i++) {
		struct str name = names[i];

		if (str_eq_icase(name, host))
			return true;
		/* A star stands for exactly one label, the first. */
		if (behind.n && str_skip(&name, STR("*")) && str_eq_icase(name, behind))
			return true;
	}
	return false;
}

/* --- rows --------------------------------------------------------------------------- */

struct maker {
	struct records *r;
	struct arena *a;
};

static bool
is_in(struct str name, struct str domain)
{
	return str_eq_icase(name, domain) ||
	       (name.n > domain.n && str_ends_icase(name, domain) &&
	        name.p[name.n - domain.n - 1] == '.');
}

/* A row for a name relative to the domain; "@" is the domain itself. */
static struct record_row *
add(struct maker *m, struct str key, enum record_need need, enum dns_type type,
    struct str relative)
{
	struct record_row *row = &m->r->rows[m->r->count];
	struct str domain = m->r->conf->domain;

	if (m->r->count + 1 < RECORDS_MAX)
		m->r->count++;
	*row = (struct record_row){ .key = key,
		                    .need = need,
		                    .type = type,
		                    .relative = relative,
		                    .priority = -1,
		                    .cause = CAUSE_NOT_CHECKED,
		                    .why = "" };
	row->name = str_eq(relative, STR("@"))
	                    ? domain
	                    : arena_printf(m->a, "%.*s.%.*s", STR_ARG(relative),
	                                   STR_ARG(domain));
	return row;
}

/* The same for a full name, in this domain's zone or not. */
static struct record_row *
add_full(struct maker *m, struct str key, enum record_need need, enum dns_type type,
         struct str name)
{
	struct record_row *row = add(m, key, need, type, STR("@"));
	struct str domain = m->r->conf->domain;

	row->name = name;
	if (!is_in(name, domain))
		row->relative = str_from(NULL);
	else if (name.n > domain.n)
		row->relative = str_first(name, name.n - domain.n - 1);
	return row;
}

static void
expect(struct maker *m, struct record_row *row, struct str value)
{
	struct str *values = ARENA_NEW(m->a, struct str);

	*values = value;
	row->expected = values;
	row->expected_count = 1;
}

static void
add_host(struct maker *m)
{
	const struct records_conf *c = m->r->conf;
	struct str *v[2];
	size_t n[2] = { 0, 0 };
	char text[ADDR_TEXT_MAX];

	v[0] = ARENA_ARRAY(m->a, struct str, c->ip_count + 1);
	v[1] = ARENA_ARRAY(m->a, struct str, c->ip_count + 1);
	for (size_t i = 0; i < c->ip_count; i++) {
		size_t which = c->ips[i].family == ADDR_V6;

		v[which][n[which]++] = arena_str(m->a, addr_ip_text(&c->ips[i], &text));
	}
	for (size_t i = 0; i < 2; i++) {
		struct record_row *row = add_full(m, i ? STR("host_aaaa") : STR("host_a"),
		                                  i ? RECORD_MAY : RECORD_TO_RECEIVE,
		                                  i ? DNS_AAAA : DNS_A, c->hostname);

		row->why = i ? "leads over IPv6 to this server" : "leads to this server";
		row->expected = v[i];
		row->expected_count = n[i];
	}
	for (size_t i = 0; i < c->ip_count && i < RECORDS_IPS_MAX; i++) {
		struct strbuf b = strbuf_arena(m->a, 100);
		struct str ip = arena_str(m->a, addr_ip_text(&c->ips[i], &text));
		struct record_row *row;

		addr_format_reverse(&b, &c->ips[i]);
		row = add_full(m, arena_printf(m->a, "ptr:%.*s", STR_ARG(ip)),
		               RECORD_TO_SEND, DNS_PTR, strbuf_str(&b));
		row->relative = str_from(NULL);
		row->why = "tells others the name of the address you send from";
		expect(m, row, arena_printf(m->a, "%.*s.", STR_ARG(c->hostname)));
	}
}

static void
add_keys(struct maker *m)
{
	const struct records_conf *c = m->r->conf;

	for (size_t i = 0; i < c->key_count; i++) {
		const struct records_key *k = &c->keys[i];
		struct record_row *row =
			add(m, arena_printf(m->a, "dkim:%.*s", STR_ARG(k->selector)),
		            k->is_revoked ? RECORD_MAY : RECORD_TO_SEND, DNS_TXT,
		            arena_printf(m->a, "%.*s._domainkey", STR_ARG(k->selector)));

		row->is_going = k->is_revoked;
		row->why = k->is_revoked ? "was a DKIM key"
		                         : "lets others check your signatures";
		expect(m, row,
		       arena_printf(
			       m->a, "v=DKIM1; k=%s; p=%.*s", k->algorithm,
			       STR_ARG(k->is_revoked ? str_from(NULL) : k->public_key)));
	}
}

static void
add_policies(struct maker *m)
{
	const struct records_conf *c = m->r->conf;
	struct strbuf b = strbuf_arena(m->a, 1024);
	struct record_row *row =
		add(m, STR("dmarc"), RECORD_TO_SEND, DNS_TXT, STR("_dmarc"));

	row->why = "says what others shall do with forged mail, and where to report it";
	strbuf_printf(&b, "v=DMARC1; p=%s", c->dmarc_policy ? c->dmarc_policy : "none");
	if (c->dmarc_testing)
		strbuf_lit(&b, "; t=y");
	if (c->dmarc_rua.n)
		strbuf_printf(&b, "; rua=mailto:%.*s", STR_ARG(c->dmarc_rua));
	expect(m, row, strbuf_str(&b));

	row = add(m, STR("mta_sts"), c->sts_mode == STS_NONE ? RECORD_MAY : RECORD_SHOULD,
	          DNS_TXT, STR("_mta-sts"));
	row->why = "says that mail for you must come encrypted";
	if (c->sts_mode != STS_NONE)
		expect(m, row,
		       arena_printf(m->a, "v=STSv1; id=%.*s;", STR_ARG(c->sts_id)));
	row = add(m, STR("mta_sts_host"),
	          c->sts_mode == STS_NONE ? RECORD_MAY : RECORD_SHOULD, DNS_CNAME,
	          STR("mta-sts"));
	row->why = "leads to the policy that says so";
	if (c->sts_mode != STS_NONE)
		expect(m, row, arena_printf(m->a, "%.*s.", STR_ARG(c->hostname)));

	row = add(m, STR("tls_rpt"), RECORD_SHOULD, DNS_TXT, STR("_smtp._tls"));
	row->why = "has others report where encryption failed";
	if (c->tls_rua.n)
		expect(m, row,
		       arena_printf(m->a, "v=TLSRPTv1; rua=mailto:%.*s",
		                    STR_ARG(c->tls_rua)));
}

static void
add_tlsa(struct maker *m)
{
	const struct records_conf *c = m->r->conf;
	struct strbuf b = strbuf_arena(m->a, 128);
	struct record_row *row;

	if (!c->spki_sha256.n || !is_in(c->hostname, c->domain))
		return;
	row = add_full(m, STR("tlsa"), RECORD_MAY, DNS_TLSA,
	               arena_printf(m->a, "_25._tcp.%.*s", STR_ARG(c->hostname)));
	row->why = "ties the certificate of this server to its name (DANE)";
	strbuf_lit(&b, "3 1 1 ");
	strbuf_hex(&b, c->spki_sha256);
	expect(m, row, strbuf_str(&b));
}

/* RFC 6186 3.1, RFC 8314 5.1. */
static void
add_services(struct maker *m)
{
	static const struct {
		const char *key, *relative;
		enum record_need need;
	} rows[] = {
		[RECORDS_SUBMISSIONS] = { "srv_submissions", "_submissions._tcp",
		                          RECORD_SHOULD },
		[RECORDS_SUBMISSION] = { "srv_submission", "_submission._tcp",
		                         RECORD_MAY },
		[RECORDS_IMAPS] = { "srv_imaps", "_imaps._tcp", RECORD_SHOULD },
		[RECORDS_IMAP] = { "srv_imap", "_imap._tcp", RECORD_MAY },
		[RECORDS_POP3S] = { "srv_pop3s", "_pop3s._tcp", RECORD_MAY },
		[RECORDS_POP3] = { "srv_pop3", "_pop3._tcp", RECORD_MAY },
	};
	const struct records_conf *c = m->r->conf;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record_row *row;

		if (!c->ports[i])
			continue;
		row = add(m, str_from(rows[i].key), rows[i].need, DNS_SRV,
		          str_from(rows[i].relative));
		row->why = "lets mail programs find this server";
		expect(m, row,
		       arena_printf(m->a, "0 1 %u %.*s.", c->ports[i],
		                    STR_ARG(c->hostname)));
	}
	for (size_t i = 0; i < 2; i++) {
		struct record_row *row;

		row = add(m, i ? STR("autodiscover") : STR("autoconfig"), RECORD_SHOULD,
		          DNS_CNAME, i ? STR("autodiscover") : STR("autoconfig"));
		row->why = i ? "gives Outlook its settings"
		             : "gives Thunderbird its settings";
		expect(m, row, arena_printf(m->a, "%.*s.", STR_ARG(c->hostname)));
	}
}

struct records *
records_make_host(const struct records_conf *conf, struct arena *a)
{
	struct records *r = ARENA_NEW(a, struct records);
	struct maker m = { r, a };

	r->conf = conf;
	add_host(&m);
	return r;
}

struct records *
records_make(const struct records_conf *conf, struct arena *a)
{
	struct records *r = ARENA_NEW(a, struct records);
	struct maker m = { r, a };
	struct record_row *row;

	r->conf = conf;
	add_host(&m);
	row = add(&m, STR("mx"), RECORD_TO_RECEIVE, DNS_MX, STR("@"));
	row->why = "says which server takes mail for the domain";
	row->priority = 10;
	expect(&m, row, arena_printf(a, "%.*s.", STR_ARG(conf->hostname)));
	row = add(&m, STR("spf"), RECORD_TO_SEND, DNS_TXT, STR("@"));
	row->why = "says which servers may send mail of the domain";
	expect(&m, row,
	       records_spf_merge(NULL, 0, conf->ips, conf->ip_count, conf->hostname, a));
	add_keys(&m);
	add_policies(&m);
	add_services(&m);
	add_tlsa(&m);
	row = add(&m, STR("caa"), RECORD_MAY, DNS_CAA, STR("@"));
	row->why = "says who may make certificates for the domain";
	if (conf->ca.n)
		expect(&m, row, arena_printf(a, "0 issue \"%.*s\"", STR_ARG(conf->ca)));
	return r;
}

/* --- questions ---------------------------------------------------------------------- */

static void
ask(struct records_question *out, size_t max, size_t *count, struct str name,
    enum dns_type type, bool is_resolver)
{
	for (size_t i = 0; i < *count; i++) {
		if (out[i].type == type && str_eq_icase(out[i].name, name) &&
		    out[i].is_resolver == is_resolver)
			return;
	}
	if (*count < max)
		out[(*count)++] = (struct records_question){ name, type, is_resolver };
}

size_t
records_questions(const struct records *r, struct arena *a, struct records_question *out,
                  size_t max)
{
	struct str domain = r->conf->domain;
	size_t n = 0;

	/* SPF, and what was put at the apex by mistake. */
	ask(out, max, &n, domain, DNS_TXT, false);
	for (size_t i = 0; i < r->count; i++) {
		const struct record_row *row = &r->rows[i];
		bool is_host = row->type == DNS_A || row->type == DNS_AAAA ||
		               row->type == DNS_PTR;

		/* A CNAME may also be done as addresses. */
		ask(out, max, &n, row->name, row->type == DNS_CNAME ? DNS_A : row->type,
		    is_host);
		if (str_starts(row->key, STR("dkim:")))
			ask(out, max, &n,
			    arena_printf(a, "%.*s.%.*s", STR_ARG(row->name),
			                 STR_ARG(domain)),
			    row->type, false);
	}
	ask(out, max, &n, domain, DNS_DS, true);
	return n;
}
