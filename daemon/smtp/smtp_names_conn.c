#include "smtp/smtp_names_conn.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/feed.h"

enum {
	NAMES_MAX = 2000,
	TARGETS_MAX = 100, /* lists with more are asked for each time */
	BUDGET_BYTES = 2 << 20,
	RESERVE_BYTES = 256 << 10, /* one name's worst case, and more */
	KEPT_MS = 10 * 1000,
};

struct smtp_names {
	struct loop *loop;
	struct reader *reader;
	struct feed *feed;
	struct arena *arena;   /* of all that is remembered */
	struct map *addresses; /* -> struct resolution */
	struct map *domains;   /* -> struct domain_answer */
	int64_t since_ms;      /* when the first of these was asked for */
};

struct domain_answer {
	enum err error;
	enum domain_incoming incoming;
};

static void
forget_all(struct smtp_names *n)
{
	if (map_count(n->addresses) + map_count(n->domains) == 0)
		return;
	map_free(&n->addresses);
	map_free(&n->domains);
	n->addresses = map_new();
	n->domains = map_new();
	arena_rewind(n->arena);
}

static void
on_change(void *arg, const struct change *change)
{
	(void)change;
	forget_all(arg);
}

struct smtp_names *
smtp_names_new(struct loop *l, struct store_client *client, struct reader *reader)
{
	struct smtp_names *n = mem_alloc(sizeof(*n));

	n->loop = l;
	n->reader = reader;
	n->arena = arena_new(BUDGET_BYTES);
	n->addresses = map_new();
	n->domains = map_new();
	n->feed = feed_open(client, FEED_SETTINGS, 0, on_change, n);
	return n;
}

void
smtp_names_free(struct smtp_names **names)
{
	struct smtp_names *n = *names;

	if (!n)
		return;
	*names = NULL;
	feed_close(&n->feed);
	map_free(&n->addresses);
	map_free(&n->domains);
	arena_free(&n->arena);
	mem_free(n);
}

static void
drop_old(struct smtp_names *n)
{
	if (loop_now_ms(n->loop) - n->since_ms > KEPT_MS)
		forget_all(n);
}

/* Before something is added: senders choose the names of their domains. */
static void
make_room(struct smtp_names *n)
{
	if (map_count(n->addresses) + map_count(n->domains) >= NAMES_MAX ||
	    arena_left(n->arena) < RESERVE_BYTES)
		forget_all(n);
	if (map_count(n->addresses) + map_count(n->domains) == 0)
		n->since_ms = loop_now_ms(n->loop);
}

static void
remember(struct smtp_names *n, struct str address, const struct resolution *found)
{
	struct resolution *r;

	make_room(n);
	r = ARENA_NEW(n->arena, struct resolution);
	*r = *found;
	r->targets = ARENA_ARRAY(n->arena, struct target, found->count);
	for (size_t i = 0; i < found->count; i++) {
		r->targets[i] = found->targets[i];
		r->targets[i].rcpt = arena_str(n->arena, found->targets[i].rcpt);
		r->targets[i].domain = arena_str(n->arena, found->targets[i].domain);
	}
	(void)map_set(n->addresses, address, r);
}

enum err
smtp_names_resolve(struct smtp_names *n, struct str address, uint64_t size,
                   struct arena *a, struct resolution *out)
{
	const struct resolution *known;
	enum err e;

	drop_old(n);
	known = map_find(n->addresses, address);
	if (known) {
		*out = *known;
		return OK;
	}
	e = reader_resolve(n->reader, address, size, a, out);
	if (e == OK && !out->has_quota && out->count <= TARGETS_MAX)
		remember(n, address, out);
	return e;
}

enum err
smtp_names_incoming(struct smtp_names *n, struct str domain,
                    enum domain_incoming *incoming_out)
{
	struct domain_answer *answer;
	enum err e;

	drop_old(n);
	answer = map_find(n->domains, domain);
	if (answer) {
		*incoming_out = answer->incoming;
		return answer->error;
	}
	e = reader_domain_incoming(n->reader, domain, incoming_out);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	make_room(n);
	answer = ARENA_NEW(n->arena, struct domain_answer);
	answer->error = e;
	answer->incoming = *incoming_out;
	(void)map_set(n->domains, domain, answer);
	return e;
}

enum err
smtp_names_is_local_domain(struct smtp_names *n, struct str domain)
{
	enum domain_incoming incoming;

	return smtp_names_incoming(n, domain, &incoming);
}
