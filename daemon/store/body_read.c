/* Reading bodies: every byte that leaves here has been checked. */
#include "store/body.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "ext/compress.h"
#include "ext/crypto.h"
#include "store/body_priv.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FILES_MAX = 16,                   /* segments kept open */
	HEAP_BYTES_MAX = 4 * 1024 * 1024, /* larger bodies lie in a mapped spool file */
	HEADER_GUESS = 1024,              /* headers are mostly shorter */
	PIECE_BYTES = 256 * 1024,
	BODY_BYTES_MAX = INT32_MAX,
};

struct open_file {
	uint64_t number; /* 0: free */
	int fd;
	uint64_t used; /* when, for throwing out the one unused for longest */
};

struct bodies {
	struct arena *arena;
	struct str data_dir;
	struct compressor *compressor;
	struct sha256_state *hash;
	struct open_file files[FILES_MAX];
	uint64_t clock;
	struct writing *writing;
};

struct body {
	struct strbuf heap;
	void *map;
	int spool;
	struct str bytes;
};

struct bodies *
bodies_new(struct loop *loop, struct store_client *client, const struct conf *conf)
{
	struct bodies *b = mem_alloc(sizeof(*b));

	b->arena = arena_new(16 * 1024);
	b->data_dir = arena_str(b->arena, conf->data_dir);
	b->compressor = compressor_new();
	b->hash = sha256_new();
	if (client)
		b->writing = writing_new(b, loop, client);
	return b;
}

void
bodies_free(struct bodies **bodies)
{
	struct bodies *b = *bodies;

	if (!b)
		return;
	writing_free(&b->writing);
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (b->files[i].number)
			(void)close(b->files[i].fd);
	}
	compressor_free(&b->compressor);
	sha256_free(&b->hash);
	arena_free(&b->arena);
	mem_free(b);
	*bodies = NULL;
}

struct writing *
bodies_writing(struct bodies *b)
{
	return b->writing;
}

struct str
bodies_dir(const struct bodies *b)
{
	return b->data_dir;
}

