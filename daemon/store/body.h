/* body.h - message bodies: written once, checked when read.
 *
 * A process has one struct bodies. Its writers collect a message (in memory up to
 * BODY_MEMORY_BYTES, then in an unlinked spool file) and body_finish() makes one record
 * of it, compressed where that pays, and prepares what readers will ask for. A record of
 * up to BODY_CARRIED_BYTES travels in the operation, and the store writes it
 * (store/carried.h); a larger one goes to this process's own segment file. The bytes are
 * durable when the operation that names them (accept, append) is answered, not before. A
 * record that no operation names is garbage and is dropped by compaction.
 *
 * Readers open a body by its reference. Its SHA-256 is checked on opening, so what a
 * struct body gives is what was stored; a damaged one is ERR_CORRUPT for that message.
 *
 * Owns: the segment being written, writers until freed, spool files.
 */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include "base/macros.h"
#include "base/str.h"
#include "store/ops.h"

struct bodies;
struct body_writer;
struct body;
struct conf;
struct loop;
struct store_client;

enum {
	BODY_MEMORY_BYTES = 256 * 1024,       /* larger ones go through a spool file */
	BODY_MEMORY_TOTAL = 32 * 1024 * 1024, /* of all; then smaller ones do as well */
	BODY_CARRIED_BYTES = 32 * 1024,       /* as stored */
	BODY_LATER_BYTES = 256 * 1024,        /* about a millisecond of reading */
	BODY_OWNER_BYTES = 16 * 1024 * 1024,  /* of large ones open at a time, … */
	BODY_SEAT_BYTES = 4 * 1024 * 1024,    /* … each of which counts for no more */
	BODY_PREFIX_MAX = 64 * 1024,
	/* Header section. Whoever reads a message looks at all of it, and in one go: IMAP
	   for a search or a list of fields, DKIM to sign it. What limits.header_size lets
	   in from outside, and what we put in front, is less. */
	BODY_HEADER_MAX = 4 * 1024 * 1024 + 256 * 1024,
};

/* client NULL: for reading only. */
struct bodies *bodies_new(struct loop *loop, struct store_client *client,
                          const struct conf *conf);
/* All writers must be freed before. */
void bodies_free(struct bodies **b);

/* --- writing ------------------------------------------------------------------------ */

/* What the record says of itself for the day the index is lost (salvage). */
struct body_about {
	struct str trace_id;
	struct str sender;           /* envelope */
	struct str rcpts;            /* addresses, one space between */
	struct str account, mailbox; /* where an APPEND puts it */
	uint64_t flags;
	int64_t at_ms;       /* received, or internal date */
	uint32_t prefix_len; /* bytes of Return-Path line at its start */
	size_t carried; /* bytes that the records of others add to the same operation */
	/* What comes in front of all that was written: whole lines that are known only
	   when the content is over. Up to BODY_PREFIX_MAX bytes. */
	struct str prefix;
};

/* A writer for one message of at most max_bytes. */
struct body_writer *body_writer_new(struct bodies *b, uint64_t max_bytes);
/* Adds bytes. ERR_TOO_LARGE, ERR_DISK_FULL, ERR_IO; sticky: the first error is given
   again by all later calls, so a caller may look at the last one only. */
MUSTUSE enum err body_write(struct body_writer *w, struct str bytes);
/* Memory that all writers hold: at most BODY_MEMORY_TOTAL, and some KiB for each. */
size_t bodies_held(struct bodies *b);
/* Ends the message. done is called once, later, with OK and the body, which is good until
   body_writer_free; or with the sticky error, ERR_TOO_LARGE (also for a header section
   over BODY_HEADER_MAX), ERR_DISK_FULL, ERR_IO, ERR_STORE_TEMP. */
typedef void body_done_fn(void *arg, enum err e, const struct new_body *body);
void body_finish(struct body_writer *w, const struct body_about *about,
                 body_done_fn *done, void *arg);
/* At any time, also before done was called (which then is not called any more). */
void body_writer_free(struct body_writer **w);

/* --- reading ------------------------------------------------------------------------ */

/* Reads, decompresses and checks. ERR_CORRUPT: not the bytes that were stored;
   ERR_NOT_FOUND: the file is gone (compaction moved it: read the row again); ERR_IO. */
MUSTUSE enum err body_open(struct bodies *b, const struct body_ref *ref,
                           struct body **body_out);
/* Too large to be opened on a loop. */
static inline bool
body_is_large(const struct body_ref *ref)
{
	return ref->size > BODY_LATER_BYTES || ref->stored_bytes > BODY_LATER_BYTES;
}

/* The same on a thread; done gets what body_open would have given, later, and owns the
   body. Where nobody waits any more, it is forgotten instead. owner is the account that
   reads: it may have BODY_OWNER_BYTES open (body_room.h), and waits for its own; 0: none. */
struct body_reading;
typedef void body_opened_fn(void *arg, enum err e, struct body *body);
struct body_reading *body_open_later(struct bodies *b, const struct body_ref *ref,
                                     uint64_t owner, body_opened_fn *done, void *arg);
void body_reading_forget(struct body_reading **r);
/* It stands in line behind other bodies of its owner. */
bool body_reading_is_waiting(const struct body_reading *r);
/* Somebody stands in line for the room that it takes. */
bool body_is_waited_for(const struct body *body);
/* All its bytes, until body_close. */
struct str body_bytes(const struct body *body);
void body_close(struct body **body);

#endif
