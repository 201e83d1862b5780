#include "smtp/smtp_guesses.h"

#include "base/ids.h"
#include "base/map.h"
#include "base/mem.h"

#include <string.h>

enum {
	SETS = 512, /* a power of two */
	WAYS = 4,
	CLIENT_BITS_V6 = 64, /* what one client usually has */
};

struct window {
	uint64_t id; /* 0: free */
	int64_t end_ms;
	uint32_t count;
};

struct smtp_guesses {
	uint64_t key[2];
	struct window windows[SETS][WAYS];
};

struct smtp_guesses *
smtp_guesses_new(void)
{
	struct smtp_guesses *g = mem_alloc(sizeof(*g));

	random_bytes(g->key, sizeof(g->key));
	return g;
}

void
smtp_guesses_free(struct smtp_guesses **g)
{
	mem_free(*g);
	*g = NULL;
}

/* Under a key of this process, so that nobody can choose whose window is thrown out. */
static uint64_t
id_of(const struct smtp_guesses *g, const struct addr *ip)
{
	struct addr a = addr_masked(ip, ip->family == ADDR_V6 ? CLIENT_BITS_V6 : 32);
	uint64_t id = siphash24(g->key, str_make((const char *)a.ip, sizeof(a.ip)));

	return id ? id : 1;
}

void
smtp_guesses_add(struct smtp_guesses *g, const struct addr *ip, int64_t now_ms)
{
	uint64_t id = id_of(g, ip);
	struct window *set = g->windows[id % SETS], *w = &set[0];

	if (ip->family == ADDR_NONE)
		return;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].id == id) {
			w = &set[i];
			break;
		}
		if (set[i].end_ms < w->end_ms)
			w = &set[i];
	}
	if (w->id != id || w->end_ms <= now_ms)
		*w = (struct window){ id, now_ms + SMTP_GUESSES_WINDOW_MS, 0 };
	w->count++;
}

uint32_t
smtp_guesses_of(const struct smtp_guesses *g, const struct addr *ip, int64_t now_ms)
{
	uint64_t id = id_of(g, ip);
	const struct window *set = g->windows[id % SETS];

	for (size_t i = 0; i < WAYS && ip->family != ADDR_NONE; i++) {
		if (set[i].id == id && set[i].end_ms > now_ms)
			return set[i].count;
	}
	return 0;
}
