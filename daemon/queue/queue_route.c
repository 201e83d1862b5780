#include "queue/queue_route.h"

#include "base/panic.h"

#include <string.h>

/* xorshift64*: good enough to spread load, and the same for the same seed. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dU;
}

/* Puts h where its preference belongs; among equals each place is as likely. A full
   route loses its worst. */
static void
insert(struct queue_route *route, struct queue_host h, uint64_t *random)
{
	size_t first = 0, last, at;

	while (first < route->count && route->hosts[first].preference < h.preference)
		first++;
	last = first;
	while (last < route->count && route->hosts[last].preference == h.preference)
		last++;
	at = first + next_random(random) % (last - first + 1);
	if (at == ROUTE_HOSTS_MAX)
		return;
	if (route->count == ROUTE_HOSTS_MAX)
		route->count--;
	memmove(route->hosts + at + 1, route->hosts + at,
	        (route->count - at) * sizeof(route->hosts[0]));
	route->hosts[at] = h;
	route->count++;
}

static bool
is_known(const struct queue_route *route, struct str name)
{
	for (size_t i = 0; i < route->count; i++) {
		if (str_eq_icase(route->hosts[i].name, name))
			return true;
	}
	return false;
}

/* Drops what is not better than `preference`. */
static void
cut(struct queue_route *route, uint16_t preference)
{
	size_t keep = 0;

	while (keep < route->count && route->hosts[keep].preference < preference)
		keep++;
	route->count = keep;
	route->is_cut = true;
}

enum err
queue_route_from_mx(struct queue_route *route, struct str domain,
                    const struct queue_mx *mx, size_t count, struct str our_name,
                    uint64_t random)
{
	uint32_t ours = UINT32_MAX;

	*route = (struct queue_route){ 0 };
	if (count == 0) {
		if (str_eq_icase(domain, our_name))
			return ERR_LOOP;
		insert(route, (struct queue_host){ domain, 0 }, &random);
		return OK;
	}
	/* "The domain takes no mail" is one record with the root as its host; a root
	   among others is a mistake and passed over (RFC 7505 3). */
	if (count == 1 && !mx[0].host.n)
		return ERR_NULL_MX;
	for (size_t i = 0; i < count; i++) {
		if (str_eq_icase(mx[i].host, our_name) && mx[i].preference < ours)
			ours = mx[i].preference;
	}
	for (size_t i = 0; i < count; i++) {
		struct queue_host h = { mx[i].host, mx[i].preference };

		if (h.name.n && h.preference < ours && !is_known(route, h.name))
			insert(route, h, &random);
	}
	route->is_cut = ours != UINT32_MAX;
	if (!route->count)
		return route->is_cut ? ERR_LOOP : ERR_DNS_NODATA;
	return OK;
}

enum err
queue_route_cut(struct queue_route *route, size_t i)
{
	CHECK(i < route->count);
	cut(route, route->hosts[i].preference);
	return route->count ? OK : ERR_LOOP;
}

/* The i-th of n, counted from a random start. */
static struct addr
turn(const struct addr *p, size_t n, size_t start, size_t i, uint16_t port)
{
	struct addr a = p[(start + i) % n];

	a.port = port;
	return a;
}

size_t
queue_route_addresses(const struct queue_addresses *all, uint16_t port, uint64_t random,
                      struct addr *out, size_t room)
{
	size_t n = 0, start6 = all->v6_count ? next_random(&random) % all->v6_count : 0;
	size_t start4 = all->v4_count ? next_random(&random) % all->v4_count : 0;

	if (room > ROUTE_HOST_ADDRESSES_MAX)
		room = ROUTE_HOST_ADDRESSES_MAX;
	for (size_t i = 0; (i < all->v6_count || i < all->v4_count) && n < room; i++) {
		if (i < all->v6_count)
			out[n++] = turn(all->v6, all->v6_count, start6, i, port);
		if (i < all->v4_count && n < room)
			out[n++] = turn(all->v4, all->v4_count, start4, i, port);
	}
	return n;
}

bool
queue_route_literal(struct str domain, uint16_t port, struct addr *addr_out)
{
	bool is_v6;

	if (!str_skip_byte(&domain, '[') || !domain.n || domain.p[domain.n - 1] != ']')
		return false;
	domain.n--;
	is_v6 = str_skip_icase(&domain, STR("IPv6:"));
	if (!addr_parse_ip(domain, addr_out))
		return false;
	/* "[IPv6:::ffff:192.0.2.1]" is an IPv4 address by now, and may be. */
	if (addr_out->family == ADDR_V6 && !is_v6)
		return false;
	addr_out->port = port;
	return true;
}
