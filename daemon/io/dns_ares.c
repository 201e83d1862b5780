/* Questions to name servers, over c-ares. Each travels alone: it has a channel of its
 * own, and so a port of its own that the kernel chose at random, beside a random id and
 * random letter case.
 */
#include "io/dns.h"

#include "base/ids.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_priv.h"
#include "io/socket.h"

/* Version 1.34 calls what 1.18 has deprecated. */
#define CARES_NO_DEPRECATED 1
#include <ares.h>
#include <string.h>
#include <sys/time.h>

enum {
	WAY_MAGIC = 0x646e7377,
	PLACE_MAGIC = 0x646e7370,
	SOCKETS_MAX = 16,
	TRIES = 3,
	TRY_MS = 2500,
	HOPS_MAX = 6, /* questions more for chains that leave the answer */
};

struct socket_place {
	uint32_t magic;
	int fd;
	struct watch *watch; /* NULL: not in use */
	struct way *way;
};

/* What a flight holds. */
struct way {
	uint32_t magic;
	struct flight *flight;
	ares_channel channel;
	bool wants_tcp;
	int hops;
	struct timer step;
	struct socket_place sockets[SOCKETS_MAX];
};

static void
sockets_free(struct way *w)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		watch_free(&w->sockets[i].watch);
}

/* ── c-ares and its sockets ── */

static void
on_ares(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct way *w = CAST(way, WAY_MAGIC, arg);
	struct flight *f = w->flight;

	(void)timeouts;
	if (f->is_over)
		return;
	if (status == ARES_SUCCESS && bytes && n > 0)
		strbuf_bytes(&f->message, bytes, (size_t)n);
	dns_flight_over(f);
}

static void
step_set(struct way *w)
{
	struct timeval most = { .tv_sec = 1 }, wait, *next;

	if (w->flight->is_over || !w->channel)
		return;
	next = ares_timeout(w->channel, &most, &wait);
	timer_set(&w->step, (int64_t)next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
}

static void
process(struct way *w, int readable, int writable)
{
	if (w->flight->is_over)
		return;
	ares_process_fd(w->channel, readable, writable);
	step_set(w);
}

static void
on_step(void *arg)
{
	process(CAST(way, WAY_MAGIC, arg), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
on_socket(void *arg, unsigned events)
{
	const struct socket_place *place = CAST(socket_place, PLACE_MAGIC, arg);

	process(place->way, events & WATCH_READ ? place->fd : ARES_SOCKET_BAD,
	        events & WATCH_WRITE ? place->fd : ARES_SOCKET_BAD);
}

/* c-ares opens, uses and closes sockets: follow with watches. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct way *w = CAST(way, WAY_MAGIC, arg);
	size_t i, empty = SOCKETS_MAX;

	for (i = 0; i < SOCKETS_MAX; i++) {
		if (w->sockets[i].watch && w->sockets[i].fd == fd)
			break;
		if (!w->sockets[i].watch)
			empty = i;
	}
	if (!readable && !writable) {
		if (i < SOCKETS_MAX)
			watch_free(&w->sockets[i].watch);
		return;
	}
	if (i == SOCKETS_MAX) {
		if (empty == SOCKETS_MAX)
			return; /* the time limit ends it */
		i = empty;
		w->sockets[i] = (struct socket_place){ PLACE_MAGIC, fd, NULL, w };
		w->sockets[i].watch =
			watch_new(w->flight->dns->loop, fd, on_socket, &w->sockets[i]);
	}
	watch_set(w->sockets[i].watch,
	          (readable ? WATCH_READ : 0U) | (writable ? WATCH_WRITE : 0U));
}

static bool
channel_open(struct way *w)
{
	const struct dns_conf *conf = &w->flight->dns->conf;
	struct ares_addr_port_node nodes[DNS_SERVERS_MAX];
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		         (w->wants_tcp ? ARES_FLAG_USEVC : 0),
		.timeout = conf->timeout_ms / 2 < TRY_MS ? (int)conf->timeout_ms / 2
		                                         : TRY_MS,
		.tries = TRIES,
		.ndots = 1,
		.lookups = (char[]){ "b" },
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = w,
	};
	/* With all of these given it reads no file. */
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
	           ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS |
	           ARES_OPT_DOMAINS | ARES_OPT_SORTLIST;

	if (ares_init_options(&w->channel, &options, mask) != ARES_SUCCESS) {
		w->channel = NULL;
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
	return ares_set_servers_ports(w->channel, nodes) == ARES_SUCCESS;
}

/* ── the transport ── */

static void
ask(struct way *w)
{
	struct flight *f = w->flight;

	strbuf_clear(&f->query);
	strbuf_clear(&f->message);
	dns_message_format(&f->query, (uint16_t)random_u64(), strbuf_str(&f->wire),
	                   dns_flight_type(f), random_u64());
	if (!channel_open(w)) {
		dns_flight_over(f);
		return;
	}
	ares_send(w->channel, (const unsigned char *)f->query.p, (int)f->query.n, on_ares,
	          w);
	step_set(w);
}

static void
transport_send(struct flight *f)
{
	struct way *w = mem_alloc(sizeof(*w));

	w->magic = WAY_MAGIC;
	w->flight = f;
	f->way = w;
	timer_init(&w->step, f->dns->loop, on_step, w);
	ask(w);
}

/* One more question of the same flight: over TCP, or for the name that f->wire has now. */
static bool
start_again(struct way *w)
{
	if (w->hops++ >= HOPS_MAX)
		return false;
	if (w->channel)
		ares_destroy(w->channel);
	w->channel = NULL;
	sockets_free(w);
	w->flight->is_over = false;
	ask(w);
	return true;
}

static bool
transport_again(struct flight *f, enum err e, const struct dns_parsed *parsed)
{
	const struct dns_answer *answer = &parsed->answer;
	struct way *w = f->way;

	/* A server that changes the case, or somebody who guessed: TCP cannot be guessed. */
	if (!w->wants_tcp && (e != OK || parsed->is_other_case)) {
		w->wants_tcp = true;
		if (start_again(w))
			return true;
	}
	if (!parsed->is_open)
		return false;
	dns_flight_ttl(f, answer);
	f->is_authentic = f->is_authentic && answer->authentic;
	strbuf_clear(&f->wire);
	return dns_name_parse(answer->name, &f->wire) && start_again(w);
}

static void
transport_drop(struct flight *f)
{
	struct way *w = f->way;

	if (!w)
		return;
	if (w->channel)
		ares_destroy(w->channel);
	sockets_free(w);
	timer_stop(&w->step);
	w->magic = 0;
	mem_free(w);
	f->way = NULL;
}

static void
transport_end(struct dns *d)
{
	(void)d;
	ares_library_cleanup();
}

static const struct dns_transport transport = {
	.is_last = true,
	.send = transport_send,
	.again = transport_again,
	.drop = transport_drop,
	.end = transport_end,
};

struct dns *
dns_new(struct loop *l, const struct dns_conf *conf)
{
	CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
	return dns_new_by(l, conf, &transport, NULL);
}

size_t
dns_system_servers(struct addr *servers)
{
	struct ares_addr_port_node *list = NULL;
	ares_channel channel;
	size_t n = 0;

	if (ares_init(&channel) == ARES_SUCCESS) {
		(void)ares_get_servers_ports(channel, &list);
		for (struct ares_addr_port_node *s = list; s && n < DNS_SERVERS_MAX;
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
