#include "store/guesses.h"

#include "base/duration.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum {
	ENTRIES_MAX = 100 * 1000,
	GOOD_MS_DAYS = 30,
	KEY_MAX = 512,
};

/* One key's failures since begin_ms; or, for a good pair, when it last was good. */
struct count {
	int64_t begin_ms;
	uint32_t failures;
	bool is_good;
};

struct guesses {
	struct map *map;
	int64_t swept_ms;
};

static const int64_t good_ms = DAY_MS * GOOD_MS_DAYS;

struct guesses *
guesses_new(void)
{
	struct guesses *g = mem_alloc(sizeof(*g));

	g->map = map_new();
	return g;
}

static void
free_one(void *arg, struct str key, void *value)
{
	(void)arg;
	(void)key;
	mem_free(value);
}

void
guesses_free(struct guesses **g)
{
	if (!*g)
		return;
	map_each((*g)->map, free_one, NULL);
	map_free(&(*g)->map);
	mem_free(*g);
	*g = NULL;
}

struct sweep {
	struct guesses *g;
	int64_t now_ms;
	bool all; /* too many: what is older than a minute goes as well */
};

static void
sweep_one(void *arg, struct str key, void *value)
{
	struct sweep *s = arg;
	struct count *c = value;
	int64_t age_ms = s->now_ms - c->begin_ms;

	if (age_ms < (c->is_good ? good_ms : GUESSES_WINDOW_MS) &&
	    !(s->all && age_ms > 60000))
		return;
	(void)map_remove(s->g->map, key);
	mem_free(c);
}

static void
sweep(struct guesses *g, int64_t now_ms)
{
	bool is_full = map_count(g->map) >= ENTRIES_MAX;
	struct sweep s = { g, now_ms, is_full };

	if (!is_full && now_ms - g->swept_ms < GUESSES_WINDOW_MS)
		return;
	if (is_full && now_ms - g->swept_ms < 1000)
		return;
	g->swept_ms = now_ms;
	map_each(g->map, sweep_one, &s);
}

static struct count *
get(struct guesses *g, struct str key, int64_t now_ms)
{
	struct count *c = map_find(g->map, key);

	if (!c) {
		c = mem_alloc(sizeof(*c));
		c->begin_ms = now_ms;
		(void)map_set(g->map, key, c);
	}
	if (!c->is_good && now_ms - c->begin_ms >= GUESSES_WINDOW_MS) {
		c->begin_ms = now_ms;
		c->failures = 0;
	}
	return c;
}

/* kind, network, account: '\n' is in none of them. */
static struct str
key_of(char kind, const struct addr *from, unsigned bits4, unsigned bits6,
       struct str account, struct strbuf *out)
{
	struct addr masked = addr_masked(from, from->family == ADDR_V6 ? bits6 : bits4);

	strbuf_clear(out);
	strbuf_byte(out, kind);
	addr_format_ip(out, &masked);
	strbuf_byte(out, '\n');
	strbuf_add(out, str_first(account, 300));
	return strbuf_str(out);
}

bool
guesses_try(struct guesses *g, const struct addr *from, struct str account,
            uint32_t ip_max, uint32_t account_max, int64_t now_ms)
{
	char bytes[KEY_MAX];
	struct strbuf key = strbuf_on(bytes);
	struct count *ip, *net;
	const struct count *good;

	sweep(g, now_ms);
	good = map_find(g->map, key_of('g', from, 32, 64, account, &key));
	ip = get(g, key_of('i', from, 32, 64, str_from(NULL), &key), now_ms);
	net = get(g, key_of('a', from, 24, 48, account, &key), now_ms);
	if (net->failures >= account_max || (ip->failures >= ip_max && !good))
		return false;
	ip->failures++;
	net->failures++;
	return true;
}

void
guesses_good(struct guesses *g, const struct addr *from, struct str account,
             bool was_counted, int64_t now_ms)
{
	char bytes[KEY_MAX];
	struct strbuf key = strbuf_on(bytes);
	struct count *c = get(g, key_of('i', from, 32, 64, str_from(NULL), &key), now_ms);

	c->failures -= was_counted && c->failures;
	c = get(g, key_of('a', from, 24, 48, account, &key), now_ms);
	c->failures -= was_counted && c->failures;
	c = get(g, key_of('g', from, 32, 64, account, &key), now_ms);
	c->is_good = true;
	c->begin_ms = now_ms;
}
