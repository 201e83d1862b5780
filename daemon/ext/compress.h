/* compress.h - compression of stored bytes, over zstd at its fastest level.
 *
 * A struct compressor holds the working memory for one thread; making one is cheap, its
 * memory comes with first use. What was compressed is stored for years and may come back
 * damaged: decompressing judges every byte and never writes more than it was told to.
 */
#ifndef EXT_COMPRESS_H
#define EXT_COMPRESS_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compressor;

struct compressor *compressor_new(void);
void compressor_free(struct compressor **c);

/* Appends bytes compressed, if that saves at least an eighth; else false and out is as it
   was. For what lies in memory anyway. */
MUSTUSE bool compress_small(struct compressor *c, struct str bytes, struct strbuf *out);

/* A guess from a sample of the bytes: would an eighth be saved? */
bool compress_pays(struct compressor *c, struct str bytes);
/* Compresses bytes in pieces that go to write; its first error ends it. */
typedef enum err compress_write_fn(void *arg, struct str piece);
MUSTUSE enum err compress_large(struct compressor *c, struct str bytes,
                                compress_write_fn *write, void *arg);

/* Appends exactly size bytes to out, or ERR_CORRUPT (and out is as it was); ERR_LIMIT
   where out has no room. */
MUSTUSE enum err decompress_small(struct compressor *c, struct str bytes, uint64_t size,
                                  struct strbuf *out);
/* Decompression in pieces: begin, then feed what comes; pieces go to write. ERR_CORRUPT
   for bytes that are not ours. The sum of what was written is for the caller to check. */
void decompress_begin(struct compressor *c);
MUSTUSE enum err decompress_feed(struct compressor *c, struct str bytes,
                                 compress_write_fn *write, void *arg);

#endif
