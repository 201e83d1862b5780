/* What is out for the same question and type is one `flight` that all askers wait for;
 * how it travels is the transport's business (dns_priv.h), whose turn it is that of
 * dns_line.c. The cache (dns_cache.h) keeps
 * messages as they came and they are read again at each hit: that is small, and a
 * microsecond.
 */
#include "io/dns.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"
#include "conf/conf.h"
#include "io/dns_cache.h"
#include "io/dns_priv.h"

#include <string.h>

enum {
	DNS_MAGIC = 0x646e7320,
	QUERY_MAGIC = 0x646e7371,
	FLIGHT_MAGIC = 0x646e7366,
	PARSE_BYTES = 1 << 20,
};

struct dns_query {
	uint32_t magic;
	struct dns *dns;
	struct link all;   /* in dns->queries */
	struct link place; /* in its flight */
	struct flight *flight;
	uint64_t group;
	dns_fn *fn;
	dns_raw_fn *raw_fn; /* instead of fn */
	void *arg;
	bool is_fresh; /* past the cache */
	size_t key_n;
	char key[DNS_KEY_MAX];
};

static void flights_start(struct dns *d);

static struct str
key_name(const char *key, size_t key_n)
{
	return str_make(key + 2, key_n - 2);
}

static enum dns_type
key_type(const char *key)
{
	return (enum dns_type)((uint8_t)key[0] << 8 | (uint8_t)key[1]);
}

/* ── answers ── */

static void
query_free(struct dns_query *q)
{
	list_remove(&q->all);
	list_remove(&q->place);
	q->magic = 0;
	mem_free(q);
}

/* raw: what the answer was read from. */
static void
answer_query(struct dns_query *q, const struct dns_answer *a, const struct dns_raw *raw)
{
	dns_raw_fn *raw_fn = q->raw_fn;
	dns_fn *fn = q->fn;
	void *arg = q->arg;

	query_free(q);
	if (raw_fn)
		raw_fn(arg, raw);
	else
		fn(arg, a);
}

/* ── flights ── */

static void on_over(void *arg);

static void
flight_free(struct flight *f)
{
	struct dns *d = f->dns;

	/* Ending what is out may call back for it; is_over makes that harmless. */
	f->is_over = true;
	d->transport->drop(f);
	timer_stop(&f->limit);
	loop_defer_cancel(d->loop, on_over, f);
	(void)map_remove(d->flights, str_make(f->key, f->key_n));
	if (f->is_out)
		dns_place_give(f);
	else if (f->group)
		dns_line_leave(f);
	strbuf_release(&f->wire);
	strbuf_release(&f->query);
	strbuf_release(&f->message);
	f->magic = 0;
	mem_free(f);
}

/* Gives the answer to all that wait. They may ask again, or cancel one another. */
static void
flight_answer(struct flight *f, const struct dns_answer *a, const struct dns_raw *raw)
{
	struct link waiting;

	/* New askers of the same question must find no flight that is being answered. */
	(void)map_remove(f->dns->flights, str_make(f->key, f->key_n));
	list_init(&waiting);
	while (!list_is_empty(&f->waiting)) {
		struct link *l = f->waiting.next;

		CONTAINER_OF(l, struct dns_query, place)->flight = NULL;
		list_remove(l);
		list_add_last(&waiting, l);
	}
	while (!list_is_empty(&waiting))
		answer_query(CONTAINER_OF(waiting.next, struct dns_query, place), a, raw);
}

/* A failure, and for how long it stands: where we asked ourselves that is for us to say.
   What never left the line says nothing about the name. */
static void
keep_failure(struct flight *f, struct dns_raw *raw)
{
	struct dns *d = f->dns;
	struct str key = str_make(f->key, f->key_n);
	int64_t now_ms = loop_now_ms(d->loop);

	raw->ttl_ms = f->failed_ms;
	if (f->failed_ms)
		dns_cache_put(d->cache, key, now_ms, raw);
	else if (f->is_out && d->transport->is_last)
		raw->ttl_ms = dns_cache_fail(d->cache, key, now_ms);
}

static uint32_t
seconds(int64_t ms)
{
	return (uint32_t)((ms + 999) / 1000);
}

