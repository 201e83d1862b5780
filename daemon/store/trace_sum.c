#include "store/trace_sum.h"

#include "base/duration.h"
#include "base/event.h"
#include "base/strbuf.h"

enum {
	RCPTS_KEPT = 1000,     /* recipients of one message with a row of their own */
	RCPTS_TEXT_MAX = 1024, /* bytes of trace.rcpts */
	FIELDS_MAX = 40,
	VALUE_MAX = 1024,
};

/* What an event does to a recipient or, without one, to the message. */
static const struct effect {
	uint32_t event;
	uint32_t verdict;   /* VERDICT_ANY: as it was */
	const char *reason; /* the field that says why; NULL: none */
} effects[] = {
	{ EV_MAIL, VERDICT_ANY, NULL },
	{ EV_DMARC, VERDICT_ANY, NULL },
	{ EV_ACCEPTED, VERDICT_ANY, NULL },
	{ EV_EXPANDED, VERDICT_ANY, NULL },
	{ EV_STORED, VERDICT_DELIVERED, NULL },
	{ EV_QUEUED, VERDICT_ACCEPTED, NULL },
	{ EV_DISCARDED, VERDICT_DISCARDED, "reason" },
	{ EV_ATTEMPT, VERDICT_ANY, NULL },
	{ EV_DELIVERED, VERDICT_DELIVERED, "reply" },
	{ EV_DEFERRED, VERDICT_DEFERRED, "reason" },
	{ EV_BOUNCED, VERDICT_BOUNCED, "reason" },
	{ EV_EXPIRED, VERDICT_EXPIRED, "reason" },
	{ EV_QUEUE_ACTION, VERDICT_ANY, NULL },
	{ EV_REPORT_RECEIVED, VERDICT_DELIVERED, NULL },
	{ EV_REPORT_REPEATED, VERDICT_DISCARDED, NULL },
	{ EV_REPORT_REFUSED, VERDICT_DELIVERED, NULL },
	{ EV_CONNECT_REFUSED, VERDICT_REFUSED, "reason" },
	{ EV_AUTH_FAILED, VERDICT_REFUSED, "reason" },
	{ EV_MAIL_REJECTED, VERDICT_REFUSED, "reply" },
	{ EV_RCPT_REJECTED, VERDICT_REFUSED, "reply" },
	{ EV_DATA_REJECTED, VERDICT_REFUSED, "reply" },
};

/* How bad it is; the worst of the recipients is the message's. What waits is worse than
   what is done. */
static const uint8_t ranks[VERDICT_COUNT] = {
	[VERDICT_ANY] = 0,       [VERDICT_DELIVERED] = 1, [VERDICT_DISCARDED] = 2,
	[VERDICT_CANCELLED] = 3, [VERDICT_ACCEPTED] = 4,  [VERDICT_DEFERRED] = 5,
	[VERDICT_REFUSED] = 6,   [VERDICT_EXPIRED] = 7,   [VERDICT_BOUNCED] = 8,
};

struct field {
	struct str key, value;
};

struct fields {
	struct field p[FIELDS_MAX];
	size_t n;
};

static void
fields_parse(struct str body, struct arena *a, struct fields *f)
{
	char bytes[VALUE_MAX];
	struct strbuf scratch = strbuf_on(bytes);
	struct str key;

	f->n = 0;
	while (f->n < FIELDS_MAX && logfmt_next(&body, &key, &scratch)) {
		f->p[f->n].key = key;
		f->p[f->n].value = arena_str(a, strbuf_str(&scratch));
		f->n++;
	}
}

static struct str
field(const struct fields *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++) {
		if (str_eq(f->p[i].key, str_from(key)))
			return f->p[i].value;
	}
	return str_from(NULL);
}

static uint64_t
number(const struct fields *f, const char *key)
{
	uint64_t value = 0;

	(void)str_parse_u64(field(f, key), &value);
	return value;
}

