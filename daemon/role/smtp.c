/* The smtp process: ports smtp, submission and submissions.
 *
 * Everything interesting is in daemon/smtp; here the process is put together: the store's
 * client, a reader, a segment of its own for bodies, the listeners, and how it stops.
 */
#include "base/mem.h"
#include "io/dns.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "role/role.h"
#include "role/settings.h"
#include "smtp/smtp_conn.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

int role_smtp_main(struct role *r);

enum {
	LISTENERS_MAX = 64,
	ROLE_BUDGET = 256 * 1024,
	DNS_CACHE_MAX = 1000,
	DNS_CACHE_BYTES = 1 << 20,
	CLIENT_PART = 4, /* of the DNS questions that are out at one time */
};

struct door {
	struct smtp_role *role;
	struct listener *listener;
	struct listener_conf conf;
	enum conf_protocol protocol;
};

struct smtp_role {
	struct role *role;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter;
	struct dns *dns;
	struct smtp_server *server;
	struct role_settings *settings;
	struct arena *proxies; /* what the doors know of them: the configuration may be
	                          replaced */
	struct door doors[LISTENERS_MAX];
	size_t door_count;
};

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct door *d = arg;

	smtp_server_accept(d->role->server, d->protocol, a);
}

static void
on_refused(void *arg, const struct addr *peer, enum err why, struct str *goodbye_out)
{
	struct door *d = arg;
	char bytes[ADDR_TEXT_MAX];
	struct event e;

	event_init(&e, EV_CONNECT_REFUSED, (struct str){ NULL, 0 },
	           (struct str){ NULL, 0 });
	event_str(&e, "ip", addr_ip_text(peer, &bytes));
	event_str(&e, "protocol", str_from(conf_protocol_word(d->protocol)));
	event_str(&e, "reason", str_from(err_get(why)->word));
	event_tell(&e);
	if (!conf_protocol_is_tls(d->protocol))
		*goodbye_out = STR("421 4.3.2 Too many connections, try again later\r\n");
}

static const struct listener_ops listener_callbacks = {
	.accepted = on_accepted,
	.refused = on_refused,
};

static void
set_limits(struct smtp_role *me)
{
	const struct conf_limits *l = &me->role->conf->limits;

	/* The kernel may hand all connections of one address to one process. */
	limiter_set(me->limiter, (size_t)role_share(me->role, l->smtp_connections),
	            (size_t)l->smtp_connections_ip);
}

/* Tells all doors who may send a PROXY header. */
static void
set_proxies(struct smtp_role *me)
{
	const struct conf_nets *nets = &me->role->conf->proxies;
	struct arena *a = arena_new(ROLE_BUDGET);
	struct net *copy = ARENA_ARRAY(a, struct net, nets->n + 1);

	if (nets->n)
		memcpy(copy, nets->p, nets->n * sizeof(*copy));
	for (size_t i = 0; i < me->door_count; i++) {
		me->doors[i].conf.proxies = copy;
		me->doors[i].conf.proxies_count = nets->n;
		me->doors[i].conf.proxy_wait_ms = me->role->conf->limits.proxy_wait;
	}
	arena_free(&me->proxies);
	me->proxies = a;
}

static void
open_door(struct smtp_role *me, const struct role_listener *from)
{
	struct door *d = &me->doors[me->door_count];

	if (me->door_count == LISTENERS_MAX)
		return;
	me->door_count++;
	d->role = me;
	d->protocol = from->protocol;
	d->conf = (struct listener_conf){ .limiter = me->limiter };
	d->listener =
		listener_new(me->role->loop, from->fd, &d->conf, &listener_callbacks, d);
}

static void
close_doors(struct smtp_role *me)
{
	for (size_t i = 0; i < me->door_count; i++)
		listener_free(&me->doors[i].listener);
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

	close_doors(me);
	smtp_server_stop(me->server, on_sessions_gone, me);
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
	set_proxies(me);
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
	me->limiter = limiter_new(0, 0);
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
	close_doors(me);
	role_settings_close(&me->settings);
	smtp_server_free(&me->server);
	event_set_sink(NULL, NULL);
	dns_free(&me->dns);
	bodies_free(&me->bodies);
	reader_close(&me->reader);
	store_client_free(&me->store);
	limiter_free(&me->limiter);
	arena_free(&me->proxies);
}

int
role_smtp_main(struct role *r)
{
	struct arena *a = arena_new(ROLE_BUDGET);
	struct smtp_role *me = ARENA_NEW(a, struct smtp_role);
	enum err e;

	me->role = r;
	open_all(me);
	role_on_stop(r, on_stop, me);
	role_on_reload(r, on_reload, me);
	e = role_ready(r);
	if (e == OK) {
		me->settings = role_settings_open(r, me->store, me->reader);
		for (size_t i = 0; i < role_listener_count(r); i++)
			open_door(me, role_listener(r, i));
		set_proxies(me);
		loop_run(r->loop);
	}
	close_all(me);
	arena_free(&a);
	return e == OK ? 0 : 1;
}
