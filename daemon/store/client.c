#include "store/client.h"

#include "base/duration.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/panic.h"
#include "conf/conf.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "store/events.h"
#include "store/feed_priv.h"
#include "store/wire.h"

enum {
	CALLS_MAX = 10 * 1000,
	BYTES_MAX = 48 << 20, /* fits into what one connection may have unsent */
	CALL_TIMEOUT_MS = MINUTE_MS,
	LOOK_MS = 1000,
	AWAY_LOOKS = 5, /* a store that restarts is back long before */
	EVENTS_MS = 100,
	EVENTS_BYTES = 64 * 1024,   /* sent at once when there are more */
	EVENTS_BYTES_MAX = 8 << 20, /* kept while the store is away */
	EVENTS_TIGHT = 4 << 20,     /* from here on without those of level debug */
	ANSWER_ARENA_BYTES = 256 << 20,
	EVENT_CALLS_MAX = 16, /* batches of events on their way */
	PAYLOAD_FIRST = 512,  /* most arguments fit */
};

typedef void answered_fn(void *done, void *arg, enum err e, const void *answer);

/* An operation under way, in the order of its number. */
struct call {
	struct link link;
	struct store_client *client;
	uint64_t seq;
	enum op op;
	struct strbuf payload; /* floor and arguments: sent again after a reconnect */
	answered_fn *answered;
	void *done; /* the caller's function; NULL: nobody wants to know */
	void *arg;
	int64_t deadline_ms;
	bool is_sent;   /* to a store that was there: it may be done */
	enum err error; /* of a call that fails without being sent */
};

struct flush {
	struct link link;
	uint64_t seq; /* called when all up to here are answered */
	void (*done)(void *arg);
	void *arg;
};

struct store_client {
	struct loop *loop;
	struct ipc_client *ipc;
	bool is_greeted; /* the store is there, and knows us */
	/* Since it is not: looks, not a time, which may pass while this process has no
	   processor and cannot hear it. */
	unsigned looks_away;
	uint64_t epoch, seq;
	struct link calls;   /* struct call, ascending */
	struct link refused; /* struct call, to be answered ERR_BUSY */
	struct link flushes;
	struct map *by_seq;
	size_t count, bytes;
	struct timer timeout, events_timer;
	struct strbuf events;
	uint32_t events_count;
	size_t event_calls;
	uint64_t dropped; /* events */
	struct feeds *feeds;
	struct deed *deed; /* of the request that is carried out; NULL: none */
};

/* --- calls ------------------------------------------------------------------------ */

static struct str
key_of(const uint64_t *seq)
{
	return str_make(seq, sizeof(*seq));
}

static void
call_free(struct call *call)
{
	struct store_client *c = call->client;

	list_remove(&call->link);
	if (map_remove(c->by_seq, key_of(&call->seq)) == call) {
		c->count--;
		c->bytes -= call->payload.n;
	}
	/* It may hold a password. */
	if (call->payload.n)
		explicit_bzero(call->payload.p, call->payload.n);
	strbuf_release(&call->payload);
	mem_free(call);
}

static uint64_t
floor_of(const struct store_client *c)
{
	if (list_is_empty(&c->calls))
		return c->seq;
	return CONTAINER_OF(c->calls.next, struct call, link)->seq;
}

/* The floor stands at the head of the payload, as it is at the time of sending. */
static void
call_send(struct store_client *c, struct call *call)
{
	struct ipc_peer *p = ipc_client_peer(c->ipc);
	uint64_t floor = floor_of(c);

	if (!p || !c->is_greeted)
		return;
	call->is_sent = true;
	for (unsigned i = 0; i < sizeof(floor); i++)
		call->payload.p[i] = (char)(floor >> (8 * i) & 0xff);
	ipc_send(p, (uint16_t)(WIRE_OP + call->op), call->seq,
	         strbuf_str(&call->payload));
}

static void
check_flushes(struct store_client *c)
{
	LIST_EACH(&c->flushes, l)
	{
		struct flush *f = CONTAINER_OF(l, struct flush, link);

		if (!list_is_empty(&c->calls) && floor_of(c) <= f->seq)
			return;
		list_remove(&f->link);
		f->done(f->arg);
		mem_free(f);
	}
}

