/* Questions to our own process `dns`, for those that may make no sockets. Its restart is
 * waited for: what is out is asked again when it is back, and what is asked while it has
 * been away for longer is DNS_TEMP at once.
 */
#include "io/dns.h"

#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_frame.h"
#include "io/dns_priv.h"
#include "io/ipc.h"

enum {
	REMOTE_MAGIC = 0x646e7372,
	LOOK_MS = 500,
	AWAY_LOOKS = 4,
};

struct remote {
	uint32_t magic;
	struct dns *dns;
	struct ipc_client *client;
	struct timer look;
	/* Since it is not there: looks, not a time, which may pass while this process has
	   no processor and cannot hear it. */
	unsigned looks_away;
	uint64_t last_id;
};

/* What a flight holds. */
struct way {
	uint64_t id;
	bool is_asked; /* and not answered */
};

static void
ask(struct remote *r, const struct flight *f)
{
	struct ipc_peer *peer = ipc_client_peer(r->client);
	struct way *w = f->way;

	w->is_asked = peer != NULL;
	if (peer)
		ipc_send(peer, DNS_FRAME_ASK, w->id, str_make(f->key, f->key_n));
}

static void
transport_send(struct flight *f)
{
	struct remote *r = f->dns->way;
	struct way *w = mem_alloc(sizeof(*w));

	w->id = ++r->last_id;
	f->way = w;
	if (r->looks_away >= AWAY_LOOKS)
		dns_flight_over(f);
	else
		ask(r, f);
}

/* Chains were followed over there. */
static bool
transport_again(struct flight *f, enum err e, const struct dns_parsed *parsed)
{
	(void)f;
	(void)e;
	(void)parsed;
	return false;
}

static void
transport_drop(struct flight *f)
{
	struct remote *r = f->dns->way;
	struct ipc_peer *peer = ipc_client_peer(r->client);
	const struct way *w = f->way;

	if (w && w->is_asked && peer)
		ipc_send(peer, DNS_FRAME_CANCEL, w->id, STR(""));
	mem_free(f->way);
	f->way = NULL;
}

static void
transport_end(struct dns *d)
{
	struct remote *r = d->way;

	ipc_client_free(&r->client);
	timer_stop(&r->look);
	r->magic = 0;
	mem_free(r);
}

static const struct dns_transport transport = {
	.send = transport_send,
	.again = transport_again,
	.drop = transport_drop,
	.end = transport_end,
};

static struct remote *
remote_of(void *arg)
{
	return CAST(remote, REMOTE_MAGIC, arg);
}

static void
on_opened(void *arg, struct ipc_peer *peer)
{
	struct remote *r = remote_of(arg);

	(void)peer;
	r->looks_away = 0;
	timer_stop(&r->look);
	for (struct link *l = r->dns->out.next; l != &r->dns->out; l = l->next) {
		const struct flight *f = CONTAINER_OF(l, struct flight, line);

		if (!f->is_over)
			ask(r, f);
	}
}

static void
on_closed(void *arg, struct ipc_peer *peer, const char *why)
{
	struct remote *r = remote_of(arg);

	(void)peer;
	(void)why;
	for (struct link *l = r->dns->out.next; l != &r->dns->out; l = l->next) {
		struct way *w = CONTAINER_OF(l, struct flight, line)->way;

		w->is_asked = false;
	}
	timer_set(&r->look, LOOK_MS);
}

static void
on_look(void *arg)
{
	struct remote *r = remote_of(arg);

	if (++r->looks_away < AWAY_LOOKS) {
		timer_set(&r->look, LOOK_MS);
		return;
	}
	for (struct link *l = r->dns->out.next; l != &r->dns->out; l = l->next)
		dns_flight_over(CONTAINER_OF(l, struct flight, line));
}

static void
on_message(void *arg, struct ipc_peer *peer, const struct ipc_message *m)
{
	struct remote *r = remote_of(arg);
	struct flight *f = NULL;
	struct dns_raw raw;

	if (m->kind != DNS_FRAME_ANSWER || !dns_answer_unpack(m->payload, &raw)) {
		ipc_close(peer, "unexpected answer");
		return;
	}
	for (struct link *l = r->dns->out.next; l != &r->dns->out && !f; l = l->next) {
		struct flight *one = CONTAINER_OF(l, struct flight, line);
		struct way *w = one->way;

		if (w->id == m->id) {
			w->is_asked = false;
			f = one;
		}
	}
	/* One whose time was over, or that was answered before a restart. */
	if (!f || f->is_over)
		return;
	f->is_authentic = raw.is_authentic;
	if (raw.status == DNS_TEMP) {
		f->failed_ms = raw.ttl_ms;
	} else {
		f->ttl_ms = raw.ttl_ms;
		strbuf_add(&f->query, raw.query);
		strbuf_add(&f->message, raw.message);
	}
	dns_flight_over(f);
}

static const struct ipc_ops callbacks = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
};

struct dns *
dns_new_remote(struct loop *l, const char *path, const struct dns_conf *conf)
{
	struct remote *r = mem_alloc(sizeof(*r));

	r->magic = REMOTE_MAGIC;
	r->dns = dns_new_by(l, conf, &transport, r);
	timer_init(&r->look, l, on_look, r);
	/* It may never come. */
	timer_set(&r->look, LOOK_MS);
	r->client = ipc_client_new(l, path, &callbacks, r);
	return r->dns;
}
