/* map.h - a hash table from bytes to pointers, safe with keys that a peer chooses.
 *
 * Keys are hashed with SipHash-2-4 under a random key of the process, so nobody outside
 * can make them collide. The map copies its keys and borrows its values. It grows as
 * needed; how many entries a peer may cause is the caller's limit (map_count).
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
/* Values are not freed: walk and free them first. */
void map_free(struct map **m);
size_t map_count(const struct map *m);
/* The value, or NULL. */
void *map_find(const struct map *m, struct str key);
/* Sets (value not NULL); returns the value that was there before, or NULL. */
void *map_set(struct map *m, struct str key, void *value);
/* Removes; returns the value that was there, or NULL. */
void *map_remove(struct map *m, struct str key);
/* Calls fn once for every entry, in no order; fn may remove the entry it is called for,
   and may not change the map otherwise. */
typedef void map_each_fn(void *arg, struct str key, void *value);
void map_each(struct map *m, map_each_fn *fn, void *arg);

/* SipHash-2-4 (Aumasson and Bernstein). */
uint64_t siphash24(const uint64_t key[2], struct str bytes);

#endif
