#include "store/compact.h"

#include "base/duration.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "store/segment.h"
#include "store/tx.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	MOVE_ROWS = 256, /* messages moved by one operation */
	DROP_MAX = 8,    /* segments dropped in one look */
	ORPHANS_MAX = 64,
	ORPHAN_MS = 10 * MINUTE_MS, /* a writer away for so long does not come back */
	PIECE_BYTES = 256 * 1024,
};

struct orphan {
	uint64_t segment;
	int64_t since_ms;
	bool is_seen;
};

struct compact {
	struct arena *arena;
	struct str data_dir;
	compact_ask_fn *ask;
	void *arg;
	struct orphan orphans[ORPHANS_MAX];
	size_t orphan_count;
	/* where live records go */
	uint64_t target;
	int fd;
	uint64_t size;
};

struct compact *
compact_new(struct str data_dir, compact_ask_fn *ask, void *arg)
{
	struct compact *c = mem_alloc(sizeof(*c));

	c->arena = arena_new(16 * 1024);
	c->data_dir = arena_str(c->arena, data_dir);
	c->ask = ask;
	c->arg = arg;
	c->fd = -1;
	return c;
}

void
compact_free(struct compact **c)
{
	if (!*c)
		return;
	if ((*c)->fd >= 0)
		(void)close((*c)->fd);
	arena_free(&(*c)->arena);
	mem_free(*c);
	*c = NULL;
}

static enum err
set_state(struct compact *c, uint64_t segment, uint32_t from, uint32_t to)
{
	struct op_segment_state op = { segment, 1U << from, to };
	void *answer;

	return c->ask(c->arg, OP_segment_state, &op, &answer);
}

/* --- segments without a writer ------------------------------------------------------ */

bool
compact_live_has(const struct compact_live *live, uint64_t epoch)
{
	for (size_t i = 0; i < live->count; i++) {
		if (live->epochs[i] == epoch)
			return true;
	}
	return false;
}

static struct orphan *
orphan_get(struct compact *c, uint64_t segment, int64_t now_ms)
{
	for (size_t i = 0; i < c->orphan_count; i++) {
		if (c->orphans[i].segment == segment)
			return &c->orphans[i];
	}
	if (c->orphan_count == ORPHANS_MAX)
		return NULL;
	c->orphans[c->orphan_count] = (struct orphan){ segment, now_ms, false };
	return &c->orphans[c->orphan_count++];
}

static enum err
seal_orphans(struct compact *c, struct db *db, const struct compact_live *live,
             int64_t now_ms, int64_t grace_ms)
{
	int64_t wait_ms = grace_ms < ORPHAN_MS ? grace_ms : ORPHAN_MS;
	struct stmt *s = db_query(db, "SELECT id, epoch FROM segment WHERE state = $1",
	                          VALUES(V_I(SEGMENT_OPEN)));
	size_t kept = 0;
	enum err e;

	for (size_t i = 0; i < c->orphan_count; i++)
		c->orphans[i].is_seen = false;
	while (db_next(s)) {
		struct orphan *o = NULL;

		if (!compact_live_has(live, db_u64(s, 1)))
			o = orphan_get(c, db_u64(s, 0), now_ms);
		if (o)
			o->is_seen = true;
	}
	e = db_done(db, &s);
	for (size_t i = 0; i < c->orphan_count && e == OK; i++) {
		struct orphan o = c->orphans[i];
		struct op_segment_seal op = { .segment = o.segment };
		void *answer;

		if (o.is_seen && now_ms - o.since_ms >= wait_ms)
			e = c->ask(c->arg, OP_segment_seal, &op, &answer);
		else if (o.is_seen)
			c->orphans[kept++] = o;
	}
	if (e == OK)
		c->orphan_count = kept;
	/* A file that is not there cannot be sealed; recovery marks it at the next start. */
	return e == ERR_NOT_FOUND ? OK : e;
}

/* --- empty ones --------------------------------------------------------------------- */

