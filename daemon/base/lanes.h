/* lanes.h - sixteen bytes at once, in whatever the machine has for it.
 *
 * For loops that look at every byte of a mail and mostly find nothing. Comparisons give
 * 0xff for yes and 0 for no in each byte; cast them back: (lanes)(v == ' ').
 */
#ifndef BASE_LANES_H
#define BASE_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	LANES = 16,
};

typedef uint8_t lanes __attribute__((vector_size(LANES)));

static inline lanes
lanes_load(const void *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Is any byte not zero? */
static inline bool
lanes_any(lanes v)
{
	uint64_t halves[LANES / sizeof(uint64_t)];

	memcpy(halves, &v, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

/* The place of the first byte that is not zero; LANES: all are. */
static inline unsigned
lanes_first(lanes v)
{
	uint64_t halves[LANES / sizeof(uint64_t)];

	memcpy(halves, &v, sizeof(halves));
	for (unsigned i = 0; i < LANES / sizeof(uint64_t); i++) {
		if (!halves[i])
			continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		return 8 * i + (unsigned)__builtin_ctzll(halves[i]) / 8;
#else
		return 8 * i + (unsigned)__builtin_clzll(halves[i]) / 8;
#endif
	}
	return LANES;
}

#endif
