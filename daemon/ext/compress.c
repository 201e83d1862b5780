#include "ext/compress.h"

#include "base/mem.h"
#include "base/panic.h"

#include <zstd.h>

enum {
	LEVEL = 1,
	SAMPLE_BYTES = 16 * 1024,
	PIECE_BYTES = 128 * 1024,
};

struct compressor {
	ZSTD_CCtx *out;
	ZSTD_DCtx *in;
};

struct compressor *
compressor_new(void)
{
	return mem_alloc(sizeof(struct compressor));
}

void
compressor_free(struct compressor **c)
{
	if (!*c)
		return;
	(void)ZSTD_freeCCtx((*c)->out);
	(void)ZSTD_freeDCtx((*c)->in);
	mem_free(*c);
	*c = NULL;
}

static ZSTD_CCtx *
out_context(struct compressor *c)
{
	if (!c->out)
		c->out = ZSTD_createCCtx();
	if (!c->out)
		PANIC("out of memory");
	return c->out;
}

static ZSTD_DCtx *
in_context(struct compressor *c)
{
	if (!c->in)
		c->in = ZSTD_createDCtx();
	if (!c->in)
		PANIC("out of memory");
	return c->in;
}

bool
compress_small(struct compressor *c, struct str bytes, struct strbuf *out)
{
	size_t room = bytes.n - bytes.n / 8, n;
	char *p;

	if (bytes.n < 256)
		return false;
	p = strbuf_reserve(out, room);
	if (!p) {
		out->overflow = false;
		return false;
	}
	/* With just so much room zstd fails early where nothing can be saved. */
	n = ZSTD_compressCCtx(out_context(c), p, room, bytes.p, bytes.n, LEVEL);
	if (ZSTD_isError(n))
		return false;
	out->n += n;
	return true;
}

bool
compress_pays(struct compressor *c, struct str bytes)
{
	struct strbuf scratch = strbuf_heap(SAMPLE_BYTES);
	struct str sample = str_first(str_from_offset(bytes, bytes.n / 2), SAMPLE_BYTES);
	bool pays = compress_small(c, sample, &scratch);

	strbuf_release(&scratch);
	return pays;
}

enum err
compress_large(struct compressor *c, struct str bytes, compress_write_fn *write,
               void *arg)
{
	ZSTD_CCtx *z = out_context(c);
	ZSTD_inBuffer in = { bytes.p, bytes.n, 0 };
	char *piece = mem_alloc(PIECE_BYTES);
	enum err e = OK;
	size_t left;

	(void)ZSTD_CCtx_reset(z, ZSTD_reset_session_and_parameters);
	(void)ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setPledgedSrcSize(z, bytes.n);
	do {
		ZSTD_outBuffer out = { piece, PIECE_BYTES, 0 };

		left = ZSTD_compressStream2(z, &out, &in, ZSTD_e_end);
		e = ZSTD_isError(left) ? ERR_INTERNAL
		                       : write(arg, str_make(piece, out.pos));
	} while (e == OK && left > 0);
	mem_free(piece);
	return e;
}

enum err
decompress_small(struct compressor *c, struct str bytes, uint64_t size,
                 struct strbuf *out)
{
	char *p = strbuf_reserve(out, size);
	size_t n;

	if (!p) {
		out->overflow = false;
		return ERR_LIMIT;
	}
	n = ZSTD_decompressDCtx(in_context(c), p, size, bytes.p, bytes.n);
	if (ZSTD_isError(n) || n != size)
		return ERR_CORRUPT;
	out->n += n;
	return OK;
}

void
decompress_begin(struct compressor *c)
{
	(void)ZSTD_DCtx_reset(in_context(c), ZSTD_reset_session_and_parameters);
}

enum err
decompress_feed(struct compressor *c, struct str bytes, compress_write_fn *write,
                void *arg)
{
	ZSTD_DCtx *z = in_context(c);
	ZSTD_inBuffer in = { bytes.p, bytes.n, 0 };
	char *piece = mem_alloc(PIECE_BYTES);
	enum err e = OK;
	bool is_full = false; /* then more may wait inside */

	while (e == OK && (in.pos < in.size || is_full)) {
		ZSTD_outBuffer out = { piece, PIECE_BYTES, 0 };
		size_t left = ZSTD_decompressStream(z, &out, &in);

		is_full = out.pos == out.size;
		e = ZSTD_isError(left) ? ERR_CORRUPT
		                       : write(arg, str_make(piece, out.pos));
	}
	mem_free(piece);
	return e;
}
