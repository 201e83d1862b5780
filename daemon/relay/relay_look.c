/* One look: the zone's servers, their addresses and our host's, every question to every
 * server, the verdict (policy/records.h). */
#include "relay/relay_look_priv.h"

#include "api/domain_records.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_direct.h"
#include "relay/relay_priv.h"

enum {
	ASK_MAGIC = 0x524c5939,
	QUESTIONS_MAX = 200,
	LOOK_BUDGET = 16 << 20,
	ANSWER_MS = 4000,      /* of one server to one question */
	LOOK_LIMIT_MS = 15000, /* a look that takes longer is judged by what there is */
	LOOKUPS = 60,
};

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
		timer_stop(&l->limit);
		relay_look_done(l);
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
	while (l->out < LOOK_IN_FLIGHT_MAX && take_next(l, &q, &server))
		(void)ask(l, q, server, NULL);
}

/* For an answer of every server to every question, behind those that are there. */
static void
make_room(struct look *l)
{
	struct records_answer *more;

	l->answer_max = l->question_count * (l->server_count + 1) + l->answer_count + 8;
	more = ARENA_ARRAY(l->arena, struct records_answer, l->answer_max);
	for (size_t i = 0; i < l->answer_count; i++)
		more[i] = l->answers[i];
	l->answers = more;
}

static void
make_records(struct look *l)
{
	struct relay *r = l->looks->relay;
	const struct dns_answer *answers[2] = {
		find_answer(l, r->conf->hostname, DNS_A, true),
		find_answer(l, r->conf->hostname, DNS_AAAA, true)
	};
	struct domain_records_host host;

	for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
		for (size_t i = 0; answers[k] && i < answers[k]->count; i++) {
			if (l->ip_count < RECORDS_IPS_MAX)
				l->ips[l->ip_count++] = answers[k]->records[i].addr;
		}
	}
	host = (struct domain_records_host){ r->conf, r->tls, l->ips, l->ip_count };
	if (domain_records_conf(r->reader, &host, l->domain_id, l->domain, l->arena,
	                        &l->conf) != OK) {
		relay_look_free(l);
		return;
	}
	l->records = records_make(&l->conf, l->arena);
	l->questions = ARENA_ARRAY(l->arena, struct records_question, QUESTIONS_MAX);
	l->question_count =
		records_questions(l->records, l->arena, l->questions, QUESTIONS_MAX);
	make_room(l);
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
	for (size_t i = 0; i < l->host_count; i++) {
		const struct dns_answer *a = find_answer(l, l->hosts[i], DNS_A, true);

		for (size_t k = 0; a && k < a->count; k++) {
			if (l->server_count == RECORDS_SERVERS_MAX)
				break;
			l->servers[l->server_count] = a->records[k].addr;
			l->servers[l->server_count].port = 0;
			l->server_names[l->server_count++] = l->hosts[i];
		}
	}
	make_records(l);
}

static void ask_zone(struct look *l);

static void
zone_answered(struct look *l)
{
	const struct dns_answer *a = find_answer(l, l->zone, DNS_NS, true);
	struct str host = l->looks->relay->conf->hostname;
	size_t dot = str_find(l->zone, '.');

	if (a && a->status == DNS_OK && str_eq_icase(a->name, l->zone)) {
		for (size_t i = 0; i < a->count && l->host_count < NS_MAX; i++)
			l->hosts[l->host_count++] = a->records[i].name;
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
	for (size_t i = 0; i < l->host_count; i++)
		ask_resolver(l, l->hosts[i], DNS_A);
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

/* --- coming and going --------------------------------------------------------------- */

struct look *
relay_look_new(struct relay_looks *looks, const struct dns_zone *z)
{
	struct look *l = mem_alloc(sizeof(*l));

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
	return l;
}

void
relay_look_begin(struct look *l)
{
	ask_zone(l);
}

void
relay_look_free(struct look *l)
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
		timer_set(&looks->search, LOOK_SOON_MS);
}
