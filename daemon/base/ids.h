/* ids.h - the names of things in the log and in the API.
 *
 * An id is a prefix and 16 characters of Crockford's base 32 in lower case: ten of time
 * (48 bits of Unix ms, so ids sort by birth), six of randomness (30 bits), and so unique
 * on one machine together with the time. Trace ids have the prefix "mtr_", sessions
 * "ses_".
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	ID_BYTES = 20, /* prefix of four, and 16 characters */
};

struct id {
	char text[ID_BYTES + 1]; /* NUL-terminated; "" is no id */
};

/* prefix has four characters: "mtr_". random: 30 fresh random bits. */
struct id id_make(const char *prefix, int64_t unix_ms, uint64_t random);
/* The same from the clock and the system's random numbers. */
struct id id_new(const char *prefix);
bool id_parse(struct str s, const char *prefix, struct id *id_out);
/* The time inside an id, Unix ms. */
int64_t id_time_ms(const struct id *id);

static inline struct str
id_str(const struct id *id)
{
	return str_from(id->text);
}

/* n random bytes of the system; panics where there are none. */
void random_bytes(void *p, size_t n);
uint64_t random_u64(void);

#endif
