/* relay_keys.h - the keys of our domains that sign now. A list owns its keys:
 * what relay_keys_find() gave goes with it.
 */
#ifndef RELAY_RELAY_KEYS_H
#define RELAY_RELAY_KEYS_H

#include "base/list.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct crypto_key;
struct relay;
struct relay_keys;

struct relay_key {
	struct link link; /* in the list of all */
	uint64_t id;
	struct str domain, selector, file;
	struct crypto_key *key; /* NULL: not used yet, or broken */
	bool is_broken;
	struct relay_key *next; /* of the same domain */
};

/* No keys; the generation tells one list from the next. */
struct relay_keys *relay_keys_new(uint64_t generation);
void relay_keys_free(struct relay_keys **keys);
/* Puts those that sign now in the place of *keys, which stay where that fails. */
void relay_keys_read(struct relay *r, uint64_t generation, struct relay_keys **keys);
uint64_t relay_keys_generation(const struct relay_keys *keys);
/* The keys of the domain, or of its nearest parent that has some; or NULL. */
struct relay_key *relay_keys_find(const struct relay_keys *keys, struct str domain);
/* Sees to it that the private half is parsed; false: it cannot be read. */
bool relay_key_load(struct relay *r, struct relay_key *k);

#endif
