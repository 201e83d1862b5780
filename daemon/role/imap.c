/* The imap process: ports imap and imaps, pop3 and pop3s.
 *
 * Everything interesting is in daemon/imap and daemon/pop3; here the process is put
 * together: the store's client, a reader, a segment of its own for bodies, the listeners,
 * and how it stops.
 */
#include "base/event.h"
#include "imap/imap_server_conn.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "pop3/pop3_server.h"
#include "role/role.h"
#include "role/settings.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

int role_imap_main(struct role *r);

enum {
	LISTENERS_MAX = 64,
};

struct door {
	struct imap_role *role;
	struct listener *listener;
	struct listener_conf conf;
	enum conf_protocol protocol;
};

struct imap_role {
	struct role *role;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter;
	struct imap_server *imap;
	struct pop3_server *pop3;
	struct role_settings *settings;
	unsigned stopping;   /* servers that still have sessions */
	struct net *proxies; /* a copy: the configuration may be replaced */
	struct arena *arena;
	struct door doors[LISTENERS_MAX];
	size_t door_count;
};

static bool
is_imap(enum conf_protocol p)
{
	return p == CONF_IMAP || p == CONF_IMAPS;
}

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct door *d = arg;

	if (is_imap(d->protocol))
		imap_server_accept(d->role->imap, d->protocol, a);
	else
		pop3_server_accept(d->role->pop3, d->protocol, a);
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
	if (conf_protocol_is_tls(d->protocol))
		return;
	*goodbye_out = is_imap(d->protocol) ? STR("* BYE [UNAVAILABLE] Too many "
	                                          "connections, try again later\r\n")
	                                    : STR("-ERR [SYS/TEMP] Too many connections, "
	                                          "try again later\r\n");
}

static const struct listener_ops listener_callbacks = {
	.accepted = on_accepted,
	.refused = on_refused,
};

static void
set_limits(struct imap_role *me)
{
	const struct conf_limits *l = &me->role->conf->limits;

	limiter_set(me->limiter, (size_t)role_share(me->role, l->imap_connections),
	            (size_t)role_share(me->role, l->imap_connections_ip));
}

static void
open_door(struct imap_role *me, const struct role_listener *from)
{
	const struct conf *conf = me->role->conf;
	struct door *d = &me->doors[me->door_count];

	if (me->door_count == LISTENERS_MAX)
		return;
	me->door_count++;
	d->role = me;
	d->protocol = from->protocol;
	d->conf = (struct listener_conf){
		.proxies = me->proxies,
		.proxies_count = conf->proxies.n,
		.proxy_wait_ms = conf->limits.proxy_wait,
		.limiter = me->limiter,
	};
	d->listener =
		listener_new(me->role->loop, from->fd, &d->conf, &listener_callbacks, d);
}

static void
close_doors(struct imap_role *me)
{
	for (size_t i = 0; i < me->door_count; i++)
		listener_free(&me->doors[i].listener);
}

static void
stop_loop(void *arg)
{
	struct imap_role *me = arg;

	loop_stop(me->role->loop);
}

static void
on_sessions_gone(void *arg)
{
	struct imap_role *me = arg;

	/* Their last events leave before we do. */
	if (--me->stopping == 0)
		store_flush(me->store, stop_loop, me);
}

static void
on_stop(void *arg)
{
	struct imap_role *me = arg;

	close_doors(me);
	me->stopping = 2;
	imap_server_stop(me->imap, on_sessions_gone, me);
	pop3_server_stop(me->pop3, on_sessions_gone, me);
}

static void
on_reload(void *arg)
{
	struct imap_role *me = arg;

	set_limits(me);
	imap_server_set_conf(me->imap, me->role->conf);
	pop3_server_set_conf(me->pop3, me->role->conf);
}

static void
open_all(struct imap_role *me)
{
	struct role *r = me->role;
	const struct conf *conf = r->conf;

	me->proxies = ARENA_ARRAY(me->arena, struct net, conf->proxies.n + 1);
	if (conf->proxies.n)
		memcpy(me->proxies, conf->proxies.p,
		       conf->proxies.n * sizeof(*me->proxies));
	me->store = store_client_new(r->loop, conf);
	me->reader = reader_open(conf);
	me->bodies = bodies_new(r->loop, me->store, conf);
	me->limiter = limiter_new(0, 0);
	set_limits(me);
	event_set_sink(store_sink, me->store);
	me->imap = imap_server_new(&(struct imap_server_parts){
		.loop = r->loop,
		.tls = r->tls,
		.store = me->store,
		.reader = me->reader,
		.bodies = me->bodies,
		.limiter = me->limiter,
		.conf = conf,
	});
	me->pop3 = pop3_server_new(&(struct pop3_server_parts){
		.loop = r->loop,
		.tls = r->tls,
		.store = me->store,
		.reader = me->reader,
		.bodies = me->bodies,
		.limiter = me->limiter,
		.conf = conf,
	});
}

static void
close_all(struct imap_role *me)
{
	close_doors(me);
	role_settings_close(&me->settings);
	imap_server_free(&me->imap);
	pop3_server_free(&me->pop3);
	event_set_sink(NULL, NULL);
	bodies_free(&me->bodies);
	reader_close(&me->reader);
	store_client_free(&me->store);
	limiter_free(&me->limiter);
}

int
role_imap_main(struct role *r)
{
	struct arena *a = arena_new(256 * 1024);
	struct imap_role *me = ARENA_NEW(a, struct imap_role);
	enum err e;

	me->role = r;
	me->arena = a;
	open_all(me);
	role_on_stop(r, on_stop, me);
	role_on_reload(r, on_reload, me);
	e = role_ready(r);
	if (e == OK) {
		me->settings = role_settings_open(r, me->store, me->reader);
		for (size_t i = 0; i < role_listener_count(r); i++)
			open_door(me, role_listener(r, i));
		loop_run(r->loop);
	}
	close_all(me);
	arena_free(&a);
	return e == OK ? 0 : 1;
}
