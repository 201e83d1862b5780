/* The queue process: sends on what is due.
 *
 * Everything interesting is in daemon/relay; here the process is put together: the
 * store's client, a reader, a segment of its own for bodies, the resolver, and how it
 * stops.
 */
#include "base/event.h"
#include "io/dns.h"
#include "relay/relay.h"
#include "role/role.h"
#include "role/settings.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

int role_queue_main(struct role *role);

struct queue_role {
	struct role *role;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct dns *dns;
	struct relay *relay;
	struct role_settings *settings;
};

static void
stop_loop(void *arg)
{
	struct queue_role *me = arg;

	loop_stop(me->role->loop);
}

static void
on_stop(void *arg)
{
	struct queue_role *me = arg;

	relay_stop(me->relay, stop_loop, me);
}

static void
on_reload(void *arg)
{
	struct queue_role *me = arg;
	struct dns_conf dns = dns_conf_from(me->role->conf);

	dns_set_conf(me->dns, &dns);
	relay_set_conf(me->relay, me->role->conf);
}

static void
open_all(struct queue_role *me)
{
	struct role *r = me->role;
	struct dns_conf dns = dns_conf_from(r->conf);

	me->store = store_client_new(r->loop, r->conf);
	event_set_sink(store_sink, me->store);
	me->reader = reader_open(r->conf);
	me->bodies = bodies_new(r->loop, me->store, r->conf);
	me->dns = dns_new(r->loop, &dns);
	me->relay = relay_new(&(struct relay_parts){
		.loop = r->loop,
		.tls = r->tls,
		.store = me->store,
		.reader = me->reader,
		.bodies = me->bodies,
		.dns = me->dns,
		.conf = r->conf,
	});
}

static void
close_all(struct queue_role *me)
{
	relay_free(&me->relay);
	role_settings_close(&me->settings);
	dns_free(&me->dns);
	event_set_sink(NULL, NULL);
	bodies_free(&me->bodies);
	reader_close(&me->reader);
	store_client_free(&me->store);
}

int
role_queue_main(struct role *role)
{
	struct queue_role me = { .role = role };
	enum err e;

	open_all(&me);
	role_on_stop(role, on_stop, &me);
	role_on_reload(role, on_reload, &me);
	e = role_ready(role);
	if (e == OK) {
		me.settings = role_settings_open(role, me.store, me.reader);
		relay_start(me.relay);
		loop_run(role->loop);
	}
	close_all(&me);
	return e == OK ? 0 : 1;
}
