#include "store/body.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "ext/compress.h"
#include "ext/crypto.h"
#include "io/loop.h"
#include "mail/header.h"
#include "mail/prepare.h"
#include "store/body_priv.h"
#include "store/client.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* The segment this process appends to. There are two: large bodies are written by a
   thread, and those in memory that are too large to be carried must not wait for that. */
struct target {
	struct bodies *bodies;
	uint64_t number; /* 0: none */
	int fd;
	uint64_t size; /* where the next record goes */
	bool is_asked, is_busy;
	uint64_t call;
	struct link waiting; /* struct body_writer */
};

struct writing {
	struct loop *loop;
	struct store_client *client;
	struct target small, large;
	struct compressor *compressor, *thread_compressor;
	struct strbuf packed; /* scratch for small bodies */
	struct timer retry;
	size_t held; /* memory of all buffers */
};

enum step {
	STEP_OPEN,    /* taking bytes */
	STEP_WAITING, /* finished, in a target's list */
	STEP_WORKING, /* a thread has it */
	STEP_TELLING, /* done is due */
	STEP_DONE,
};

struct body_writer {
	struct link link;
	struct bodies *bodies;
	enum step step;
	bool is_abandoned; /* freed while a thread had it */
	struct strbuf buffer;
	size_t held; /* of it, as counted in struct writing */
	int spool;
	uint64_t size, max;
	enum err error;
	/* finished */
	struct body_about about;
	struct arena *arena; /* about, and what was prepared */
	struct str message;  /* all bytes: the buffer, or in the spool file mapped */
	void *map;           /* of the spool file */
	struct sha256 digest;
	struct new_body body;
	struct strbuf record; /* of a body in memory */
	uint64_t written;     /* bytes of the record */
	body_done_fn *done;
	void *arg;
	/* for the thread: where its target stands */
	int fd;
	uint64_t at, number;
	struct compressor *compressor;
};

enum {
	STRINGS_MAX = 64 * 1024,
	BUFFER_FIRST = 8 * 1024,
	RECORD_HEADER_USUAL = 512, /* most are shorter */
	RETRY_MS = 250,
	PIECE_BYTES = 256 * 1024,
	CARRIED_MAX = 8 << 20,        /* of all bodies in one operation: half a frame */
	SPOOL_HEAD = BODY_PREFIX_MAX, /* where the content begins in a spool file */
};

static void pump(struct target *t);

/* --- taking bytes ----------------------------------------------------------------- */

struct body_writer *
body_writer_new(struct bodies *b, uint64_t max_bytes)
{
	struct body_writer *w = mem_alloc(sizeof(*w));

	w->bodies = b;
	w->max = max_bytes;
	w->spool = -1;
	w->buffer = strbuf_heap(BODY_MEMORY_BYTES + BODY_PREFIX_MAX);
	return w;
}

static enum err
error_of(int number)
{
	return number == ENOSPC || number == EDQUOT ? ERR_DISK_FULL : ERR_IO;
}

static enum err
write_all(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_of(errno);
		bytes = str_from_offset(bytes, (size_t)n);
	}
	return OK;
}

static enum err
spool_open(struct body_writer *w)
{
	w->spool = bodies_spool(w->bodies);
	if (w->spool < 0 || lseek(w->spool, SPOOL_HEAD, SEEK_SET) != SPOOL_HEAD)
		return error_of(errno);
	return OK;
}

/* ---- memory: whoever dawdles with a message holds its buffer ---- */

static void
count_held(struct body_writer *w)
{
	struct writing *wr = bodies_writing(w->bodies);

	wr->held += w->buffer.cap - w->held;
	w->held = w->buffer.cap;
}

/* How much of a message stays in memory: beyond what all may hold together, no buffer
   grows any more, and what does not fit goes through a file. */
static size_t
window_of(const struct body_writer *w)
{
	return bodies_writing(w->bodies)->held < BODY_MEMORY_TOTAL ? BODY_MEMORY_BYTES
	                                                           : BUFFER_FIRST;
}

/* The buffer becomes a window on the spool file. */
static enum err
spool_flush(struct body_writer *w)
{
	struct str bytes = strbuf_str(&w->buffer);
	enum err e = w->spool < 0 ? spool_open(w) : OK;

	if (e == OK)
		e = write_all(w->spool, bytes);
	if (e != OK)
		return e;
	if (w->buffer.cap > window_of(w))
		strbuf_release(&w->buffer);
	else
		strbuf_clear(&w->buffer);
	return OK;
}

