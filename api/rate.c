#include "api/rate.h"

#include "base/map.h"
#include "base/mem.h"

#include <stddef.h>
#include <string.h>

enum {
	ADDRESS_BYTES = 8, /* an IPv4 address with zeros, or the /64 of an IPv6 one */
};

struct window {
	uint64_t token_id; /* 0: free */
	int64_t end_ms;
	uint32_t used;
};

struct rates {
	struct window windows[RATE_KEPT];
};

struct rates *
rates_new(void)
{
	return mem_alloc(sizeof(struct rates));
}

void
rates_free(struct rates **r)
{
	mem_free(*r);
	*r = NULL;
}

uint64_t
rate_id_of(const struct addr *ip, const uint8_t secret[32])
{
	uint64_t key[2], id;

	memcpy(key, secret, sizeof(key));
	id = siphash24(key, str_make((const char *)ip->ip, ADDRESS_BYTES));
	return id ? id : 1;
}

/* The token's window, or the one that ends first, made new for it. */
static struct window *
window_of(struct rates *r, uint64_t token_id, int64_t now_ms)
{
	struct window *w = NULL, *oldest = &r->windows[0];

	for (size_t i = 0; i < RATE_KEPT && !w; i++) {
		if (r->windows[i].token_id == token_id)
			w = &r->windows[i];
		if (r->windows[i].end_ms < oldest->end_ms)
			oldest = &r->windows[i];
	}
	if (!w)
		w = oldest;
	if (w->token_id != token_id || w->end_ms <= now_ms)
		*w = (struct window){ token_id, now_ms + RATE_WINDOW_S * 1000, 0 };
	return w;
}

bool
rates_take(struct rates *r, uint64_t token_id, uint32_t quota, int64_t now_ms,
           struct rate *rate_out)
{
	struct window *w = window_of(r, token_id, now_ms);
	bool is_taken = w->used < quota;

	w->used += is_taken;
	rate_out->left = w->used < quota ? quota - w->used : 0;
	rate_out->reset_s = (uint32_t)((w->end_ms - now_ms + 999) / 1000);
	return is_taken;
}