int
bodies_spool(struct bodies *b)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);

	strbuf_add(&path, b->data_dir);
	strbuf_lit(&path, "/blobs");
	return open(strbuf_cstr(&path), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static enum err
file_open(struct bodies *b, uint64_t number, int *fd_out)
{
	struct open_file *oldest = &b->files[0];
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	int fd;

	for (size_t i = 0; i < FILES_MAX; i++) {
		struct open_file *f = &b->files[i];

		if (f->number == number) {
			f->used = ++b->clock;
			*fd_out = f->fd;
			return OK;
		}
		if (f->used < oldest->used)
			oldest = f;
	}
	fd = open(segment_path(b->data_dir, number, &path),
	          O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	if (oldest->number)
		(void)close(oldest->fd);
	*oldest = (struct open_file){ number, fd, ++b->clock };
	*fd_out = fd;
	return OK;
}

/* n bytes at `at`, appended; fewer only where the file ends. */
static enum err
read_at(int fd, uint64_t at, size_t n, struct strbuf *out)
{
	char *p = strbuf_reserve(out, n);

	if (!p)
		return ERR_LIMIT;
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			break;
		out->n += (size_t)got;
		p += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return OK;
}

/* Reads the header, and as much behind it as came along. */
static enum err
read_header(int fd, const struct body_ref *ref, struct strbuf *buf, struct record *r)
{
	uint64_t guess = ref->stored_bytes < HEAP_BYTES_MAX ? ref->stored_bytes : 0;
	enum err e = read_at(fd, ref->offset, HEADER_GUESS + (size_t)guess, buf);

	if (e != OK)
		return e;
	e = record_parse(strbuf_str(buf), r);
	if (e == ERR_LIMIT && r->header_bytes > buf->n) {
		e = read_at(fd, ref->offset + buf->n, r->header_bytes - buf->n, buf);
		if (e == OK)
			e = record_parse(strbuf_str(buf), r);
	}
	if (e == ERR_LIMIT)
		e = ERR_CORRUPT;
	/* The index and the record must speak of the same message. */
	if (e == OK && (r->size != ref->size || r->stored_bytes != ref->stored_bytes ||
	                r->codec != ref->codec || !str_eq(r->sha256, ref->sha256)))
		e = ERR_CORRUPT;
	return e;
}

/* --- small bodies: in memory ------------------------------------------------------ */

static enum err
open_small(struct bodies *b, int fd, const struct body_ref *ref, struct strbuf *buf,
           const struct record *r, struct body *body)
{
	size_t want = r->header_bytes + (size_t)ref->stored_bytes;
	struct sha256 digest;
	struct str stored;
	enum err e = OK;

	if (buf->n < want)
		e = read_at(fd, ref->offset + buf->n, want - buf->n, buf);
	if (e != OK || buf->n < want)
		return e == OK ? ERR_CORRUPT : e;
	stored = str_first(str_from_offset(strbuf_str(buf), r->header_bytes),
	                   (size_t)ref->stored_bytes);
	if (ref->codec == CODEC_ZSTD) {
		body->heap = strbuf_heap((size_t)ref->size + 1);
		e = decompress_small(b->compressor, stored, ref->size, &body->heap);
		body->bytes = strbuf_str(&body->heap);
	} else {
		body->heap = *buf;
		*buf = strbuf_heap(0);
		body->bytes = stored;
	}
	if (e != OK)
		return e;
	digest = sha256_of(body->bytes);
	return str_eq(sha256_str(&digest), ref->sha256) ? OK : ERR_CORRUPT;
}

/* --- large bodies: through a spool file ------------------------------------------- */

struct unspool {
	struct bodies *bodies;
	int fd;
	uint64_t left;
};

static enum err
piece_take(void *arg, struct str piece)
{
	struct unspool *u = arg;

	if (piece.n > u->left)
		return ERR_CORRUPT;
	u->left -= piece.n;
	sha256_add(u->bodies->hash, piece.p, piece.n);
	while (piece.n) {
		ssize_t n = write(u->fd, piece.p, piece.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC ? ERR_DISK_FULL : ERR_IO;
		piece = str_from_offset(piece, (size_t)n);
	}
	return OK;
}

static enum err
unspool(struct bodies *b, int fd, const struct body_ref *ref, uint64_t at, int spool)
{
	struct unspool u = { b, spool, ref->size };
	struct strbuf piece = strbuf_heap(PIECE_BYTES);
	uint64_t left = ref->stored_bytes;
	struct sha256 digest;
	enum err e = OK;

	sha256_restart(b->hash);
	decompress_begin(b->compressor);
	while (left && e == OK) {
		size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		strbuf_clear(&piece);
		e = read_at(fd, at, n, &piece);
		if (e == OK && piece.n < n)
			e = ERR_CORRUPT;
		if (e == OK && ref->codec == CODEC_ZSTD)
			e = decompress_feed(b->compressor, strbuf_str(&piece), piece_take,
			                    &u);
		else if (e == OK)
			e = piece_take(&u, strbuf_str(&piece));
		at += n;
		left -= n;
	}
	strbuf_release(&piece);
	digest = sha256_result(b->hash);
	if (e == OK && (u.left || !str_eq(sha256_str(&digest), ref->sha256)))
		e = ERR_CORRUPT;
	return e;
}

/* The copy is ours alone: nobody can cut it short while it is mapped. */
static enum err
open_large(struct bodies *b, int fd, const struct body_ref *ref, const struct record *r,
           struct body *body)
{
	enum err e;

	body->spool = bodies_spool(b);
	if (body->spool < 0)
		return errno == ENOSPC ? ERR_DISK_FULL : ERR_IO;
	e = unspool(b, fd, ref, ref->offset + r->header_bytes, body->spool);
	if (e != OK)
		return e;
	body->map = mmap(NULL, ref->size, PROT_READ, MAP_SHARED, body->spool, 0);
	if (body->map == MAP_FAILED) {
		body->map = NULL;
		return ERR_IO;
	}
	body->bytes = str_make(body->map, ref->size);
	return OK;
}

/* --- both ------------------------------------------------------------------------- */

enum err
body_open(struct bodies *b, const struct body_ref *ref, struct body **body_out)
{
	bool is_large = ref->size > HEAP_BYTES_MAX || ref->stored_bytes > HEAP_BYTES_MAX;
	struct strbuf buf =
		strbuf_heap(HEAP_BYTES_MAX + RECORD_HEADER_MAX + HEADER_GUESS);
	struct record r;
	struct body *body;
	enum err e;
	int fd;

	*body_out = NULL;
	if (ref->size > BODY_BYTES_MAX || ref->stored_bytes > BODY_BYTES_MAX ||
	    ref->codec > CODEC_ZSTD)
		return ERR_CORRUPT;
	e = file_open(b, ref->segment, &fd);
	if (e != OK)
		return e;
	body = mem_alloc(sizeof(*body));
	body->spool = -1;
	body->heap = strbuf_heap(0);
	e = read_header(fd, ref, &buf, &r);
	if (e == OK && is_large)
		e = open_large(b, fd, ref, &r, body);
	else if (e == OK)
		e = open_small(b, fd, ref, &buf, &r, body);
	strbuf_release(&buf);
	if (e != OK)
		body_close(&body);
	*body_out = body;
	return e;
}

struct str
body_bytes(const struct body *body)
{
	return body->bytes;
}

void
body_close(struct body **body)
{
	struct body *b = *body;

	if (!b)
		return;
	if (b->map)
		(void)munmap(b->map, b->bytes.n);
	if (b->spool >= 0)
		(void)close(b->spool);
	strbuf_release(&b->heap);
	mem_free(b);
	*body = NULL;
}