static struct str
lowered(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = byte_lower(p[i]);
	return str_make(p, s.n);
}

void
trace_sum_init(struct trace_sum *sum, struct str id, bool is_new, struct arena *a)
{
	*sum = (struct trace_sum){ .arena = a, .row.id = id, .is_loaded = is_new };
	list_init(&sum->rcpts);
}

/* --- what is there already -------------------------------------------------------- */

static struct sum_rcpt *
rcpt_new(struct trace_sum *sum, struct str rcpt)
{
	struct sum_rcpt *r = ARENA_NEW(sum->arena, struct sum_rcpt);

	r->row.rcpt = rcpt;
	list_add_last(&sum->rcpts, &r->link);
	sum->row.rcpt_count++;
	return r;
}

static void
load_rcpts(struct trace_sum *sum, struct db *db)
{
	struct stmt *s = db_query(db,
	                          "SELECT rcpt, orig_rcpt, verdict, at_ms, reason, host,"
	                          " mailbox, queue_id, uid, attempts FROM rcpt"
	                          " WHERE trace_id = $1",
	                          VALUES(V_S(sum->row.id)));

	while (db_next(s)) {
		struct arena *a = sum->arena;
		struct sum_rcpt *r = rcpt_new(sum, arena_str(a, db_str(s, 0)));

		r->row.orig_rcpt = arena_str(a, db_str(s, 1));
		r->row.verdict = db_u32(s, 2);
		r->row.at_ms = db_i64(s, 3);
		r->row.reason = arena_str(a, db_str(s, 4));
		r->row.host = arena_str(a, db_str(s, 5));
		r->row.mailbox = arena_str(a, db_str(s, 6));
		r->row.queue_id = db_u64(s, 7);
		r->row.uid = db_u32(s, 8);
		r->row.attempts = db_u32(s, 9);
	}
	/* A damaged row costs its summary, not the log. */
	(void)!db_done(db, &s);
}

static void
load(struct trace_sum *sum, struct db *db)
{
	struct trace *t = &sum->row;
	struct arena *a = sum->arena;
	struct stmt *s;
	enum err e;

	if (sum->is_loaded)
		return;
	sum->is_loaded = true;
	e = db_one(db,
	           "SELECT at_ms, direction, verdict, session_id, sender, subject,"
	           " message_id, ip, login, reason, size, spf, dkim, dmarc FROM trace"
	           " WHERE id = $1",
	           VALUES(V_S(t->id)), &s);
	sum->is_unreadable = e != OK && e != ERR_NOT_FOUND;
	if (e != OK)
		return;
	t->at_ms = db_i64(s, 0);
	t->direction = db_u32(s, 1);
	sum->own_verdict = db_u32(s, 2);
	sum->is_stored = true;
	sum->stored_direction = t->direction;
	sum->stored_verdict = sum->own_verdict;
	sum->is_unreadable =
		t->direction > TRACE_OWN || sum->own_verdict >= VERDICT_COUNT;
	sum->session_id = arena_str(a, db_str(s, 3));
	t->from = arena_str(a, db_str(s, 4));
	t->subject = arena_str(a, db_str(s, 5));
	t->message_id = arena_str(a, db_str(s, 6));
	t->ip = arena_str(a, db_str(s, 7));
	t->user = arena_str(a, db_str(s, 8));
	t->reason = arena_str(a, db_str(s, 9));
	t->size = db_u64(s, 10);
	t->spf = arena_str(a, db_str(s, 11));
	t->dkim = arena_str(a, db_str(s, 12));
	t->dmarc = arena_str(a, db_str(s, 13));
	db_end(&s);
	load_rcpts(sum, db);
	/* The stored verdict is that of the recipients where there are some. */
	if (!list_is_empty(&sum->rcpts) && sum->own_verdict != VERDICT_REFUSED)
		sum->own_verdict = VERDICT_ANY;
}

/* --- events ----------------------------------------------------------------------- */

