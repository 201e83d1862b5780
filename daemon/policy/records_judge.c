/* What is there, held against what should be: one function for each kind of record, which
 * judges one server's answer; judge_row() makes one verdict of all servers'. */
#include "base/panic.h"
#include "policy/records_priv.h"

/* --- finding answers ---------------------------------------------------------------- */

static const struct dns_answer *
answer_of(const struct records_answers *all, struct str name, enum dns_type type,
          bool is_resolver, unsigned server)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct records_answer *x = &all->p[i];

		if (x->type == type && x->is_resolver == is_resolver &&
		    (is_resolver || x->server == server) && str_eq_icase(x->name, name))
			return &x->answer;
	}
	return NULL;
}

void
records_keep(struct record_finding *f, struct str value)
{
	if (f->found_count == RECORDS_VALUES_MAX)
		return;
	if (!f->found)
		f->found = ARENA_ARRAY(f->arena, struct str, RECORDS_VALUES_MAX);
	f->found[f->found_count++] =
		arena_str(f->arena, str_first(value, RECORDS_VALUE_MAX));
}

void
records_say(struct record_finding *f, enum record_state state, enum record_cause cause)
{
	f->state = state;
	f->cause = cause;
}

/* --- names and addresses ------------------------------------------------------------ */

static bool
is_ours(const struct records_conf *c, const struct addr *ip)
{
	for (size_t i = 0; i < c->ip_count; i++) {
		if (addr_eq_ip(&c->ips[i], ip))
			return true;
	}
	return false;
}

static void
judge_host(const struct records_conf *c, const struct record_row *row,
           const struct dns_answer *a, struct record_finding *f)
{
	char text[ADDR_TEXT_MAX];

	records_say(f, RECORD_OK, CAUSE_NONE);
	for (size_t i = 0; i < a->count; i++) {
		const struct addr *ip = &a->records[i].addr;

		records_keep(f, addr_ip_text(ip, &text));
		if (addr_is_loopback(ip))
			records_say(f, RECORD_DIFFERS, CAUSE_HOST_LOOPBACK);
		else if (addr_is_special(ip))
			records_say(f, RECORD_DIFFERS, CAUSE_HOST_PRIVATE);
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_HOST_MISSING);
	else if (!str_eq_icase(a->name, row->name))
		records_say(f, RECORD_CONFLICT, CAUSE_HOST_CNAME);
	else if (row->type == DNS_AAAA && !c->listens_v6)
		records_say(f, RECORD_DIFFERS, CAUSE_HOST_V6_NOT_SERVED);
}

/* "192-0-2-7.pool.isp.example": the digits of the address in its name. */
static bool
is_generic(struct str name)
{
	size_t groups = 0, digits = 0;

	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && byte_is_digit(name.p[i])) {
			digits++;
			continue;
		}
		groups += digits > 0;
		digits = 0;
	}
	return groups >= 3;
}

static void
judge_ptr(const struct records_conf *c, const struct record_row *row,
          const struct dns_answer *a, struct record_finding *f)
{
	bool is_right = false, generic = false;

	(void)row;
	for (size_t i = 0; i < a->count; i++) {
		records_keep(f, a->records[i].name);
		is_right |= str_eq_icase(a->records[i].name, c->hostname);
		generic |= is_generic(a->records[i].name);
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_PTR_MISSING);
	else if (!is_right)
		records_say(f, RECORD_DIFFERS,
		            generic ? CAUSE_PTR_GENERIC : CAUSE_PTR_OTHER);
	else
		records_say(f, RECORD_OK, a->count > 1 ? CAUSE_PTR_SEVERAL : CAUSE_NONE);
}

static bool
is_backup(const struct records_conf *c, struct str name)
{
	struct str rest = c->backup_mx, word;

	while (str_next(&rest, ' ', &word)) {
		if (str_eq_icase(word, name))
			return true;
	}
	return false;
}

/* Where all is well but for servers that are not ours: are they declared, and behind? */
static void
judge_others(const struct records_conf *c, const struct dns_answer *a,
             struct record_finding *f)
{
	unsigned ours = UINT32_MAX;

	for (size_t i = 0; i < a->count; i++) {
		if (str_eq_icase(a->records[i].name, c->hostname) &&
		    a->records[i].preference < ours)
			ours = a->records[i].preference;
	}
	records_say(f, RECORD_OK, CAUSE_MX_BACKUP);
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];

		if (str_eq_icase(r->name, c->hostname))
			continue;
		f->detail = arena_str(f->arena, str_first(r->name, 253));
		if (!is_backup(c, r->name)) {
			records_say(f, RECORD_DIFFERS, CAUSE_MX_OTHER_TOO);
			return;
		}
		if (r->preference <= ours)
			records_say(f, RECORD_DIFFERS, CAUSE_MX_BACKUP_FIRST);
	}
}

