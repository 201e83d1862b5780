#include "store/job_line.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "store/crowd.h"

#include <pthread.h>

enum {
	BATCH_BYTES_MAX = 32 << 20,
	EVENTS_WAIT_US = 200 * 1000, /* events alone may wait this long for company */
	REST_US = 2 * 1000 * 1000,
	TOLD_BYTES_MAX = 256 << 20,
	TOLD_KEPT_BYTES = 128 * 1024,
};

/* What the thread waits for; only that is worth waking it. */
enum patience {
	AT_WORK,
	FOR_ANYTHING,
	FOR_URGENT, /* it has events, which nobody waits for */
	FOR_CROWD,  /* the same clients will be back soon */
};

/* What commits have told, on its way to the loop. */
struct told {
	struct strbuf changes, events, own;
	bool has_login_change;
};

struct job_line {
	struct loop *loop;
	struct loop_wake *wake;
	struct commit_ops ops;
	void *arg;
	/* of the loop */
	struct link given; /* goes over once a turn */
	bool is_giving;
	struct told spare;
	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct link waiting, done;
	size_t waiting_count, urgent_count; /* urgent: more than events */
	int64_t came_us;                    /* the last urgent one */
	enum patience patience;
	bool is_stopping;
	struct told told; /* since the loop took the last */
	/* of the thread */
	struct crowd crowd;
	struct crowd_batch last;
	int64_t began_us, ended_us; /* the last batch */
	bool has_rested;            /* since */
};

/* --- what is told ------------------------------------------------------------- */

/* Memory that is used for each batch is kept; what one large batch took is not. */
static void
told_clear(struct told *t)
{
	struct strbuf *all[] = { &t->changes, &t->events, &t->own };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i]->cap > TOLD_KEPT_BYTES)
			strbuf_release(all[i]);
		strbuf_clear(all[i]);
	}
	t->has_login_change = false;
}

static void
told_init(struct told *t)
{
	*t = (struct told){ .changes = strbuf_heap(TOLD_BYTES_MAX),
		            .events = strbuf_heap(TOLD_BYTES_MAX),
		            .own = strbuf_heap(TOLD_BYTES_MAX) };
}

static void
told_fini(struct told *t)
{
	strbuf_release(&t->changes);
	strbuf_release(&t->events);
	strbuf_release(&t->own);
}

void
job_line_tell(struct job_line *l, const struct tx *tx)
{
	(void)pthread_mutex_lock(&l->lock);
	strbuf_add(&l->told.changes, strbuf_str(&tx->changes));
	strbuf_add(&l->told.events, strbuf_str(&tx->journal));
	strbuf_add(&l->told.own, strbuf_str(&tx->own));
	l->told.has_login_change |= tx->has_login_change;
	(void)pthread_mutex_unlock(&l->lock);
}

/* --- the thread's side -------------------------------------------------------- */

static bool
is_enough(const struct job_line *l)
{
	if (l->is_stopping || l->waiting_count >= JOB_LINE_BATCH_MAX)
		return true;
	switch (l->patience) {
	case AT_WORK:
		return false;
	case FOR_ANYTHING:
		return l->waiting_count > 0;
	case FOR_URGENT:
		return l->urgent_count > 0;
	case FOR_CROWD:
		return l->urgent_count >= crowd_goal(&l->crowd);
	}
	return true;
}

/* Waits until there is enough; until_us 0: for ever. */
static void
wait_for(struct job_line *l, enum patience patience, int64_t until_us)
{
	struct timespec t = { .tv_sec = until_us / 1000000,
		              .tv_nsec = until_us % 1000000 * 1000 };
	int rc = 0;

	l->patience = patience;
	while (!is_enough(l) && rc == 0)
		rc = until_us ? pthread_cond_clockwait(&l->work, &l->lock,
		                                       CLOCK_MONOTONIC, &t)
		              : pthread_cond_wait(&l->work, &l->lock);
	l->patience = AT_WORK;
}

/* Where nobody comes any more, everybody may be waiting for this batch already. Those of
   the one before have been able to come since its end. */
static void
wait_for_crowd(struct job_line *l)
{
	int64_t end_us = clock_mono_us() + CROWD_WAIT_MAX_US, until_us, came_us;

	do {
		came_us = l->came_us;
		until_us = (came_us > l->ended_us ? came_us : l->ended_us) +
		           crowd_patience_us(&l->crowd);
		wait_for(l, FOR_CROWD, until_us < end_us ? until_us : end_us);
	} while (!l->is_stopping && l->urgent_count < crowd_goal(&l->crowd) &&
	         l->came_us != came_us && until_us < end_us);
}

/* The one that was taken before. */
static void
batch_ended(struct job_line *l)
{
	int64_t before_us = l->ended_us;

	l->ended_us = clock_mono_us();
	l->last.whole_us = l->ended_us - before_us;
	l->last.batch_us = l->ended_us - l->began_us;
	l->last.left = l->urgent_count;
	crowd_learn(&l->crowd, &l->last);
}

