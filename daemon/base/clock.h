/* clock.h - the two clocks. Pure code gets time as an argument and never calls these.
 *
 * Deadlines, back-off and rate limits use the monotonic clock; what is stored or shown
 * uses Unix time in milliseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_unix_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* What all threads of this process have used of the processors. */
int64_t clock_cpu_us(void);

#endif