static void
call_finish(struct call *call, enum err e, const void *answer)
{
	struct store_client *c = call->client;
	answered_fn *answered = call->done ? call->answered : NULL;
	void *done = call->done, *arg = call->arg;

	if (call->op == OP_events && c->event_calls)
		c->event_calls--;
	call_free(call);
	if (answered)
		answered(done, arg, e, answer);
}

static void
refuse_all(void *arg)
{
	struct store_client *c = arg;

	while (!list_is_empty(&c->refused)) {
		struct call *call = CONTAINER_OF(c->refused.next, struct call, link);

		call_finish(call, call->error, NULL);
	}
}

/* What no store has seen is certainly not done: who asked need not wait until one comes.
   What has been told waits as ever. */
static bool
is_in_vain(const struct store_client *c, const struct call *call)
{
	return !c->is_greeted && c->looks_away >= AWAY_LOOKS && !call->is_sent &&
	       call->op != OP_events;
}

/* The next call that gets no answer any more; a call-back may end others. */
static struct call *
find_late(struct store_client *c, int64_t now_ms)
{
	LIST_EACH(&c->calls, l)
	{
		struct call *call = CONTAINER_OF(l, struct call, link);

		if (call->deadline_ms <= now_ms || is_in_vain(c, call))
			return call;
	}
	return NULL;
}

static void
timed_out(void *arg)
{
	struct store_client *c = arg;
	int64_t now_ms = loop_now_ms(c->loop);
	uint64_t last = c->seq;
	struct call *call;

	timer_set(&c->timeout, LOOK_MS);
	if (!c->is_greeted && c->looks_away < AWAY_LOOKS)
		c->looks_away++;
	/* Who asks again from its call-back waits for the next look. */
	while ((call = find_late(c, now_ms)) && call->seq <= last)
		call_finish(call, ERR_STORE_TEMP, NULL);
	check_flushes(c);
}

static void send_events(struct store_client *c);

/* What the committer does anyway takes the events along that were told before it: one
   frame, one job, one answer. */
static bool
can_carry_events(enum op op)
{
	static const bool can[] = {
#define WRITE                      true
#define HASH                       false
#define AUTH                       false
#define LOOP                       false
#define OWN                        false
#define OP(name, answer, way, ...) way,
#include "store/ops.def"
#undef OP
#undef WRITE
#undef HASH
#undef AUTH
#undef LOOP
#undef OWN
	};

	return op != OP_events && can[op];
}

static void
clear_events(struct store_client *c)
{
	timer_stop(&c->events_timer);
	strbuf_clear(&c->events);
	c->events_count = 0;
}

static uint64_t
call_start(struct store_client *c, enum op op, const void *args, answered_fn *answered,
           void *done, void *arg)
{
	struct call *call = mem_alloc(sizeof(*call));
	struct deed *deed = op == OP_events ? NULL : c->deed;
	/* A deed may be found done: what came with it would not be taken. Nor would what
	   came with one that is given up. */
	bool has_events = can_carry_events(op) && c->events.n <= EVENTS_BYTES && !deed &&
	                  c->is_greeted;

	if (op != OP_events && !has_events)
		send_events(c);
	call->client = c;
	call->op = op;
	call->seq = ++c->seq;
	call->answered = answered;
	call->done = done;
	call->arg = arg;
	call->deadline_ms = loop_now_ms(c->loop) + CALL_TIMEOUT_MS;
	call->payload = strbuf_heap(IPC_FRAME_MAX);
	(void)!strbuf_reserve(&call->payload,
	                      PAYLOAD_FIRST + (has_events ? c->events.n : 0));
	pack_u64(&call->payload, 0);
	pack_str(&call->payload, has_events ? strbuf_str(&c->events) : str_from(NULL));
	if (has_events)
		clear_events(c);
	pack_str(&call->payload,
	         deed ? str_make(deed->name, sizeof(deed->name)) : str_from(NULL));
	pack_u32(&call->payload, deed ? ++deed->n : 0);
	op_pack(op, args, &call->payload);
	if (call->payload.overflow || c->count >= CALLS_MAX || c->bytes >= BYTES_MAX) {
		call->error = call->payload.overflow ? ERR_LIMIT : ERR_BUSY;
		if (list_is_empty(&c->refused))
			loop_defer(c->loop, refuse_all, c);
		list_add_last(&c->refused, &call->link);
		return call->seq;
	}
	list_add_last(&c->calls, &call->link);
	(void)map_set(c->by_seq, key_of(&call->seq), call);
	c->count++;
	c->bytes += call->payload.n;
	call_send(c, call);
	return call->seq;
}

