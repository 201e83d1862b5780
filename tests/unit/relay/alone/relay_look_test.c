/* One look at a domain, without a resolver, a server or a store: whom it asks what, and
 * how much at once, what it makes of silence, and that it ends once.
 *
 * Bound to relay_look.c alone: the resolver and the settings are those below, a table of
 * questions that the test answers when it likes. */
#include "relay/relay_look_priv.h"

#include "api/domain_records.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_direct.h"
#include "relay/relay_priv.h"
#include "tests/unit/check.h"

enum {
	ASKED_MAX = 2000,
	OUR_BUDGET = 1 << 20,
};

/* A question that went out. */
struct asked {
	struct str name;
	enum dns_type type;
	struct addr server;
	bool is_direct, is_open;
	dns_fn *fn;
	void *arg;
};

static struct {
	struct asked asked[ASKED_MAX];
	size_t count, open, most_open, fresh, done;
	struct arena *arena;
	/* of a look that is done */
	enum record_state mx_state, host_state, spf_state;
	enum record_cause mx_cause;
	size_t hosts;
	unsigned servers;
	struct relay_looks looks;
	struct relay relay;
	struct conf conf;
} t;

static struct asked *
note(struct str name, enum dns_type type, dns_fn *fn, void *arg)
{
	struct asked *a = &t.asked[t.count];

	CHECK(t.count < ASKED_MAX - 1);
	t.count++;
	*a = (struct asked){ .name = arena_str(t.arena, name),
		             .type = type,
		             .is_open = true,
		             .fn = fn,
		             .arg = arg };
	if (++t.open > t.most_open)
		t.most_open = t.open;
	return a;
}

static void
close_asked(struct asked *a)
{
	CHECK(a->is_open);
	a->is_open = false;
	t.open--;
}

struct dns_query *
dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn, void *arg)
{
	(void)d;
	return (struct dns_query *)(void *)note(name, type, fn, arg);
}

void
dns_query_fresh(struct dns_query *q)
{
	(void)q;
	t.fresh++;
}

void
dns_cancel(struct dns_query **q)
{
	if (*q)
		close_asked((struct asked *)(void *)*q);
	*q = NULL;
}

struct dns_direct *
dns_direct_ask(struct loop *l, const struct addr *server,
               const struct dns_direct_question *q, dns_direct_fn *fn, void *arg)
{
	struct asked *a = note(q->name, q->type, fn, arg);

	(void)l;
	a->is_direct = true;
	a->server = *server;
	return (struct dns_direct *)(void *)a;
}

void
dns_direct_cancel(struct dns_direct **q)
{
	if (*q)
		close_asked((struct asked *)(void *)*q);
	*q = NULL;
}

enum err
domain_records_conf(struct reader *r, const struct domain_records_host *host,
                    uint64_t domain_id, struct str domain, struct arena *a,
                    struct records_conf *out)
{
	(void)r;
	(void)domain_id;
	(void)a;
	*out = (struct records_conf){ .domain = domain,
		                      .hostname = STR("mail.example.org"),
		                      .ips = host->ips,
		                      .ip_count = host->ip_count };
	return OK;
}

void
store_forget(struct store_client *c, uint64_t seq)
{
	(void)c;
	(void)seq;
}

static const struct record_row *
row_of(const struct look *l, struct str key)
{
	size_t i = 0;

	while (!str_eq(l->records->rows[i].key, key))
		CHECK(++i < l->records->count);
	return &l->records->rows[i];
}

void
relay_look_done(struct look *l)
{
	t.done++;
	t.hosts = l->host_count;
	t.servers = l->server_count;
	t.mx_state = row_of(l, STR("mx"))->state;
	t.mx_cause = row_of(l, STR("mx"))->cause;
	t.host_state = row_of(l, STR("host_a"))->state;
	t.spf_state = row_of(l, STR("spf"))->state;
	relay_look_free(l);
}

/* --- the world ---------------------------------------------------------------------- */