static struct sum_rcpt *
rcpt_get(struct trace_sum *sum, struct str rcpt)
{
	struct str key = lowered(sum->arena, rcpt);

	LIST_EACH(&sum->rcpts, l)
	{
		struct sum_rcpt *r = CONTAINER_OF(l, struct sum_rcpt, link);

		if (str_eq(r->row.rcpt, key))
			return r;
	}
	return sum->row.rcpt_count < RCPTS_KEPT ? rcpt_new(sum, key) : NULL;
}

static void
set(struct str *to, struct str value)
{
	if (value.n)
		*to = value;
}

static void
add_message(struct trace_sum *sum, uint32_t event, const struct fields *f)
{
	static const struct str words[] = { STR_INIT(""), STR_INIT("in"), STR_INIT("out"),
		                            STR_INIT("own") };
	struct trace *t = &sum->row;
	struct str direction = field(f, "direction");

	if (event == EV_MAIL || event == EV_MAIL_REJECTED || event == EV_ACCEPTED ||
	    event == EV_RCPT_REJECTED || event == EV_DATA_REJECTED)
		set(&t->from, lowered(sum->arena, field(f, "from")));
	if (event == EV_ACCEPTED) {
		set(&t->subject, field(f, "subject"));
		set(&t->message_id, field(f, "message_id"));
		t->size = number(f, "size");
	}
	if (event == EV_DMARC) {
		set(&t->spf, field(f, "spf"));
		set(&t->dkim, field(f, "dkim"));
		set(&t->dmarc, field(f, "result"));
	}
	if (!t->ip.n && event != EV_DELIVERED && event != EV_DEFERRED &&
	    event != EV_BOUNCED)
		set(&t->ip, field(f, "ip"));
	set(&t->user, field(f, "user"));
	for (uint32_t i = TRACE_IN; i < ARRAY_LEN(words); i++) {
		if (str_eq(direction, words[i]))
			t->direction = i;
	}
}

/* Why, as the log keeps it: "CODE ENHANCED words", or "class words" where nobody answered
   with a code, or the words alone. */
static struct str
why(struct trace_sum *sum, const struct effect *effect, const struct fields *f)
{
	struct str words = field(f, effect->reason);
	struct str code = field(f, "code"), class = field(f, "class");

	if (effect->event == EV_DELIVERED || (code.n && str_starts(words, code)))
		return arena_str(sum->arena, words);
	if (code.n)
		return arena_printf(sum->arena, "%.*s %.*s%s%.*s", STR_ARG(code),
		                    STR_ARG(field(f, "enhanced")),
		                    field(f, "enhanced").n ? " " : "", STR_ARG(words));
	if (class.n)
		return arena_printf(sum->arena, "%.*s %.*s", STR_ARG(class),
		                    STR_ARG(words));
	return arena_str(sum->arena, words);
}

static void
add_rcpt(struct trace_sum *sum, const struct effect *effect, const struct fields *f,
         const struct trace_event *event)
{
	struct sum_rcpt *r = rcpt_get(sum, field(f, "rcpt"));
	uint32_t verdict = effect->verdict;

	if (!r)
		return;
	if (effect->event == EV_QUEUE_ACTION && str_eq(field(f, "action"), STR("delete")))
		verdict = VERDICT_CANCELLED;
	r->is_dirty = true;
	r->row.at_ms = event->at_ms;
	/* Deleted while it was tried: that it would have been tried again is no news. */
	if (verdict == VERDICT_DEFERRED && r->row.verdict == VERDICT_CANCELLED)
		verdict = VERDICT_ANY;
	if (verdict != VERDICT_ANY)
		r->row.verdict = verdict;
	if (effect->reason)
		r->row.reason = why(sum, effect, f);
	set(&r->row.orig_rcpt, lowered(sum->arena, field(f, "alias")));
	set(&r->row.mailbox, field(f, "mailbox"));
	set(&r->row.host, field(f, "host"));
	if (number(f, "uid"))
		r->row.uid = (uint32_t)number(f, "uid");
	if (number(f, "queue_id"))
		r->row.queue_id = number(f, "queue_id");
	if (effect->event == EV_ATTEMPT)
		r->row.attempts = (uint32_t)number(f, "attempt");
}

