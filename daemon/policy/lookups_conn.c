#include "policy/lookups_conn.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	CONN_MAGIC = 0x6c6f6f63,
	ASKED_MAGIC = 0x6c6f6f61,
	OUT_MAX = 32,            /* questions out at one time, for one message */
	ANSWERS_BYTES = 1 << 20, /* of all answers */
};

struct lookups_conn {
	uint32_t magic;
	struct loop *loop;
	struct dns *dns;
	struct lookups *lookups;
	lookups_step_fn *step; /* NULL: nothing runs */
	loop_fn *done;
	void *arg;
	struct link asked;
	struct timer limit;
	uint64_t group;
	size_t bytes;
	bool is_fresh;
};

struct asked {
	uint32_t magic;
	struct link link;
	struct lookups_conn *conn;
	struct lookup *lookup;
	struct dns_query *query;
};

static void on_turn(void *arg);

static void
soon(struct lookups_conn *c)
{
	loop_defer_cancel(c->loop, on_turn, c);
	loop_defer(c->loop, on_turn, c);
}

static size_t
answer_bytes(const struct dns_answer *answer)
{
	size_t n = answer->name.n + answer->count * sizeof(*answer->records);

	for (size_t i = 0; i < answer->count; i++)
		n += answer->records[i].name.n + answer->records[i].text.n;
	return n;
}

static void
asked_free(struct asked *q)
{
	dns_cancel(&q->query);
	list_remove(&q->link);
	q->magic = 0;
	mem_free(q);
}

static void
on_answer(void *arg, const struct dns_answer *answer)
{
	static const struct dns_answer too_much = { .status = DNS_TEMP };
	struct asked *q = CAST(asked, ASKED_MAGIC, arg);
	struct lookups_conn *c = q->conn;
	size_t n = answer_bytes(answer);

	q->query = NULL;
	if (n > ANSWERS_BYTES - c->bytes)
		answer = &too_much;
	else
		c->bytes += n;
	lookups_answer(q->lookup, answer);
	asked_free(q);
	soon(c);
}

static void
ask(struct lookups_conn *c)
{
	struct lookup *lookup;

	while (lookups_out(c->lookups) < OUT_MAX &&
	       (lookup = lookups_next(c->lookups)) != NULL) {
		struct asked *q = mem_alloc(sizeof(*q));

		q->magic = ASKED_MAGIC;
		q->conn = c;
		q->lookup = lookup;
		q->query = dns_ask(c->dns, lookup->name, lookup->type, on_answer, q);
		dns_query_group(q->query, c->group);
		if (c->is_fresh)
			dns_query_fresh(q->query);
		list_add_last(&c->asked, &q->link);
	}
}

static void
on_turn(void *arg)
{
	struct lookups_conn *c = CAST(lookups_conn, CONN_MAGIC, arg);
	loop_fn *done = c->done;

	if (!c->step)
		return;
	if (c->step(c->arg, c->lookups) == POLICY_NEED) {
		ask(c);
		CHECK(lookups_out(c->lookups) > 0);
		return;
	}
	c->step = NULL;
	timer_stop(&c->limit);
	if (done)
		done(c->arg);
}

static void
on_limit(void *arg)
{
	struct lookups_conn *c = CAST(lookups_conn, CONN_MAGIC, arg);

	lookups_give_up(c->lookups);
	while (!list_is_empty(&c->asked))
		asked_free(CONTAINER_OF(c->asked.next, struct asked, link));
	soon(c);
}

struct lookups_conn *
lookups_conn_new(struct loop *loop, struct dns *dns, struct lookups *lookups)
{
	struct lookups_conn *c = mem_alloc(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->loop = loop;
	c->dns = dns;
	c->lookups = lookups;
	list_init(&c->asked);
	timer_init(&c->limit, loop, on_limit, c);
	return c;
}

void
lookups_conn_run(struct lookups_conn *c, lookups_step_fn *step, loop_fn *done, void *arg)
{
	c->step = step;
	c->done = done;
	c->arg = arg;
	soon(c);
}

void
lookups_conn_group(struct lookups_conn *c, uint64_t id)
{
	c->group = id;
}

void
lookups_conn_fresh(struct lookups_conn *c)
{
	c->is_fresh = true;
}

void
lookups_conn_limit(struct lookups_conn *c, int64_t ms)
{
	timer_set(&c->limit, ms);
}

void
lookups_conn_free(struct lookups_conn **cp)
{
	struct lookups_conn *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	while (!list_is_empty(&c->asked))
		asked_free(CONTAINER_OF(c->asked.next, struct asked, link));
	loop_defer_cancel(c->loop, on_turn, c);
	timer_stop(&c->limit);
	c->magic = 0;
	mem_free(c);
}
