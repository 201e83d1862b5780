/* Looking at what the name service says of our domains, for the records page and for DKIM
 * keys, which may not sign before every server has them.
 *
 *   the zone's servers (resolver) -> their addresses, those of our host -> every question
 *   to every server -> judged (policy/records.h) -> the store
 *
 * A few domains at a time, a few questions at a time, each with its own time limit, so
 * neither a thousand domains nor a dead server holds anything up. When a look is due
 * again is in the store: soon while something is missing, then less and less often.
 */
#include "api/domain_records.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_direct.h"
#include "policy/records.h"
#include "role/relay_priv.h"

enum {
	LOOKS_MAGIC = 0x524c5937,
	LOOK_MAGIC = 0x524c5938,
	ASK_MAGIC = 0x524c5939,
	LOOKS_MAX = 4,
	IN_FLIGHT_MAX = 24, /* of one look */
	QUESTIONS_MAX = 200,
	LOOK_BUDGET = 16 << 20,
	ANSWER_MS = 4000,      /* of one server to one question */
	LOOK_LIMIT_MS = 15000, /* a look that takes longer is judged by what there is */
	NS_MAX = 13,
	LOOKUPS = 60,
	FIRST_MS = 20 * 1000, /* until the next look, while something is missing … */
	SLOWEST_MS = 30 * 60 * 1000, /* … and at most, */
	GOOD_MS = 60 * 60 * 1000,    /* or when all is well */
	IDLE_MS = 60 * 1000,         /* between two searches for what is due */
	SOON_MS = 30,
	RETRY_MS = 10 * 1000,
	ROW_JSON_MAX = 60 * 1024,
};

struct look;

/* A question that is out. */
struct ask {
	uint32_t magic;
	struct link link; /* in look->asks */
	struct look *look;
	struct records_question q;
	unsigned server;
	struct dns_direct *direct;
	struct dns_query *query;
	struct lookup *lookup; /* of SPF; NULL: one of the engine's */
};

/* One domain that is being looked at. */
struct look {
	uint32_t magic;
	struct link link; /* in looks->all */
	struct relay_looks *looks;
	struct arena *arena;
	uint64_t domain_id;
	struct str domain;
	int64_t started_ms, last_pause_ms; /* Unix */
	bool was_asked;
	bool is_late; /* no more questions: what is there must do */
	struct timer limit;
	/* the zone */
	struct str zone; /* where name servers were found, or are looked for */
	struct str ns[NS_MAX];
	size_t ns_count;
	struct addr servers[RECORDS_SERVERS_MAX];
	struct str server_names[RECORDS_SERVERS_MAX];
	unsigned server_count;
	bool has_no_zone;
	/* the host */
	struct addr ips[RECORDS_IPS_MAX];
	size_t ip_count;
	struct records_conf conf;
	struct records *records;
	/* questions */
	struct records_question *questions;
	size_t question_count, next; /* next: question times server */
	struct records_answer *answers;
	size_t answer_count, answer_max;
	bool is_signed;
	struct lookups *lookups;
	struct link asks;
	size_t out;
	void (*then)(struct look *l); /* when nothing is out any more */
	uint64_t call;
	size_t key; /* the next one to be told */
};

struct relay_looks {
	uint32_t magic;
	struct relay *relay;
	struct timer search;
	struct link all;
	size_t count;
};

/* --- asking ------------------------------------------------------------------------- */

static struct dns_answer
copy_answer(const struct dns_answer *from, struct arena *a)
{
	struct dns_answer to = *from;
	struct dns_record *records = ARENA_ARRAY(a, struct dns_record, from->count + 1);

	for (size_t i = 0; i < from->count; i++) {
		records[i] = from->records[i];
		records[i].name = arena_str(a, from->records[i].name);
		records[i].text = arena_str(a, from->records[i].text);
	}
	to.records = records;
	to.name = arena_str(a, from->name);
	return to;
}

static void step(struct look *l);

static void
ask_free(struct ask *k)
{
	list_remove(&k->link);
	k->look->out--;
	k->magic = 0;
	mem_free(k);
}

