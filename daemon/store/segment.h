/* segment.h - the form of a segment file: records, one behind the other.
 *
 * A record is a header and the body as stored. The header says how long both are, how the
 * body is packed, its SHA-256 before packing, and what it was for, so that a lost index
 * can be rebuilt from segments alone; a checksum (SipHash-2-4 under a fixed key) covers
 * it. Numbers are little-endian. A file holds nothing else; what follows the last whole
 * record was reserved or being written when its writer ended, and nobody refers to it.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdint.h>

enum {
	SEGMENT_MAX_BYTES = 64 * 1024 * 1024, /* a new file is begun at this size */
	RECORD_FIXED_BYTES = 84,              /* of a header, before its strings */
	RECORD_HEADER_MAX = 64 * 1024,
	RECORD_RCPTS_MAX = 16 * 1024, /* bytes of recipients kept in a header */
};

struct record {
	uint32_t header_bytes; /* all of it, with the checksum */
	uint32_t codec;        /* enum body_codec */
	uint64_t stored_bytes, size;
	struct str sha256; /* 32 bytes */
	int64_t at_ms;
	uint64_t flags;
	uint32_t prefix_len;
	struct str trace_id, sender, rcpts, account, mailbox;
};

/* Appends the header and sets r->header_bytes. Strings that are too long are cut. */
void record_format(struct record *r, struct strbuf *out);
/* Reads a header at the start of bytes, which may go on behind it. Strings borrow.
   ERR_LIMIT: bytes end too early (header_bytes says how many it takes, 0: not even the
   fixed part is there); ERR_CORRUPT: that is no header. */
MUSTUSE enum err record_parse(struct str bytes, struct record *r_out);

/* Writes all of parts (which are used up) at this place of a segment's file.
   ERR_DISK_FULL, ERR_IO. */
struct iovec;
MUSTUSE enum err segment_write(int fd, struct iovec *parts, int count, uint64_t at);

/* "/blobs/000042.seg" behind data_dir, NUL-terminated, in out. */
const char *segment_path(struct str data_dir, uint64_t segment, struct strbuf *out);

#endif