/* The answer is here, or the time is over. */
static void
on_over(void *arg)
{
	struct flight *f = CAST(flight, FLIGHT_MAGIC, arg);
	struct dns *d = f->dns;
	struct arena *a = arena_new(PARSE_BYTES);
	struct dns_parsed parsed = { .answer = { .status = DNS_TEMP } };
	struct dns_answer *answer = &parsed.answer;
	struct dns_raw raw;
	enum err e = OK;

	if (f->message.n)
		e = dns_message_parse(strbuf_str(&f->message), strbuf_str(&f->query), a,
		                      &parsed);
	if (e != OK)
		parsed = (struct dns_parsed){ .answer = { .status = DNS_TEMP } };
	if (f->message.n && d->transport->again(f, e, &parsed))
		goto out;
	dns_flight_ttl(f, answer);
	f->is_authentic = f->is_authentic && answer->authentic && d->conf.trust_ad;
	answer->authentic = f->is_authentic;
	raw = (struct dns_raw){ answer->status, answer->authentic, f->ttl_ms,
		                strbuf_str(&f->query), strbuf_str(&f->message) };
	if (answer->status == DNS_TEMP)
		keep_failure(f, &raw);
	else
		dns_cache_put(d->cache, str_make(f->key, f->key_n), loop_now_ms(d->loop),
		              &raw);
	answer->ttl_s = seconds(raw.ttl_ms);
	flight_answer(f, answer, &raw);
	flight_free(f);
	flights_start(d);
out:
	arena_free(&a);
}

void
dns_flight_ttl(struct flight *f, const struct dns_answer *answer)
{
	int64_t ttl_ms = (int64_t)answer->ttl_s * 1000;

	if (ttl_ms < f->ttl_ms)
		f->ttl_ms = ttl_ms;
}

void
dns_flight_over(struct flight *f)
{
	if (f->is_over)
		return;
	f->is_over = true;
	loop_defer(f->dns->loop, on_over, f);
}

enum dns_type
dns_flight_type(const struct flight *f)
{
	return key_type(f->key);
}

static void
on_limit(void *arg)
{
	struct flight *f = CAST(flight, FLIGHT_MAGIC, arg);

	/* It leaves the line without having been asked. */
	if (!f->is_out && f->group)
		dns_line_leave(f);
	strbuf_clear(&f->message);
	dns_flight_over(f);
}

static void
flights_start(struct dns *d)
{
	struct flight *f;

	while (d->in_flight < d->conf.in_flight_max && (f = dns_line_next(d)) != NULL) {
		dns_place_take(f);
		d->transport->send(f);
	}
}

static struct flight *
flight_new(struct dns *d, struct str key, uint64_t group)
{
	struct flight *f = mem_alloc(sizeof(*f));

	f->magic = FLIGHT_MAGIC;
	f->dns = d;
	memcpy(f->key, key.p, key.n);
	f->key_n = key.n;
	f->ttl_ms = DNS_TTL_MAX_MS;
	f->is_authentic = true;
	f->wire = strbuf_heap(DNS_NAME_MAX + 1);
	f->query = strbuf_heap(DNS_MESSAGE_MAX);
	f->message = strbuf_heap(DNS_MESSAGE_MAX);
	list_init(&f->waiting);
	timer_init(&f->limit, d->loop, on_limit, f);
	/* Waiting in line counts: the asker's patience does not wait either. */
	timer_set(&f->limit, d->conf.timeout_ms);
	strbuf_add(&f->wire, key_name(f->key, f->key_n));
	(void)map_set(d->flights, key, f);
	dns_line_join(f, group);
	return f;
}

/* ── asking ── */

/* True when the cache had it. */
static bool
answer_from_cache(struct dns_query *q)
{
	struct dns *d = q->dns;
	struct dns_parsed parsed = { .answer = { .status = DNS_TEMP } };
	struct dns_raw raw;
	struct arena *a;
	enum err e = OK;

	if (!dns_cache_find(d->cache, str_make(q->key, q->key_n), loop_now_ms(d->loop),
	                    &raw))
		return false;
	a = arena_new(PARSE_BYTES);
	if (raw.status != DNS_TEMP) {
		/* The callback may empty the cache: names and data must not be in it. */
		raw.message = arena_str(a, raw.message);
		raw.query = arena_str(a, raw.query);
		e = dns_message_parse(raw.message, raw.query, a, &parsed);
	}
	if (e == OK) {
		raw.is_authentic = raw.is_authentic && d->conf.trust_ad;
		parsed.answer.ttl_s = seconds(raw.ttl_ms);
		parsed.answer.authentic = raw.is_authentic;
		answer_query(q, &parsed.answer, &raw);
	}
	arena_free(&a);
	return e == OK;
}

static void
on_asked(void *arg)
{
	static const struct dns_answer bad_name = { .status = DNS_BAD_NAME };
	static const struct dns_raw no_name = { .status = DNS_BAD_NAME };
	struct dns_query *q = CAST(dns_query, QUERY_MAGIC, arg);
	struct dns *d = q->dns;
	struct flight *f;

	if (!q->key_n) {
		answer_query(q, &bad_name, &no_name);
		return;
	}
	if (!q->is_fresh && answer_from_cache(q))
		return;
	f = map_find(d->flights, str_make(q->key, q->key_n));
	if (!f)
		f = flight_new(d, str_make(q->key, q->key_n), q->group);
	else if (!f->is_out && f->group)
		dns_line_change(f, q->group);
	q->flight = f;
	list_add_last(&f->waiting, &q->place);
	flights_start(d);
}

