/* body_target.c - the segments that this process appends to. The store gives them; one
 * that is full is sealed, and the next is asked for when there is a body for it.
 */
#include "base/list.h"
#include "base/mem.h"
#include "ext/compress.h"
#include "io/loop.h"
#include "store/body_priv.h"
#include "store/client.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

static void pump(struct body_target *t);

/* It only is copied to the page cache. */
static enum err
write_small(struct body_writer *w, struct body_target *t)
{
	struct iovec part = body_iovec(strbuf_str(&w->record));

	w->at = t->size;
	w->number = t->number;
	return segment_write(t->fd, &part, 1, w->at);
}

static void
seal(struct body_target *t)
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
settle(struct body_target *t, struct body_writer *w, enum err e)
{
	if (e == OK)
		t->size += w->written;
	body_tell_soon(w, e);
	if (t->size >= SEGMENT_MAX_BYTES)
		seal(t);
}

static void
record_written(void *arg)
{
	struct body_writer *w = arg;
	struct body_target *t = &bodies_writing(w->bodies)->large;

	t->is_busy = false;
	settle(t, w, w->error);
	if (w->is_abandoned) {
		w->is_abandoned = false;
		body_writer_free(&w);
	}
	pump(t);
}

static void
fail_waiting(struct body_target *t, enum err e)
{
	while (!list_is_empty(&t->waiting)) {
		struct body_writer *w =
			CONTAINER_OF(t->waiting.next, struct body_writer, link);

		list_remove(&w->link);
		body_tell_soon(w, e);
	}
}

static void
opened(void *arg, enum err e, const struct answer_segment *answer)
{
	struct body_target *t = arg;
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);

	t->is_asked = false;
	if (e == OK) {
		t->fd = open(segment_path(bodies_dir(t->bodies), answer->segment, &path),
		             O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (t->fd < 0)
			e = body_error(errno);
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
pump(struct body_target *t)
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
		w->step = BODY_STEP_WORKING;
		w->fd = t->fd;
		w->at = t->size;
		w->number = t->number;
		w->compressor = wr->thread_compressor;
		loop_work(wr->loop, body_record_work, record_written, w);
	}
}

void
body_target_add(struct body_target *t, struct body_writer *w)
{
	w->step = BODY_STEP_WAITING;
	list_add_last(&t->waiting, &w->link);
	pump(t);
}

/* --- the whole -------------------------------------------------------------------- */

static void
target_init(struct body_target *t, struct bodies *b)
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
