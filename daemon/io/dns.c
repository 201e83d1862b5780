/* Each question travels alone: it has a c-ares channel of its own, and so a port of its
 * own that the kernel chose at random, beside a random id and random letter case. What is
 * out for the same question and type is one `flight` that all askers wait for. The cache
 * keeps messages as they came and reads them again at each hit: that is small, and a
 * microsecond.
 */
#include "io/dns.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_message.h"
#include "io/socket.h"

/* Version 1.34 calls what 1.18 has deprecated. */
#define CARES_NO_DEPRECATED 1
#include <ares.h>
#include <string.h>
#include <sys/time.h>

enum {
	DNS_MAGIC = 0x646e7320,
	QUERY_MAGIC = 0x646e7371,
	FLIGHT_MAGIC = 0x646e7366,
	PLACE_MAGIC = 0x646e7370,
	KEY_MAX = DNS_NAME_MAX + 2,
	SERVERS_MAX = 8,
	SOCKETS_MAX = 16,
	MESSAGE_MAX = 64 << 10,
	PARSE_BYTES = 1 << 20,
	TRIES = 3,
	TRY_MS = 2500,
	HOPS_MAX = 6, /* questions more for chains that leave the answer */
};

struct dns {
	uint32_t magic;
	struct loop *loop;
	struct dns_conf conf; /* servers point to `servers` */
	struct addr servers[SERVERS_MAX];
	struct map *flights;  /* by key */
	struct map *cache;    /* by key */
	struct link recent;   /* cached: the freshest first */
	struct link lined_up; /* flights that have not started */
	struct link queries;
	size_t in_flight;
};

struct dns_query {
	uint32_t magic;
	struct dns *dns;
	struct link all;   /* in dns->queries */
	struct link place; /* in its flight */
	dns_fn *fn;
	void *arg;
	size_t key_n;
	char key[KEY_MAX]; /* the type in two bytes, the name as labels */
};

struct cached {
	struct link link;
	size_t key_n;
	char key[KEY_MAX];
	int64_t until_ms; /* monotonic */
	struct strbuf query, message;
};

struct socket_place {
	uint32_t magic;
	int fd;
	struct watch *watch; /* NULL: not in use */
	struct flight *flight;
};

struct flight {
	uint32_t magic;
	struct dns *dns;
	struct link line;    /* in dns->lined_up */
	struct link waiting; /* queries */
	size_t key_n;
	char key[KEY_MAX];
	ares_channel channel;
	bool is_out, is_over, wants_tcp;
	struct socket_place sockets[SOCKETS_MAX];
	struct timer step, limit;
	int hops;
	uint32_t ttl_s; /* the least of the messages so far */
	bool is_authentic;
	struct strbuf wire;    /* the name asked for now */
	struct strbuf query;   /* what was sent last */
	struct strbuf message; /* its answer; empty: none */
};

static void flights_start(struct dns *d);

/* ── words ── */

const char *
dns_status_word(enum dns_status s)
{
	static const char *const words[] = { "ok", "nodata", "nxdomain", "temp",
		                             "bad_name" };

	return words[s];
}

const char *
dns_type_word(enum dns_type t)
{
	switch (t) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_TLSA:
		return "TLSA";
	}
	return "?";
}

enum err
dns_status_err(enum dns_status s)
{
	static const enum err errors[] = { OK, ERR_DNS_NODATA, ERR_DNS_NXDOMAIN,
		                           ERR_DNS_TEMP, ERR_DNS_NXDOMAIN };

	return errors[s];
}

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

/* ── the cache ── */

static void
cached_free(struct dns *d, struct cached *c)
{
	(void)map_remove(d->cache, str_make(c->key, c->key_n));
	list_remove(&c->link);
	strbuf_release(&c->query);
	strbuf_release(&c->message);
	mem_free(c);
}

static void
cache_empty(struct dns *d)
{
	while (!list_is_empty(&d->recent))
		cached_free(d, CONTAINER_OF(d->recent.next, struct cached, link));
}

