/* A few keys with the contexts that they made, each in the place that its text names. Who
   chooses texts that name the same place loses the pool for these. */
#include "ext/crypto.h"

#include "base/mem.h"
#include "base/panic.h"

#include <pthread.h>

enum {
	POOL_KEYS = 64,
	PLACE_BYTES = 8,
};

struct place {
	char *text;
	size_t text_size;
	unsigned note;
	struct crypto_key *key; /* NULL: nothing rests here */
};

static struct {
	pthread_mutex_t lock;
	struct place places[POOL_KEYS];
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* By a few bytes out of the middle, where a modulus is random. */
static struct place *
place_of(struct str text)
{
	unsigned place = 0;

	for (size_t i = text.n / 2; i < text.n && i < text.n / 2 + PLACE_BYTES; i++)
		place = place * 31 + (unsigned char)text.p[i];
	return &pool.places[place % POOL_KEYS];
}

struct crypto_key *
crypto_pool_take(struct str text, unsigned *note_out)
{
	struct place *p = place_of(text);
	struct crypto_key *key = NULL;

	CHECK(pthread_mutex_lock(&pool.lock) == 0);
	if (p->key && str_eq(str_make(p->text, p->text_size), text)) {
		key = p->key;
		*note_out = p->note;
		p->key = NULL;
	}
	CHECK(pthread_mutex_unlock(&pool.lock) == 0);
	return key;
}

void
crypto_pool_give(struct str text, unsigned note, struct crypto_key **key)
{
	struct place *p = place_of(text);
	struct crypto_key *old = *key;

	if (old && text.n <= CRYPTO_POOL_TEXT_MAX) {
		CHECK(pthread_mutex_lock(&pool.lock) == 0);
		/* Mostly it comes back to where it was taken. */
		if (!str_eq(str_make(p->text, p->text_size), text)) {
			p->text = mem_grow(p->text, text.n);
			p->text_size = text.n;
			memcpy(p->text, text.p, text.n);
		}
		old = p->key;
		p->key = *key;
		p->note = note;
		CHECK(pthread_mutex_unlock(&pool.lock) == 0);
	}
	*key = NULL;
	crypto_key_free(&old);
}
