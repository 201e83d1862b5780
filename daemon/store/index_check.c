#include "store/index_check.h"

#include "base/duration.h"
#include "base/err.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "store/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	EVERY_S = DAY_S,
	PATH_BYTES = 4096,
	NICE = 10,
};

struct index_check {
	struct loop_wake *wake;
	index_damaged_fn *fn;
	void *arg;
	char path[PATH_BYTES];
	pthread_t thread;
	bool is_told; /* of the loop */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool is_stopping, is_damaged;
	struct diag diag;
};

static bool
goes_on(void *arg)
{
	struct index_check *c = arg;
	bool is_stopping;

	(void)pthread_mutex_lock(&c->lock);
	is_stopping = c->is_stopping;
	(void)pthread_mutex_unlock(&c->lock);
	return !is_stopping;
}

/* On the loop. */
static void
on_found(void *arg)
{
	struct index_check *c = arg;
	struct diag diag;

	(void)pthread_mutex_lock(&c->lock);
	diag = c->diag;
	(void)pthread_mutex_unlock(&c->lock);
	if (c->is_told)
		return;
	c->is_told = true;
	c->fn(c->arg, str_from(diag.text));
}

static void
look(struct index_check *c)
{
	struct diag diag = { 0 };
	struct db *db;
	enum err e = db_open(c->path, DB_READ, &db);

	if (e == OK)
		e = db_check(db, goes_on, c, &diag);
	db_close(&db);
	if (e == ERR_SHUTDOWN || e == OK)
		return;
	if (e != ERR_CORRUPT) {
		log_line(LEVEL_WARN, "store.check", "reason=%s", err_get(e)->word);
		return;
	}
	(void)pthread_mutex_lock(&c->lock);
	c->is_damaged = true;
	c->diag = diag;
	(void)pthread_mutex_unlock(&c->lock);
	loop_wake_call(c->wake);
}

static void *
run(void *arg)
{
	struct index_check *c = arg;
	struct timespec until;

	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	while (goes_on(c)) {
		look(c);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += EVERY_S;
		(void)pthread_mutex_lock(&c->lock);
		while (!c->is_stopping &&
		       pthread_cond_timedwait(&c->work, &c->lock, &until) != ETIMEDOUT) {
		}
		(void)pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

struct index_check *
index_check_new(struct loop *loop, struct str data_dir, index_damaged_fn *fn, void *arg)
{
	struct index_check *c = mem_alloc(sizeof(*c));
	pthread_condattr_t attr;

	(void)snprintf(c->path, sizeof(c->path), "%.*s/index.db", STR_ARG(data_dir));
	c->fn = fn;
	c->arg = arg;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	c->wake = loop_wake_new(loop, on_found, c);
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		PANIC("no thread to check the index");
	return c;
}

void
index_check_free(struct index_check **check)
{
	struct index_check *c = *check;

	if (!c)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	loop_wake_free(&c->wake);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_cond_destroy(&c->work);
	mem_free(c);
	*check = NULL;
}

bool
index_check_found_damage(struct index_check *c)
{
	bool is_damaged;

	(void)pthread_mutex_lock(&c->lock);
	is_damaged = c->is_damaged;
	(void)pthread_mutex_unlock(&c->lock);
	return is_damaged;
}