/* What there is, at the resolver and at every server. */
static const struct record {
	const char *name;
	enum dns_type type;
	const char *value;
} world[] = {
	{ "example.org", DNS_NS, "ns1.example.org" },
	{ "example.org", DNS_NS, "ns2.example.org" },
	{ "ns1.example.org", DNS_A, "192.0.2.1" },
	{ "ns2.example.org", DNS_A, "192.0.2.2" },
	{ "ns2.example.org", DNS_A, "192.0.2.3" },
	{ "ns2.example.org", DNS_A, "192.0.2.4" },
	{ "mail.example.org", DNS_A, "198.51.101.7" },
	{ "example.org", DNS_MX, "mail.example.org" },
	{ "example.org", DNS_TXT, "v=spf1 include:spf.example.net -all" },
	{ "spf.example.net", DNS_TXT, "v=spf1 ip4:198.51.101.7 -all" },
	{ "deep.in.example.org", DNS_MX, "mail.example.org" },
};

static void
answer(struct asked *a, bool is_silent)
{
	struct dns_record found[4] = { 0 };
	struct dns_answer all = { .status = DNS_NODATA,
		                  .name = a->name,
		                  .records = found };

	for (size_t i = 0; i < ARRAY_LEN(world) && !is_silent; i++) {
		struct dns_record *r = &found[all.count];
		struct str value = str_from(world[i].value);

		if (world[i].type != a->type ||
		    !str_eq_icase(str_from(world[i].name), a->name))
			continue;
		r->type = a->type;
		if (a->type == DNS_A)
			CHECK(addr_parse_ip(value, &r->addr));
		else if (a->type == DNS_TXT)
			r->text = value;
		else
			r->name = value;
		all.count++;
		all.status = DNS_OK;
	}
	if (is_silent)
		all.status = DNS_TEMP;
	close_asked(a);
	a->fn(a->arg, &all);
}

/* The next open question, from the last one back: the order of answers says nothing. */
static struct asked *
next_open(bool is_direct)
{
	for (size_t i = t.count; i-- > 0;) {
		if (t.asked[i].is_open && (t.asked[i].is_direct || !is_direct))
			return &t.asked[i];
	}
	return NULL;
}

static struct look *
begin(const char *domain)
{
	struct dns_zone z = { .domain_id = 1, .domain = str_from(domain) };
	struct look *l;

	memset(&t, 0, sizeof(t));
	t.arena = arena_new(OUR_BUDGET);
	t.conf.hostname = STR("mail.example.org");
	t.relay.conf = &t.conf;
	t.relay.loop = loop_new();
	t.relay.is_stopping = true; /* nothing is searched for after it */
	t.looks.relay = &t.relay;
	list_init(&t.looks.all);
	l = relay_look_new(&t.looks, &z);
	relay_look_begin(l);
	return l;
}

static void
end(const char *what)
{
	CHECK_U64_EQ(t.open, 0, what);
	CHECK_U64_EQ(t.looks.count, 0, what);
	CHECK_TRUE(list_is_empty(&t.looks.all), what);
	loop_free(&t.relay.loop);
	arena_free(&t.arena);
}

/* --- tests -------------------------------------------------------------------------- */

/* How often this was asked of a server (at_resolver: of the resolver). */
static size_t
times(const char *name, enum dns_type type, const char *server)
{
	struct addr at = { 0 };
	size_t n = 0;

	if (server)
		CHECK(addr_parse_ip(str_from(server), &at));
	for (size_t i = 0; i < t.count; i++) {
		const struct asked *a = &t.asked[i];

		n += a->type == type && str_eq_icase(a->name, str_from(name)) &&
		     a->is_direct == (server != NULL) &&
		     (!server || addr_eq_ip(&a->server, &at));
	}
	return n;
}

static void
test_whole(void)
{
	struct asked *a;

	(void)begin("example.org");
	while ((a = next_open(false)))
		answer(a, false);
	CHECK_U64_EQ(t.done, 1, "it ends once");
	CHECK_U64_EQ(t.servers, 4, "all addresses of both servers");
	CHECK_CSTR_EQ(record_state_word(t.mx_state), "ok", "MX");
	CHECK_CSTR_EQ(record_state_word(t.host_state), "ok", "what was asked first");
	CHECK_CSTR_EQ(record_state_word(t.spf_state), "ok", "SPF");
	CHECK_U64_EQ(times("example.org", DNS_MX, "192.0.2.1"), 1, "the first, once");
	CHECK_U64_EQ(times("example.org", DNS_MX, "192.0.2.2"), 1, "the second, once");
	CHECK_U64_EQ(times("example.org", DNS_MX, NULL), 0, "and no cache");
	CHECK_U64_EQ(times("example.org", DNS_DS, NULL), 1, "the resolver, once");
	CHECK_U64_EQ(times("example.org", DNS_DS, "192.0.2.1"), 0, "and no server");
	CHECK_U64_EQ(times("example.org", DNS_TXT, NULL), 0,
	             "SPF by what the servers say themselves");
	CHECK_U64_EQ(times("spf.example.net", DNS_TXT, NULL), 1,
	             "what is elsewhere the resolver says");
	CHECK_U64_EQ(t.most_open, LOOK_IN_FLIGHT_MAX, "many, not all");
	for (size_t i = 0; i < t.count; i++)
		CHECK_TRUE(t.asked[i].is_direct || t.fresh, "nothing old");
	end("whole");
}

