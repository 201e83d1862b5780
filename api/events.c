#include "api/events.h"

#include "api/fields.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/trace_event.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "store/feed.h"

enum {
	KEPT_MAX = 10000,
	KEPT_BYTES_MAX = 8 << 20,
	EVENT_BYTES_MAX = 16 * 1024,
	READER_BYTES_MAX = 512 * 1024, /* unread by one client; then events are dropped */
	COMMENT_MS = 15 * 1000,
	LINGER_MS = 15 * MINUTE_MS,
	QUEUE_EVERY_MS = 500,
};

/* Topics by the beginning of an event's name; the last one takes the rest. */
static const struct {
	const char *topic, *start;
} topics[] = {
	/* clang-format off */
	{ "message", "message." },
	{ "queue", "queue." },
	{ "trace", "smtp." },
	{ "trace", "delivery." },
	{ "trace", "mailbox." },
	{ "auth", "auth." },
	{ "admin", "admin." },
	{ "admin", "config." },
	{ "dns", "dns." },
	{ "dns", "dkim." },
	{ "report", "report." },
	{ "health", "health." },
	{ "queue", "tls.policy." },
	{ "role", "" },
	/* clang-format on */
};

/* An event as it goes out, kept for a while. */
struct kept {
	struct link in_list;
	uint64_t seq;
	const char *topic;
	struct strbuf text; /* heap */
};

struct event_reader {
	struct link in_list;
	struct api_request *r;
	struct str topics; /* "message,queue"; empty: all */
	uint64_t dropped;
};

struct event_hub {
	struct loop *loop;
	struct store_client *store;
	struct feed *events, *queue; /* NULL: nobody has read for a while */
	struct link readers, kept;
	size_t readers_count, kept_count, kept_bytes;
	/* Of the newest event; begins with the clock, so that ids grow over restarts and
	   an old one is never taken for a new one. */
	uint64_t last_seq;
	int64_t queue_told_ms;
	struct timer timer;
	int64_t idle_since_ms; /* 0: somebody reads */
};

static const char *
topic_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (str_starts(name, str_from(topics[i].start)))
			return topics[i].topic;
	}
	return "role";
}

static bool
wants(const struct event_reader *reader, const char *topic)
{
	struct str rest = reader->topics, one;

	if (!rest.n)
		return true;
	while (str_next(&rest, ',', &one)) {
		if (str_eq(one, str_from(topic)))
			return true;
		/* What happens to a message is of interest to whoever watches messages,
		   the queue or the log. */
		if (str_eq(str_from(topic), STR("message")) &&
		    (str_eq(one, STR("queue")) || str_eq(one, STR("trace"))))
			return true;
	}
	return false;
}

static void
send_text(struct event_reader *reader, struct str text)
{
	char bytes[100];
	struct strbuf b = strbuf_on(bytes);

	if (reader->dropped) {
		strbuf_printf(&b, "event: dropped\ndata: {\"count\":%llu}\n\n",
		              (unsigned long long)reader->dropped);
		if (!http_stream_write(reader->r->x, strbuf_str(&b), READER_BYTES_MAX)) {
			reader->dropped++;
			return;
		}
		reader->dropped = 0;
	}
	if (!http_stream_write(reader->r->x, text, READER_BYTES_MAX))
		reader->dropped++;
}

static void
send_all(struct event_hub *h, const char *topic, struct str text)
{
	LIST_EACH(&h->readers, l)
	{
		struct event_reader *reader =
			CONTAINER_OF(l, struct event_reader, in_list);

		if (!topic || wants(reader, topic))
			send_text(reader, text);
	}
}

/* --- what is kept ----------------------------------------------------------------- */

static void
drop_kept(struct event_hub *h, struct kept *k)
{
	list_remove(&k->in_list);
	h->kept_count--;
	h->kept_bytes -= k->text.n;
	strbuf_release(&k->text);
	mem_free(k);
}

static void
drop_all_kept(struct event_hub *h)
{
	LIST_EACH(&h->kept, l)
	drop_kept(h, CONTAINER_OF(l, struct kept, in_list));
}

static void
keep(struct event_hub *h, struct kept *k)
{
	list_add_last(&h->kept, &k->in_list);
	h->kept_count++;
	h->kept_bytes += k->text.n;
	while (h->kept_count > KEPT_MAX || h->kept_bytes > KEPT_BYTES_MAX)
		drop_kept(h, CONTAINER_OF(h->kept.next, struct kept, in_list));
}

static void
take_event(struct event_hub *h, const struct trace_event *event)
{
	struct kept *k = mem_alloc(sizeof(*k));
	struct json_out j;

	k->seq = ++h->last_seq;
	k->topic = topic_of(event->name);
	k->text = strbuf_heap(EVENT_BYTES_MAX);
	strbuf_printf(&k->text,
	              "id: %llu\nevent: %.*s\ndata: ", (unsigned long long)k->seq,
	              STR_ARG(event->name));
	j = json_out_on(&k->text);
	json_open_object(&j, NULL);
	trace_event_write(&j, event);
	json_close_object(&j);
	strbuf_lit(&k->text, "\n\n");
	if (k->text.overflow) {
		strbuf_release(&k->text);
		mem_free(k);
		return;
	}
	send_all(h, k->topic, strbuf_str(&k->text));
	keep(h, k);
}

/* --- the feed --------------------------------------------------------------------- */