static const struct effect *
effect_find(uint32_t event)
{
	for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
		if (effects[i].event == event)
			return &effects[i];
	}
	return NULL;
}

void
trace_sum_add(struct trace_sum *sum, struct db *db, const struct trace_event *event)
{
	const struct effect *effect = effect_find(event->id);
	struct trace *t = &sum->row;
	struct fields f;

	if (!effect)
		return;
	load(sum, db);
	fields_parse(event->body, sum->arena, &f);
	sum->is_dirty = true;
	if (!t->at_ms)
		t->at_ms = event->at_ms;
	t->updated_ms = event->at_ms;
	if (!sum->session_id.n)
		sum->session_id = arena_str(sum->arena, event->session_id);
	add_message(sum, effect->event, &f);
	if (field(&f, "rcpt").n)
		add_rcpt(sum, effect, &f, event);
	else if (effect->verdict != VERDICT_ANY)
		sum->own_verdict = effect->verdict;
	if (effect->reason)
		t->reason = why(sum, effect, &f);
}

/* --- writing ---------------------------------------------------------------------- */

static enum err
rcpt_write(struct db *db, const struct trace_sum *sum, const struct trace_rcpt *r)
{
	return db_run(
		db,
		"INSERT INTO rcpt (trace_id, rcpt, orig_rcpt, verdict, at_ms, reason,"
		" host, mailbox, queue_id, uid, attempts)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (trace_id, rcpt) DO UPDATE SET"
		" orig_rcpt = excluded.orig_rcpt, verdict = excluded.verdict,"
		" at_ms = excluded.at_ms, reason = excluded.reason,"
		" host = excluded.host, mailbox = excluded.mailbox,"
		" queue_id = excluded.queue_id, uid = excluded.uid,"
		" attempts = excluded.attempts",
		VALUES(V_S(sum->row.id), V_S(r->rcpt), V_S(r->orig_rcpt), V_I(r->verdict),
	               V_I(r->at_ms), V_S(r->reason), V_S(r->host), V_S(r->mailbox),
	               V_I(r->queue_id), V_I(r->uid), V_I(r->attempts)));
}

/* The message's verdict, the item that waits, and its recipients in words. */
static void
conclude(struct trace_sum *sum)
{
	struct strbuf words = strbuf_arena(sum->arena, RCPTS_TEXT_MAX);
	uint32_t worst =
		sum->own_verdict < VERDICT_COUNT ? sum->own_verdict : VERDICT_ANY;

	sum->row.queue_id = 0;
	LIST_EACH(&sum->rcpts, l)
	{
		const struct trace_rcpt *r = &CONTAINER_OF(l, struct sum_rcpt, link)->row;

		if (r->verdict < VERDICT_COUNT && ranks[r->verdict] > ranks[worst])
			worst = r->verdict;
		if ((r->verdict == VERDICT_ACCEPTED || r->verdict == VERDICT_DEFERRED) &&
		    !sum->row.queue_id)
			sum->row.queue_id = r->queue_id;
		if (words.n + r->rcpt.n + 1 >= RCPTS_TEXT_MAX)
			continue;
		if (words.n)
			strbuf_byte(&words, ' ');
		strbuf_add(&words, r->rcpt);
	}
	sum->row.verdict = worst;
	sum->row.to = strbuf_str(&words);
}