static void
judge_mx(const struct records_conf *c, const struct record_row *row,
         const struct dns_answer *a, struct record_finding *f)
{
	size_t ours = 0;
	bool has_ip = false;
	struct addr ip;

	(void)row;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];

		records_keep(f, arena_printf(f->arena, "%u %.*s.", r->preference,
		                             STR_ARG(r->name)));
		ours += str_eq_icase(r->name, c->hostname);
		has_ip |= addr_parse_ip(r->name, &ip);
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (a->count == 1 && !a->records[0].name.n)
		records_say(f, RECORD_DIFFERS, CAUSE_MX_NULL);
	else if (has_ip)
		records_say(f, RECORD_DIFFERS, CAUSE_MX_TO_IP);
	else if (!ours)
		records_say(f, RECORD_DIFFERS, CAUSE_MX_ELSEWHERE);
	else if (ours < a->count)
		judge_others(c, a, f);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}

/* A name for mail programs: a CNAME to the host, or its addresses. */
static void
judge_alias(const struct records_conf *c, const struct record_row *row,
            const struct dns_answer *a, struct record_finding *f)
{
	char text[ADDR_TEXT_MAX];
	bool leads_here = str_eq_icase(a->name, c->hostname);
	bool is_alias = !str_eq_icase(a->name, row->name);
	size_t ours = 0;

	if (is_alias)
		records_keep(f, arena_printf(f->arena, "%.*s.", STR_ARG(a->name)));
	for (size_t i = 0; i < a->count; i++) {
		if (!is_alias)
			records_keep(f, addr_ip_text(&a->records[i].addr, &text));
		ours += is_ours(c, &a->records[i].addr);
	}
	if (!a->count && !is_alias)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (!leads_here && (!a->count || ours < a->count))
		records_say(f, RECORD_DIFFERS, CAUSE_HOST_ELSEWHERE);
	else if (c->name_count && !records_covers(c->names, c->name_count, row->name))
		records_say(f, RECORD_OK, CAUSE_CERTIFICATE_NAME);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}

static void
judge_srv(const struct records_conf *c, const struct record_row *row,
          const struct dns_answer *a, struct record_finding *f)
{
	bool is_right = false;

	(void)c;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		struct str value = arena_printf(f->arena, "%u %u %u %.*s.", r->preference,
		                                r->weight, r->port, STR_ARG(r->name));
		struct str target =
			arena_printf(f->arena, " %u %.*s.", r->port, STR_ARG(r->name));

		records_keep(f, value);
		/* Priority and weight are the owner's taste. */
		is_right |=
			row->expected_count && str_ends_icase(row->expected[0], target);
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else
		records_say(f, is_right ? RECORD_OK : RECORD_DIFFERS,
		            is_right ? CAUSE_NONE : CAUSE_OTHER_VALUE);
}

/* RFC 7672 3.1: mail servers use 2 (whose name must be right as well) and 3. */
static enum record_cause
tlsa_cause(const struct records_conf *c, const struct dns_record *r)
{
	if ((r->usage != 2 && r->usage != 3) || r->selector > 1 || r->matching > 2)
		return CAUSE_TLSA_UNUSABLE;
	for (size_t i = 0; i < c->tlsa_count; i++) {
		const struct dns_tlsa *t = &c->tlsa[i];

		if (r->usage != t->usage || r->selector != t->selector ||
		    r->matching != t->matching || !str_eq(r->text, t->data))
			continue;
		return r->usage == 3 || records_covers(c->names, c->name_count,
		                                       c->hostname)
		               ? CAUSE_NONE
		               : CAUSE_CERTIFICATE_NAME;
	}
	return CAUSE_TLSA_STALE;
}

static void
judge_tlsa(const struct records_conf *c, const struct record_row *row,
           const struct dns_answer *a, struct record_finding *f)
{
	enum record_cause worst = CAUSE_NONE;
	size_t ours = 0;

	(void)row;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		struct strbuf b = strbuf_arena(f->arena, RECORDS_VALUE_MAX);
		enum record_cause cause;

		strbuf_printf(&b, "%u %u %u ", r->usage, r->selector, r->matching);
		strbuf_hex(&b, str_first(r->text, 512));
		records_keep(f, strbuf_str(&b));
		cause = tlsa_cause(c, r);
		ours += cause == CAUSE_NONE;
		/* The last that says more than that it is another's. */
		if (cause != CAUSE_NONE &&
		    (worst == CAUSE_NONE || cause != CAUSE_TLSA_STALE))
			worst = cause;
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (!ours)
		records_say(f, RECORD_DIFFERS, worst);
	else
		records_say(f, RECORD_OK,
		            worst == CAUSE_TLSA_STALE ? CAUSE_TLSA_OLD_TOO : worst);
}

