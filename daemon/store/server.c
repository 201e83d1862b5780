#include "store/server_priv.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/panic.h"
#include "conf/conf.h"
#include "io/ipc.h"
#include "store/auth.h"
#include "store/commit.h"
#include "store/housekeeping.h"
#include "store/index_check.h"
#include "store/rights.h"
#include "store/wire.h"

enum {
	CONN_MAGIC = 0x53746370,
	OWN_OP_MAX = 8 << 20, /* the largest has what was counted for reports */
	REFUSED_MS = 1000,
	STOP_LINGER_MS = 50, /* for the last answers to leave */
};

/* --- connections -------------------------------------------------------------- */

void
conn_drop(struct conn *c)
{
	if (--c->refs)
		return;
	list_remove(&c->link);
	mem_free(c);
}

static void
conn_opened(void *arg, struct ipc_peer *p)
{
	struct store_server *s = arg;
	struct conn *c = mem_alloc(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->server = s;
	c->peer = p;
	c->refs = 1;
	list_add_last(&s->conns, &c->link);
	ipc_set_data(p, c);
}

/* Segments of clients that are gone for long are sealed: housekeeping knows who is
   here. */
static void
tell_live(struct store_server *s)
{
	struct compact_live live = { .epochs = { s->epoch }, .count = 1 };

	LIST_EACH(&s->conns, l)
	{
		const struct conn *c = CONTAINER_OF(l, struct conn, link);

		if (c->peer && live.count < ARRAY_LEN(live.epochs))
			live.epochs[live.count++] = c->epoch;
	}
	housekeeping_set_live(s->housekeeping, &live);
}

static void
conn_closed(void *arg, struct ipc_peer *p, const char *why)
{
	struct store_server *s = arg;
	struct conn *c = CAST(conn, CONN_MAGIC, ipc_data(p));

	(void)why;
	c->peer = NULL;
	conn_drop(c);
	tell_live(s);
	/* What it has left half done is undone. */
	housekeeping_wake(s->housekeeping);
}

static void
conn_drained(void *arg, struct ipc_peer *p)
{
	(void)arg;
	conn_reset_missed(CAST(conn, CONN_MAGIC, ipc_data(p)));
}

void
conn_reply(struct conn *c, enum op op, uint64_t seq, enum err e, struct str answer)
{
	struct strbuf b;

	if (!c->peer)
		return;
	b = strbuf_heap(answer.n + 4);
	pack_u32(&b, (uint32_t)e);
	strbuf_add(&b, answer);
	ipc_send(c->peer, (uint16_t)(WIRE_OP + op), seq, strbuf_str(&b));
	strbuf_release(&b);
}

void
conn_reply_packed(struct conn *c, enum op op, uint64_t seq, const void *answer)
{
	struct strbuf b = strbuf_heap(1 << 20);

	answer_pack(op, answer, &b);
	conn_reply(c, op, seq, OK, strbuf_str(&b));
	strbuf_release(&b);
}

/* --- the committer's answers -------------------------------------------------- */

/* One of the store's own: housekeeping waits for some of them. */
static void
own_done(struct store_server *s, const struct job *job)
{
	struct arena *a = arena_new(4096);
	void *answer = NULL;

	if (job->error == OK &&
	    answer_unpack(job->op, strbuf_str(&job->answer), a, &answer) != OK)
		answer = NULL;
	housekeeping_answered(s->housekeeping, job->op, job->error, answer);
	arena_free(&a);
}

static void
job_done(void *arg, struct job *job)
{
	struct store_server *s = arg;
	struct conn *c = job->owner;

	s->jobs_out--;
	server_drop_unused_key(s, job);
	server_tell_trouble(s, job);
	if (c) {
		conn_reply(c, job->op, job->seq, job->error, strbuf_str(&job->answer));
		conn_drop(c);
	} else {
		own_done(s, job);
	}
	job_free(&job);
	store_server_check_stopped(s);
}

static void
give_job(struct store_server *s, struct conn *c, struct job *job)
{
	job->owner = c;
	if (c)
		c->refs++;
	s->jobs_out++;
	committer_give(s->committer, job);
}

void
store_server_give(struct store_server *s, struct conn *c, enum op op,
                  const struct call_head *head, struct str args)
{
	struct job *job = job_new(op, c ? c->epoch : s->epoch, head->seq, head->floor,
	                          str_from(NULL), args);

	job->deed = head->deed;
	give_job(s, c, job);
}

/* An operation of the store itself. */
void
store_server_give_own(void *server, enum op op, const void *args)
{
	struct store_server *s = server;
	struct strbuf b = strbuf_heap(OWN_OP_MAX);

	op_pack(op, args, &b);
	s->seq++;
	store_server_give(s, NULL, op,
	                  &(struct call_head){ .seq = s->seq, .floor = s->seq },
	                  strbuf_str(&b));
	strbuf_release(&b);
}

/* --- what the loop answers itself --------------------------------------------- */

static void
answer_stats(struct conn *c, uint64_t seq)
{
	struct store_server *s = c->server;
	struct commit_stats commit = committer_stats(s->committer);
	struct answer_stats answer = {
		.started_ms = s->started_ms,
		.operations = commit.operations,
		.batches = commit.batches,
		.syncs = commit.syncs,
		.written_max = commit.written_max,
		.disk_free_bytes = commit.free_bytes,
		.disk_reserve_bytes = commit.reserve_bytes,
		.disk_full = commit.is_disk_full,
		.index_damaged = index_check_found_damage(s->index_check),
	};

	housekeeping_stats(s->housekeeping, &answer);
	conn_reply_packed(c, OP_stats, seq, &answer);
}

static bool
is_time(int64_t *told_ms, int64_t every_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (*told_ms && now_ms - *told_ms < every_ms)
		return false;
	*told_ms = now_ms;
	return true;
}

/* A process asked for what its role has no business with: somebody else speaks through
   it. One event a second and process is enough. */
static void
refuse(struct conn *c, enum op op, uint64_t seq)
{
	struct peer *peer = peers_find(c->server->peers, ipc_pid(c->peer));
	struct event e;

	conn_reply(c, op, seq, ERR_FORBIDDEN, str_from(NULL));
	if (!peer || !is_time(&peer->refused_ms, REFUSED_MS))
		return;
	event_init(&e, EV_STORE_REFUSED, str_from(NULL), str_from(NULL));
	event_str(&e, "role", str_from(peer->role));
	event_i64(&e, "pid", peer->pid);
	event_str(&e, "operation", str_from(op_name(op)));
	event_tell(&e);
}

static void
subscribe(struct conn *c, uint64_t seq, struct str args)
{
	struct arena *a = arena_new(IPC_FRAME_MAX);
	const struct op_subscribe_feed *op;
	void *unpacked;
	enum err e = op_unpack(OP_subscribe_feed, args, a, &unpacked);

	if (e == OK && !rights_have_feed(c->rights, unpacked)) {
		refuse(c, OP_subscribe_feed, seq);
		arena_free(&a);
		return;
	}
	if (e == OK) {
		op = unpacked;
		c->wants_accounts = op->all_accounts || op->accounts_count;
		c->wants_queue = op->queue;
		c->wants_settings = op->settings;
		c->wants_events = op->events;
	}
	conn_reply(c, OP_subscribe_feed, seq, e, str_from(NULL));
	arena_free(&a);
}

/* --- messages ----------------------------------------------------------------- */

enum way {
	WAY_WRITE,
	WAY_HASH,
	WAY_AUTH,
	WAY_LOOP,
	WAY_OWN, /* of the store alone: no peer has the right */
};

static const uint8_t ways[] = {
#define OP(name, answer, way, by) WAY_##way,
#include "store/ops.def"
#undef OP
};
_Static_assert(ARRAY_LEN(ways) == OP_COUNT, "one way for each operation");

/* Who it is, is asked when it speaks: what the supervisor says of a new process is here
   before the process can say anything. */
static void
greet(struct conn *c, uint64_t epoch)
{
	struct store_server *s = c->server;
	int pid = ipc_pid(c->peer);
	const struct peer *peer = peers_find(s->peers, pid);
	struct event e;

	if (peer) {
		c->rights = peer->rights;
		c->epoch = rights_epoch(pid, epoch);
		ipc_send(c->peer, WIRE_HELLO, 0, str_from(NULL));
		tell_live(s);
		return;
	}
	ipc_close(c->peer, "nobody knows it");
	if (!is_time(&s->stranger_ms, REFUSED_MS))
		return;
	event_init(&e, EV_STORE_STRANGER, str_from(NULL), str_from(NULL));
	event_i64(&e, "pid", pid);
	event_tell(&e);
}

static void
take_op(struct conn *c, enum op op, uint64_t seq, struct str payload)
{
	struct store_server *s = c->server;
	struct unpack u = unpack_from(payload);
	struct call_head head = { .seq = seq, .floor = unpack_u64(&u) };
	struct str events = unpack_str(&u), deed = unpack_str(&u);
	struct job *job;

	head.deed.n = unpack_u32(&u);
	if (deed.n == sizeof(head.deed.name))
		memcpy(head.deed.name, deed.p, deed.n);
	if (u.bad || op >= OP_COUNT || !c->epoch ||
	    (head.deed.n && deed.n != sizeof(head.deed.name))) {
		ipc_close(c->peer, "no operation");
		return;
	}
	if (s->is_stopping)
		return; /* it is sent again to the next one */
	if (!rights_have(c->rights, op) ||
	    (events.n && !rights_have(c->rights, OP_events)) ||
	    (head.deed.n && !rights_have(c->rights, OP_api_begin))) {
		refuse(c, op, seq);
		return;
	}
	switch ((enum way)ways[op]) {
	case WAY_HASH:
		server_hash_first(c, op, &head, u.rest);
		break;
	case WAY_AUTH:
		server_check_password(c, seq, u.rest);
		break;
	case WAY_LOOP:
		if (op == OP_stats)
			answer_stats(c, seq);
		else
			subscribe(c, seq, u.rest);
		break;
	case WAY_WRITE:
	case WAY_OWN:
		job = job_new(op, c->epoch, seq, head.floor, events, u.rest);
		job->deed = head.deed;
		give_job(s, c, job);
		break;
	}
}

static void
conn_message(void *arg, struct ipc_peer *p, const struct ipc_message *m)
{
	struct conn *c = CAST(conn, CONN_MAGIC, ipc_data(p));

	(void)arg;
	if (m->kind == WIRE_HELLO)
		greet(c, m->id);
	else if (m->kind >= WIRE_OP)
		take_op(c, (enum op)(m->kind - WIRE_OP), m->id, m->payload);
	else
		ipc_close(p, "unknown frame");
}

/* --- the whole ---------------------------------------------------------------- */

static struct tx_limits
limits_of(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;

	return (struct tx_limits){
		.mailboxes_max = (uint32_t)l->mailboxes_per_account,
		.mailbox_name_bytes = (uint32_t)l->mailbox_name,
		.mailbox_depth = (uint32_t)l->mailbox_depth,
		.keywords_max = (uint32_t)l->keywords_per_mailbox,
		.queue_max = (uint64_t)l->queue_messages,
		.disk_reserve_bytes = (uint64_t)l->disk_reserve,
		.turn_us = l->store_turn * 1000,
		.report_space = (uint64_t)l->report_space,
		.dkim_keep_ms = conf_dkim_keep_ms(conf),
		.seen_domains_max = (uint64_t)l->report_domains,
		.seen_rows_max = (uint64_t)l->report_rows,
		.seen_rows_domain_max = (uint64_t)l->report_rows_domain,
	};
}

static struct housekeeping_days
keep_days(const struct conf *conf)
{
	return (struct housekeeping_days){ conf->limits.trace_days,
		                           conf->limits.report_days };
}

static struct auth_limits
auth_limits_of(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;

	return (struct auth_limits){
		.failures_ip = (uint32_t)l->auth_failures_ip,
		.failures_account = (uint32_t)l->auth_failures_account,
		.threads = (uint32_t)l->auth_threads,
		.failure_delay_ms = l->auth_failure_delay,
	};
}

void
store_server_compact(struct store_server *s, int64_t grace_ms)
{
	housekeeping_compact(s->housekeeping, grace_ms);
}

void
store_server_on_settings(struct store_server *s, loop_fn *fn, void *arg)
{
	s->settings_fn = fn;
	s->settings_arg = arg;
}

enum err
store_server_new(struct loop *loop, const struct conf *conf, int fd,
                 struct store_server **out)
{
	static const struct ipc_ops ipc_ops = { conn_opened, conn_message, conn_closed,
		                                conn_drained };
	struct store_server *s = mem_alloc(sizeof(*s));
	struct tx_limits limits = limits_of(conf);
	struct auth_limits auth_limits = auth_limits_of(conf);
	struct commit_ops commit_ops = { .done = job_done, .news = server_commit_news };
	enum err e;

	*out = NULL;
	s->loop = loop;
	s->epoch = commit_ops.epoch = random_u64();
	s->data_dir = strbuf_heap(conf->data_dir.n + 1);
	strbuf_add(&s->data_dir, conf->data_dir);
	s->started_ms = clock_unix_ms();
	s->peers = peers_new();
	list_init(&s->conns);
	e = committer_new(loop, conf->data_dir, &limits, &commit_ops, s, &s->committer);
	if (e != OK) {
		peers_free(&s->peers);
		strbuf_release(&s->data_dir);
		mem_free(s);
		return e;
	}
	s->own_events = strbuf_heap(OWN_EVENTS_MAX);
	timer_init(&s->own_timer, loop, server_send_events, s);
	s->housekeeping = housekeeping_new(loop, conf->data_dir, keep_days(conf),
	                                   store_server_give_own, s);
	s->auth = auth_new(loop, conf->data_dir, &auth_limits, server_auth_answered,
	                   server_login_noted, s);
	s->ipc = ipc_server_new(loop, fd, &ipc_ops, s);
	event_set_sink(server_take_event, s);
	server_tell_recovered(committer_recovered(s->committer));
	s->index_check =
		index_check_new(loop, conf->data_dir, server_tell_index_damaged, s);
	*out = s;
	return OK;
}

void
store_server_reload(struct store_server *s, const struct conf *conf)
{
	struct tx_limits limits = limits_of(conf);
	struct auth_limits auth_limits = auth_limits_of(conf);

	committer_set_limits(s->committer, &limits);
	auth_set_limits(s->auth, &auth_limits);
	housekeeping_set_days(s->housekeeping, keep_days(conf));
}

void
store_server_peer(struct store_server *s, int pid, struct str role, unsigned rights)
{
	if (role.n)
		peers_set(s->peers, pid, role, rights);
	else
		peers_remove(s->peers, pid);
}

static void
lingered(void *arg)
{
	struct store_server *s = arg;

	s->stopped(s->stopped_arg);
}

void
store_server_check_stopped(struct store_server *s)
{
	if (s->stopped && !s->jobs_out && !s->hashes_out && !timer_is_set(&s->stop_timer))
		timer_set(&s->stop_timer, STOP_LINGER_MS);
}

void
store_server_stop(struct store_server *s, loop_fn *done, void *arg)
{
	s->is_stopping = true;
	s->stopped = done;
	s->stopped_arg = arg;
	ipc_server_rest(s->ipc);
	timer_init(&s->stop_timer, s->loop, lingered, s);
	server_send_events(s);
	store_server_check_stopped(s);
}

void
store_server_free(struct store_server **server)
{
	struct store_server *s = *server;

	if (!s)
		return;
	event_set_sink(NULL, NULL);
	s->is_stopping = true;
	s->stopped = NULL; /* what ends below sets its timer no more */
	timer_stop(&s->own_timer);
	timer_stop(&s->stop_timer);
	ipc_server_free(&s->ipc);
	LIST_EACH(&s->conns, l)
	CONTAINER_OF(l, struct conn, link)->peer = NULL;
	auth_free(&s->auth);
	while (s->hashes_out)
		(void)loop_turn(s->loop);
	index_check_free(&s->index_check);
	committer_free(&s->committer);
	housekeeping_free(&s->housekeeping);
	LIST_EACH(&s->conns, l)
	{
		struct conn *c = CONTAINER_OF(l, struct conn, link);

		c->refs = 1;
		conn_drop(c);
	}
	strbuf_release(&s->own_events);
	strbuf_release(&s->data_dir);
	peers_free(&s->peers);
	mem_free(s);
	*server = NULL;
}