static void
take_answer(struct ask *k, const struct dns_answer *a)
{
	struct look *l = k->look;

	if (k->lookup) {
		lookups_answer(k->lookup, a);
	} else if (l->answer_count < l->answer_max && arena_left(l->arena) > 1 << 20) {
		l->answers[l->answer_count++] = (struct records_answer){
			.name = k->q.name,
			.type = k->q.type,
			.is_resolver = k->q.is_resolver,
			.server = k->server,
			.answer = copy_answer(a, l->arena),
		};
	}
	ask_free(k);
	step(l);
}

static void
on_direct(void *arg, const struct dns_answer *a)
{
	struct ask *k = CAST(ask, ASK_MAGIC, arg);

	k->direct = NULL;
	take_answer(k, a);
}

static void
on_resolved(void *arg, const struct dns_answer *a)
{
	struct ask *k = CAST(ask, ASK_MAGIC, arg);

	k->query = NULL;
	take_answer(k, a);
}

static struct ask *
ask(struct look *l, struct records_question q, unsigned server, struct lookup *lookup)
{
	struct relay *r = l->looks->relay;
	struct ask *k = mem_alloc(sizeof(*k));

	k->magic = ASK_MAGIC;
	k->look = l;
	k->q = q;
	k->server = server;
	k->lookup = lookup;
	list_add_last(&l->asks, &k->link);
	l->out++;
	if (q.is_resolver) {
		k->query = dns_ask(r->dns, q.name, q.type, on_resolved, k);
		/* Somebody has just changed it, and wants to know. */
		dns_query_fresh(k->query);
	} else {
		k->direct = dns_direct_ask(
			r->loop, &l->servers[server],
			&(struct dns_direct_question){ q.name, q.type, ANSWER_MS },
			on_direct, k);
	}
	return k;
}

static void
ask_resolver(struct look *l, struct str name, enum dns_type type)
{
	(void)ask(l, (struct records_question){ name, type, true }, 0, NULL);
}

static void
cancel_asks(struct look *l)
{
	while (!list_is_empty(&l->asks)) {
		struct ask *k = CONTAINER_OF(l->asks.next, struct ask, link);

		dns_direct_cancel(&k->direct);
		dns_cancel(&k->query);
		ask_free(k);
	}
}

static const struct dns_answer *
find_answer(const struct look *l, struct str name, enum dns_type type, bool is_resolver)
{
	for (size_t i = 0; i < l->answer_count; i++) {
		const struct records_answer *x = &l->answers[i];

		if (x->type == type && x->is_resolver == is_resolver &&
		    x->answer.status != DNS_TEMP && str_eq_icase(x->name, name))
			return &x->answer;
	}
	return NULL;
}

/* --- coming and going --------------------------------------------------------------- */

static void
look_free(struct look *l)
{
	struct relay_looks *looks = l->looks;

	cancel_asks(l);
	store_forget(looks->relay->store, l->call);
	timer_stop(&l->limit);
	list_remove(&l->link);
	looks->count--;
	arena_free(&l->arena);
	l->magic = 0;
	mem_free(l);
	if (!looks->relay->is_stopping)
		timer_set(&looks->search, SOON_MS);
}

/* --- telling ------------------------------------------------------------------------ */

static void tell_keys(struct look *l);

static void
on_key_told(void *arg, enum err e, const struct answer_none *answer)
{
	struct look *l = CAST(look, LOOK_MAGIC, arg);

	(void)answer;
	l->call = 0;
	if (e != OK && e != ERR_NOT_FOUND)
		log_line(LEVEL_WARN, "dns.key", "error=%s", err_get(e)->word);
	tell_keys(l);
}

struct key_search {
	struct str selector;
	uint64_t id;
};

static bool
find_key(void *arg, const struct dkim_key *k)
{
	struct key_search *s = arg;

	if (!str_eq(k->selector, s->selector))
		return true;
	s->id = k->id;
	return false;
}

