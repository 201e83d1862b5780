#include "store/carried.h"

#include "store/segment.h"

#include <sys/uio.h>

enum {
	PARTS_MAX = 256, /* records in one write */
};

typedef void body_fn(void *arg, struct new_body *body);

/* Every body that an operation names. */
static void
each_body(enum op op, void *args, body_fn *fn, void *arg)
{
	struct op_append *append = args;
	struct op_queue_result *result = args;
	struct op_report_made *report = args;

	if (op == OP_accept) {
		fn(arg, &((struct op_accept *)args)->body);
	} else if (op == OP_append) {
		for (size_t i = 0; i < append->messages_count; i++)
			fn(arg, &append->messages[i].body);
	} else if (op == OP_queue_result) {
		for (size_t i = 0; i < result->notifications_count; i++)
			fn(arg, &result->notifications[i].body);
	} else if (op == OP_report_made) {
		for (size_t i = 0; i < report->mails_count; i++)
			fn(arg, &report->mails[i].body);
	}
}

/* --- a look ------------------------------------------------------------------- */

struct look {
	struct segments *segments;
	size_t bytes;
};

static void
look_at(void *arg, struct new_body *body)
{
	struct look *look = arg;

	look->bytes += body->record.n;
	if (!body->record.n)
		segments_touch(look->segments, body->ref.segment);
}

size_t
carried_look(struct carried *c, enum op op, void *args)
{
	struct look look = { c->segments, 0 };

	if (op == OP_segment_moved)
		segments_touch(c->segments, ((struct op_segment_moved *)args)->to);
	else
		each_body(op, args, look_at, &look);
	return look.bytes;
}

/* --- writing ------------------------------------------------------------------ */

bool
carried_has_room(const struct carried *c)
{
	return c->number && c->size < SEGMENT_MAX_BYTES;
}

void
carried_use(struct carried *c, uint64_t number)
{
	c->number = number;
	c->size = 0;
}

struct writing {
	struct carried *carried;
	struct iovec parts[PARTS_MAX];
	int count;
	uint64_t at; /* where parts go */
	uint64_t bytes;
	enum err error;
};

static void
write_parts(struct writing *w)
{
	if (w->count && w->error == OK)
		w->error = segments_write(w->carried->segments, w->carried->number,
		                          w->parts, w->count, w->at);
	w->at += w->bytes;
	w->count = 0;
	w->bytes = 0;
}

/* The index will say of the record what its sender says: that must be so. */
static bool
is_record_of(struct str bytes, const struct body_ref *ref)
{
	struct record r;

	return record_parse(bytes, &r) == OK && r.codec == ref->codec &&
	       r.size == ref->size && r.stored_bytes == ref->stored_bytes &&
	       str_eq(r.sha256, ref->sha256) && r.stored_bytes <= bytes.n &&
	       r.header_bytes + r.stored_bytes == bytes.n;
}

static void
place(void *arg, struct new_body *body)
{
	struct writing *w = arg;

	if (!body->record.n)
		return;
	body->ref.segment = body->ref.offset = 0;
	if (!is_record_of(body->record, &body->ref))
		return;
	body->ref.segment = w->carried->number;
	body->ref.offset = w->at + w->bytes;
	w->parts[w->count++] =
		(struct iovec){ (void *)(uintptr_t)body->record.p, body->record.n };
	w->bytes += body->record.n;
	if (w->count == PARTS_MAX)
		write_parts(w);
}

static void
displace(void *arg, struct new_body *body)
{
	(void)arg;
	if (body->record.n)
		body->ref.segment = 0;
}

enum err
carried_write(struct carried *c, const struct carried_op *ops, size_t count)
{
	struct writing w = { .carried = c, .at = c->size };

	for (size_t i = 0; i < count; i++) {
		if (ops[i].args)
			each_body(ops[i].op, ops[i].args, place, &w);
	}
	write_parts(&w);
	segments_touch(c->segments, c->number);
	if (w.error == OK) {
		c->size = w.at;
		return OK;
	}
	/* What a failed write left behind its end is overwritten by the next record. */
	for (size_t i = 0; i < count; i++) {
		if (ops[i].args)
			each_body(ops[i].op, ops[i].args, displace, NULL);
	}
	return w.error;
}