static struct dns_query *
query_new(struct dns *d, void *arg)
{
	struct dns_query *q = mem_alloc(sizeof(*q));

	q->magic = QUERY_MAGIC;
	q->dns = d;
	q->arg = arg;
	list_add_last(&d->queries, &q->all);
	loop_defer(d->loop, on_asked, q);
	return q;
}

struct dns_query *
dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn, void *arg)
{
	struct dns_query *q = query_new(d, arg);
	struct strbuf key = strbuf_fixed(q->key, sizeof(q->key));

	q->fn = fn;
	strbuf_byte(&key, (char)((unsigned)type >> 8));
	strbuf_byte(&key, (char)((unsigned)type & 0xff));
	if (dns_name_parse(name, &key))
		q->key_n = key.n;
	return q;
}

struct dns_query *
dns_ask_raw(struct dns *d, struct str key, dns_raw_fn *fn, void *arg)
{
	struct dns_query *q = query_new(d, arg);

	CHECK(key.n <= sizeof(q->key));
	q->raw_fn = fn;
	memcpy(q->key, key.p, key.n);
	q->key_n = key.n;
	return q;
}

void
dns_query_group(struct dns_query *q, uint64_t id)
{
	q->group = id;
}

void
dns_query_fresh(struct dns_query *q)
{
	q->is_fresh = true;
}

void
dns_cancel(struct dns_query **qp)
{
	struct dns_query *q = *qp;
	struct flight *f;
	struct dns *d;

	if (!q)
		return;
	*qp = NULL;
	CHECK(q->magic == QUERY_MAGIC);
	f = q->flight;
	d = q->dns;
	loop_defer_cancel(d->loop, on_asked, q);
	query_free(q);
	/* Nobody waits for it any more, but others may wait for its place. */
	if (!f || f->is_over || !list_is_empty(&f->waiting))
		return;
	flight_free(f);
	flights_start(d);
}

/* ── the resolver ── */

static struct dns_cache_conf
cache_conf(const struct dns_conf *conf)
{
	return (struct dns_cache_conf){
		.count_max = conf->cache_max,
		.bytes_max = conf->cache_max_bytes,
		.ttl_max_ms = conf->ttl_max_ms,
		.negative_max_ms = conf->negative_max_ms,
		.failure_ms = conf->failure_ms,
		.failure_max_ms = conf->failure_max_ms,
	};
}

void
dns_set_conf(struct dns *d, const struct dns_conf *conf)
{
	size_t n = conf->servers_count < DNS_SERVERS_MAX ? conf->servers_count
	                                                 : DNS_SERVERS_MAX;
	struct dns_cache_conf cache;

	d->conf = *conf;
	if (n)
		memcpy(d->servers, conf->servers, n * sizeof(struct addr));
	else
		n = dns_system_servers(d->servers);
	d->conf.servers = d->servers;
	d->conf.servers_count = n;
	cache = cache_conf(&d->conf);
	dns_cache_set_conf(d->cache, &cache);
}

struct dns_conf
dns_conf_from(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;

	return (struct dns_conf){
		.servers = conf->dns_servers.p,
		.servers_count = conf->dns_servers.n,
		.trust_ad = conf->dns_trusted,
		.timeout_ms = l->dns_timeout,
		.cache_max = (size_t)l->dns_cache,
		.cache_max_bytes = (size_t)l->dns_cache_bytes,
		.ttl_max_ms = l->dns_ttl_max,
		.negative_max_ms = l->dns_negative_max,
		.failure_ms = l->dns_failure,
		.failure_max_ms = l->dns_failure_max,
		.in_flight_max = (size_t)l->dns_in_flight,
	};
}

struct dns *
dns_new_by(struct loop *l, const struct dns_conf *conf,
           const struct dns_transport *transport, void *way)
{
	struct dns_cache_conf cache = cache_conf(conf);
	struct dns *d = mem_alloc(sizeof(*d));

	d->magic = DNS_MAGIC;
	d->loop = l;
	d->transport = transport;
	d->way = way;
	d->flights = map_new();
	d->cache = dns_cache_new(&cache);
	d->groups = map_new();
	list_init(&d->lines);
	list_init(&d->out);
	list_init(&d->queries);
	dns_set_conf(d, conf);
	return d;
}

static void
free_flight(void *arg, struct str key, void *value)
{
	(void)arg;
	(void)key;
	flight_free(value);
}

void
dns_free(struct dns **dp)
{
	struct dns *d = *dp;

	if (!d)
		return;
	*dp = NULL;
	d->conf.in_flight_max = 0; /* nothing starts any more */
	while (!list_is_empty(&d->queries)) {
		struct dns_query *q =
			CONTAINER_OF(d->queries.next, struct dns_query, all);

		dns_cancel(&q);
	}
	map_each(d->flights, free_flight, NULL);
	d->transport->end(d);
	dns_cache_free(&d->cache);
	map_free(&d->flights);
	map_free(&d->groups);
	d->magic = 0;
	mem_free(d);
}