/* Each key of whose servers all answered, one after the other. */
static void
tell_keys(struct look *l)
{
	while (l->key < l->records->count) {
		const struct record_row *row = &l->records->rows[l->key++];
		struct str selector = row->key;
		struct key_search s = { .id = 0 };
		struct op_dkim_key_checked op = { .servers_ok = row->servers_ok,
			                          .servers_total = row->servers_total,
			                          .at_ms = l->started_ms };

		if (!str_skip(&selector, STR("dkim:")) || row->servers_silent ||
		    !row->servers_total)
			continue;
		s.selector = selector;
		if (reader_dkim_keys(l->looks->relay->reader, l->domain_id, DKIM_KEY_ANY,
		                     find_key, &s) != OK ||
		    !s.id)
			continue;
		op.id = s.id;
		l->call = store_dkim_key_checked(l->looks->relay->store, &op, on_key_told,
		                                 l);
		return;
	}
	look_free(l);
}

static void
on_told(void *arg, enum err e, const struct answer_none *answer)
{
	struct look *l = CAST(look, LOOK_MAGIC, arg);

	(void)answer;
	l->call = 0;
	if (e != OK) {
		log_line(LEVEL_WARN, "dns.result", "error=%s", err_get(e)->word);
		timer_set(&l->looks->search, RETRY_MS);
		look_free(l);
		return;
	}
	l->key = 0;
	tell_keys(l);
}

static bool
is_all_well(const struct look *l)
{
	for (size_t i = 0; i < l->records->count; i++) {
		const struct record_row *row = &l->records->rows[i];

		if (row->state != RECORD_OK && row->state != RECORD_OPTIONAL &&
		    row->need <= RECORD_SHOULD)
			return false;
	}
	return true;
}

/* Longer and longer while nothing moves; a tenth more or less, so that domains which were
   made together do not stay together. */
static int64_t
pause_ms(const struct look *l)
{
	int64_t ms = l->was_asked ? 0 : l->last_pause_ms;

	if (is_all_well(l))
		ms = GOOD_MS;
	else
		ms = ms * 3 / 2 < FIRST_MS     ? FIRST_MS
		     : ms * 3 / 2 > SLOWEST_MS ? SLOWEST_MS
		                               : ms * 3 / 2;
	return ms - ms / 10 + (int64_t)(random_u64() % (uint64_t)(ms / 5 + 1));
}

static struct str
row_json(const struct record_row *row, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, ROW_JSON_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	domain_records_row(&j, row);
	json_close_object(&j);
	return b.overflow ? STR("{}") : strbuf_str(&b);
}

static struct str
servers_text(const struct look *l)
{
	struct strbuf b = strbuf_arena(l->arena, 8192);
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < l->server_count; i++) {
		if (i)
			strbuf_lit(&b, ", ");
		strbuf_add(&b, l->server_names[i]);
		strbuf_byte(&b, ' ');
		strbuf_add(&b, addr_ip_text(&l->servers[i], &text));
	}
	return strbuf_str(&b);
}

static void
tell(struct look *l)
{
	struct op_dns_result op = { .domain = l->domain, .checked_ms = l->started_ms };
	struct strbuf facts = strbuf_arena(l->arena, 1024);

	timer_stop(&l->limit);
	op.rows = ARENA_ARRAY(l->arena, struct dns_row_new, l->records->count + 1);
	for (size_t i = 0; i < l->records->count; i++) {
		const struct record_row *row = &l->records->rows[i];

		op.rows[op.rows_count++] = (struct dns_row_new){
			.name = row->key,
			.state = str_from(record_state_word(row->state)),
			.cause = str_from(record_cause_word(row->cause)),
			.body = row_json(row, l->arena),
		};
	}
	domain_records_facts(l->ips, l->ip_count, &facts);
	op.facts = strbuf_str(&facts);
	op.servers = servers_text(l);
	op.next_ms = l->started_ms + pause_ms(l);
	l->call = store_dns_result(l->looks->relay->store, &op, on_told, l);
}

/* --- judging ------------------------------------------------------------------------ */

static void
judge(struct look *l)
{
	struct records_answers all = { .p = l->answers,
		                       .count = l->answer_count,
		                       .server_count = l->server_count,
		                       .has_no_zone = l->has_no_zone,
		                       .is_signed = l->is_signed };
	struct lookup *q;

	if (records_judge(l->records, &all, l->lookups, l->arena, l->started_ms) ==
	    POLICY_DONE) {
		tell(l);
		return;
	}
	l->then = judge;
	/* What the servers said themselves counts for more than what a cache holds. */
	while ((q = lookups_next(l->lookups))) {
		const struct dns_answer *own = find_answer(l, q->name, q->type, false);

		if (own)
			lookups_answer(q, own);
		else
			(void)ask(l, (struct records_question){ q->name, q->type, true },
			          0, q);
	}
	if (!l->out)
		judge(l);
}

