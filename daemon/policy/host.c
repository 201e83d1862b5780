/* Words, what is shown after a run, and the checks that are about names. */
#include "policy/host_priv.h"

#include "policy/iprev.h"
#include "policy/records.h"

#include "base/panic.h"

enum {
	TEXT_MAX = 1000,
	RESOLVER_SLOW_MS = 200,
};

/* --- words -------------------------------------------------------------------------- */

static const char *const states[] = { "unknown", "ok", "warn", "fail", "off" };
_Static_assert(ARRAY_LEN(states) == HOST_OFF + 1, "one word for each state");

static const struct {
	const char *word, *title;
	int64_t every_ms;
} checks[] = {
#define HOST_CHECK(id, word, title, every_ms) { word, title, every_ms },
#include "policy/host_checks.def"
#undef HOST_CHECK
};
_Static_assert(ARRAY_LEN(checks) == HOST_CHECKS, "one row for each check");

static const struct {
	const char *word;
	enum host_state state;
	const char *owner, *text;
} causes[] = {
#define HOST_CAUSE(id, word, state, owner, text) { word, HOST_##state, owner, text },
#include "policy/host_causes.def"
#undef HOST_CAUSE
};
_Static_assert(ARRAY_LEN(causes) == HOST_CAUSE_COUNT, "one row for each cause");

const char *
host_state_word(enum host_state s)
{
	return states[s];
}

enum host_state
host_state_find(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (str_eq(word, str_from(states[i])))
			return (enum host_state)i;
	}
	return HOST_UNKNOWN;
}

char
host_state_letter(enum host_state s)
{
	return s == HOST_OFF ? '-' : states[s][0];
}

const char *
host_check_word(enum host_check c)
{
	return checks[c].word;
}

const char *
host_check_title(enum host_check c)
{
	return checks[c].title;
}

int64_t
host_check_every_ms(enum host_check c)
{
	return checks[c].every_ms;
}

bool
host_check_find(struct str word, enum host_check *check_out)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (!str_eq(word, str_from(checks[i].word)))
			continue;
		*check_out = (enum host_check)i;
		return true;
	}
	return false;
}

void
host_cause_words(struct str cause, const char **owner_out, const char **text_out)
{
	enum record_cause record = record_cause_find(cause);

	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		if (!str_eq(cause, str_from(causes[i].word)))
			continue;
		*owner_out = causes[i].owner;
		*text_out = causes[i].text;
		return;
	}
	*owner_out = record_cause_owner(record);
	*text_out = record_cause_text(record);
}

/* --- what is shown ------------------------------------------------------------------ */

/* How bad; what is not known is neither. */
static int
badness(char letter)
{
	return letter == 'f' ? 2 : letter == 'w' ? 1 : 0;
}

enum host_state
host_damp(enum host_state shown, struct str runs, enum host_state run)
{
	int was = badness(host_state_letter(shown));
	size_t same = 1;

	if (!runs.n || shown == HOST_UNKNOWN || shown == HOST_OFF || run == HOST_OFF)
		return run;
	if (run != HOST_UNKNOWN && badness(host_state_letter(run)) <= was)
		return run;
	if (runs.n > HOST_RUNS_MAX - 1)
		runs = str_from_offset(runs, runs.n - (HOST_RUNS_MAX - 1));
	for (size_t i = 0; i < runs.n; i++)
		same += run == HOST_UNKNOWN ? runs.p[i] == 'u' : badness(runs.p[i]) > was;
	return same >= 2 ? run : shown;
}

/* --- verdicts ----------------------------------------------------------------------- */

void
host_say(struct host_verdict *v, enum host_cause cause, struct str text)
{
	v->state = causes[cause].state;
	v->cause = causes[cause].word;
	v->text = text;
}

void
host_add(struct host_verdict *v, struct str name, enum host_state state, struct str text)
{
	if (v->count < HOST_LINES_MAX)
		v->lines[v->count++] = (struct host_line){ name, state, text };
}

/* --- addresses ---------------------------------------------------------------------- */

/* All of the name, whatever they are. */
static enum policy_step
name_ips(const struct host_conf *c, struct lookups *l, struct host_ips *out)
{
	const struct dns_answer *answers[] = { lookups_find(l, c->hostname, DNS_A),
		                               lookups_find(l, c->hostname, DNS_AAAA) };

	*out = (struct host_ips){ 0 };
	if (!answers[0] || !answers[1])
		return POLICY_NEED;
	for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
		out->is_temp |= answers[k]->status == DNS_TEMP;
		for (size_t i = 0; i < answers[k]->count; i++) {
			if (out->count < HOST_IPS_MAX)
				out->p[out->count++] = answers[k]->records[i].addr;
		}
	}
	return POLICY_DONE;
}