static void
cache_put(struct dns *d, const struct flight *f, bool is_negative)
{
	int64_t ttl_s = f->ttl_s;
	struct cached *c;

	if (is_negative && ttl_s > d->conf.negative_max_s)
		ttl_s = d->conf.negative_max_s;
	if (ttl_s > d->conf.ttl_max_s)
		ttl_s = d->conf.ttl_max_s;
	if (ttl_s <= 0 || !d->conf.cache_max)
		return;
	c = map_find(d->cache, str_make(f->key, f->key_n));
	if (c)
		cached_free(d, c);
	while (map_count(d->cache) >= d->conf.cache_max)
		cached_free(d, CONTAINER_OF(d->recent.prev, struct cached, link));
	c = mem_alloc(sizeof(*c));
	memcpy(c->key, f->key, f->key_n);
	c->key_n = f->key_n;
	c->until_ms = loop_now_ms(d->loop) + ttl_s * 1000;
	c->query = strbuf_heap(MESSAGE_MAX);
	c->message = strbuf_heap(MESSAGE_MAX);
	strbuf_add(&c->query, strbuf_str(&f->query));
	strbuf_add(&c->message, strbuf_str(&f->message));
	(void)map_set(d->cache, str_make(c->key, c->key_n), c);
	list_add_first(&d->recent, &c->link);
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

static void
answer_query(struct dns_query *q, const struct dns_answer *a)
{
	dns_fn *fn = q->fn;
	void *arg = q->arg;

	query_free(q);
	fn(arg, a);
}

static void
answer_status(struct dns_query *q, enum dns_status status)
{
	struct dns_answer a = { .status = status };

	answer_query(q, &a);
}

/* ── flights ── */

static void
flight_land(struct flight *f)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		watch_free(&f->sockets[i].watch);
	timer_stop(&f->step);
	timer_stop(&f->limit);
}

static void on_over(void *arg);

static void
flight_free(struct flight *f)
{
	struct dns *d = f->dns;

	/* Ending a channel calls back for what is out; is_over makes that harmless. */
	f->is_over = true;
	if (f->channel)
		ares_destroy(f->channel);
	flight_land(f);
	loop_defer_cancel(d->loop, on_over, f);
	list_remove(&f->line);
	(void)map_remove(d->flights, str_make(f->key, f->key_n));
	if (f->is_out)
		d->in_flight--;
	strbuf_release(&f->wire);
	strbuf_release(&f->query);
	strbuf_release(&f->message);
	f->magic = 0;
	mem_free(f);
}

/* Gives the answer to all that wait. They may ask again, or cancel one another. */
static void
flight_answer(struct flight *f, const struct dns_answer *a)
{
	struct link waiting;

	/* New askers of the same question must find no flight that is being answered. */
	(void)map_remove(f->dns->flights, str_make(f->key, f->key_n));
	list_init(&waiting);
	while (!list_is_empty(&f->waiting)) {
		struct link *l = f->waiting.next;

		list_remove(l);
		list_add_last(&waiting, l);
	}
	while (!list_is_empty(&waiting))
		answer_query(CONTAINER_OF(waiting.next, struct dns_query, place), a);
}

static void flight_send(struct flight *f);

/* One more question of the same flight: over TCP, or for the name that f->wire has now. */
static bool
start_again(struct flight *f)
{
	if (f->hops++ >= HOPS_MAX)
		return false;
	if (f->channel)
		ares_destroy(f->channel);
	f->channel = NULL;
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		watch_free(&f->sockets[i].watch);
	f->is_over = false;
	flight_send(f);
	return true;
}

