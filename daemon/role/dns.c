/* The dns process: resolves names for the processes that may make no network sockets.
 *
 * Whoever breaks into a worker that strangers talk to finds no way out of the machine but
 * questions to our name servers, asked here. This process opens no file, knows no key and
 * no store; what it holds is a cache.
 */
#include "io/dns.h"
#include "io/dns_share.h"
#include "role/role.h"

int role_dns_main(struct role *r);

struct resolver {
	struct role *role;
	struct dns *dns;
	struct dns_share *share;
};

/* No worker gets all the places. */
static struct dns_conf
dns_conf(const struct role *r)
{
	struct dns_conf conf = dns_conf_from(r->conf);

	conf.group_max = (conf.in_flight_max + 1) / 2;
	return conf;
}

/* A worker whose time is over asks the next question while ours is still out. */
static size_t
out_max(const struct dns_conf *conf)
{
	return 2 * conf->in_flight_max;
}

static void
on_reload(void *arg)
{
	struct resolver *me = arg;
	struct dns_conf conf = dns_conf(me->role);

	dns_set_conf(me->dns, &conf);
	dns_share_set_max(me->share, out_max(&conf));
}

int
role_dns_main(struct role *r)
{
	struct dns_conf conf = dns_conf(r);
	struct resolver me = { .role = r };
	enum err e;

	me.dns = dns_new(r->loop, &conf);
	e = role_ready(r);
	if (e == OK) {
		me.share =
			dns_share_new(r->loop, role_unix_fd(r), me.dns, out_max(&conf));
		role_on_reload(r, on_reload, &me);
		loop_run(r->loop);
	}
	role_on_reload(r, NULL, NULL);
	dns_share_free(&me.share);
	dns_free(&me.dns);
	return e == OK ? 0 : 1;
}
