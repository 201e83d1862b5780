/* Reading bodies: every byte that leaves here has been checked. */
#include "store/body.h"

#include "base/event.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "ext/compress.h"
#include "ext/crypto.h"
#include "io/loop.h"
#include "store/body_priv.h"
#include "store/body_room.h"
#include "store/read_ahead.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FILES_MAX = 16,               /* segments kept open */
	HEAP_BYTES_MAX = 1280 * 1024, /* larger bodies lie in a mapped spool file */
	HEADER_GUESS = 1024,          /* headers are mostly shorter */
	PIECE_BYTES = 256 * 1024,
	BODY_BYTES_MAX = INT32_MAX,
	TOLD_MAX = 64,
};

struct open_file {
	uint64_t number; /* 0: free */
	int fd;
	uint64_t used; /* when, for throwing out the one unused for longest */
};

/* What a thread that reads needs for itself. */
struct tools {
	struct compressor *compressor;
	struct sha256_state *hash;
	struct read_ahead ahead;
};

struct bodies {
	struct arena *arena;
	struct loop *loop;
	struct str data_dir;
	struct tools tools;
	struct open_file files[FILES_MAX];
	uint64_t clock;
	struct {
		uint64_t segment, offset;
	} told[TOLD_MAX]; /* damaged ones, told of already */
	size_t told_next;
	struct writing *writing;
	struct body_room *room;
};

struct body {
	struct body_seat seat;
	struct strbuf heap;
	void *map;
	int spool;
	struct str bytes;
	struct id trace; /* as the record has it; empty: its header is not readable */
};

static struct tools
tools_new(void)
{
	return (struct tools){ compressor_new(), sha256_new(), read_ahead_make() };
}

static void
tools_free(struct tools *t)
{
	compressor_free(&t->compressor);
	read_ahead_free(&t->ahead);
	sha256_free(&t->hash);
}