static void
keep_public(struct host_ips *ips)
{
	size_t n = 0;

	for (size_t i = 0; i < ips->count; i++) {
		if (!addr_is_special(&ips->p[i]))
			ips->p[n++] = ips->p[i];
	}
	ips->count = n;
}

enum policy_step
host_ips_find(const struct host_conf *c, struct lookups *l, struct host_ips *out)
{
	enum policy_step step = name_ips(c, l, out);

	if (step == POLICY_NEED)
		return step;
	keep_public(out);
	if (out->count)
		return POLICY_DONE;
	for (size_t i = 0; i < c->own_count && out->count < HOST_IPS_MAX; i++) {
		if (!addr_is_special(&c->own[i]))
			out->p[out->count++] = c->own[i];
	}
	return POLICY_DONE;
}

/* --- records ------------------------------------------------------------------------ */

/* The host's rows, judged by what the resolver says; NULL: more is asked for. */
static struct records *
judged_rows(const struct host_conf *c, const struct host_ips *ips, struct lookups *l,
            struct arena *a)
{
	struct records_conf *conf = ARENA_NEW(a, struct records_conf);
	struct records_answers all = { 0 };
	struct records_answer *p;
	struct records *r;

	*conf = (struct records_conf){ .domain = c->hostname,
		                       .hostname = c->hostname,
		                       .ips = ips->p,
		                       .ip_count = ips->count,
		                       .listens_v6 = c->listens_v6 };
	r = records_make_host(conf, a);
	all.p = p = ARENA_ARRAY(a, struct records_answer, r->count + 1);
	for (size_t i = 0; i < r->count; i++) {
		const struct record_row *row = &r->rows[i];
		const struct dns_answer *answer = lookups_find(l, row->name, row->type);

		if (answer)
			p[all.count++] = (struct records_answer){ .name = row->name,
				                                  .type = row->type,
				                                  .is_resolver = true,
				                                  .answer = *answer };
	}
	if (all.count < r->count)
		return NULL;
	return records_judge(r, &all, l, a, 0) == POLICY_DONE ? r : NULL;
}

static struct str
join(struct arena *a, const struct str *values, size_t count)
{
	struct strbuf b = strbuf_arena(a, TEXT_MAX);

	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_lit(&b, ", ");
		strbuf_add(&b, str_first(values[i], TEXT_MAX / 8));
	}
	return strbuf_str(&b);
}

/* An address that only a closed network reaches may be meant so. */
static enum host_state
state_of(const struct record_row *row)
{
	switch (row->state) {
	case RECORD_OK:
	case RECORD_OPTIONAL:
		return HOST_OK;
	case RECORD_UNKNOWN:
		return HOST_UNKNOWN;
	case RECORD_MISSING:
		return HOST_FAIL;
	case RECORD_DIFFERS:
	case RECORD_CONFLICT:
	case RECORD_PROPAGATING:
		break;
	}
	return HOST_WARN;
}

/* Which of two states the whole has. */
static bool
is_worse(enum host_state a, enum host_state b)
{
	static const int rank[] = { [HOST_UNKNOWN] = 1,
		                    [HOST_OK] = 0,
		                    [HOST_WARN] = 2,
		                    [HOST_FAIL] = 3,
		                    [HOST_OFF] = 0 };

	return rank[a] > rank[b];
}

static void
take_row(struct host_verdict *v, const struct record_row *row, struct str name,
         struct arena *a)
{
	enum host_state state = state_of(row);
	struct str found = join(a, row->found, row->found_count);

	if (!found.n)
		found = state == HOST_UNKNOWN ? STR("no answer") : STR("no record");
	host_add(v, name, state, found);
	if (v->count > 1 && !is_worse(state, v->state))
		return;
	v->state = state;
	v->cause = record_cause_word(row->cause);
	v->text = arena_printf(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(found));
}

enum policy_step
host_address(const struct host_conf *c, struct lookups *l, struct arena *a,
             struct host_verdict *out)
{
	struct host_ips ips;
	struct records *r;
	struct str *texts;