enum err
body_write(struct body_writer *w, struct str bytes)
{
	CHECK(w->step == STEP_OPEN);
	if (w->error == OK && bytes.n > w->max - w->size)
		w->error = ERR_TOO_LARGE;
	if (w->error != OK)
		return w->error;
	w->size += bytes.n;
	/* Most messages fit, and the buffer need not grow step by step. */
	if (!w->buffer.cap && !strbuf_reserve(&w->buffer, BUFFER_FIRST))
		w->error = ERR_LIMIT;
	while (bytes.n && w->error == OK) {
		size_t window = window_of(w);
		struct str part =
			str_first(bytes, window > w->buffer.n ? window - w->buffer.n : 0);

		strbuf_add(&w->buffer, part);
		bytes = str_from_offset(bytes, part.n);
		if (bytes.n)
			w->error = spool_flush(w);
		count_held(w);
	}
	return w->error;
}

size_t
bodies_held(struct bodies *b)
{
	return bodies_writing(b)->held;
}

/* --- the record ------------------------------------------------------------------- */

static struct record
record_of(const struct body_writer *w)
{
	const struct body_about *a = &w->about;

	return (struct record){
		.codec = w->body.ref.codec,
		.stored_bytes = w->body.ref.stored_bytes,
		.size = w->size,
		.sha256 = sha256_str(&w->digest),
		.at_ms = a->at_ms,
		.flags = a->flags,
		.prefix_len = a->prefix_len,
		.trace_id = a->trace_id,
		.sender = a->sender,
		.rcpts = a->rcpts,
		.account = a->account,
		.mailbox = a->mailbox,
	};
}

static void
prepare(struct body_writer *w)
{
	struct message_head *h = &w->body.head;
	struct prepared p;

	mail_prepare(w->message, w->arena, &p);
	*h = (struct message_head){
		.envelope = p.envelope,
		.body = p.body,
		.bodystructure = p.bodystructure,
		.parts = p.parts,
		.from = p.from,
		.to = p.to,
		.cc = p.cc,
		.subject = p.subject,
		.preview = p.preview,
		.from_address = p.from_address,
		.subject_base = p.subject_base,
		.message_id = p.message_id,
		.in_reply_to = p.in_reply_to,
		.references = p.references,
		.date_ms = p.has_date ? p.date_ms : 0,
		.date_zone = p.has_date ? (uint32_t)(p.date_zone_min + 1440) : 0,
		.header_bytes = (uint32_t)p.header_bytes,
		.flags = (p.has_attachment ? MESSAGE_ATTACHMENT : 0U) |
		         (p.has_8bit ? MESSAGE_8BIT : 0U) |
		         (p.has_8bit_header ? MESSAGE_8BIT_HEADER : 0U) |
		         (p.is_ambiguous ? MESSAGE_AMBIGUOUS : 0U) |
		         (p.is_tls_optional ? MESSAGE_TLS_OPTIONAL : 0U),
	};
}

static struct iovec
iovec_of(struct str s)
{
	return (struct iovec){ (void *)(uintptr_t)s.p, s.n };
}

/* The whole record of a body in memory. */
static void
form(struct body_writer *w)
{
	struct writing *wr = bodies_writing(w->bodies);
	struct record record;
	struct str stored;

	prepare(w);
	w->digest = sha256_of(w->message);
	strbuf_clear(&wr->packed);
	w->body.ref.codec = CODEC_NONE;
	stored = w->message;
	if (compress_small(wr->compressor, w->message, &wr->packed)) {
		w->body.ref.codec = CODEC_ZSTD;
		stored = strbuf_str(&wr->packed);
	}
	w->body.ref.stored_bytes = stored.n;
	record = record_of(w);
	w->record = strbuf_heap(RECORD_HEADER_MAX + BODY_MEMORY_BYTES);
	(void)!strbuf_reserve(&w->record, RECORD_HEADER_USUAL + stored.n);
	record_format(&record, &w->record);
	strbuf_add(&w->record, stored);
	w->written = w->record.n;
}

/* It only is copied to the page cache. */
static enum err
write_small(struct body_writer *w, struct target *t)
{
	struct iovec part = iovec_of(strbuf_str(&w->record));

	w->at = t->size;
	w->number = t->number;
	return segment_write(t->fd, &part, 1, w->at);
}

/* --- large bodies, on a thread ---------------------------------------------------- */

static enum err
piece_write(void *arg, struct str piece)
{
	struct body_writer *w = arg;
	struct iovec part = iovec_of(piece);
	enum err e = segment_write(w->fd, &part, 1, w->at + w->written);

	w->written += piece.n;
	return e;
}

static enum err
write_plain(struct body_writer *w)
{
	struct str rest = w->message;
	enum err e = OK;

	while (rest.n && e == OK) {
		struct str piece = str_first(rest, PIECE_BYTES);

		e = piece_write(w, piece);
		rest = str_from_offset(rest, piece.n);
	}
	return e;
}

/* The header's length does not depend on what is packed: the body goes behind its place,
   the header comes last, when the lengths are known. */
