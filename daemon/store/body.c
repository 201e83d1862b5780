/* body.c - a body on its way in: its bytes in memory or in a spool file, what is known
 * about it, and the answer. The record is made in body_record.c, and goes to a segment in
 * body_target.c.
 */
#include "store/body.h"

#include "base/mem.h"
#include "base/panic.h"
#include "io/loop.h"
#include "mail/prepare.h"
#include "store/body_priv.h"
#include "store/segment.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	STRINGS_MAX = 64 * 1024,
	BUFFER_FIRST = 8 * 1024,
	CARRIED_MAX = 8 << 20, /* of all bodies in one operation: half a frame */
};

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

enum err
body_error(int number)
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
			return body_error(errno);
		bytes = str_from_offset(bytes, (size_t)n);
	}
	return OK;
}

static enum err
spool_open(struct body_writer *w)
{
	w->spool = bodies_spool(w->bodies);
	if (w->spool < 0 || lseek(w->spool, BODY_SPOOL_HEAD, SEEK_SET) != BODY_SPOOL_HEAD)
		return body_error(errno);
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
	CHECK(w->step == BODY_STEP_OPEN);
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

/* --- the end ---------------------------------------------------------------------- */

static void
tell(void *arg)
{
	struct body_writer *w = arg;

	w->step = BODY_STEP_DONE;
	w->done(w->arg, w->error, w->error == OK ? &w->body : NULL);
}

void
body_tell_soon(struct body_writer *w, enum err e)
{
	w->error = e;
	w->body.ref.segment = w->number;
	w->body.ref.offset = w->at;
	w->body.ref.size = w->size;
	w->body.ref.sha256 = sha256_str(&w->digest);
	w->body.prefix_len = w->about.prefix_len;
	w->step = BODY_STEP_TELLING;
	loop_defer(bodies_writing(w->bodies)->loop, tell, w);
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
		struct iovec part = body_iovec(prefix);

		return segment_write(w->spool, &part, 1, BODY_SPOOL_HEAD - prefix.n);
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

	CHECK(wr && w->step == BODY_STEP_OPEN);
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
		body_tell_soon(w, w->error);
		return;
	}
	w->message = strbuf_str(&w->buffer);
	if (w->spool < 0) {
		body_record_form(w);
		if (w->record.n <= BODY_CARRIED_BYTES &&
		    w->record.n + about->carried <= CARRIED_MAX) {
			w->body.record = strbuf_str(&w->record);
			body_tell_soon(w, OK);
			return;
		}
	}
	body_target_add(w->spool >= 0 ? &wr->large : &wr->small, w);
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
	if (w->step == BODY_STEP_WORKING) {
		w->is_abandoned = true;
		return;
	}
	if (w->step == BODY_STEP_TELLING)
		loop_defer_cancel(wr->loop, tell, w);
	list_remove(&w->link);
	if (w->spool >= 0) {
		if (w->map)
			(void)munmap(w->map,
			             BODY_SPOOL_HEAD + w->size - w->about.prefix.n);
		(void)close(w->spool);
	}
	strbuf_release(&w->buffer);
	count_held(w);
	strbuf_release(&w->record);
	arena_free(&w->arena);
	mem_free(w);
}