static bool
start_for(struct flight *f, struct str name)
{
	strbuf_clear(&f->wire);
	return dns_name_parse(name, &f->wire) && start_again(f);
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
	enum err e = OK;

	if (f->message.n)
		e = dns_message_parse(strbuf_str(&f->message), strbuf_str(&f->query), a,
		                      &parsed);
	if (e != OK)
		parsed = (struct dns_parsed){ .answer = { .status = DNS_TEMP } };
	/* A server that changes the case, or somebody who guessed: TCP cannot be guessed. */
	if (f->message.n && !f->wants_tcp && (e != OK || parsed.is_other_case)) {
		f->wants_tcp = true;
		if (start_again(f))
			goto out;
	}
	if (answer->ttl_s < f->ttl_s)
		f->ttl_s = answer->ttl_s;
	f->is_authentic = f->is_authentic && answer->authentic && d->conf.trust_ad;
	if (parsed.is_open && start_for(f, answer->name))
		goto out;
	answer->ttl_s = f->ttl_s;
	answer->authentic = f->is_authentic;
	if (answer->status != DNS_TEMP)
		cache_put(d, f, answer->status != DNS_OK);
	flight_answer(f, answer);
	flight_free(f);
	flights_start(d);
out:
	arena_free(&a);
}

static void
flight_over(struct flight *f)
{
	if (f->is_over)
		return;
	f->is_over = true;
	loop_defer(f->dns->loop, on_over, f);
}

static void
on_ares(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct flight *f = CAST(flight, FLIGHT_MAGIC, arg);

	(void)timeouts;
	if (f->is_over)
		return;
	if (status == ARES_SUCCESS && bytes && n > 0)
		strbuf_bytes(&f->message, bytes, (size_t)n);
	flight_over(f);
}

static void
step_set(struct flight *f)
{
	struct timeval most = { .tv_sec = 1 }, wait, *next;

	if (f->is_over || !f->channel)
		return;
	next = ares_timeout(f->channel, &most, &wait);
	timer_set(&f->step, (int64_t)next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
}

static void
process(struct flight *f, int readable, int writable)
{
	if (f->is_over)
		return;
	ares_process_fd(f->channel, readable, writable);
	step_set(f);
}

static void
on_step(void *arg)
{
	process(CAST(flight, FLIGHT_MAGIC, arg), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
on_limit(void *arg)
{
	struct flight *f = CAST(flight, FLIGHT_MAGIC, arg);

	strbuf_clear(&f->message);
	flight_over(f);
}

static void
on_socket(void *arg, unsigned events)
{
	const struct socket_place *place = CAST(socket_place, PLACE_MAGIC, arg);

	process(place->flight, events & WATCH_READ ? place->fd : ARES_SOCKET_BAD,
	        events & WATCH_WRITE ? place->fd : ARES_SOCKET_BAD);
}

/* c-ares opens, uses and closes sockets: follow with watches. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct flight *f = CAST(flight, FLIGHT_MAGIC, arg);
	size_t i, empty = SOCKETS_MAX;

	for (i = 0; i < SOCKETS_MAX; i++) {
		if (f->sockets[i].watch && f->sockets[i].fd == fd)
			break;
		if (!f->sockets[i].watch)
			empty = i;
	}
	if (!readable && !writable) {
		if (i < SOCKETS_MAX)
			watch_free(&f->sockets[i].watch);
		return;
	}
	if (i == SOCKETS_MAX) {
		if (empty == SOCKETS_MAX)
			return; /* the time limit ends it */
		i = empty;
		f->sockets[i] = (struct socket_place){ PLACE_MAGIC, fd, NULL, f };
		f->sockets[i].watch =
			watch_new(f->dns->loop, fd, on_socket, &f->sockets[i]);
	}
	watch_set(f->sockets[i].watch,
	          (readable ? WATCH_READ : 0U) | (writable ? WATCH_WRITE : 0U));
}

static bool
channel_open(struct flight *f)
{
	const struct dns_conf *conf = &f->dns->conf;
	struct ares_addr_port_node nodes[SERVERS_MAX];
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		         (f->wants_tcp ? ARES_FLAG_USEVC : 0),
		.timeout = conf->timeout_ms / 2 < TRY_MS ? (int)conf->timeout_ms / 2
		                                         : TRY_MS,
		.tries = TRIES,
		.ndots = 1,
		.lookups = (char[]){ "b" },
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = f,
	};
	/* With all of these given it reads no file. */
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
	           ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS |
	           ARES_OPT_DOMAINS | ARES_OPT_SORTLIST;

	if (ares_init_options(&f->channel, &options, mask) != ARES_SUCCESS) {
		f->channel = NULL;
		return false;
	}
	memset(nodes, 0, sizeof(nodes));
	for (size_t i = 0; i < conf->servers_count; i++) {
		const struct addr *a = &conf->servers[i];

		nodes[i].next = i + 1 < conf->servers_count ? &nodes[i + 1] : NULL;
		nodes[i].family = a->family == ADDR_V4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, a->ip, a->family == ADDR_V4 ? 4 : 16);
		nodes[i].udp_port = nodes[i].tcp_port = a->port;
	}
	return ares_set_servers_ports(f->channel, nodes) == ARES_SUCCESS;
}

