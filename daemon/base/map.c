#include "base/map.h"

#include "base/ids.h"
#include "base/mem.h"

/* Open addressing with linear probing and backward-shift deletion; at most 3/4 full. */
struct slot {
	uint64_t hash;
	void *value; /* NULL: empty */
	char *key;
	size_t key_n;
};

struct map {
	struct slot *slots;
	size_t cap, count; /* cap is a power of two */
	uint64_t key[2];
};

enum {
	CAP_FIRST = 16,
};

struct map *
map_new(void)
{
	struct map *m = mem_alloc(sizeof(*m));

	random_bytes(m->key, sizeof(m->key));
	m->cap = CAP_FIRST;
	m->slots = mem_alloc(m->cap * sizeof(*m->slots));
	return m;
}

void
map_free(struct map **m)
{
	if (!*m)
		return;
	for (size_t i = 0; i < (*m)->cap; i++)
		mem_free((*m)->slots[i].key);
	mem_free((*m)->slots);
	mem_free(*m);
	*m = NULL;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

/* The slot that holds key, or the empty one where it belongs. */
static struct slot *
locate(const struct map *m, uint64_t hash, struct str key)
{
	size_t at = hash & (m->cap - 1);

	for (;;) {
		struct slot *s = &m->slots[at];

		if (!s->value)
			return s;
		if (s->hash == hash && str_eq(str_make(s->key, s->key_n), key))
			return s;
		at = (at + 1) & (m->cap - 1);
	}
}

void *
map_find(const struct map *m, struct str key)
{
	return locate(m, siphash24(m->key, key), key)->value;
}

static void
grow(struct map *m)
{
	struct slot *old = m->slots;
	size_t old_cap = m->cap;

	m->cap = size_mul(old_cap, 2);
	m->slots = mem_alloc(size_mul(m->cap, sizeof(*m->slots)));
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].value)
			*locate(m, old[i].hash, str_make(old[i].key, old[i].key_n)) =
				old[i];
	}
	mem_free(old);
}

void *
map_set(struct map *m, struct str key, void *value)
{
	uint64_t hash = siphash24(m->key, key);
	struct slot *s = locate(m, hash, key);
	void *before = s->value;

	if (before) {
		s->value = value;
		return before;
	}
	if ((m->count + 1) * 4 > m->cap * 3) {
		grow(m);
		s = locate(m, hash, key);
	}
	s->hash = hash;
	s->value = value;
	s->key = mem_alloc(size_add(key.n, 1));
	s->key_n = key.n;
	if (key.n)
		memcpy(s->key, key.p, key.n);
	m->count++;
	return NULL;
}

void *
map_remove(struct map *m, struct str key)
{
	struct slot *s = locate(m, siphash24(m->key, key), key);
	size_t hole = (size_t)(s - m->slots), at = hole;
	void *value = s->value;

	if (!value)
		return NULL;
	mem_free(s->key);
	for (;;) {
		size_t home;

		at = (at + 1) & (m->cap - 1);
		if (!m->slots[at].value)
			break;
		/* An entry moves into the hole unless its home lies between the two. */
		home = m->slots[at].hash & (m->cap - 1);
		if (((at - home) & (m->cap - 1)) >= ((at - hole) & (m->cap - 1))) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole] = (struct slot){ 0 };
	m->count--;
	return value;
}

void
map_each(struct map *m, map_each_fn *fn, void *arg)
{
	size_t start = 0, i = 0;

	/* Begin behind an empty slot: a removal then moves no entry from the start of the
	   walk to its end, where it would come up twice. */
	while (m->slots[start].value)
		start++;
	while (i < m->cap) {
		struct slot *s = &m->slots[(start + i) & (m->cap - 1)];
		size_t count = m->count;

		if (s->value)
			fn(arg, str_make(s->key, s->key_n), s->value);
		/* After a removal another entry may stand here now. */
		if (m->count == count)
			i++;
	}
}

static inline uint64_t
rotl(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t
load_le(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

uint64_t
siphash24(const uint64_t key[2], struct str bytes)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		          key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	uint64_t m;
	size_t i = 0;

	for (; i + 8 <= bytes.n; i += 8) {
		m = load_le(bytes.p + i, 8);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	m = (bytes.n > i ? load_le(bytes.p + i, bytes.n - i) : 0) | (uint64_t)bytes.n
	                                                                    << 56;
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int round = 0; round < 4; round++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
