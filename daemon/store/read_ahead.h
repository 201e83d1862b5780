/* read_ahead.h - bytes of segment files, read ahead where records are wanted in order.
 *
 * Messages of a mailbox mostly lie one behind the other in a segment, and are small: one
 * read of many is far cheaper than one read each. What was read ahead may be old: nothing
 * that an operation has named is written anew, but what a failed write left behind it is.
 * So who finds bytes wrong that were read ahead asks the file before he says so.
 *
 * Owns: up to READ_AHEAD_BYTES, from its first use on. For one thread.
 */
#ifndef STORE_READ_AHEAD_H
#define STORE_READ_AHEAD_H

#include "base/err.h"
#include "base/macros.h"
#include "base/strbuf.h"

enum {
	READ_AHEAD_BYTES = 128 * 1024,
};

struct read_ahead {
	uint64_t segment, at; /* where bytes come from */
	uint64_t last, end;   /* what was wanted last; who wants the next record, which
	                         may begin before that end, reads in order */
	struct strbuf bytes;
};

struct read_ahead read_ahead_make(void);
void read_ahead_free(struct read_ahead *r);

/* What is wanted: n bytes (at most READ_AHEAD_BYTES) of a segment. */
struct read_range {
	uint64_t segment, at;
	size_t n;
};
/* Fewer than n bytes only where the file ends. *is_old_out: they were read for somebody
   before. Good until the next call. ERR_IO. */
MUSTUSE enum err read_ahead(struct read_ahead *r, int fd, struct read_range want,
                            struct str *bytes_out, bool *is_old_out);
/* The next read looks at the file. */
void read_ahead_forget(struct read_ahead *r);

/* n bytes of a file at `at`, appended; fewer only where it ends. ERR_IO; ERR_LIMIT where
   out has no room. */
MUSTUSE enum err read_file_at(int fd, uint64_t at, size_t n, struct strbuf *out);

#endif
