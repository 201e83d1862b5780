/* library.h - a shared library that few of our processes need, loaded by those that do.
 *
 * Each library that a program is linked to costs every process of it private memory, and
 * libcurl, libmicrohttpd and libsystemd bring thirty others along: 0.7 MB a process, of
 * which only the command line, the web process and a supervisor under systemd have any
 * use. The file that includes the library's header lists the functions it calls:
 *
 *     #define FUNCTIONS(X) X(curl_easy_init) X(curl_easy_perform)
 *     LIBRARY(lib, "libcurl.so.4", FUNCTIONS);
 *     … if (library_load(&lib_library)) lib.curl_easy_init(); …
 *
 * Load before the sandbox is entered. A library stays until the process ends.
 */
#ifndef EXT_LIBRARY_H
#define EXT_LIBRARY_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct library {
	const char *file; /* its soname */
	const char *const *names;
	void **functions; /* of `count` pointers, in the order of the names */
	size_t count;
	bool is_loaded;
};

/* False: it is not there, or lacks one of the functions; a log line says which. Does
   nothing the second time. */
MUSTUSE bool library_load(struct library *l);

/* The functions with the types of their header, as members of a struct. */
#define LIBRARY(id, soname, functions_x)                                                 \
	static struct {                                                                  \
		functions_x(LIBRARY_MEMBER)                                              \
	} id;                                                                            \
	static const char *const id##_names[] = { functions_x(LIBRARY_NAME) };           \
	_Static_assert(sizeof(id) == ARRAY_LEN(id##_names) * sizeof(void *),             \
	               "nothing but pointers");                                          \
	static struct library id##_library = { .file = soname,                           \
		                               .names = id##_names,                      \
		                               .functions = (void **)(void *)&id,        \
		                               .count = ARRAY_LEN(id##_names) }
#define LIBRARY_MEMBER(name) __typeof__(&name) name;
#define LIBRARY_NAME(name)   #name,

#endif
