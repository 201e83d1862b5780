#include "io/limiter.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	CLIENT_BITS_V6 = 64, /* what one client usually has */
	KEY_BYTES = 17,
};

struct limiter {
	size_t total_max, per_ip_max, count;
	struct map *clients; /* key -> how many, in the pointer itself */
};

static struct str
key_of(const struct addr *peer, char (*buffer)[KEY_BYTES])
{
	struct addr a = addr_masked(peer, peer->family == ADDR_V6 ? CLIENT_BITS_V6 : 32);

	(*buffer)[0] = (char)a.family;
	memcpy(*buffer + 1, a.ip, sizeof(a.ip));
	return str_make(*buffer, sizeof(*buffer));
}

struct limiter *
limiter_new(size_t total_max, size_t per_ip_max)
{
	struct limiter *l = mem_alloc(sizeof(*l));

	l->clients = map_new();
	limiter_set(l, total_max, per_ip_max);
	return l;
}

void
limiter_free(struct limiter **l)
{
	if (!*l)
		return;
	map_free(&(*l)->clients);
	mem_free(*l);
	*l = NULL;
}

void
limiter_set(struct limiter *l, size_t total_max, size_t per_ip_max)
{
	l->total_max = total_max;
	l->per_ip_max = per_ip_max;
}

enum err
limiter_take(struct limiter *l, const struct addr *peer)
{
	char buffer[KEY_BYTES];
	struct str key = key_of(peer, &buffer);
	uintptr_t mine;

	if (l->total_max && l->count >= l->total_max)
		return ERR_BUSY;
	if (peer->family != ADDR_NONE) {
		mine = (uintptr_t)map_find(l->clients, key);
		if (l->per_ip_max && mine >= l->per_ip_max)
			return ERR_LIMIT;
		(void)map_set(l->clients, key, (void *)(mine + 1));
	}
	l->count++;
	return OK;
}

void
limiter_give(struct limiter *l, const struct addr *peer)
{
	char buffer[KEY_BYTES];
	struct str key = key_of(peer, &buffer);
	uintptr_t mine;

	CHECK(l->count);
	l->count--;
	if (peer->family == ADDR_NONE)
		return;
	mine = (uintptr_t)map_find(l->clients, key);
	CHECK(mine);
	if (mine == 1)
		(void)map_remove(l->clients, key);
	else
		(void)map_set(l->clients, key, (void *)(mine - 1));
}

size_t
limiter_count(const struct limiter *l)
{
	return l->count;
}