enum err
trace_counts_write(struct db *db, struct trace_counts *counts)
{
	enum err e = OK;

	for (size_t i = 0; i < counts->n && e == OK; i++) {
		const struct trace_count *c = &counts->p[i];

		if (!c->change)
			continue;
		e = db_run(db,
		           "INSERT INTO hour_count (hour, direction, verdict, messages)"
		           " VALUES ($1, $2, $3, $4)"
		           " ON CONFLICT (hour, direction, verdict) DO UPDATE SET"
		           " messages = hour_count.messages + excluded.messages",
		           VALUES(V_I(c->hour), V_I(c->direction), V_I(c->verdict),
		                  V_I(c->change)));
	}
	counts->n = 0;
	return e;
}

static enum err
counts_add(struct db *db, struct trace_counts *counts, const struct trace_count *one)
{
	enum err e = OK;

	for (size_t i = 0; i < counts->n; i++) {
		struct trace_count *c = &counts->p[i];

		if (c->hour == one->hour && c->direction == one->direction &&
		    c->verdict == one->verdict) {
			c->change += one->change;
			return OK;
		}
	}
	if (counts->n == ARRAY_LEN(counts->p))
		e = trace_counts_write(db, counts);
	counts->p[counts->n++] = *one;
	return e;
}

/* A message is counted where it is now, and no longer where it was; of a damaged row
   nobody knows where that is, so it stays there. */
static enum err
count_it(struct db *db, const struct trace_sum *sum, struct trace_counts *counts)
{
	const struct trace *t = &sum->row;
	int64_t hour = t->at_ms / HOUR_MS;
	enum err e;

	if (sum->is_unreadable) {
		log_line(LEVEL_WARN, "store.log.unreadable", "trace=%.*s",
		         STR_ARG(t->id));
		return OK;
	}
	e = counts_add(db, counts,
	               &(struct trace_count){ hour, t->direction, t->verdict, 1 });
	if (e != OK || !sum->is_stored)
		return e;
	return counts_add(db, counts,
	                  &(struct trace_count){ hour, sum->stored_direction,
	                                         sum->stored_verdict, -1 });
}

enum err
trace_sum_write(struct db *db, struct trace_sum *sum, struct trace_counts *counts)
{
	const struct trace *t = &sum->row;
	enum err e;

	if (!sum->is_dirty)
		return OK;
	conclude(sum);
	e = db_run(
		db,
		"INSERT INTO trace (id, at_ms, updated_ms, direction, verdict,"
		" session_id, sender, rcpts, rcpt_count, subject, message_id, ip, login,"
		" reason, size, queue_id, spf, dkim, dmarc) VALUES ($1, $2, $3, $4, $5,"
		" $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
		" ON CONFLICT (id) DO UPDATE SET"
		" updated_ms = excluded.updated_ms, direction = excluded.direction,"
		" verdict = excluded.verdict, session_id = excluded.session_id,"
		" sender = excluded.sender, rcpts = excluded.rcpts,"
		" rcpt_count = excluded.rcpt_count, subject = excluded.subject,"
		" message_id = excluded.message_id, ip = excluded.ip,"
		" login = excluded.login, reason = excluded.reason,"
		" size = excluded.size, queue_id = excluded.queue_id,"
		" spf = excluded.spf, dkim = excluded.dkim, dmarc = excluded.dmarc",
		VALUES(V_S(t->id), V_I(t->at_ms), V_I(t->updated_ms), V_I(t->direction),
	               V_I(t->verdict), V_S(sum->session_id), V_S(t->from), V_S(t->to),
	               V_I(t->rcpt_count), V_S(t->subject), V_S(t->message_id),
	               V_S(t->ip), V_S(t->user), V_S(t->reason), V_I(t->size),
	               V_I(t->queue_id), V_S(t->spf), V_S(t->dkim), V_S(t->dmarc)));
	if (e == OK)
		e = count_it(db, sum, counts);
	LIST_EACH(&sum->rcpts, l)
	{
		struct sum_rcpt *r = CONTAINER_OF(l, struct sum_rcpt, link);

		if (e == OK && r->is_dirty)
			e = rcpt_write(db, sum, &r->row);
	}
	return e;
}