static void
all_asked(struct look *l)
{
	const struct dns_answer *ds = find_answer(l, l->domain, DNS_DS, true);

	l->is_signed = ds && ds->status == DNS_OK;
	judge(l);
}

/* --- the questions ------------------------------------------------------------------ */

/* Which question to which server is the next; resolver ones only once. */
static bool
take_next(struct look *l, struct records_question *q, unsigned *server)
{
	unsigned servers = l->server_count ? l->server_count : 1;

	while (l->next < l->question_count * servers) {
		size_t i = l->next++;

		*q = l->questions[i / servers];
		*server = (unsigned)(i % servers);
		if (q->is_resolver ? *server == 0 : *server < l->server_count)
			return true;
	}
	return false;
}

static void
ask_more(struct look *l)
{
	struct records_question q;
	unsigned server;

	l->then = all_asked;
	while (l->out < IN_FLIGHT_MAX && take_next(l, &q, &server))
		(void)ask(l, q, server, NULL);
}

static void
make_records(struct look *l)
{
	struct relay *r = l->looks->relay;
	const struct dns_answer *answers[2] = {
		find_answer(l, r->role->conf->hostname, DNS_A, true),
		find_answer(l, r->role->conf->hostname, DNS_AAAA, true)
	};
	struct domain_records_host host;

	for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
		for (size_t i = 0; answers[k] && i < answers[k]->count; i++) {
			if (l->ip_count < RECORDS_IPS_MAX)
				l->ips[l->ip_count++] = answers[k]->records[i].addr;
		}
	}
	host = (struct domain_records_host){ r->role->conf, r->role->tls, l->ips,
		                             l->ip_count };
	if (domain_records_conf(r->reader, &host, l->domain_id, l->domain, l->arena,
	                        &l->conf) != OK) {
		look_free(l);
		return;
	}
	l->records = records_make(&l->conf, l->arena);
	l->questions = ARENA_ARRAY(l->arena, struct records_question, QUESTIONS_MAX);
	l->question_count =
		records_questions(l->records, l->arena, l->questions, QUESTIONS_MAX);
	l->answer_max = l->question_count * (l->server_count + 1) + l->answer_count + 8;
	{
		struct records_answer *more =
			ARENA_ARRAY(l->arena, struct records_answer, l->answer_max);

		for (size_t i = 0; i < l->answer_count; i++)
			more[i] = l->answers[i];
		l->answers = more;
	}
	if (l->is_late) {
		judge(l);
		return;
	}
	l->next = 0;
	ask_more(l);
	if (!l->out)
		all_asked(l);
}

/* --- the zone ----------------------------------------------------------------------- */

static void
take_servers(struct look *l)
{
	for (size_t i = 0; i < l->ns_count; i++) {
		const struct dns_answer *a = find_answer(l, l->ns[i], DNS_A, true);

		for (size_t k = 0; a && k < a->count; k++) {
			if (l->server_count == RECORDS_SERVERS_MAX)
				break;
			l->servers[l->server_count] = a->records[k].addr;
			l->servers[l->server_count].port = 0;
			l->server_names[l->server_count++] = l->ns[i];
		}
	}
	make_records(l);
}

static void ask_zone(struct look *l);

static void
zone_answered(struct look *l)
{
	const struct dns_answer *a = find_answer(l, l->zone, DNS_NS, true);
	struct str host = l->looks->relay->role->conf->hostname;
	size_t dot = str_find(l->zone, '.');

	if (a && a->status == DNS_OK && str_eq_icase(a->name, l->zone)) {
		for (size_t i = 0; i < a->count && l->ns_count < NS_MAX; i++)
			l->ns[l->ns_count++] = a->records[i].name;
	} else if (a && dot != SIZE_MAX &&
	           str_find(str_from_offset(l->zone, dot + 1), '.') != SIZE_MAX) {
		/* A domain inside a zone that begins above it. */
		l->zone = str_from_offset(l->zone, dot + 1);
		ask_zone(l);
		return;
	} else if (a) {
		l->has_no_zone = true;
	}
	l->then = take_servers;
	for (size_t i = 0; i < l->ns_count; i++)
		ask_resolver(l, l->ns[i], DNS_A);
	ask_resolver(l, host, DNS_A);
	ask_resolver(l, host, DNS_AAAA);
}

