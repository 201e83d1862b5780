/* tls_memory.h - memory for OpenSSL, with its record buffers in a place of their own.
 *
 * OpenSSL takes a buffer of 16 KiB for each record and gives it back when the connection
 * falls idle, but between them small things are allocated that stay: on the common heap
 * a thousand connections leave forty megabytes of holes. Here buffers come from slots of
 * one size, and what is free beyond a few goes back to the kernel.
 */
#ifndef IO_TLS_MEMORY_H
#define IO_TLS_MEMORY_H

#include <stddef.h>

/* As malloc, realloc and free; file and line are ignored. Safe on any thread. */
void *tls_memory_alloc(size_t n, const char *file, int line);
void *tls_memory_grow(void *p, size_t n, const char *file, int line);
void tls_memory_free(void *p, const char *file, int line);

#endif
