#include "store/apply.h"

#include "base/clock.h"

typedef enum err apply_fn(struct tx *tx, const void *op, void *answer);

struct apply_row {
	size_t answer_size;
	apply_fn *apply; /* NULL: no business of the committer */
};

#define APPLY_WRITE(name, answer)                                                        \
	static enum err apply_##name(struct tx *tx, const void *op, void *answer_out)    \
	{                                                                                \
		return op_##name##_apply(tx, op, answer_out);                            \
	}
#define APPLY_HASH(name, answer) APPLY_WRITE(name, answer)
#define APPLY_OWN(name, answer)  APPLY_WRITE(name, answer)
#define APPLY_AUTH(name, answer)
#define APPLY_LOOP(name, answer)
#define OP(name, answer, way, by) APPLY_##way(name, answer)
/* clang-format off */
#include "store/ops.def"
/* clang-format on */
#undef OP
#undef APPLY_WRITE
#undef APPLY_HASH
#undef APPLY_OWN
#undef APPLY_AUTH
#undef APPLY_LOOP

#define APPLY_WRITE(name) apply_##name
#define APPLY_HASH(name)  apply_##name
#define APPLY_OWN(name)   apply_##name
#define APPLY_AUTH(name)  NULL
#define APPLY_LOOP(name)  NULL
static const struct apply_row rows[] = {
#define OP(name, answer, way, by) { sizeof(struct answer_##answer), APPLY_##way(name) },
#include "store/ops.def"
#undef OP
};
_Static_assert(ARRAY_LEN(rows) == OP_COUNT, "one row for each operation");

bool
apply_is_known(enum op op)
{
	return rows[op].apply != NULL;
}

void
apply_answer(struct job *job, enum err e, const void *answer)
{
	job->error = e;
	strbuf_clear(&job->answer);
	/* accept tells of each recipient even where it fails as a whole. */
	if (e == OK || (job->op == OP_accept && answer))
		answer_pack(job->op, answer, &job->answer);
	if (job->answer.overflow) {
		strbuf_clear(&job->answer);
		job->error = ERR_LIMIT;
	}
}

enum err
apply_job(struct tx *tx, struct op_log *done, struct job *job)
{
	struct op_source *src = op_source(done, job->epoch);
	void *answer;
	bool is_found;
	enum err e = op_find(done, src, job, &is_found);

	if (e != OK || (is_found && job->op != OP_queue_claim))
		return e;
	if (!is_found)
		tx_events(tx, job_events(job));
	if (!job->args) {
		apply_answer(job, ERR_MALFORMED, NULL);
		return OK;
	}
	answer = arena_alloc(tx->arena, rows[job->op].answer_size);
	tx->epoch = job->epoch;
	tx->seq = job->seq;
	tx->has_written = false;
	tx->began_us = clock_mono_us();
	if (is_found)
		e = op_queue_claim_again(tx, job->args, answer);
	else
		e = rows[job->op].apply(tx, job->args, answer);
	apply_answer(job, e, answer);
	if (e == OK && job->error != OK)
		e = job->error;
	if (e != OK && (tx->has_written || !db_is_whole(tx->db)))
		return e;
	return is_found ? OK : op_note(done, src, job, tx->now_ms);
}