static void
flight_send(struct flight *f)
{
	strbuf_clear(&f->query);
	strbuf_clear(&f->message);
	dns_message_format(&f->query, (uint16_t)random_u64(), strbuf_str(&f->wire),
	                   key_type(f->key), random_u64());
	if (!channel_open(f)) {
		flight_over(f);
		return;
	}
	ares_send(f->channel, (const unsigned char *)f->query.p, (int)f->query.n, on_ares,
	          f);
	step_set(f);
}

static void
flights_start(struct dns *d)
{
	while (!list_is_empty(&d->lined_up) && d->in_flight < d->conf.in_flight_max) {
		struct flight *f = CONTAINER_OF(d->lined_up.next, struct flight, line);

		list_remove(&f->line);
		f->is_out = true;
		d->in_flight++;
		flight_send(f);
	}
}

static struct flight *
flight_new(struct dns *d, struct str key)
{
	struct flight *f = mem_alloc(sizeof(*f));

	f->magic = FLIGHT_MAGIC;
	f->dns = d;
	memcpy(f->key, key.p, key.n);
	f->key_n = key.n;
	f->ttl_s = INT32_MAX;
	f->is_authentic = true;
	f->wire = strbuf_heap(DNS_NAME_MAX + 1);
	f->query = strbuf_heap(MESSAGE_MAX);
	f->message = strbuf_heap(MESSAGE_MAX);
	list_init(&f->waiting);
	timer_init(&f->step, d->loop, on_step, f);
	timer_init(&f->limit, d->loop, on_limit, f);
	/* Waiting in line counts: the asker's patience does not wait either. */
	timer_set(&f->limit, d->conf.timeout_ms);
	strbuf_add(&f->wire, key_name(f->key, f->key_n));
	(void)map_set(d->flights, key, f);
	list_add_last(&d->lined_up, &f->line);
	return f;
}

/* ── asking ── */

/* True when the cache had it. */
static bool
answer_from_cache(struct dns_query *q)
{
	struct dns *d = q->dns;
	struct cached *c = map_find(d->cache, str_make(q->key, q->key_n));
	struct dns_parsed parsed;
	struct arena *a;
	int64_t left_ms;
	bool ok;

	if (!c)
		return false;
	left_ms = c->until_ms - loop_now_ms(d->loop);
	if (left_ms <= 0) {
		cached_free(d, c);
		return false;
	}
	list_remove(&c->link);
	list_add_first(&d->recent, &c->link);
	a = arena_new(PARSE_BYTES);
	ok = dns_message_parse(strbuf_str(&c->message), strbuf_str(&c->query), a,
	                       &parsed) == OK;
	if (ok) {
		/* The callback may empty the cache: names and data must not be in it. */
		struct str copy = arena_str(a, strbuf_str(&c->message));

		ok = dns_message_parse(copy, strbuf_str(&c->query), a, &parsed) == OK;
		parsed.answer.ttl_s = (uint32_t)((left_ms + 999) / 1000);
		parsed.answer.authentic = parsed.answer.authentic && d->conf.trust_ad;
		answer_query(q, &parsed.answer);
	}
	arena_free(&a);
	return ok;
}

