/* dkim_canon.h - the bytes that are signed: header fields and body, made the same again.
 *
 * "simple" keeps what is there but for the body's last empty lines; "relaxed" forgets the
 * case of names and how much white space there is (RFC 6376 3.4). What comes out goes to
 * a sink in pieces. Bodies come in any pieces; lines end in CRLF, a CR or LF alone is a
 * byte as any other.
 */
#ifndef POLICY_DKIM_CANON_H
#define POLICY_DKIM_CANON_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dkim_canon {
	DKIM_SIMPLE,
	DKIM_RELAXED,
};

typedef void dkim_sink_fn(void *arg, struct str bytes);

/* One field as it stands in the message. Bytes of `without`, a part of `raw` or empty,
   are taken as if they were not there: the value of b=. is_last: the CRLF at the end is
   left out. */
void dkim_canon_field(enum dkim_canon canon, struct str raw, struct str without,
                      bool is_last, dkim_sink_fn *sink, void *arg);

/* A body on its way; embed it, no need to free. */
struct dkim_body {
	enum dkim_canon canon;
	dkim_sink_fn *sink;
	void *arg;
	uint64_t length; /* bytes given to the sink so far */
	/* Held back until something stands behind it, in this order: */
	uint64_t line_ends;
	bool has_space, has_cr;
};

void dkim_body_init(struct dkim_body *b, enum dkim_canon canon, dkim_sink_fn *sink,
                    void *arg);
void dkim_body_add(struct dkim_body *b, struct str bytes);
void dkim_body_end(struct dkim_body *b);

#endif