static enum err
write_large(struct body_writer *w)
{
	struct strbuf header = strbuf_heap(RECORD_HEADER_MAX);
	struct record record = record_of(w);
	struct iovec part;
	enum err e;

	record_format(&record, &header);
	w->written = record.header_bytes;
	if (compress_pays(w->compressor, w->message)) {
		w->body.ref.codec = CODEC_ZSTD;
		e = compress_large(w->compressor, w->message, piece_write, w);
	} else {
		w->body.ref.codec = CODEC_NONE;
		e = write_plain(w);
	}
	w->body.ref.stored_bytes = w->written - record.header_bytes;
	strbuf_clear(&header);
	record = record_of(w);
	record_format(&record, &header);
	part = iovec_of(strbuf_str(&header));
	if (e == OK)
		e = segment_write(w->fd, &part, 1, w->at);
	strbuf_release(&header);
	return e;
}

static void
work(void *arg)
{
	struct body_writer *w = arg;
	/* The content ends at its end; what was put in front lies before SPOOL_HEAD. */
	size_t end = SPOOL_HEAD + w->size - w->about.prefix.n;

	w->map = mmap(NULL, end, PROT_READ, MAP_PRIVATE | MAP_POPULATE, w->spool, 0);
	if (w->map == MAP_FAILED) {
		w->map = NULL;
		w->error = ERR_IO;
		return;
	}
	w->message = str_make((const char *)w->map + end - w->size, w->size);
	if (header_size(w->message) > BODY_HEADER_MAX) {
		w->error = ERR_TOO_LARGE;
		return;
	}
	w->digest = sha256_of(w->message);
	prepare(w);
	w->error = write_large(w);
}

/* --- the end ---------------------------------------------------------------------- */

static void
tell(void *arg)
{
	struct body_writer *w = arg;

	w->step = STEP_DONE;
	w->done(w->arg, w->error, w->error == OK ? &w->body : NULL);
}

static void
finish(struct body_writer *w, enum err e)
{
	w->error = e;
	w->body.ref.segment = w->number;
	w->body.ref.offset = w->at;
	w->body.ref.size = w->size;
	w->body.ref.sha256 = sha256_str(&w->digest);
	w->body.prefix_len = w->about.prefix_len;
	w->step = STEP_TELLING;
	loop_defer(bodies_writing(w->bodies)->loop, tell, w);
}

static void
seal(struct target *t)
{
	struct writing *wr = bodies_writing(t->bodies);
	struct op_segment_seal op = { t->number, t->size };

	if (!t->number)
		return;
	(void)store_segment_seal(wr->client, &op, NULL, NULL);
	(void)close(t->fd);
	t->fd = -1;
	t->number = 0;
	t->size = 0;
}

/* What a failed write left behind its end is overwritten by the next record. */
static void
settle(struct target *t, struct body_writer *w, enum err e)
{
	if (e == OK)
		t->size += w->written;
	finish(w, e);
	if (t->size >= SEGMENT_MAX_BYTES)
		seal(t);
}

static void
worked(void *arg)
{
	struct body_writer *w = arg;
	struct target *t = &bodies_writing(w->bodies)->large;

	t->is_busy = false;
	settle(t, w, w->error);
	if (w->is_abandoned) {
		w->is_abandoned = false;
		body_writer_free(&w);
	}
	pump(t);
}

/* --- a segment of our own --------------------------------------------------------- */

static void
fail_waiting(struct target *t, enum err e)
{
	while (!list_is_empty(&t->waiting)) {
		struct body_writer *w =
			CONTAINER_OF(t->waiting.next, struct body_writer, link);

		list_remove(&w->link);
		finish(w, e);
	}
}

static void
opened(void *arg, enum err e, const struct answer_segment *answer)
{
	struct target *t = arg;
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);

	t->is_asked = false;
	if (e == OK) {
		t->fd = open(segment_path(bodies_dir(t->bodies), answer->segment, &path),
		             O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (t->fd < 0)
			e = error_of(errno);
	}
	if (e != OK) {
		fail_waiting(t, e);
		return;
	}
	t->number = answer->segment;
	t->size = 0;
	pump(t);
}

static void
pump(struct target *t)
{
	struct writing *wr = bodies_writing(t->bodies);

	while (!t->is_busy && !list_is_empty(&t->waiting)) {
		struct body_writer *w;

		if (!t->number) {
			struct op_segment_open op = { 0 };

			if (!t->is_asked)
				t->call = store_segment_open(wr->client, &op, opened, t);
			t->is_asked = true;
			return;
		}
		w = CONTAINER_OF(t->waiting.next, struct body_writer, link);
		list_remove(&w->link);
		if (t == &wr->small) {
			settle(t, w, write_small(w, t));
			continue;
		}
		t->is_busy = true;
		w->step = STEP_WORKING;
		w->fd = t->fd;
		w->at = t->size;
		w->number = t->number;
		w->compressor = wr->thread_compressor;
		loop_work(wr->loop, work, worked, w);
	}
}