static void
on_asked(void *arg)
{
	struct dns_query *q = CAST(dns_query, QUERY_MAGIC, arg);
	struct dns *d = q->dns;
	struct flight *f;

	if (!q->key_n) {
		answer_status(q, DNS_BAD_NAME);
		return;
	}
	if (answer_from_cache(q))
		return;
	f = map_find(d->flights, str_make(q->key, q->key_n));
	if (!f)
		f = flight_new(d, str_make(q->key, q->key_n));
	list_add_last(&f->waiting, &q->place);
	flights_start(d);
}

struct dns_query *
dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn, void *arg)
{
	struct dns_query *q = mem_alloc(sizeof(*q));
	struct strbuf key = strbuf_fixed(q->key, sizeof(q->key));

	q->magic = QUERY_MAGIC;
	q->dns = d;
	q->fn = fn;
	q->arg = arg;
	strbuf_byte(&key, (char)((unsigned)type >> 8));
	strbuf_byte(&key, (char)((unsigned)type & 0xff));
	if (dns_name_parse(name, &key))
		q->key_n = key.n;
	list_add_last(&d->queries, &q->all);
	loop_defer(d->loop, on_asked, q);
	return q;
}

struct dns_query *
dns_ask_ptr(struct dns *d, const struct addr *a, dns_fn *fn, void *arg)
{
	char text[80];
	struct strbuf b = strbuf_on(text);

	addr_format_reverse(&b, a);
	return dns_ask(d, strbuf_str(&b), DNS_PTR, fn, arg);
}

void
dns_cancel(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	if (!q)
		return;
	*qp = NULL;
	CHECK(q->magic == QUERY_MAGIC);
	/* The flight goes on: its answer is good for the cache. */
	loop_defer_cancel(q->dns->loop, on_asked, q);
	query_free(q);
}

/* ── the resolver ── */

/* The servers of /etc/resolv.conf, as c-ares reads it. */
static size_t
system_servers(struct addr *servers)
{
	struct ares_addr_port_node *list = NULL;
	ares_channel channel;
	size_t n = 0;

	if (ares_init(&channel) == ARES_SUCCESS) {
		(void)ares_get_servers_ports(channel, &list);
		for (struct ares_addr_port_node *s = list; s && n < SERVERS_MAX;
		     s = s->next) {
			struct addr *a = &servers[n++];

			*a = (struct addr){
				.family = s->family == AF_INET ? ADDR_V4 : ADDR_V6,
				.port = (uint16_t)(s->udp_port ? s->udp_port : 53),
			};
			memcpy(a->ip, &s->addr, s->family == AF_INET ? 4 : 16);
		}
		if (list)
			ares_free_data(list);
		ares_destroy(channel);
	}
	if (!n)
		servers[n++] = (struct addr){ ADDR_V4, 53, { 127, 0, 0, 1 } };
	return n;
}

void
dns_set_conf(struct dns *d, const struct dns_conf *conf)
{
	size_t n = conf->servers_count < SERVERS_MAX ? conf->servers_count : SERVERS_MAX;

	d->conf = *conf;
	if (n)
		memcpy(d->servers, conf->servers, n * sizeof(struct addr));
	else
		n = system_servers(d->servers);
	d->conf.servers = d->servers;
	d->conf.servers_count = n;
	cache_empty(d);
}

struct dns *
dns_new(struct loop *l, const struct dns_conf *conf)
{
	struct dns *d = mem_alloc(sizeof(*d));

	CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
	d->magic = DNS_MAGIC;
	d->loop = l;
	d->flights = map_new();
	d->cache = map_new();
	list_init(&d->recent);
	list_init(&d->lined_up);
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
	while (!list_is_empty(&d->queries)) {
		struct dns_query *q =
			CONTAINER_OF(d->queries.next, struct dns_query, all);

		dns_cancel(&q);
	}
	map_each(d->flights, free_flight, NULL);
	cache_empty(d);
	map_free(&d->flights);
	map_free(&d->cache);
	d->magic = 0;
	mem_free(d);
	ares_library_cleanup();
}
