/* The smtp process: ports smtp, submission and submissions.
 *
 * Everything interesting is in daemon/smtp; here the process is put together: the store's
 * client, a reader, a segment of its own for bodies, the listeners, and how it stops.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "io/dns.h"
#include "io/limiter.h"
#include "role/doors.h"
#include "role/role.h"
#include "role/settings.h"
#include "role/spread.h"
#include "smtp/smtp_conn.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

int role_smtp_main(struct role *r);

enum {
	ROLE_BUDGET = 256 * 1024,
	DNS_CACHE_MAX = 1000,
	DNS_CACHE_BYTES = 1 << 20,
	CLIENT_PART = 4, /* of the DNS questions that are out at one time */
};

struct smtp_role {
	struct role *role;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter;
	struct limiter_max max;
	struct spread spread;
	struct dns *dns;
	struct smtp_server *server;
	struct role_settings *settings;
	struct doors *doors;
};

static void
on_accepted(void *arg, enum conf_protocol protocol, const struct accepted *a)
{
	struct smtp_role *me = arg;

	smtp_server_accept(me->server, protocol, a);
}

static struct str
goodbye(enum conf_protocol protocol)
{
	(void)protocol;
	return STR("421 4.3.2 Too many connections, try again later\r\n");
}

static int64_t
leave_ms(void *arg)
{
	struct smtp_role *me = arg;
	int64_t now_ms = loop_now_ms(me->role->loop);

	if (spread_is_due(&me->spread, now_ms))
		spread_look(&me->spread, now_ms, clock_cpu_us());
	return spread_wait_ms(&me->spread, limiter_count(me->limiter), me->max.total);
}

static const struct doors_ops doors_ops = {
	.accepted = on_accepted,
	.goodbye = goodbye,
	.leave_ms = leave_ms,
	.is_in_turns = true,
};

static void
set_limits(struct smtp_role *me)
{
	const struct conf_limits *l = &me->role->conf->limits;

	/* All connections of one address may come to one process. */
	me->max = (struct limiter_max){
		.total = (size_t)role_share(me->role, l->smtp_connections),
		.per_ip = (size_t)l->smtp_connections_ip,
	};
	limiter_set(me->limiter, &me->max);
}

static void
stop_loop(void *arg)
{
	struct smtp_role *me = arg;

	loop_stop(me->role->loop);
}

static void
on_sessions_gone(void *arg)
{
	struct smtp_role *me = arg;

	/* Their last events leave before we do. */
	store_flush(me->store, stop_loop, me);
}

static void
on_stop(void *arg)
{
	struct smtp_role *me = arg;

	doors_close(&me->doors);
	smtp_server_stop(me->server, role_patience_ms(me->role), on_sessions_gone, me);
}

/* The cache that counts is that of the process that is asked; the one in front spares the
   way for names that many messages have in common. */
static struct dns_conf
dns_conf(const struct role *r)
{
	struct dns_conf dns = dns_conf_from(r->conf);

	/* A place here is one over there; one client gets a part of them. */
	dns.in_flight_max = (size_t)role_share(r, (int64_t)dns.in_flight_max);
	dns.group_max = (dns.in_flight_max + CLIENT_PART - 1) / CLIENT_PART;

	if (dns.cache_max > DNS_CACHE_MAX)
		dns.cache_max = DNS_CACHE_MAX;
	if (dns.cache_max_bytes > DNS_CACHE_BYTES)
		dns.cache_max_bytes = DNS_CACHE_BYTES;
	return dns;
}

static void
on_reload(void *arg)
{
	struct smtp_role *me = arg;
	struct dns_conf dns = dns_conf(me->role);

	set_limits(me);
	doors_reload(me->doors);
	dns_set_conf(me->dns, &dns);
	smtp_server_set_conf(me->server, me->role->conf);
}

static void
open_all(struct smtp_role *me)
{
	struct role *r = me->role;
	const struct conf *conf = r->conf;
	struct dns_conf dns = dns_conf(r);
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);

	me->dns = dns_new_remote(r->loop, conf_run_path(conf, "dns.sock", &path), &dns);
	me->store = store_client_new(r->loop, conf);
	me->reader = reader_open(conf);
	me->bodies = bodies_new(r->loop, me->store, conf);
	me->limiter = limiter_new();
	set_limits(me);
	event_set_sink(store_sink, me->store);
	me->server = smtp_server_new(&(struct smtp_server_parts){
		.loop = r->loop,
		.tls = r->tls,
		.store = me->store,
		.reader = me->reader,
		.bodies = me->bodies,
		.dns = me->dns,
		.limiter = me->limiter,
		.conf = conf,
	});
}

static void
close_all(struct smtp_role *me)
{
	doors_close(&me->doors);
	role_settings_close(&me->settings);
	smtp_server_free(&me->server);
	event_set_sink(NULL, NULL);
	dns_free(&me->dns);
	bodies_free(&me->bodies);
	reader_close(&me->reader);
	store_client_free(&me->store);
	limiter_free(&me->limiter);
}

int
role_smtp_main(struct role *r)
{
	struct arena *a = arena_new(ROLE_BUDGET);
	struct smtp_role *me = ARENA_NEW(a, struct smtp_role);
	enum err e;

	me->role = r;
	me->spread = (struct spread){ .index = r->index, .count = r->count };
	open_all(me);
	role_on_stop(r, on_stop, me);
	role_on_reload(r, on_reload, me);
	e = role_ready(r);
	if (e == OK) {
		me->settings = role_settings_open(r, me->store, me->reader);
		me->doors = doors_open(r, me->limiter, &doors_ops, me);
		loop_run(r->loop);
	}
	close_all(me);
	arena_free(&a);
	return e == OK ? 0 : 1;
}