static enum err
drop_empty(struct compact *c, struct db *db, int64_t before_ms)
{
	uint64_t ids[DROP_MAX];
	size_t n = 0;
	struct stmt *s =
		db_query(db,
	                 "SELECT id FROM segment WHERE (state = $1 OR state = $2)"
	                 " AND live_count <= 0 AND sealed_ms < $3 LIMIT $4",
	                 VALUES(V_I(SEGMENT_SEALED), V_I(SEGMENT_MOVING), V_I(before_ms),
	                        V_I(DROP_MAX)));
	enum err e;

	while (n < DROP_MAX && db_next(s))
		ids[n++] = db_u64(s, 0);
	e = db_done(db, &s);
	for (size_t i = 0; i < n && e == OK; i++) {
		struct op_segment_drop op = { ids[i] };
		void *answer;

		e = c->ask(c->arg, OP_segment_drop, &op, &answer);
		/* The counter was wrong: it has messages, so it stays as it is. */
		if (e == ERR_CONFLICT)
			e = OK;
	}
	return e;
}

/* --- mostly dead ones --------------------------------------------------------------- */

static enum err
target_open(struct compact *c)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct op_segment_open op = { 0 };
	void *answer;
	enum err e;

	if (c->fd >= 0 && c->size >= SEGMENT_MAX_BYTES) {
		struct op_segment_seal seal = { c->target, c->size };

		e = c->ask(c->arg, OP_segment_seal, &seal, &answer);
		if (e != OK)
			return e;
		(void)close(c->fd);
		c->fd = -1;
	}
	if (c->fd >= 0)
		return OK;
	e = c->ask(c->arg, OP_segment_open, &op, &answer);
	if (e != OK)
		return e;
	c->target = ((const struct answer_segment *)answer)->segment;
	c->size = 0;
	c->fd = open(segment_path(c->data_dir, c->target, &path),
	             O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return c->fd < 0 ? ERR_IO : OK;
}

static enum err
read_some(int fd, uint64_t at, size_t n, struct strbuf *out)
{
	char *p;
	ssize_t got;

	strbuf_clear(out);
	p = strbuf_reserve(out, n);
	do {
		got = pread(fd, p, n, (off_t)at);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return ERR_IO;
	out->n = (size_t)got;
	return OK;
}

static enum err
write_some(int fd, uint64_t at, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL
			                                          : ERR_IO;
		at += (uint64_t)n;
		bytes = str_from_offset(bytes, (size_t)n);
	}
	return OK;
}

/* Copies one record as it is. Its body is not judged here: a damaged one stays damaged,
   and whoever reads it is told. ERR_CORRUPT: there is no record at that place. */
static enum err
copy_record(struct compact *c, int from, uint64_t place, uint64_t stored_bytes,
            struct strbuf *piece)
{
	struct record r;
	uint64_t left, done = 0;
	enum err e = read_some(from, place, RECORD_HEADER_MAX, piece);

	if (e == OK)
		e = record_parse(strbuf_str(piece), &r);
	if (e == ERR_LIMIT || (e == OK && r.stored_bytes != stored_bytes))
		e = ERR_CORRUPT;
	if (e != OK)
		return e;
	left = r.header_bytes + stored_bytes;
	while (left && e == OK) {
		size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		e = read_some(from, place + done, n, piece);
		if (e == OK && !piece->n)
			e = ERR_CORRUPT;
		if (e == OK)
			e = write_some(c->fd, c->size + done, strbuf_str(piece));
		done += piece->n;
		left -= piece->n;
	}
	if (e == OK)
		c->size += done;
	return e;
}

struct slice {
	uint64_t ids[MOVE_ROWS], old[MOVE_ROWS], stored[MOVE_ROWS], places[MOVE_ROWS];
	size_t n;
};