/* RFC 8659 4.2: without an issue property anybody may. */
static void
judge_caa(const struct records_conf *c, const struct record_row *row,
          const struct dns_answer *a, struct record_finding *f)
{
	bool has_issue = false, is_allowed = false;

	(void)row;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		struct str value = str_trim(r->text);

		records_keep(f, arena_printf(f->arena, "%u %.*s \"%.*s\"", r->usage,
		                             STR_ARG(r->name),
		                             STR_ARG(str_first(value, 200))));
		if (!str_eq_icase(r->name, STR("issue")))
			continue;
		has_issue = true;
		/* Behind the name there may be parameters. */
		value = str_trim(str_first(value, str_find(value, ';')));
		is_allowed |= c->ca.n && str_eq_icase(value, c->ca);
	}
	if (!a->count)
		records_say(f, RECORD_MISSING, CAUSE_ABSENT);
	else if (has_issue && c->ca.n && !is_allowed)
		records_say(f, RECORD_DIFFERS, CAUSE_CAA_BLOCKS);
	else
		records_say(f, RECORD_OK, CAUSE_NONE);
}

/* --- all kinds ---------------------------------------------------------------------- */

static const struct {
	const char *key; /* or its beginning */
	record_judge_fn *judge;
	bool is_at_resolver;
} kinds[] = {
	{ "host_", judge_host, true },
	{ "ptr:", judge_ptr, true },
	{ "mx", judge_mx, false },
	{ "spf", records_judge_spf, false },
	{ "dkim:", records_judge_dkim, false },
	{ "dmarc", records_judge_dmarc, false },
	{ "mta_sts_host", judge_alias, false },
	{ "mta_sts", records_judge_sts, false },
	{ "tls_rpt", records_judge_tls_reports, false },
	{ "srv_", judge_srv, false },
	{ "autoconfig", judge_alias, false },
	{ "autodiscover", judge_alias, false },
	{ "tlsa", judge_tlsa, false },
	{ "caa", judge_caa, false },
};

/* Mistakes that stand elsewhere: at the apex, or a level too deep. */
static void
look_elsewhere(const struct records_answers *all, const struct records_conf *c,
               const struct record_row *row, unsigned server, struct record_finding *f)
{
	const struct dns_answer *apex = answer_of(all, c->domain, DNS_TXT, false, server);
	const struct dns_answer *deep;
	bool is_dkim = str_starts(row->key, STR("dkim:"));
	struct str start = is_dkim ? STR("v=DKIM1") : STR("v=DMARC1");

	if (!is_dkim && !str_eq(row->key, STR("dmarc")))
		return;
	for (size_t i = 0; apex && i < apex->count; i++) {
		if (!str_starts_icase(apex->records[i].text, start))
			continue;
		f->cause = is_dkim ? CAUSE_DKIM_AT_APEX : CAUSE_DMARC_AT_APEX;
		records_keep(f, apex->records[i].text);
	}
	if (!is_dkim)
		return;
	deep = answer_of(all,
	                 arena_printf(f->arena, "%.*s.%.*s", STR_ARG(row->name),
	                              STR_ARG(c->domain)),
	                 DNS_TXT, false, server);
	if (deep && deep->count)
		f->cause = CAUSE_NAME_DOUBLED;
}

/* What one server says of one row; false: nothing. */
static bool
judge_answer(struct records *r, const struct records_answers *all, struct record_row *row,
             size_t kind, unsigned server, struct record_finding *f)
{
	enum dns_type type = row->type == DNS_CNAME ? DNS_A : row->type;
	bool at_resolver = kinds[kind].is_at_resolver;
	const struct dns_answer *a = answer_of(all, row->name, type, at_resolver, server);
	bool is_cname;

	if (!a || a->status == DNS_TEMP || a->status == DNS_BAD_NAME)
		return false;
	kinds[kind].judge(r->conf, row, a, f);
	for (size_t i = 0; i < a->count; i++) {
		if (a->records[i].ttl_s > f->ttl_s)
			f->ttl_s = a->records[i].ttl_s;
	}
	if (f->state == RECORD_MISSING && !at_resolver)
		look_elsewhere(all, r->conf, row, server, f);
	is_cname = a->name.n && !str_eq_icase(a->name, row->name);
	if (is_cname && !at_resolver && row->type != DNS_CNAME && f->state != RECORD_OK) {
		records_say(f, RECORD_CONFLICT, CAUSE_CNAME_BESIDE);
		records_keep(f, arena_printf(f->arena, "CNAME %.*s.", STR_ARG(a->name)));
	}
	return true;
}

