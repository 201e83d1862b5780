/* The imap process: ports imap and imaps, pop3 and pop3s.
 *
 * Everything interesting is in daemon/imap and daemon/pop3; here the process is put
 * together: the store's client, a reader, a segment of its own for bodies, the listeners,
 * and how it stops.
 */
#include "base/event.h"
#include "imap/imap_server_conn.h"
#include "io/limiter.h"
#include "pop3/pop3_server.h"
#include "role/doors.h"
#include "role/role.h"
#include "role/settings.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

int role_imap_main(struct role *r);

struct imap_role {
	struct role *role;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter;
	struct imap_server *imap;
	struct pop3_server *pop3;
	struct role_settings *settings;
	unsigned stopping; /* servers that still have sessions */
	struct doors *doors;
};

static bool
is_imap(enum conf_protocol p)
{
	return p == CONF_IMAP || p == CONF_IMAPS;
}

static void
on_accepted(void *arg, enum conf_protocol protocol, const struct accepted *a)
{
	struct imap_role *me = arg;

	if (is_imap(protocol))
		imap_server_accept(me->imap, protocol, a);
	else
		pop3_server_accept(me->pop3, protocol, a);
}

static struct str
goodbye(enum conf_protocol protocol)
{
	return is_imap(protocol) ? STR("* BYE [UNAVAILABLE] Too many connections, try "
	                               "again later\r\n")
	                         : STR("-ERR [SYS/TEMP] Too many connections, try again "
	                               "later\r\n");
}

static const struct doors_ops doors_ops = {
	.accepted = on_accepted,
	.goodbye = goodbye,
};

static void
set_limits(struct imap_role *me)
{
	const struct conf_limits *l = &me->role->conf->limits;
	struct limiter_max max = {
		.total = (size_t)role_share(me->role, l->imap_connections),
		.per_ip = (size_t)role_share(me->role, l->imap_connections_ip),
		.per_account = (size_t)l->imap_connections_account,
	};

	limiter_set(me->limiter, &max);
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

	doors_close(&me->doors);
	me->stopping = 2;
	imap_server_stop(me->imap, role_patience_ms(me->role), on_sessions_gone, me);
	pop3_server_stop(me->pop3, role_patience_ms(me->role), on_sessions_gone, me);
}

static void
on_reload(void *arg)
{
	struct imap_role *me = arg;

	set_limits(me);
	doors_reload(me->doors);
	imap_server_set_conf(me->imap, me->role->conf);
	pop3_server_set_conf(me->pop3, me->role->conf);
}

static void
open_all(struct imap_role *me)
{
	struct role *r = me->role;
	const struct conf *conf = r->conf;

	me->store = store_client_new(r->loop, conf);
	me->reader = reader_open(conf);
	me->bodies = bodies_new(r->loop, me->store, conf);
	me->limiter = limiter_new();
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
	doors_close(&me->doors);
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