struct bodies *
bodies_new(struct loop *loop, struct store_client *client, const struct conf *conf)
{
	struct bodies *b = mem_alloc(sizeof(*b));

	b->arena = arena_new(16 * 1024);
	b->data_dir = arena_str(b->arena, conf->data_dir);
	b->loop = loop;
	b->tools = tools_new();
	b->room = body_room_new(BODY_OWNER_BYTES);
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
	tools_free(&b->tools);
	body_room_free(&b->room);
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

/* The index and the record must speak of the same message. ERR_LIMIT: there are too few
   bytes to tell. */
static enum err
judge(struct str bytes, const struct body_ref *ref, struct record *r)
{
	enum err e = record_parse(bytes, r);

	if (e == OK && (r->size != ref->size || r->stored_bytes != ref->stored_bytes ||
	                r->codec != ref->codec || !str_eq(r->sha256, ref->sha256)))
		e = ERR_CORRUPT;
	return e;
}

/* Reads the header, and as much behind it as came along. */
static enum err
read_header(int fd, const struct body_ref *ref, struct strbuf *buf, struct record *r)
{
	uint64_t guess = ref->stored_bytes < HEAP_BYTES_MAX ? ref->stored_bytes : 0;
	enum err e = read_file_at(fd, ref->offset, HEADER_GUESS + (size_t)guess, buf);

	if (e != OK)
		return e;
	e = judge(strbuf_str(buf), ref, r);
	if (e == ERR_LIMIT && r->header_bytes > buf->n) {
		e = read_file_at(fd, ref->offset + buf->n, r->header_bytes - buf->n, buf);
		if (e == OK)
			e = judge(strbuf_str(buf), ref, r);
	}
	return e == ERR_LIMIT ? ERR_CORRUPT : e;
}

/* --- small bodies: in memory ------------------------------------------------------ */

/* The body of a record whose bytes are there: unpacked, or a copy, and checked. */
static enum err
unpack(struct tools *t, struct str bytes, const struct body_ref *ref,
       const struct record *r, struct body *body)
{
	struct str stored = str_first(str_from_offset(bytes, r->header_bytes),
	                              (size_t)ref->stored_bytes);
	struct sha256 digest;
	enum err e = OK;

	body->heap = strbuf_heap((size_t)ref->size + 1);
	if (ref->codec == CODEC_ZSTD)
		e = decompress_small(t->compressor, stored, ref->size, &body->heap);
	else
		strbuf_add(&body->heap, stored);
	body->bytes = strbuf_str(&body->heap);
	if (e != OK)
		return e;
	digest = sha256_of(body->bytes);
	return str_eq(sha256_str(&digest), ref->sha256) ? OK : ERR_CORRUPT;
}

static void
keep_trace(struct body *body, const struct record *r)
{
	if (!id_parse(r->trace_id, "mtr_", &body->trace))
		body->trace = (struct id){ 0 };
}

static bool
is_near(const struct body_ref *ref)
{
	return ref->stored_bytes <= READ_AHEAD_BYTES - HEADER_GUESS &&
	       ref->size <= HEAP_BYTES_MAX;
}

/* By what may have been read ahead. ERR_LIMIT: that, or the guess, was not all of it. */
static enum err
open_near(struct tools *t, int fd, const struct body_ref *ref, struct body *body,
          bool *is_old_out)
{
	struct read_range want = { ref->segment, ref->offset,
		                   HEADER_GUESS + (size_t)ref->stored_bytes };
	struct record r = { 0 };
	struct str bytes;
	enum err e = read_ahead(&t->ahead, fd, want, &bytes, is_old_out);

	if (e == OK)
		e = judge(bytes, ref, &r);
	keep_trace(body, &r);
	if (e == OK && bytes.n < r.header_bytes + ref->stored_bytes)
		e = ERR_LIMIT;
	return e == OK ? unpack(t, bytes, ref, &r, body) : e;
}

static enum err
open_small(struct tools *t, int fd, const struct body_ref *ref, struct strbuf *buf,
           const struct record *r, struct body *body)
{
	size_t want = r->header_bytes + (size_t)ref->stored_bytes;
	enum err e = OK;

	if (buf->n < want)
		e = read_file_at(fd, ref->offset + buf->n, want - buf->n, buf);
	if (e != OK || buf->n < want)
		return e == OK ? ERR_CORRUPT : e;
	return unpack(t, strbuf_str(buf), ref, r, body);
}

/* --- large bodies: through a spool file ------------------------------------------- */

struct unspool {
	struct tools *tools;
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
	sha256_add(u->tools->hash, piece.p, piece.n);
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
unspool(struct tools *t, int fd, const struct body_ref *ref, uint64_t at, int spool)
{
	struct unspool u = { t, spool, ref->size };
	struct strbuf piece = strbuf_heap(PIECE_BYTES);
	uint64_t left = ref->stored_bytes;
	struct sha256 digest;
	enum err e = OK;

	sha256_restart(t->hash);
	decompress_begin(t->compressor);
	while (left && e == OK) {
		size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		strbuf_clear(&piece);
		e = read_file_at(fd, at, n, &piece);
		if (e == OK && piece.n < n)
			e = ERR_CORRUPT;
		if (e == OK && ref->codec == CODEC_ZSTD)
			e = decompress_feed(t->compressor, strbuf_str(&piece), piece_take,
			                    &u);
		else if (e == OK)
			e = piece_take(&u, strbuf_str(&piece));
		at += n;
		left -= n;
	}
	strbuf_release(&piece);
	digest = sha256_result(t->hash);
	if (e == OK && (u.left || !str_eq(sha256_str(&digest), ref->sha256)))
		e = ERR_CORRUPT;
	return e;
}

/* The copy is ours alone: nobody can cut it short while it is mapped. */
static enum err
open_large(struct tools *t, int fd, const struct body_ref *ref, const struct record *r,
           struct body *body)
{
	enum err e;

	if (body->spool < 0)
		return errno == ENOSPC ? ERR_DISK_FULL : ERR_IO;
	e = unspool(t, fd, ref, ref->offset + r->header_bytes, body->spool);
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

static bool
is_spooled(const struct body_ref *ref)
{
	return ref->size > HEAP_BYTES_MAX || ref->stored_bytes > HEAP_BYTES_MAX;
}

/* A body without its bytes yet, and the file where they are. */
static enum err
body_begin(struct bodies *b, const struct body_ref *ref, int *fd_out,
           struct body **body_out)
{
	enum err e;

	*body_out = NULL;
	if (ref->size > BODY_BYTES_MAX || ref->stored_bytes > BODY_BYTES_MAX ||
	    ref->codec > CODEC_ZSTD)
		return ERR_CORRUPT;
	e = file_open(b, ref->segment, fd_out);
	if (e != OK)
		return e;
	*body_out = mem_alloc(sizeof(**body_out));
	(*body_out)->heap = strbuf_heap(0);
	(*body_out)->spool = is_spooled(ref) ? bodies_spool(b) : -1;
	return OK;
}

/* Once for each: readers come back, and would fill the log with it. */
static void
tell_damage(struct bodies *b, const struct body_ref *ref, const struct body *body)
{
	struct event e;

	for (size_t i = 0; i < TOLD_MAX; i++) {
		if (b->told[i].segment == ref->segment &&
		    b->told[i].offset == ref->offset)
			return;
	}
	b->told[b->told_next].segment = ref->segment;
	b->told[b->told_next].offset = ref->offset;
	b->told_next = (b->told_next + 1) % TOLD_MAX;
	event_init(&e, EV_BODY_DAMAGED, body ? id_str(&body->trace) : STR(""), STR(""));
	event_i64(&e, "segment", (int64_t)ref->segment);
	event_i64(&e, "offset", (int64_t)ref->offset);
	event_tell(&e);
}

static enum err
fill_alone(struct tools *t, int fd, const struct body_ref *ref, struct body *body)
{
	struct strbuf buf =
		strbuf_heap(HEAP_BYTES_MAX + RECORD_HEADER_MAX + HEADER_GUESS);
	struct record r = { 0 }; /* nothing may be read of it */
	enum err e = read_header(fd, ref, &buf, &r);

	keep_trace(body, &r);
	if (e == OK && is_spooled(ref))
		e = open_large(t, fd, ref, &r, body);
	else if (e == OK)
		e = open_small(t, fd, ref, &buf, &r, body);
	strbuf_release(&buf);
	return e;
}

static enum err
body_fill(struct tools *t, int fd, const struct body_ref *ref, struct body *body)
{
	bool is_old;
	enum err e;

	if (!is_near(ref))
		return fill_alone(t, fd, ref, body);
	e = open_near(t, fd, ref, body, &is_old);
	if (e == OK || (!is_old && e != ERR_LIMIT))
		return e;
	/* Nothing may be said against a record that was not looked at in the file. */
	strbuf_release(&body->heap);
	read_ahead_forget(&t->ahead);
	return fill_alone(t, fd, ref, body);
}

enum err
body_open(struct bodies *b, const struct body_ref *ref, struct body **body_out)
{
	int fd;
	enum err e = body_begin(b, ref, &fd, body_out);

	if (e == OK)
		e = body_fill(&b->tools, fd, ref, *body_out);
	if (e == ERR_CORRUPT)
		tell_damage(b, ref, *body_out);
	if (e != OK)
		body_close(body_out);
	return e;
}

/* --- on a thread ------------------------------------------------------------------- */

struct body_reading {
	struct bodies *bodies;
	struct body_ref ref;
	char sha256[SHA256_BYTES];
	struct body *body;
	int fd; /* its own: the other may be closed meanwhile */
	enum err error;
	bool is_waiting;      /* for room */
	body_opened_fn *done; /* NULL: nobody wants to know any more */
	void *arg;
};

static void
reading_work(void *arg)
{
	struct body_reading *r = arg;
	struct tools t;

	if (r->error != OK)
		return;
	t = tools_new();
	r->error = body_fill(&t, r->fd, &r->ref, r->body);
	tools_free(&t);
}

static void
reading_done(void *arg)
{
	struct body_reading *r = arg;

	if (r->fd >= 0)
		(void)close(r->fd);
	if (r->error == ERR_CORRUPT && r->done)
		tell_damage(r->bodies, &r->ref, r->body);
	if (r->error != OK || !r->done)
		body_close(&r->body);
	if (r->done)
		r->done(r->arg, r->error, r->body);
	mem_free(r);
}

static void
reading_start(void *arg)
{
	struct body_reading *r = arg;

	r->is_waiting = false;
	loop_work(r->bodies->loop, reading_work, reading_done, r);
}

/* A phone that takes minutes over one very large body must not keep the same account's
   desktop from all others: several of any size have room. They lie in spool files, which
   the kernel can take out of memory. */
static uint64_t
seat_bytes(const struct body_ref *ref)
{
	return ref->size < BODY_SEAT_BYTES ? ref->size : BODY_SEAT_BYTES;
}

struct body_reading *
body_open_later(struct bodies *b, const struct body_ref *ref, uint64_t owner,
                body_opened_fn *done, void *arg)
{
	struct body_reading *r = mem_alloc(sizeof(*r));
	int fd = -1;

	r->bodies = b;
	r->ref = *ref;
	memcpy(r->sha256, ref->sha256.p,
	       ref->sha256.n < sizeof(r->sha256) ? ref->sha256.n : sizeof(r->sha256));
	r->ref.sha256.p = r->sha256;
	r->done = done;
	r->arg = arg;
	r->error = ref->sha256.n == sizeof(r->sha256) ? body_begin(b, ref, &fd, &r->body)
	                                              : ERR_CORRUPT;
	r->fd = r->error == OK ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (r->error == OK && r->fd < 0)
		r->error = ERR_IO;
	if (r->error == OK && owner)
		r->is_waiting = !body_room_take(b->room, &r->body->seat, owner,
		                                seat_bytes(ref), reading_start, r);
	if (!r->is_waiting)
		reading_start(r);
	return r;
}

void
body_reading_forget(struct body_reading **r)
{
	struct body_reading *reading = *r;

	*r = NULL;
	if (!reading)
		return;
	reading->done = NULL;
	/* The room may be gone before the thread is done. */
	if (reading->body)
		body_room_give(&reading->body->seat);
	if (reading->is_waiting)
		reading_done(reading);
}

bool
body_reading_is_waiting(const struct body_reading *r)
{
	return r->is_waiting;
}

bool
body_is_waited_for(const struct body *body)
{
	return body_room_is_waited_for(&body->seat);
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
	body_room_give(&b->seat);
	mem_free(b);
	*body = NULL;
}