static struct str
kept(struct body_writer *w, struct str s)
{
	return arena_str(w->arena, str_first(s, STRINGS_MAX));
}

/* The prefix comes in front of what was written. */
static enum err
put_prefix(struct body_writer *w)
{
	struct str prefix = w->about.prefix;
	size_t before = w->buffer.n;

	if (!prefix.n)
		return OK;
	w->size += prefix.n;
	if (w->spool >= 0) {
		struct iovec part = iovec_of(prefix);

		return segment_write(w->spool, &part, 1, SPOOL_HEAD - prefix.n);
	}
	/* The bytes of a small message move up: that is less than a look at them costs. */
	strbuf_add(&w->buffer, prefix);
	CHECK(!w->buffer.overflow);
	memmove(w->buffer.p + prefix.n, w->buffer.p, before);
	memcpy(w->buffer.p, prefix.p, prefix.n);
	return OK;
}

void
body_finish(struct body_writer *w, const struct body_about *about, body_done_fn *done,
            void *arg)
{
	struct writing *wr = bodies_writing(w->bodies);
	struct target *t;

	CHECK(wr && w->step == STEP_OPEN);
	w->done = done;
	w->arg = arg;
	w->arena = arena_new(PREPARE_ARENA_BYTES + 8 * STRINGS_MAX + BODY_PREFIX_MAX);
	w->about = *about;
	w->about.trace_id = kept(w, about->trace_id);
	w->about.sender = kept(w, about->sender);
	w->about.rcpts = kept(w, about->rcpts);
	w->about.account = kept(w, about->account);
	w->about.mailbox = kept(w, about->mailbox);
	CHECK(about->prefix.n <= BODY_PREFIX_MAX);
	w->about.prefix = arena_str(w->arena, about->prefix);
	if (w->error == OK && w->spool >= 0)
		w->error = spool_flush(w);
	if (w->error == OK)
		w->error = put_prefix(w);
	if (w->error != OK) {
		finish(w, w->error);
		return;
	}
	w->message = strbuf_str(&w->buffer);
	if (w->spool < 0) {
		form(w);
		if (w->record.n <= BODY_CARRIED_BYTES &&
		    w->record.n + about->carried <= CARRIED_MAX) {
			w->body.record = strbuf_str(&w->record);
			finish(w, OK);
			return;
		}
	}
	w->step = STEP_WAITING;
	t = w->spool >= 0 ? &wr->large : &wr->small;
	list_add_last(&t->waiting, &w->link);
	pump(t);
}

void
body_writer_free(struct body_writer **writer)
{
	struct body_writer *w = *writer;
	struct writing *wr;

	if (!w)
		return;
	*writer = NULL;
	wr = bodies_writing(w->bodies);
	if (w->step == STEP_WORKING) {
		w->is_abandoned = true;
		return;
	}
	if (w->step == STEP_TELLING)
		loop_defer_cancel(wr->loop, tell, w);
	list_remove(&w->link);
	if (w->spool >= 0) {
		if (w->map)
			(void)munmap(w->map, SPOOL_HEAD + w->size - w->about.prefix.n);
		(void)close(w->spool);
	}
	strbuf_release(&w->buffer);
	count_held(w);
	strbuf_release(&w->record);
	arena_free(&w->arena);
	mem_free(w);
}

/* --- the whole -------------------------------------------------------------------- */

static void
target_init(struct target *t, struct bodies *b)
{
	t->bodies = b;
	t->fd = -1;
	list_init(&t->waiting);
}

struct writing *
writing_new(struct bodies *b, struct loop *loop, struct store_client *client)
{
	struct writing *wr = mem_alloc(sizeof(*wr));

	wr->loop = loop;
	wr->client = client;
	wr->compressor = compressor_new();
	wr->thread_compressor = compressor_new();
	wr->packed = strbuf_heap(2 * BODY_MEMORY_BYTES);
	target_init(&wr->small, b);
	target_init(&wr->large, b);
	return wr;
}

void
writing_free(struct writing **writing)
{
	struct writing *wr = *writing;

	if (!wr)
		return;
	/* A body that was abandoned may still be with its thread. */
	while (wr->large.is_busy)
		(void)loop_turn(wr->loop);
	store_forget(wr->client, wr->small.call);
	store_forget(wr->client, wr->large.call);
	seal(&wr->small);
	seal(&wr->large);
	compressor_free(&wr->compressor);
	compressor_free(&wr->thread_compressor);
	strbuf_release(&wr->packed);
	mem_free(wr);
	*writing = NULL;
}