	*out = (struct host_verdict){ .cause = "" };
	if (name_ips(c, l, &ips) == POLICY_NEED)
		return POLICY_NEED;
	/* The names of the addresses are another check's. */
	keep_public(&ips);
	r = judged_rows(c, &ips, l, a);
	if (!r)
		return POLICY_NEED;
	for (size_t i = 0; i < r->count; i++) {
		const struct record_row *row = &r->rows[i];

		if (row->type != DNS_PTR && row->state != RECORD_OPTIONAL)
			take_row(out, row,
			         row->type == DNS_AAAA ? STR("IPv6") : STR("IPv4"), a);
	}
	texts = ARENA_ARRAY(a, struct str, out->count + 1);
	for (size_t i = 0; i < out->count; i++)
		texts[i] = out->lines[i].text;
	out->text = arena_printf(a, "%.*s: %.*s", STR_ARG(c->hostname),
	                         STR_ARG(join(a, texts, out->count)));
	return POLICY_DONE;
}

/* What to send to whoever rents out the address. */
static void
add_request(const struct host_conf *c, struct host_verdict *v, struct str ip,
            struct arena *a)
{
	v->request = arena_printf(a,
	                          "%.*s%sPlease set the reverse DNS name (PTR record) of "
	                          "%.*s to %.*s.",
	                          STR_ARG(v->request), v->request.n ? "\n" : "",
	                          STR_ARG(ip), STR_ARG(c->hostname));
}

/* The name that leads back is one that the server could have. */
static void
propose(struct host_verdict *v, const struct host_conf *c,
        const struct iprev_names *names, const struct record_row *row)
{
	if (row->state == RECORD_OK || row->cause == CAUSE_PTR_GENERIC || v->name.n ||
	    !names->count || str_eq_icase(names->names[0], c->hostname))
		return;
	v->name = names->names[0];
}

enum policy_step
host_ptr(const struct host_conf *c, struct lookups *l, struct arena *a,
         struct host_verdict *out)
{
	struct host_ips ips;
	struct records *r;
	enum policy_step step = POLICY_DONE;
	size_t n = 0;

	*out = (struct host_verdict){ .cause = "" };
	if (host_ips_find(c, l, &ips) == POLICY_NEED)
		return POLICY_NEED;
	if (!ips.count) {
		host_say(out, ips.is_temp ? HOST_CAUSE_NO_ANSWER : HOST_CAUSE_NO_ADDRESS,
		         STR("there is no address to look up"));
		return POLICY_DONE;
	}
	r = judged_rows(c, &ips, l, a);
	if (!r)
		return POLICY_NEED;
	for (size_t i = 0; i < r->count; i++) {
		const struct record_row *row = &r->rows[i];
		struct str ip = row->key;
		struct iprev_names names;

		if (row->type != DNS_PTR)
			continue;
		(void)str_skip(&ip, STR("ptr:"));
		if (iprev_names_find(&ips.p[n++], (struct str){ 0 }, l, &names) ==
		    POLICY_NEED)
			step = POLICY_NEED;
		take_row(out, row, ip, a);
		propose(out, c, &names, row);
		if (state_of(row) == HOST_WARN || state_of(row) == HOST_FAIL)
			add_request(c, out, ip, a);
	}
	return step;
}

/* --- the name service --------------------------------------------------------------- */

enum policy_step
host_resolver(const struct host_conf *c, struct lookups *l, struct arena *a,
              int64_t took_ms, struct host_verdict *out)
{
	const struct dns_answer *own = lookups_find(l, c->hostname, DNS_A);
	const struct dns_answer *top = lookups_find(l, STR("com"), DNS_DS);
	bool is_silent;

	*out = (struct host_verdict){ .cause = "" };
	/* A zone whose own signature everybody has: whoever checks any checks this one. */
	if (!own || !top)
		return POLICY_NEED;
	is_silent = own->status == DNS_TEMP && top->status == DNS_TEMP;
	if (is_silent)
		host_say(out, HOST_CAUSE_RESOLVER_SILENT, STR("no answer"));
	else if (own->status == DNS_TEMP)
		host_say(out, HOST_CAUSE_NO_ANSWER,
		         STR("no answer about the name of this server"));
	else if (took_ms > RESOLVER_SLOW_MS)
		host_say(out, HOST_CAUSE_RESOLVER_SLOW,
		         arena_printf(a, "answers after %lld ms", (long long)took_ms));
	else if (top->status == DNS_OK && !top->authentic)
		host_say(out, HOST_CAUSE_NOT_VALIDATING,
		         arena_printf(a, "answers after %lld ms, signatures not checked",
		                      (long long)took_ms));
	else
		host_say(out, HOST_CAUSE_NONE,
		         arena_printf(a, "answers after %lld ms%s", (long long)took_ms,
		                      top->authentic ? ", signatures checked" : ""));
	return POLICY_DONE;
}
