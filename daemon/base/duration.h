/* duration.h - minutes, hours and days, in the unit that each name ends in. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

enum {
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
};

/* As numbers of 64 bits: the milliseconds of a month do not fit into an int. */
#define MINUTE_MS (INT64_C(1000) * MINUTE_S)
#define HOUR_MS   (INT64_C(1000) * HOUR_S)
#define DAY_MS    (INT64_C(1000) * DAY_S)

#endif