static enum err
slice_load(struct db *db, uint64_t segment, uint64_t after, struct slice *slice)
{
	struct stmt *s = db_query(db,
	                          "SELECT id, place, stored_bytes FROM message WHERE"
	                          " segment = $1 AND id > $2 ORDER BY id LIMIT $3",
	                          VALUES(V_I(segment), V_I(after), V_I(MOVE_ROWS)));

	slice->n = 0;
	while (slice->n < MOVE_ROWS && db_next(s)) {
		slice->ids[slice->n] = db_u64(s, 0);
		slice->old[slice->n] = db_u64(s, 1);
		slice->stored[slice->n] = db_u64(s, 2);
		slice->n++;
	}
	return db_done(db, &s);
}

/* Copies what a slice names and moves the rows; those that have no record stay behind and
   are counted. */
static enum err
slice_move(struct compact *c, int from, uint64_t segment, struct slice *slice,
           size_t *damaged)
{
	struct strbuf piece = strbuf_heap(PIECE_BYTES);
	struct op_segment_moved op = { .from = segment, .to = c->target };
	size_t n = 0;
	void *answer;
	enum err e = OK;

	for (size_t i = 0; i < slice->n && e == OK; i++) {
		uint64_t place = c->size;

		e = copy_record(c, from, slice->old[i], slice->stored[i], &piece);
		if (e == ERR_CORRUPT) {
			++*damaged;
			e = OK;
			continue;
		}
		slice->ids[n] = slice->ids[i];
		slice->places[n++] = place;
	}
	strbuf_release(&piece);
	op.ids = slice->ids;
	op.places = slice->places;
	op.ids_count = op.places_count = n;
	return e == OK && n ? c->ask(c->arg, OP_segment_moved, &op, &answer) : e;
}

static enum err
move_live(struct compact *c, struct db *db, uint64_t segment)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct slice *slice = mem_alloc(sizeof(*slice));
	uint64_t after = 0;
	size_t damaged = 0;
	int from = open(segment_path(c->data_dir, segment, &path),
	                O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err e = from < 0 ? ERR_IO : OK;

	while (e == OK) {
		e = slice_load(db, segment, after, slice);
		if (e != OK || !slice->n)
			break;
		after = slice->ids[slice->n - 1];
		e = target_open(c);
		if (e == OK)
			e = slice_move(c, from, segment, slice, &damaged);
	}
	if (from >= 0)
		(void)close(from);
	mem_free(slice);
	if (e == OK && damaged) {
		log_line(LEVEL_ERROR, "store.segment.damaged", "segment=%llu records=%zu",
		         (unsigned long long)segment, damaged);
		e = set_state(c, segment, SEGMENT_MOVING, SEGMENT_DAMAGED);
	}
	return e;
}

/* One that is less than half alive; those begun before a crash first. */
static enum err
move_one(struct compact *c, struct db *db, int64_t before_ms)
{
	struct stmt *s;
	uint64_t segment;
	bool is_begun;
	enum err e = db_one(
		db,
		"SELECT id, state FROM segment WHERE live_count > 0 AND"
		" (state = $1 OR (state = $2 AND live_bytes * 2 < size AND"
		" sealed_ms < $3)) ORDER BY state DESC, live_bytes LIMIT 1",
		VALUES(V_I(SEGMENT_MOVING), V_I(SEGMENT_SEALED), V_I(before_ms)), &s);

	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	segment = db_u64(s, 0);
	is_begun = db_u32(s, 1) == SEGMENT_MOVING;
	db_end(&s);
	if (!is_begun)
		e = set_state(c, segment, SEGMENT_SEALED, SEGMENT_MOVING);
	return e == OK ? move_live(c, db, segment) : e;
}

enum err
compact_run(struct compact *c, struct db *db, const struct compact_live *live,
            int64_t now_ms, int64_t grace_ms)
{
	int64_t before_ms = now_ms - grace_ms;
	enum err e = seal_orphans(c, db, live, now_ms, grace_ms);

	if (e == OK)
		e = drop_empty(c, db, before_ms);
	if (e == OK)
		e = move_one(c, db, before_ms);
	return e;
}
