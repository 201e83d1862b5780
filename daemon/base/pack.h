/* pack.h - values as bytes, for messages between our processes and rows of our own.
 *
 * Numbers are little-endian; a str is a 32-bit length and its bytes. Packing goes into a
 * strbuf (its overflow is the error). Unpacking is fed bytes that may be damaged: it
 * never reads outside them, and the first thing that does not fit sets `bad`, after which
 * all further results are 0 and empty; so one check at the end is enough.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

void pack_u8(struct strbuf *b, uint8_t v);
void pack_u16(struct strbuf *b, uint16_t v);
void pack_u32(struct strbuf *b, uint32_t v);
void pack_u64(struct strbuf *b, uint64_t v);
void pack_i64(struct strbuf *b, int64_t v);
void pack_str(struct strbuf *b, struct str v);

struct unpack {
	struct str rest;
	bool bad;
};

struct unpack unpack_from(struct str bytes);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
/* Borrows from the bytes that are unpacked. */
struct str unpack_str(struct unpack *u);
/* True when everything fitted and nothing is left. */
bool unpack_done(const struct unpack *u);

#endif
