#include "io/dns_cache.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

enum {
	MAP_BYTES = 64, /* what the map takes for an entry, beside the key */
};

struct entry {
	struct link link;
	enum dns_status status;
	bool is_authentic;
	unsigned failures; /* in a row */
	int64_t until_ms;
	size_t key_n, query_n, message_n;
	char bytes[]; /* key, query, message */
};

struct dns_cache {
	struct dns_cache_conf conf;
	struct map *entries;
	struct link recent; /* the one asked for last is first */
	size_t bytes;
};

static struct str
entry_key(const struct entry *e)
{
	return str_make(e->bytes, e->key_n);
}

static size_t
entry_bytes(size_t key_n, size_t query_n, size_t message_n)
{
	return sizeof(struct entry) + MAP_BYTES + 2 * key_n + query_n + message_n;
}

static void
entry_free(struct dns_cache *c, struct entry *e)
{
	(void)map_remove(c->entries, entry_key(e));
	list_remove(&e->link);
	c->bytes -= entry_bytes(e->key_n, e->query_n, e->message_n);
	mem_free(e);
}

static void
empty(struct dns_cache *c)
{
	while (!list_is_empty(&c->recent))
		entry_free(c, CONTAINER_OF(c->recent.next, struct entry, link));
}

struct dns_cache *
dns_cache_new(const struct dns_cache_conf *conf)
{
	struct dns_cache *c = mem_alloc(sizeof(*c));

	c->conf = *conf;
	c->entries = map_new();
	list_init(&c->recent);
	return c;
}

void
dns_cache_free(struct dns_cache **cp)
{
	struct dns_cache *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	empty(c);
	map_free(&c->entries);
	mem_free(c);
}

void
dns_cache_set_conf(struct dns_cache *c, const struct dns_cache_conf *conf)
{
	empty(c);
	c->conf = *conf;
}

bool
dns_cache_find(struct dns_cache *c, struct str key, int64_t now_ms,
               struct dns_raw *raw_out)
{
	struct entry *e = map_find(c->entries, key);
	const char *query;

	if (!e)
		return false;
	if (e->until_ms <= now_ms) {
		/* How often it failed is remembered. */
		if (!e->failures)
			entry_free(c, e);
		return false;
	}
	list_remove(&e->link);
	list_add_first(&c->recent, &e->link);
	query = e->bytes + e->key_n;
	*raw_out = (struct dns_raw){
		.status = e->status,
		.is_authentic = e->is_authentic,
		.ttl_ms = e->until_ms - now_ms,
		.query = str_make(query, e->query_n),
		.message = str_make(query + e->query_n, e->message_n),
	};
	return true;
}

/* Replaces what was there; NULL where it may not be kept. */
static struct entry *
put(struct dns_cache *c, struct str key, int64_t until_ms, const struct dns_raw *raw)
{
	size_t bytes = entry_bytes(key.n, raw->query.n, raw->message.n);
	struct entry *e = map_find(c->entries, key);

	if (e)
		entry_free(c, e);
	if (!c->conf.count_max || bytes > c->conf.bytes_max)
		return NULL;
	while (map_count(c->entries) >= c->conf.count_max ||
	       c->bytes > c->conf.bytes_max - bytes)
		entry_free(c, CONTAINER_OF(c->recent.prev, struct entry, link));
	e = mem_alloc(sizeof(*e) + key.n + raw->query.n + raw->message.n);
	e->status = raw->status;
	e->is_authentic = raw->is_authentic;
	e->until_ms = until_ms;
	e->key_n = key.n;
	e->query_n = raw->query.n;
	e->message_n = raw->message.n;
	memcpy(e->bytes, key.p, key.n);
	if (raw->query.n)
		memcpy(e->bytes + key.n, raw->query.p, raw->query.n);
	if (raw->message.n)
		memcpy(e->bytes + key.n + raw->query.n, raw->message.p, raw->message.n);
	c->bytes += bytes;
	(void)map_set(c->entries, entry_key(e), e);
	list_add_first(&c->recent, &e->link);
	return e;
}

static int64_t
kept_ms(const struct dns_cache *c, const struct dns_raw *raw)
{
	int64_t most = raw->status == DNS_OK     ? c->conf.ttl_max_ms
	               : raw->status == DNS_TEMP ? c->conf.failure_max_ms
	                                         : c->conf.negative_max_ms;

	return raw->ttl_ms < most ? raw->ttl_ms : most;
}

void
dns_cache_put(struct dns_cache *c, struct str key, int64_t now_ms,
              const struct dns_raw *raw)
{
	int64_t ms = kept_ms(c, raw);

	if (ms > 0)
		(void)put(c, key, now_ms + ms, raw);
}

int64_t
dns_cache_fail(struct dns_cache *c, struct str key, int64_t now_ms)
{
	static const struct dns_raw failed = { .status = DNS_TEMP };
	const int64_t most = c->conf.failure_max_ms;
	struct entry *e = map_find(c->entries, key);
	unsigned failures = 1;
	int64_t ms = c->conf.failure_ms;

	/* The last one is long ago: it begins anew. */
	if (e && e->failures && now_ms - e->until_ms < most)
		failures += e->failures;
	for (unsigned n = 1; n < failures && ms < most; n++)
		ms *= 2;
	ms = ms < most ? ms : most;
	e = put(c, key, now_ms + ms, &failed);
	if (!e)
		return 0;
	e->failures = failures;
	return ms;
}

size_t
dns_cache_count(const struct dns_cache *c)
{
	return map_count(c->entries);
}

size_t
dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}
