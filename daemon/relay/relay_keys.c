/* The keys of our domains that sign now, by domain. A private half is parsed when it is
 * used first; when the list is read again, what was parsed before is taken over.
 */
#include "relay/relay_keys.h"

#include "base/mem.h"
#include "ext/crypto.h"
#include "relay/relay_priv.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	KEYS_BUDGET = 64 << 20,
	PATH_BYTES = 4200,
};

struct relay_keys {
	struct arena *arena;
	struct map *domains; /* first struct relay_key of each */
	struct link all;
	uint64_t generation;
};

struct relay_keys *
relay_keys_new(uint64_t generation)
{
	struct relay_keys *k = mem_alloc(sizeof(*k));

	k->arena = arena_new(KEYS_BUDGET);
	k->domains = map_new();
	k->generation = generation;
	list_init(&k->all);
	return k;
}

void
relay_keys_free(struct relay_keys **keys)
{
	struct relay_keys *k = *keys;

	if (!k)
		return;
	*keys = NULL;
	LIST_EACH(&k->all, l)
	crypto_key_free(&CONTAINER_OF(l, struct relay_key, link)->key);
	map_free(&k->domains);
	arena_free(&k->arena);
	mem_free(k);
}

static bool
take_key(void *arg, const struct dkim_key *from)
{
	struct relay_keys *keys = arg;
	struct relay_key *k = ARENA_NEW(keys->arena, struct relay_key);

	k->id = from->id;
	k->domain = arena_str(keys->arena, from->domain);
	k->selector = arena_str(keys->arena, from->selector);
	k->file = arena_str(keys->arena, from->file);
	k->next = map_find(keys->domains, k->domain);
	(void)map_set(keys->domains, k->domain, k);
	list_add_last(&keys->all, &k->link);
	return arena_left(keys->arena) > PATH_BYTES;
}

/* What was parsed before need not be parsed again. */
static void
inherit(struct relay_keys *keys, struct relay_keys *old)
{
	LIST_EACH(&old->all, l)
	{
		struct relay_key *from = CONTAINER_OF(l, struct relay_key, link);

		for (struct relay_key *k = map_find(keys->domains, from->domain); k;
		     k = k->next) {
			if (k->id == from->id) {
				k->key = from->key;
				from->key = NULL;
			}
		}
	}
}

void
relay_keys_read(struct relay *r, uint64_t generation, struct relay_keys **keys)
{
	struct relay_keys *now = relay_keys_new(generation);
	enum err e = reader_dkim_keys(r->reader, 0, DKIM_KEY_ACTIVE, take_key, now);

	if (e != OK) {
		/* The old ones are better than none. */
		log_line(LEVEL_WARN, "dkim.keys", "error=%s", err_get(e)->word);
		relay_keys_free(&now);
		return;
	}
	inherit(now, *keys);
	relay_keys_free(keys);
	*keys = now;
}

uint64_t
relay_keys_generation(const struct relay_keys *keys)
{
	return keys->generation;
}

static enum err
read_pem(struct relay *r, struct str name, struct strbuf *out)
{
	char text[PATH_BYTES];
	struct strbuf b = strbuf_on(text);
	ssize_t n = -1;
	char *p;
	int fd;

	(void)conf_data_path(r->conf, "keys/dkim/", &b);
	strbuf_add(&b, name);
	fd = open(strbuf_cstr(&b), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ERR_IO;
	p = strbuf_reserve(out, CRYPTO_PEM_MAX);
	if (p)
		n = read(fd, p, CRYPTO_PEM_MAX);
	(void)close(fd);
	if (n <= 0)
		return ERR_IO;
	out->n += (size_t)n;
	return OK;
}

bool
relay_key_load(struct relay *r, struct relay_key *k)
{
	struct arena *secret;
	struct strbuf pem;
	enum err e;

	if (k->key || k->is_broken)
		return k->key != NULL;
	secret = arena_new_secret(4 * CRYPTO_PEM_MAX);
	pem = strbuf_arena(secret, 2 * CRYPTO_PEM_MAX);
	e = read_pem(r, k->file, &pem);
	if (e == OK)
		e = crypto_key_parse_private(strbuf_str(&pem), &k->key);
	if (e != OK) {
		k->is_broken = true;
		log_line(LEVEL_ERROR, "dkim.key", "domain=%.*s selector=%.*s error=%s",
		         STR_ARG(k->domain), STR_ARG(k->selector), err_get(e)->word);
	}
	arena_free(&secret);
	return e == OK;
}

struct relay_key *
relay_keys_find(const struct relay_keys *keys, struct str domain)
{
	while (domain.n) {
		struct relay_key *k = map_find(keys->domains, domain);
		size_t dot = str_find(domain, '.');

		if (k)
			return k;
		domain = dot == SIZE_MAX ? str_from(NULL)
		                         : str_from_offset(domain, dot + 1);
	}
	return NULL;
}
