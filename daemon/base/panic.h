/* panic.h - checks of our own promises that stay on in every build.
 *
 * CHECK guards what our code promises to itself; a failed one writes one line and ends
 * the process, which the supervisor starts again. It never judges input, disk content
 * or configuration: those return errors.
 *
 * Structs that travel through void * carry a magic number and come back through CAST.
 */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

#include "base/macros.h"

#include <stdint.h>

/* Ends the process with SIGABRT after one log line of level panic. */
NORETURN void panic_at(const char *file, int line, const char *what);

#define CHECK(x)                                                                         \
	do {                                                                             \
		if (!(x))                                                                \
			panic_at(__FILE__, __LINE__, #x);                                \
	} while (0)
#define PANIC(what) panic_at(__FILE__, __LINE__, what)

/* `void *p` as `struct type *`, which must carry `uint32_t magic` == type##_MAGIC. */
#define CAST(type, MAGIC, p) ((struct type *)panic_cast((p), MAGIC, __FILE__, __LINE__))

/* p itself when the uint32_t at its start equals magic; panics otherwise. So `magic` is
   the first member of every struct that travels through void *. */
void *panic_cast(void *p, uint32_t magic, const char *file, int line);

#endif