bool
job_line_take(struct job_line *l, struct job **jobs, size_t *count_out)
{
	size_t count = 0, bytes = 0, urgent = 0;
	int64_t came_us;

	(void)pthread_mutex_lock(&l->lock);
	if (!l->has_rested)
		batch_ended(l);
	wait_for(l, FOR_ANYTHING, l->has_rested ? 0 : clock_mono_us() + REST_US);
	*count_out = 0;
	l->has_rested = !l->waiting_count && !l->is_stopping;
	if (l->has_rested) {
		(void)pthread_mutex_unlock(&l->lock);
		return true;
	}
	if (!l->urgent_count)
		wait_for(l, FOR_URGENT, clock_mono_us() + EVENTS_WAIT_US);
	if (l->urgent_count)
		wait_for_crowd(l);
	while (l->waiting_count && count < JOB_LINE_BATCH_MAX &&
	       bytes < BATCH_BYTES_MAX) {
		struct job *job = CONTAINER_OF(l->waiting.next, struct job, link);

		list_remove(&job->link);
		l->waiting_count--;
		urgent += job->op != OP_events;
		bytes += job->payload.n;
		jobs[count++] = job;
	}
	l->urgent_count -= urgent;
	came_us = l->came_us;
	(void)pthread_mutex_unlock(&l->lock);
	l->last.count = urgent;
	l->last.gather_us = came_us - l->ended_us;
	l->began_us = clock_mono_us();
	*count_out = count;
	return count > 0;
}

void
job_line_done(struct job_line *l, struct job *const *jobs, size_t count)
{
	(void)pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < count; i++)
		list_add_last(&l->done, &jobs[i]->link);
	(void)pthread_mutex_unlock(&l->lock);
	loop_wake_call(l->wake);
}

/* --- the loop's side ---------------------------------------------------------- */

static void
deliver(void *arg)
{
	struct job_line *line = arg;
	struct link done;
	struct told told;
	struct commit_news news;

	list_init(&done);
	(void)pthread_mutex_lock(&line->lock);
	while (!list_is_empty(&line->done)) {
		struct link *l = line->done.next;

		list_remove(l);
		list_add_last(&done, l);
	}
	told = line->told;
	line->told = line->spare;
	(void)pthread_mutex_unlock(&line->lock);
	news = (struct commit_news){ .changes = strbuf_str(&told.changes),
		                     .events = strbuf_str(&told.events),
		                     .own = strbuf_str(&told.own),
		                     .has_login_change = told.has_login_change };
	if (news.changes.n || news.events.n || news.has_login_change)
		line->ops.news(line->arg, &news);
	LIST_EACH(&done, l)
	{
		struct job *job = CONTAINER_OF(l, struct job, link);

		list_remove(&job->link);
		line->ops.done(line->arg, job);
	}
	told_clear(&told);
	line->spare = told;
}

static void
give_over(void *arg)
{
	struct job_line *l = arg;
	size_t urgent = 0;
	bool is_due;

	l->is_giving = false;
	(void)pthread_mutex_lock(&l->lock);
	while (!list_is_empty(&l->given)) {
		struct job *job = CONTAINER_OF(l->given.next, struct job, link);

		list_remove(&job->link);
		list_add_last(&l->waiting, &job->link);
		l->waiting_count++;
		urgent += job->op != OP_events;
	}
	if (urgent)
		l->came_us = clock_mono_us();
	l->urgent_count += urgent;
	is_due = l->patience != AT_WORK && is_enough(l);
	(void)pthread_mutex_unlock(&l->lock);
	if (is_due)
		(void)pthread_cond_signal(&l->work);
}

void
job_line_give(struct job_line *l, struct job *job)
{
	list_add_last(&l->given, &job->link);
	if (!l->is_giving)
		loop_defer(l->loop, give_over, l);
	l->is_giving = true;
}

struct job_line *
job_line_new(struct loop *loop, const struct commit_ops *ops, void *arg)
{
	struct job_line *l = mem_alloc(sizeof(*l));

	l->loop = loop;
	l->ops = *ops;
	l->arg = arg;
	told_init(&l->told);
	told_init(&l->spare);
	list_init(&l->given);
	list_init(&l->waiting);
	list_init(&l->done);
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->work, NULL);
	l->wake = loop_wake_new(loop, deliver, l);
	return l;
}

void
job_line_stop(struct job_line *l)
{
	loop_defer_cancel(l->loop, give_over, l);
	give_over(l);
	(void)pthread_mutex_lock(&l->lock);
	l->is_stopping = true;
	(void)pthread_cond_signal(&l->work);
	(void)pthread_mutex_unlock(&l->lock);
}

void
job_line_free(struct job_line **line)
{
	struct job_line *l = *line;

	if (!l)
		return;
	deliver(l);
	loop_wake_free(&l->wake);
	told_fini(&l->told);
	told_fini(&l->spare);
	(void)pthread_mutex_destroy(&l->lock);
	(void)pthread_cond_destroy(&l->work);
	mem_free(l);
	*line = NULL;
}
