/* macros.h - what the compiler is told about our functions. */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

/* The result says whether it worked: it may not be dropped. */
#define MUSTUSE           __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN          __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that has `member` at address p. */
#define CONTAINER_OF(p, type, member)                                                    \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

#endif