/* The typed functions of client.h. The call-back's type is known again on the way out. */
union done_pointer {
	void (*function)(void);
	void *pointer;
};

#define OP(name, answer, way, by)                                                        \
	static void answered_##name(void *done, void *arg, enum err e, const void *a)    \
	{                                                                                \
		union done_pointer p = { .pointer = done };                              \
                                                                                         \
		((store_##name##_fn *)p.function)(arg, e, a);                            \
	}                                                                                \
	uint64_t store_##name(struct store_client *c, const struct op_##name *op,        \
	                      store_##name##_fn *done, void *arg)                        \
	{                                                                                \
		union done_pointer p = { .function = (void (*)(void))done };             \
                                                                                         \
		return call_start(c, OP_##name, op, answered_##name, p.pointer, arg);    \
	}
/* clang-format off */
#include "store/ops.def"
/* clang-format on */
#undef OP

void
store_set_deed(struct store_client *c, struct deed *deed)
{
	c->deed = deed;
}

void
store_forget(struct store_client *c, uint64_t seq)
{
	struct call *call = map_find(c->by_seq, key_of(&seq));

	if (call)
		call->done = NULL;
	LIST_EACH(&c->refused, l)
	{
		call = CONTAINER_OF(l, struct call, link);
		if (call->seq == seq)
			call->done = NULL;
	}
}

static void
events_due(void *arg)
{
	send_events(arg);
}

/* --- the connection --------------------------------------------------------------- */

static void
opened(void *arg, struct ipc_peer *p)
{
	struct store_client *c = arg;

	ipc_send(p, WIRE_HELLO, c->epoch, str_from(NULL));
}

/* The supervisor holds the socket on which the store listens, so there is a connection
   while nobody is behind it. Only one who answers the greeting is told more. */
static void
greeted(struct store_client *c)
{
	if (c->is_greeted)
		return;
	c->is_greeted = true;
	c->looks_away = 0;
	LIST_EACH(&c->calls, l)
	call_send(c, CONTAINER_OF(l, struct call, link));
	feeds_connected(c->feeds);
}

static void
closed(void *arg, struct ipc_peer *p, const char *why)
{
	struct store_client *c = arg;

	(void)p;
	(void)why;
	c->is_greeted = false;
}

static void
answered(struct store_client *c, enum op op, uint64_t seq, struct str payload)
{
	struct call *call = map_find(c->by_seq, key_of(&seq));
	struct unpack u = unpack_from(payload);
	uint32_t code = unpack_u32(&u);
	enum err e = u.bad || code >= ERR_COUNT ? ERR_STORE_TEMP : (enum err)code;
	struct arena *a;
	void *answer = NULL;

	/* Timed out before, or asked twice over a reconnect: told already. */
	if (!call || call->op != op)
		return;
	a = arena_new(ANSWER_ARENA_BYTES);
	if (call->done && (e == OK || u.rest.n)) {
		enum err bad = answer_unpack(op, u.rest, a, &answer);

		if (bad != OK) {
			answer = NULL;
			e = e == OK ? bad : e;
		}
	}
	call_finish(call, e, answer);
	arena_free(&a);
	check_flushes(c);
}

static void
message(void *arg, struct ipc_peer *p, const struct ipc_message *m)
{
	struct store_client *c = arg;

	(void)p;
	if (m->kind == WIRE_HELLO)
		greeted(c);
	else if (m->kind == WIRE_CHANGES)
		feeds_changed(c->feeds, m->payload);
	else if (m->kind >= WIRE_OP)
		answered(c, (enum op)(m->kind - WIRE_OP), m->id, m->payload);
}

struct store_client *
store_client_new(struct loop *loop, const struct conf *conf)
{
	static const struct ipc_ops ops = { opened, message, closed, NULL };
	struct store_client *c = mem_alloc(sizeof(*c));
	struct strbuf path = strbuf_heap(8192);

	c->loop = loop;
	c->epoch = random_u64() >> 1;
	c->by_seq = map_new();
	list_init(&c->calls);
	list_init(&c->refused);
	list_init(&c->flushes);
	c->events = strbuf_heap(EVENTS_BYTES_MAX);
	c->feeds = feeds_new(c);
	timer_init(&c->timeout, loop, timed_out, c);
	timer_set(&c->timeout, LOOK_MS);
	timer_init(&c->events_timer, loop, events_due, c);
	c->ipc = ipc_client_new(loop, conf_run_path(conf, "store.sock", &path), &ops, c);
	strbuf_release(&path);
	return c;
}

void
store_client_free(struct store_client **client)
{
	struct store_client *c = *client;

	if (!c)
		return;
	ipc_client_free(&c->ipc);
	timer_stop(&c->timeout);
	timer_stop(&c->events_timer);
	loop_defer_cancel(c->loop, refuse_all, c);
	LIST_EACH(&c->calls, l)
	call_free(CONTAINER_OF(l, struct call, link));
	LIST_EACH(&c->refused, l)
	call_free(CONTAINER_OF(l, struct call, link));
	LIST_EACH(&c->flushes, l)
	{
		list_remove(l);
		mem_free(CONTAINER_OF(l, struct flush, link));
	}
	feeds_free(&c->feeds);
	map_free(&c->by_seq);
	strbuf_release(&c->events);
	mem_free(c);
	*client = NULL;
}

bool
store_is_connected(const struct store_client *c)
{
	return c->is_greeted;
}

uint64_t
store_epoch(const struct store_client *c)
{
	return c->epoch;
}

struct feeds *
store_client_feeds(struct store_client *c)
{
	return c->feeds;
}

struct loop *
store_client_loop(struct store_client *c)
{
	return c->loop;
}

/* --- events ----------------------------------------------------------------------- */

static void
send_events(struct store_client *c)
{
	struct op_events op = { strbuf_str(&c->events), c->events_count };

	timer_stop(&c->events_timer);
	if (!c->events_count)
		return;
	/* While the store is away they gather here instead of in many calls. */
	if (c->event_calls >= EVENT_CALLS_MAX) {
		timer_set(&c->events_timer, EVENTS_MS);
		return;
	}
	c->event_calls++;
	(void)call_start(c, OP_events, &op, NULL, NULL, NULL);
	clear_events(c);
}

void
store_tell(struct store_client *c, const struct event *e)
{
	size_t before = c->events.n;

	if (before >= EVENTS_TIGHT && event_level(e->id) == LEVEL_DEBUG) {
		c->dropped++;
		return;
	}
	events_pack(&c->events, e);
	if (c->events.overflow) {
		c->events.overflow = false;
		strbuf_truncate(&c->events, before);
		c->dropped++;
		return;
	}
	c->events_count++;
	if (c->events.n >= EVENTS_BYTES)
		send_events(c);
	else if (!timer_is_set(&c->events_timer))
		timer_set(&c->events_timer, EVENTS_MS);
}

void
store_sink(void *client, const struct event *e)
{
	store_tell(client, e);
}

void
store_flush(struct store_client *c, void (*done)(void *arg), void *arg)
{
	struct flush *f = mem_alloc(sizeof(*f));

	send_events(c);
	if (list_is_empty(&c->calls)) {
		mem_free(f);
		loop_defer(c->loop, done, arg);
		return;
	}
	f->seq = c->seq;
	f->done = done;
	f->arg = arg;
	list_add_last(&c->flushes, &f->link);
}
