#include "store/op_log.h"

#include "base/duration.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/pack.h"

enum {
	DONE_KEPT_MS =
		10 * MINUTE_MS, /* clients that are silent are remembered so long */
	ANSWERS_MAX = 64 << 20,
};

/* A client, as the committer knows it. */
struct op_source {
	struct link link;
	uint64_t epoch;
	uint64_t last_seq, floor;
	int64_t seen_ms;
	struct strbuf answers; /* of this batch: seq, error, answer; again and again */
	uint64_t batch_seq;    /* the last one in answers */
};

struct op_log {
	struct db *db;
	struct link sources;
};

struct op_log *
op_log_new(struct db *db)
{
	struct op_log *log = mem_alloc(sizeof(*log));

	log->db = db;
	list_init(&log->sources);
	return log;
}

struct op_source *
op_source(struct op_log *log, uint64_t epoch)
{
	struct op_source *src;
	struct stmt *s;

	LIST_EACH(&log->sources, l)
	{
		src = CONTAINER_OF(l, struct op_source, link);
		if (src->epoch == epoch)
			return src;
	}
	src = mem_alloc(sizeof(*src));
	src->epoch = epoch;
	src->answers = strbuf_heap(ANSWERS_MAX);
	if (db_one(log->db,
	           "SELECT seq FROM op_done WHERE epoch = $1 ORDER BY seq DESC LIMIT 1",
	           VALUES(V_I(epoch)), &s) == OK)
		src->last_seq = db_u64(s, 0);
	db_end(&s);
	list_add_first(&log->sources, &src->link);
	return src;
}

static void
source_free(struct op_source *src)
{
	list_remove(&src->link);
	strbuf_release(&src->answers);
	mem_free(src);
}

/* Looks for seq in packed answers; true: job has its answer. */
static bool
answer_find(struct str answers, struct job *job)
{
	struct unpack u = unpack_from(answers);

	while (u.rest.n) {
		uint64_t seq = unpack_u64(&u);
		uint32_t error = unpack_u32(&u);
		struct str answer = unpack_str(&u);

		if (u.bad)
			return false;
		if (seq != job->seq)
			continue;
		job->was_done = true;
		job->error = error < ERR_COUNT ? (enum err)error : ERR_STORE_TEMP;
		strbuf_clear(&job->answer);
		strbuf_add(&job->answer, answer);
		return true;
	}
	return false;
}

static struct str
deed_name(const struct job *job)
{
	return str_make(job->deed.name, sizeof(job->deed.name));
}

/* Has another process done it for this request? */
static enum err
deed_find(struct op_log *log, struct job *job, bool *found_out)
{
	struct stmt *s =
		db_query(log->db,
	                 "SELECT answer FROM api_deed"
	                 " WHERE name = $1 AND n = $2 AND op = $3",
	                 VALUES(V_B(deed_name(job)), V_I(job->deed.n), V_I(job->op)));

	*found_out = db_next(s);
	job->was_done = *found_out;
	if (*found_out) {
		job->error = OK;
		strbuf_clear(&job->answer);
		strbuf_add(&job->answer, db_str(s, 0));
	}
	return db_done(log->db, &s);
}

/* What failed is no deed. */
static enum err
deed_note(struct op_log *log, const struct job *job, int64_t now_ms)
{
	if (!job->deed.n || job->error != OK)
		return OK;
	return db_run(log->db,
	              "INSERT INTO api_deed (name, n, op, at_ms, answer)"
	              " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, n) DO UPDATE"
	              " SET op = excluded.op, at_ms = excluded.at_ms,"
	              " answer = excluded.answer",
	              VALUES(V_B(deed_name(job)), V_I(job->deed.n), V_I(job->op),
	                     V_I(now_ms), V_B(strbuf_str(&job->answer))));
}

/* Has this operation been done before? Then job has the first answer. */
enum err
op_find(struct op_log *log, struct op_source *src, struct job *job, bool *found_out)
{
	struct stmt *s;
	enum err e;

	*found_out = false;
	job->was_done = false; /* a batch that failed is tried again, job by job */
	if (job->deed.n) {
		e = deed_find(log, job, found_out);
		if (e != OK || *found_out)
			return e;
	}
	if (job->seq > src->last_seq && job->seq > src->batch_seq)
		return OK;
	*found_out = answer_find(strbuf_str(&src->answers), job);
	if (*found_out)
		return OK;
	/* A row holds the answers of one batch under its last number. */
	s = db_query(log->db,
	             "SELECT answers FROM op_done WHERE epoch = $1 AND seq >= $2"
	             " ORDER BY seq",
	             VALUES(V_I(job->epoch), V_I(job->seq)));
	while (!*found_out && db_next(s))
		*found_out = answer_find(db_str(s, 0), job);
	e = db_done(log->db, &s);
	return e;
}

enum err
op_note(struct op_log *log, struct op_source *src, const struct job *job, int64_t now_ms)
{
	struct str answer = strbuf_str(&job->answer);

	/* A claim's answer is large and can be made again from the rows it leased. */
	if (job->op == OP_queue_claim)
		answer = str_from(NULL);
	pack_u64(&src->answers, job->seq);
	pack_u32(&src->answers, job->error);
	pack_str(&src->answers, answer);
	if (job->seq > src->batch_seq)
		src->batch_seq = job->seq;
	if (job->floor > src->floor)
		src->floor = job->floor;
	return deed_note(log, job, now_ms);
}

enum err
op_flush(struct op_log *log, int64_t now_ms)
{
	LIST_EACH(&log->sources, l)
	{
		struct op_source *src = CONTAINER_OF(l, struct op_source, link);
		enum err e;

		if (!src->answers.n)
			continue;
		if (src->answers.overflow)
			return ERR_LIMIT;
		e = db_run(log->db, "DELETE FROM op_done WHERE epoch = $1 AND seq < $2",
		           VALUES(V_I(src->epoch), V_I(src->floor)));
		if (e == OK)
			e = db_run(log->db,
			           "INSERT INTO op_done (epoch, seq, at_ms, answers)"
			           " VALUES ($1, $2, $3, $4)",
			           VALUES(V_I(src->epoch), V_I(src->batch_seq),
			                  V_I(now_ms), V_B(strbuf_str(&src->answers))));
		if (e != OK)
			return e;
	}
	return OK;
}

/* After a commit (or a roll-back) the batch's answers are history. */
void
op_settle(struct op_log *log, bool is_committed, int64_t now_ms)
{
	LIST_EACH(&log->sources, l)
	{
		struct op_source *src = CONTAINER_OF(l, struct op_source, link);

		if (src->answers.n) {
			src->seen_ms = now_ms;
			if (is_committed && src->batch_seq > src->last_seq)
				src->last_seq = src->batch_seq;
		} else if (now_ms - src->seen_ms > DONE_KEPT_MS) {
			source_free(src);
			continue;
		}
		src->batch_seq = 0;
		strbuf_clear(&src->answers);
	}
}

void
op_log_free(struct op_log **log)
{
	if (!*log)
		return;
	LIST_EACH(&(*log)->sources, l)
	source_free(CONTAINER_OF(l, struct op_source, link));
	mem_free(*log);
	*log = NULL;
}