static void
on_change(void *arg, const struct change *change)
{
	struct event_hub *h = arg;

	if (change->kind == CHANGE_EVENT) {
		take_event(h, &change->event);
	} else if (change->kind == CHANGE_RESET) {
		drop_all_kept(h);
		send_all(h, NULL, STR("event: reset\ndata: {}\n\n"));
	} else if (change->kind == CHANGE_QUEUE &&
	           loop_now_ms(h->loop) - h->queue_told_ms >= QUEUE_EVERY_MS) {
		h->queue_told_ms = loop_now_ms(h->loop);
		send_all(h, "queue", STR("event: queue.changed\ndata: {}\n\n"));
	}
}

static void
open_feed(struct event_hub *h)
{
	h->idle_since_ms = 0;
	if (h->events)
		return;
	h->events = feed_open(h->store, FEED_EVENTS, 0, on_change, h);
	h->queue = feed_open(h->store, FEED_QUEUE, 0, on_change, h);
}

static void
close_feed(struct event_hub *h)
{
	if (h->events)
		feed_close(&h->events);
	if (h->queue)
		feed_close(&h->queue);
	drop_all_kept(h);
	timer_stop(&h->timer);
}

/* A comment keeps the connection alive and finds out who is gone. */
static void
on_timer(void *arg)
{
	struct event_hub *h = arg;

	send_all(h, NULL, STR(": still here\n\n"));
	if (h->idle_since_ms && loop_now_ms(h->loop) - h->idle_since_ms >= LINGER_MS)
		close_feed(h);
	else
		timer_set(&h->timer, COMMENT_MS);
}

/* --- readers ---------------------------------------------------------------------- */

static bool
check_topics(struct api_request *r, struct str given)
{
	struct str rest = given, one;

	while (str_next(&rest, ',', &one)) {
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_LEN(topics); i++)
			is_known |= str_eq(one, str_from(topics[i].topic));
		if (is_known)
			continue;
		api_fault(r, STR("?topics"), "unknown_value",
		          "topics are message, queue, trace, auth, admin, dns, "
		          "report, health and role");
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	return true;
}

/* What was missed since `seq`, or one reset where that is not known any more. */
static void
replay(struct event_hub *h, struct event_reader *reader, uint64_t seq)
{
	struct kept *first = NULL;

	if (!list_is_empty(&h->kept))
		first = CONTAINER_OF(h->kept.next, struct kept, in_list);
	if (seq != h->last_seq && (!first || seq < first->seq || seq > h->last_seq)) {
		send_text(reader, STR("event: reset\ndata: {}\n\n"));
		return;
	}
	LIST_EACH(&h->kept, l)
	{
		struct kept *k = CONTAINER_OF(l, struct kept, in_list);

		if (k->seq > seq && wants(reader, k->topic))
			send_text(reader, strbuf_str(&k->text));
	}
}

static void
begin_stream(struct api_request *r)
{
	api_header(r, "Content-Type", STR("text/event-stream"));
	api_header(r, "Request-Id", id_str(&r->id));
	api_header(r, "Cache-Control", STR("no-store"));
	api_header(r, "X-Accel-Buffering", STR("no"));
	request_add_security(r, STR("default-src 'none'; frame-ancestors 'none'"));
	http_answer_stream(r->x, 200, r->headers, r->headers_count);
}

void
events_stream(struct api_request *r)
{
	static const struct field_spec spec = { .name = "topics",
		                                .kind = FIELD_STR,
		                                .max = 200 };
	struct event_hub *h = r->api->events;
	struct str last = api_head(r, "last-event-id");
	struct event_reader *reader;
	struct field f;
	uint64_t seq;

	if (!fields_query(r, &spec, 1, &f) || !check_topics(r, f.s))
		return;
	if (h->readers_count >= (size_t)r->api->conf->limits.event_streams) {
		api_header(r, "Retry-After",
		           arena_printf(r->arena, "%d", COMMENT_MS / 1000));
		api_problem(r, PROBLEM_QUOTA, "too many live views are open");
		return;
	}
	reader = ARENA_NEW(r->arena, struct event_reader);
	reader->r = r;
	reader->topics = f.s;
	r->stream = reader;
	begin_stream(r);
	list_add_last(&h->readers, &reader->in_list);
	h->readers_count++;
	open_feed(h);
	send_text(reader, STR("retry: 3000\n\n"));
	if (str_parse_u64(last, &seq))
		replay(h, reader, seq);
	if (!timer_is_set(&h->timer))
		timer_set(&h->timer, COMMENT_MS);
}

void
event_hub_forget(struct event_hub *h, struct api_request *r)
{
	if (!r->stream)
		return;
	list_remove(&r->stream->in_list);
	r->stream = NULL;
	if (--h->readers_count == 0)
		h->idle_since_ms = loop_now_ms(h->loop);
}

struct event_hub *
event_hub_new(struct loop *l, struct store_client *store)
{
	struct event_hub *h = mem_alloc(sizeof(*h));

	h->loop = l;
	h->store = store;
	h->last_seq = (uint64_t)clock_unix_ms() * 1000;
	list_init(&h->readers);
	list_init(&h->kept);
	timer_init(&h->timer, l, on_timer, h);
	return h;
}

void
event_hub_free(struct event_hub **h)
{
	if (!*h)
		return;
	CHECK(list_is_empty(&(*h)->readers));
	close_feed(*h);
	mem_free(*h);
	*h = NULL;
}
