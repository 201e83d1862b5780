#include "io/tls_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	SLOT_BYTES =
		24 << 10, /* a record, or a handshake message, with what surrounds it */
	SLOT_FROM = 16 << 10, /* smaller ones stay on the heap */
	SLOTS = 1 << 16,
	WARM_SLOTS = 16, /* free ones that keep their memory */
};

static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	char *base; /* NULL: no address space (ulimit -v), all goes to the heap */
	uint32_t used, fresh, free_count;
	uint32_t free_slots[SLOTS]; /* the last one is the warmest */
} pool = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void
reserve(void)
{
	void *p = mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p != MAP_FAILED)
		pool.base = p;
}

static bool
is_slot(const void *p)
{
	return pool.base && (const char *)p >= pool.base &&
	       (const char *)p < pool.base + (size_t)SLOTS * SLOT_BYTES;
}

static void *
slot_take(void)
{
	void *p = NULL;

	(void)pthread_once(&pool.once, reserve);
	if (!pool.base)
		return NULL;
	(void)pthread_mutex_lock(&pool.lock);
	if (pool.free_count)
		p = pool.base + (size_t)pool.free_slots[--pool.free_count] * SLOT_BYTES;
	else if (pool.fresh < SLOTS)
		p = pool.base + (size_t)pool.fresh++ * SLOT_BYTES;
	if (p)
		pool.used++;
	(void)pthread_mutex_unlock(&pool.lock);
	return p;
}

static void
slot_give(void *p)
{
	(void)pthread_mutex_lock(&pool.lock);
	/* The kernel gives zeroed pages when the slot is used again. */
	if (pool.free_count >= WARM_SLOTS)
		(void)madvise(p, SLOT_BYTES, MADV_DONTNEED);
	pool.free_slots[pool.free_count++] =
		(uint32_t)((size_t)((char *)p - pool.base) / SLOT_BYTES);
	pool.used--;
	(void)pthread_mutex_unlock(&pool.lock);
}

void *
tls_memory_alloc(size_t n, const char *file, int line)
{
	void *p = n >= SLOT_FROM && n <= SLOT_BYTES ? slot_take() : NULL;

	(void)file;
	(void)line;
	return p ? p : malloc(n); /* lint: the library's memory */
}

void
tls_memory_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (is_slot(p))
		slot_give(p);
	else
		free(p); /* lint: the library's memory */
}

void *
tls_memory_grow(void *p, size_t n, const char *file, int line)
{
	void *grown;

	if (!is_slot(p))
		return realloc(p, n); /* lint: the library's memory */
	if (n && n <= SLOT_BYTES)
		return p;
	grown = n ? malloc(n) : NULL; /* lint: the library's memory */
	if (grown)
		memcpy(grown, p, SLOT_BYTES);
	if (grown || !n)
		tls_memory_free(p, file, line);
	return grown;
}