/* A domain inside a zone is looked up at the zone's servers; one without a zone nowhere. */
static void
test_zones(void)
{
	static const struct {
		const char *domain;
		size_t hosts;
		unsigned servers;
		const char *state, *cause;
	} rows[] = {
		{ "deep.in.example.org", 2, 4, "ok", "" },
		{ "nowhere.example", 0, 0, "missing", "no_zone" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked *a;

		(void)begin(rows[i].domain);
		while ((a = next_open(false)))
			answer(a, false);
		CHECK_U64_EQ(t.done, 1, rows[i].domain);
		CHECK_U64_EQ(t.hosts, rows[i].hosts, rows[i].domain);
		CHECK_U64_EQ(t.servers, rows[i].servers, rows[i].domain);
		CHECK_CSTR_EQ(record_state_word(t.mx_state), rows[i].state,
		              rows[i].domain);
		CHECK_CSTR_EQ(record_cause_word(t.mx_cause), rows[i].cause,
		              rows[i].domain);
		CHECK_U64_EQ(times("org", DNS_NS, NULL) + times("example", DNS_NS, NULL),
		             0, "nobody asks for a top level");
		end(rows[i].domain);
	}
}

/* Silence is never a missing record: of the resolver, of one server, of both. */
static void
test_silence(void)
{
	static const struct {
		const char *what;
		bool resolver, first, second;
		const char *state, *cause;
	} rows[] = {
		{ "the resolver", true, false, false, "unknown", "no_answer" },
		{ "one server", false, true, false, "ok", "some_silent" },
		{ "all servers", false, true, true, "unknown", "no_answer" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked *a;

		(void)begin("example.org");
		while ((a = next_open(false))) {
			bool is_first = a->is_direct && a->server.ip[3] == 1;

			answer(a, !a->is_direct ? rows[i].resolver
			          : is_first    ? rows[i].first
			                        : rows[i].second);
		}
		CHECK_U64_EQ(t.done, 1, rows[i].what);
		CHECK_CSTR_EQ(record_state_word(t.mx_state), rows[i].state, rows[i].what);
		CHECK_CSTR_EQ(record_cause_word(t.mx_cause), rows[i].cause, rows[i].what);
		end(rows[i].what);
	}
}

static bool
is_host_known(void)
{
	for (size_t i = 0; i < t.count; i++)
		if (t.asked[i].type == DNS_A && !t.asked[i].is_open &&
		    str_eq(t.asked[i].name, t.conf.hostname))
			return true;
	return false;
}

/* Time is over after so many answers: judged once by what is there, nothing is left out.
   And a look that nobody wants any more, after as many. */
static void
test_cut(void)
{
	for (unsigned is_late = 0; is_late < 2; is_late++) {
		bool has_more = true;

		for (size_t answers = 0; has_more; answers++) {
			struct look *l = begin("example.org");
			struct asked *a = NULL;
			bool knows_host;

			for (size_t i = 0; i < answers && (a = next_open(false)); i++)
				answer(a, false);
			has_more = next_open(false) != NULL;
			knows_host = is_host_known();
			if (has_more && is_late)
				l->limit.fn(l->limit.arg);
			else if (has_more)
				relay_look_free(l);
			CHECK_U64_EQ(t.done, is_late || !has_more, "ends once");
			CHECK_TRUE(!t.done || t.mx_state != RECORD_MISSING,
			           "what was not answered is not missing");
			CHECK_TRUE(!t.done || !knows_host || t.host_state == RECORD_OK,
			           "what was answered counts");
			end("cut");
		}
	}
}

SUITE(relay_look, { "whole", test_whole }, { "zones", test_zones },
      { "silence", test_silence }, { "cut short", test_cut });
