/* arena.h - memory by lifetime: process, session, transaction, scratch.
 *
 * An arena hands out memory that is freed all at once. It has a hard budget: what our
 * own code needs is taken with arena_alloc, where going over is our bug (panic); what a
 * peer can make grow is taken with arena_try or through a capped strbuf, where going
 * over is an answer (ERR_LIMIT). An empty arena costs one small struct, so idle
 * sessions stay small.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/macros.h"
#include "base/mem.h"
#include "base/str.h"

#include <stddef.h>

struct arena;

/* A new arena that gives out at most budget_bytes. Free with arena_free. */
struct arena *arena_new(size_t budget_bytes);
/* The same, and every byte is overwritten before it goes back: for secrets. */
struct arena *arena_new_secret(size_t budget_bytes);
void arena_free(struct arena **a);
/* Gives everything back at once; the arena can be used again. */
void arena_reset(struct arena *a);
/* The same, but keeps one chunk of up to 64 KiB for what comes next: for arenas that are
   filled again and again, not for those of sessions that may stay idle. */
void arena_rewind(struct arena *a);

/* n zeroed bytes, aligned for any type. Over the budget: panic. */
void *arena_alloc(struct arena *a, size_t n);
/* The same, or NULL where the budget does not allow it. */
MUSTUSE void *arena_try(struct arena *a, size_t n);
/* The same, with whatever is in them: for what is written before it is read. */
MUSTUSE void *arena_try_raw(struct arena *a, size_t n);

/* Copies; over the budget: panic. str_cstr copies add the NUL that system calls want. */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s);
/* PRINTF into the arena. */
struct str arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes given out so far, and how many still may be. */
size_t arena_used(const struct arena *a);
size_t arena_left(const struct arena *a);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), size_mul((n), sizeof(type))))

#endif