static void
set(struct record_row *row, const struct record_finding *f)
{
	row->state = f->state;
	row->cause = f->cause;
	row->detail = f->detail;
	row->found = f->found;
	row->found_count = f->found_count;
	row->ttl_s = f->ttl_s;
	if (f->expected.n) {
		struct str *value = ARENA_NEW(f->arena, struct str);

		*value = f->expected;
		row->expected = value;
		row->expected_count = 1;
	}
}

/* What need not be there, and is not, is no defect. */
static void
forgive(const struct records *r, const struct records_answers *all,
        struct record_row *row)
{
	if (row->is_going) {
		bool is_there = row->state == RECORD_DIFFERS || row->state == RECORD_OK;

		row->state = is_there ? RECORD_OPTIONAL : RECORD_OK;
		row->cause = is_there ? CAUSE_NOT_WANTED : CAUSE_NONE;
		return;
	}
	if (!row->expected_count && row->state != RECORD_MISSING &&
	    row->state != RECORD_OK && !str_starts(row->key, STR("host_")) &&
	    !str_eq(row->key, STR("caa"))) {
		row->state = RECORD_OPTIONAL;
		row->cause = CAUSE_NOT_WANTED;
	}
	if (row->need == RECORD_MAY && row->state == RECORD_MISSING) {
		row->state = RECORD_OPTIONAL;
		row->cause = CAUSE_NONE;
	}
	if (str_eq(row->key, STR("tlsa")) && !all->is_signed &&
	    row->state != RECORD_UNKNOWN) {
		row->state = RECORD_OPTIONAL;
		row->cause = CAUSE_ZONE_UNSIGNED;
	}
	/* A host with IPv6 alone, or IPv4 alone, has addresses. */
	if (str_eq(row->key, STR("host_a")) && row->state == RECORD_MISSING &&
	    r->conf->ip_count) {
		row->state = RECORD_OPTIONAL;
		row->cause = CAUSE_NONE;
	}
}

static void
judge_row(struct records *r, const struct records_answers *all, struct record_row *row,
          size_t kind, struct arena *a)
{
	unsigned total = kinds[kind].is_at_resolver ? 1 : all->server_count;
	struct record_finding good = { 0 }, bad = { 0 };
	unsigned silent = 0, ok = 0;
	uint32_t old_ttl_s = 0;

	for (unsigned server = 0; server < total; server++) {
		struct record_finding f = { .arena = a };

		if (!judge_answer(r, all, row, kind, server, &f)) {
			silent++;
			continue;
		}
		if (f.state == RECORD_OK) {
			ok++;
			good = f;
		} else {
			bad = f;
			if (f.ttl_s > old_ttl_s)
				old_ttl_s = f.ttl_s;
		}
	}
	row->servers_total = total;
	row->servers_ok = ok;
	row->servers_silent = silent;
	if (silent == total) {
		row->state = all->has_no_zone && !kinds[kind].is_at_resolver
		                     ? RECORD_MISSING
		                     : RECORD_UNKNOWN;
		row->cause =
			row->state == RECORD_MISSING ? CAUSE_NO_ZONE : CAUSE_NO_ANSWER;
		return;
	}
	if (!ok) {
		set(row, &bad);
	} else if (ok + silent < total) {
		set(row, &bad);
		row->state = RECORD_PROPAGATING;
		row->cause = CAUSE_PROPAGATING;
		row->cached_s = old_ttl_s;
	} else {
		set(row, &good);
		if (silent && row->cause == CAUSE_NONE)
			row->cause = CAUSE_SOME_SILENT;
	}
	forgive(r, all, row);
}

static size_t
kind_of(const struct record_row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (str_starts(row->key, str_from(kinds[i].key)))
			return i;
	}
	CHECK(false);
	return 0;
}

enum policy_step
records_judge(struct records *r, const struct records_answers *answers, struct lookups *l,
              struct arena *a, int64_t now_ms)
{
	for (size_t i = 0; i < r->count; i++) {
		struct record_row *row = &r->rows[i];

		judge_row(r, answers, row, kind_of(row), a);
	}
	for (size_t i = 0; i < r->count; i++) {
		if (str_eq(r->rows[i].key, STR("spf")))
			return records_evaluate_spf(r, &r->rows[i], l, a, now_ms);
	}
	return POLICY_DONE;
}
