#include "role/doors.h"

#include "base/event.h"
#include "base/mem.h"

struct door {
	struct doors *doors;
	struct listener *listener;
	enum conf_protocol protocol;
};

struct doors {
	const struct role *role;
	const struct doors_ops *ops;
	void *arg;
	struct listener_conf conf; /* of all of them */
	struct door each[ROLE_LISTENERS_MAX];
	size_t count;
};

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct door *d = arg;

	d->doors->ops->accepted(d->doors->arg, d->protocol, a);
}

static void
on_refused(void *arg, const struct addr *peer, enum err why, struct str *goodbye_out)
{
	struct door *d = arg;
	char bytes[ADDR_TEXT_MAX];
	struct event e;

	event_init(&e, EV_CONNECT_REFUSED, STR(""), STR(""));
	event_str(&e, "ip", addr_ip_text(peer, &bytes));
	event_str(&e, "protocol", str_from(conf_protocol_word(d->protocol)));
	event_str(&e, "reason", str_from(err_get(why)->word));
	event_tell(&e);
	if (!conf_protocol_is_tls(d->protocol))
		*goodbye_out = d->doors->ops->goodbye(d->protocol);
}

static int64_t
on_leave_ms(void *arg)
{
	const struct doors *doors = ((struct door *)arg)->doors;

	return doors->ops->leave_ms ? doors->ops->leave_ms(doors->arg) : 0;
}

static const struct listener_ops listener_callbacks = {
	.accepted = on_accepted,
	.refused = on_refused,
	.leave_ms = on_leave_ms,
};

void
doors_reload(struct doors *d)
{
	const struct conf *conf;

	if (!d)
		return;
	conf = d->role->conf;
	d->conf.proxies = conf->proxies.p;
	d->conf.proxies_count = conf->proxies.n;
	d->conf.proxy_wait_ms = conf->limits.proxy_wait;
}

struct doors *
doors_open(const struct role *r, struct limiter *limiter, const struct doors_ops *ops,
           void *arg)
{
	struct doors *doors = mem_alloc(sizeof(*doors));

	doors->role = r;
	doors->ops = ops;
	doors->arg = arg;
	doors->conf = (struct listener_conf){ .limiter = limiter,
		                              .is_in_turns = ops->is_in_turns };
	doors_reload(doors);
	for (; doors->count < role_listener_count(r); doors->count++) {
		const struct role_listener *from = role_listener(r, doors->count);
		struct door *d = &doors->each[doors->count];

		d->doors = doors;
		d->protocol = from->protocol;
		d->listener = listener_new(r->loop, from->fd, &doors->conf,
		                           &listener_callbacks, d);
	}
	return doors;
}

void
doors_close(struct doors **dp)
{
	struct doors *d = *dp;

	if (!d)
		return;
	*dp = NULL;
	for (size_t i = 0; i < d->count; i++)
		listener_free(&d->each[i].listener);
	mem_free(d);
}