static void
ask_zone(struct look *l)
{
	l->then = zone_answered;
	ask_resolver(l, l->zone, DNS_NS);
}

static void
step(struct look *l)
{
	if (l->then == all_asked)
		ask_more(l);
	if (!l->out)
		l->then(l);
}

/* Time is over: what is there must do. */
static void
on_limit(void *arg)
{
	struct look *l = CAST(look, LOOK_MAGIC, arg);

	cancel_asks(l);
	lookups_give_up(l->lookups);
	l->is_late = true;
	if (l->records)
		judge(l);
	else
		make_records(l);
}

/* --- which domains ------------------------------------------------------------------ */

static bool
is_looked_at(const struct relay_looks *looks, uint64_t domain_id)
{
	LIST_EACH(&looks->all, p)
	{
		if (CONTAINER_OF(p, struct look, link)->domain_id == domain_id)
			return true;
	}
	return false;
}

static bool
start_look(void *arg, const struct dns_zone *z)
{
	struct relay_looks *looks = arg;
	struct look *l;

	if (looks->count == LOOKS_MAX)
		return false;
	if (is_looked_at(looks, z->domain_id))
		return true;
	l = mem_alloc(sizeof(*l));
	l->magic = LOOK_MAGIC;
	l->looks = looks;
	l->arena = arena_new(LOOK_BUDGET);
	l->domain_id = z->domain_id;
	l->domain = l->zone = arena_str(l->arena, z->domain);
	l->started_ms = clock_unix_ms();
	l->last_pause_ms = z->next_ms - z->checked_ms;
	l->was_asked = z->asked_ms > z->checked_ms;
	l->answer_max = NS_MAX + 16;
	l->answers = ARENA_ARRAY(l->arena, struct records_answer, l->answer_max);
	l->lookups = lookups_new(l->arena, LOOKUPS);
	list_init(&l->asks);
	list_add_last(&looks->all, &l->link);
	looks->count++;
	timer_init(&l->limit, looks->relay->loop, on_limit, l);
	timer_set(&l->limit, LOOK_LIMIT_MS);
	return true;
}

static void
on_search(void *arg)
{
	struct relay_looks *looks = CAST(relay_looks, LOOKS_MAGIC, arg);
	int64_t now_ms = clock_unix_ms();

	timer_set(&looks->search, IDLE_MS);
	if (looks->relay->is_stopping || looks->count == LOOKS_MAX)
		return;
	if (reader_dns_due(looks->relay->reader, now_ms, 2 * LOOKS_MAX, start_look,
	                   looks) != OK)
		return;
	LIST_EACH(&looks->all, p)
	{
		struct look *l = CONTAINER_OF(p, struct look, link);

		if (!l->then)
			ask_zone(l);
	}
}

void
relay_dns_changed(struct relay *r, const struct change *change)
{
	static const char *const starts[] = { "domain:", "dkim:", "policy:", "dns_ask:" };

	if (change->kind == CHANGE_RESET) {
		timer_set(&r->looks->search, SOON_MS);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (str_starts(change->key, str_from(starts[i])))
			timer_set(&r->looks->search, SOON_MS);
	}
}

void
relay_dns_new(struct relay *r)
{
	struct relay_looks *looks = mem_alloc(sizeof(*looks));

	looks->magic = LOOKS_MAGIC;
	looks->relay = r;
	list_init(&looks->all);
	timer_init(&looks->search, r->loop, on_search, looks);
	r->looks = looks;
}

void
relay_dns_start(struct relay *r)
{
	timer_set(&r->looks->search, SOON_MS);
}

void
relay_dns_free(struct relay *r)
{
	struct relay_looks *looks = r->looks;

	r->is_stopping = true;
	while (!list_is_empty(&looks->all))
		look_free(CONTAINER_OF(looks->all.next, struct look, link));
	timer_stop(&looks->search);
	looks->magic = 0;
	mem_free(looks);
	r->looks = NULL;
}
