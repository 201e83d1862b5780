/* /traces: what became of every message, and of every attempt to send one. */
#include "api/fields.h"
#include "api/filter.h"
#include "api/names.h"
#include "api/page.h"
#include "api/queue.h"
#include "api/reason.h"
#include "api/routes.h"
#include "api/trace_event.h"
#include "base/clock.h"
#include "base/utf8.h"

enum {
	T_ID,
	T_FROM,
	T_FROM_DOMAIN,
	T_TO,
	T_TO_DOMAIN,
	T_SUBJECT,
	T_MSGID,
	T_IP,
	T_CODE,
	T_CLASS,
	T_DIRECTION,
	T_VERDICT,
	T_USER,
	T_ACCOUNT,
	T_SIZE,
	T_TIME,
	T_SPF,
	T_DKIM,
	T_DMARC,
	T_COUNT,
	SCAN_MAX = 20000,  /* rows looked at for one page; then the page is cut short */
	EVENTS_MAX = 2000, /* of one trace */
	RCPTS_MAX = 1000,
	WHY_MAX = 300,
};

static const struct filter_field trace_fields[T_COUNT] = {
	[T_ID] = { "id", FILTER_EXACT, true },
	[T_FROM] = { "from", FILTER_ADDRESS, true },
	[T_FROM_DOMAIN] = { "from_domain", FILTER_EXACT, false },
	[T_TO] = { "to", FILTER_ADDRESS, true },
	[T_TO_DOMAIN] = { "to_domain", FILTER_EXACT, false },
	[T_SUBJECT] = { "subject", FILTER_TEXT, true },
	[T_MSGID] = { "msgid", FILTER_TEXT, true },
	[T_IP] = { "ip", FILTER_EXACT, false },
	[T_CODE] = { "code", FILTER_NUMBER, false },
	[T_CLASS] = { "class", FILTER_EXACT, false },
	[T_DIRECTION] = { "direction", FILTER_EXACT, false },
	[T_VERDICT] = { "verdict", FILTER_EXACT, false },
	[T_USER] = { "user", FILTER_ADDRESS, false },
	[T_ACCOUNT] = { "account", FILTER_ADDRESS, false },
	[T_SIZE] = { "size", FILTER_SIZE, false },
	[T_TIME] = { "time", FILTER_TIME, false },
	[T_SPF] = { "spf", FILTER_EXACT, false },
	[T_DKIM] = { "dkim", FILTER_EXACT, false },
	[T_DMARC] = { "dmarc", FILTER_EXACT, false },
};

struct listing {
	struct page page;
	struct filter *filter;
	struct trace_query query;
	struct str pushed_to; /* a recipient the reader was told to look for */
	size_t scanned;
	/* Rows of the page, kept: their queue rows are read after the list. */
	struct trace *rows;
};

struct row {
	const struct listing *l;
	const struct trace *t;
};

/* --- matching --------------------------------------------------------------------- */

/* The list of recipients in a row is short; one the reader has found is in the whole. */
static struct str
recipients(const struct row *row)
{
	struct str extra = row->l->pushed_to;

	if (!extra.n)
		return row->t->to;
	return arena_printf(row->l->page.r->arena, "%.*s %.*s", STR_ARG(row->t->to),
	                    STR_ARG(extra));
}

static struct str
get_text(const struct row *row, size_t field)
{
	const struct trace *t = row->t;
	struct reason reason;

	switch (field) {
	case T_ID:
		return t->id;
	case T_FROM:
		return t->from;
	case T_FROM_DOMAIN:
		return api_domain_of(t->from);
	case T_TO:
		return recipients(row);
	case T_TO_DOMAIN:
		return api_domain_of(t->to);
	case T_SUBJECT:
		return t->subject;
	case T_MSGID:
		return t->message_id;
	case T_IP:
		return t->ip;
	case T_CLASS:
		reason = reason_from_text(t->reason);
		return reason_class(&reason);
	case T_DIRECTION:
		return str_from(direction_name(
			t->direction ? (enum trace_direction)t->direction : TRACE_IN));
	case T_VERDICT:
		return str_from(verdict_name((enum trace_verdict)t->verdict));
	case T_USER:
	case T_ACCOUNT:
		return t->user;
	case T_SPF:
		return t->spf;
	case T_DKIM:
		return t->dkim;
	case T_DMARC:
		return t->dmarc;
	default:
		return str_from(NULL);
	}
}

static int64_t
get_number(const struct trace *t, size_t field)
{
	switch (field) {
	case T_CODE:
		return reason_from_text(t->reason).code;
	case T_SIZE:
		return (int64_t)t->size;
	case T_TIME:
		return t->at_ms;
	default:
		return 0;
	}
}

static struct filter_value
get(const void *arg, size_t field)
{
	const struct row *row = arg;

	return (struct filter_value){ .text = get_text(row, field),
		                      .number = get_number(row->t, field) };
}

static bool
may_see(struct api_request *r, const struct trace *t)
{
	struct str rest = t->to, one;

	if (!r->caller.domains.n || api_may_domain(r, api_domain_of(t->from)))
		return true;
	while (str_next(&rest, ' ', &one)) {
		if (api_may_domain(r, api_domain_of(one)))
			return true;
	}
	return false;
}

static void
push_word(struct listing *l, struct str word)
{
	if (str_starts(word, STR("mtr_")) || str_starts(word, STR("ses_"))) {
		l->query.id = word;
	} else if (str_find(word, '@') != SIZE_MAX && str_find(word, '*') == SIZE_MAX &&
	           !str_starts(word, STR("<"))) {
		/* The reader looks at all recipients; a row has only the first few, and
		   its address is found again among them by pushed_to. */
		l->query.address = l->pushed_to = word;
	}
}

static uint32_t
direction_find(struct str word)
{
	for (unsigned d = TRACE_IN; d <= TRACE_OWN; d++) {
		if (str_eq_icase(word, str_from(direction_name((enum trace_direction)d))))
			return d;
	}
	return UINT32_MAX; /* no row has it */
}

/* What the reader can look up better than we can compare. */
static void
push_down(struct listing *l)
{
	struct str value;
	int64_t first, last;

	if (filter_needs(l->filter, T_ID, &value))
		l->query.id = value;
	if (filter_needs(l->filter, T_FROM, &value))
		l->query.from = value;
	if (filter_needs(l->filter, T_TO, &value))
		l->query.to = l->pushed_to = value;
	if (filter_needs(l->filter, T_IP, &value))
		l->query.ip = value;
	if (filter_needs(l->filter, T_VERDICT, &value)) {
		l->query.verdict = verdict_find(value);
		if (l->query.verdict == VERDICT_ANY)
			l->query.verdict = VERDICT_COUNT;
	}
	if (filter_needs(l->filter, T_DIRECTION, &value))
		l->query.direction = direction_find(value);
	if (filter_needs_range(l->filter, T_TIME, &first, &last)) {
		l->query.from_ms = first > 0 ? first : 0;
		l->query.to_ms = last < INT64_MAX ? last + 1 : 0;
	}
	if (!l->query.to.n && filter_needs_word(l->filter, &value))
		push_word(l, value);
}

/* --- writing ---------------------------------------------------------------------- */

struct waiting {
	bool is_there;
	struct queue_item item;
};

static struct waiting
find_waiting(struct api_request *r, uint64_t queue_id)
{
	struct waiting w = { .is_there = false };

	w.is_there = queue_id &&
	             reader_queue_item(r->api->reader, queue_id, r->arena, &w.item) == OK;
	return w;
}

static void
write_waiting(struct api_request *r, struct json_out *j, const struct waiting *w,
              struct str text, uint32_t verdict, uint32_t attempts)
{
	struct reason reason = reason_from_text(text);

	reason.is_ours = verdict == VERDICT_REFUSED;

	if (w->is_there && w->item.last_class.n)
		reason = (struct reason){ .class = w->item.last_class,
			                  .code = w->item.last_code,
			                  .enhanced = w->item.last_enhanced,
			                  .host = w->item.last_host,
			                  .ip = w->item.last_ip,
			                  .text = w->item.last_text };
	reason_write(j, "reason", &reason);
	json_i64(j, "attempts", w->is_there ? w->item.attempts : attempts);
	json_time(j, "next_try_at",
	          w->is_there && w->item.state != QUEUE_HELD ? w->item.due_ms : 0);
	json_str_or_null(j, "queue_id",
	                 w->is_there ? names_id(r, "q", w->item.id) : STR(""));
}

/* The members of a Trace, without its brackets. */
static void
write_members(struct api_request *r, struct json_out *j, const struct trace *t)
{
	struct waiting w = find_waiting(r, t->queue_id);
	struct str to = str_first(t->to, str_find(t->to, ' '));

	json_str(j, "id", t->id);
	json_time(j, "time", t->at_ms);
	/* A session that was refused early came from outside. */
	json_cstr(j, "direction",
	          direction_name(t->direction ? (enum trace_direction)t->direction
	                                      : TRACE_IN));
	json_str(j, "from", t->from);
	json_str(j, "to", to);
	json_i64(j, "more_recipients",
	         t->rcpt_count > 1 ? (int64_t)t->rcpt_count - 1 : 0);
	json_str(j, "subject", t->subject);
	json_str(j, "message_id", t->message_id);
	json_i64(j, "size", (int64_t)t->size);
	json_cstr(j, "verdict",
	          t->verdict ? verdict_name((enum trace_verdict)t->verdict) : "accepted");
	write_waiting(r, j, &w, t->reason, t->verdict, 0);
	json_str_or_null(j, "ip", t->ip);
	json_str_or_null(j, "user", t->user);
	json_str_or_null(j, "spf", t->spf);
	json_str_or_null(j, "dkim", t->dkim);
	json_str_or_null(j, "dmarc", t->dmarc);
}

/* --- the list --------------------------------------------------------------------- */

static void
keep(struct api_request *r, struct trace *to, const struct trace *from)
{
	struct str *strs[] = { &to->id,         &to->from, &to->to,   &to->subject,
		               &to->message_id, &to->ip,   &to->user, &to->reason,
		               &to->spf,        &to->dkim, &to->dmarc };

	*to = *from;
	for (size_t i = 0; i < ARRAY_LEN(strs); i++)
		*strs[i] = arena_str(r->arena, *strs[i]);
}

static bool
list_one(void *arg, const struct trace *t)
{
	struct listing *l = arg;
	struct api_request *r = l->page.r;
	struct row row = { l, t };

	if (may_see(r, t) && filter_matches(l->filter, get, &row)) {
		if (!page_take(&l->page, t->id))
			return false;
		keep(r, &l->rows[l->page.taken - 1], t);
	}
	if (++l->scanned < SCAN_MAX)
		return true;
	/* A rare thing in a large log: the next page goes on from here. */
	l->page.has_more = true;
	l->page.last = arena_str(r->arena, t->id);
	return false;
}

void
traces_list(struct api_request *r)
{
	static const struct field_spec spec = { .name = "q",
		                                .kind = FIELD_STR,
		                                .max = FILTER_BYTES_MAX };
	struct listing l = { .scanned = 0 };
	struct filter_error error = { 0 };
	struct field f;
	enum err e;

	if (!fields_query(r, &spec, 1, &f))
		return;
	if (filter_parse(
		    f.s,
		    &(struct filter_language){ trace_fields, T_COUNT, clock_unix_ms() },
		    r->arena, &l.filter, &error) != OK) {
		filter_problem(r, "?q", &error);
		return;
	}
	if (!page_begin_both(&l.page, r, "traces", f.s, "time", true))
		return;
	push_down(&l);
	l.query.before = l.page.after;
	l.query.is_up = !l.page.is_down;
	l.rows = ARENA_ARRAY(r->arena, struct trace, l.page.limit);
	e = trace_search(r->api->traces, &l.query, SCAN_MAX, list_one, &l);
	for (size_t i = 0; i < l.page.taken; i++) {
		page_item(&l.page, i);
		json_open_object(&l.page.j, NULL);
		write_members(r, &l.page.j, &l.rows[i]);
		json_close_object(&l.page.j);
	}
	page_end(&l.page, e);
}

/* --- one -------------------------------------------------------------------------- */

struct detail {
	struct api_request *r;
	struct trace_rcpt *rows;
	size_t count;
	size_t by_verdict[VERDICT_COUNT];
};

static bool
keep_rcpt(void *arg, const struct trace_rcpt *from)
{
	struct detail *d = arg;
	struct trace_rcpt *to = &d->rows[d->count++];
	struct str *strs[] = { &to->rcpt, &to->orig_rcpt, &to->reason, &to->host,
		               &to->mailbox };

	*to = *from;
	for (size_t i = 0; i < ARRAY_LEN(strs); i++)
		*strs[i] = arena_str(d->r->arena, *strs[i]);
	if (to->verdict < VERDICT_COUNT)
		d->by_verdict[to->verdict]++;
	return d->count < RCPTS_MAX;
}

/* "Delivered to 3, refused for 1.", "Waiting for 2 recipients."; without one, why. */
static void
write_summary(struct json_out *j, const struct detail *d, struct str why)
{
	static const struct {
		enum trace_verdict verdict;
		const char *words;
	} rows[] = {
		{ VERDICT_DELIVERED, "delivered to" },
		{ VERDICT_ACCEPTED, "accepted for" },
		{ VERDICT_DEFERRED, "waiting for" },
		{ VERDICT_BOUNCED, "returned for" },
		{ VERDICT_EXPIRED, "given up for" },
		{ VERDICT_REFUSED, "refused for" },
		{ VERDICT_DISCARDED, "discarded for" },
		{ VERDICT_CANCELLED, "cancelled for" },
	};
	char bytes[400];
	struct strbuf b = strbuf_on(bytes);
	size_t last = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = d->by_verdict[rows[i].verdict];

		if (!n)
			continue;
		strbuf_printf(&b, "%s%s %zu", b.n ? ", " : "", rows[i].words, n);
		last = n;
	}
	if (last == d->count && last)
		strbuf_printf(&b, " recipient%s", last == 1 ? "" : "s");
	why = reason_from_text(why).text;
	if (!b.n && why.n)
		strbuf_add(&b, utf8_first(why, WHY_MAX));
	else if (!b.n)
		strbuf_lit(&b, "no recipient was accepted");
	if (b.p[b.n - 1] != '.')
		strbuf_byte(&b, '.');
	b.p[0] = byte_upper(b.p[0]);
	json_str(j, "summary", strbuf_str(&b));
}

static void
write_rcpt(struct api_request *r, struct json_out *j, const struct trace_rcpt *rcpt)
{
	struct waiting w = find_waiting(r, rcpt->queue_id);

	json_open_object(j, NULL);
	json_str(j, "address", rcpt->rcpt);
	json_str_or_null(j, "original_address", rcpt->orig_rcpt);
	json_cstr(j, "verdict",
	          rcpt->verdict ? verdict_name((enum trace_verdict)rcpt->verdict)
	                        : "accepted");
	json_time(j, "time", rcpt->at_ms);
	json_str_or_null(j, "mailbox", rcpt->mailbox);
	json_str_or_null(j, "host", rcpt->host);
	write_waiting(r, j, &w, rcpt->reason, rcpt->verdict, rcpt->attempts);
	json_close_object(j);
}

static bool
find(struct api_request *r, struct trace *t)
{
	enum err e = trace_get(r->api->traces, r->params[0], r->arena, t);

	if (e == OK && !may_see(r, t))
		e = ERR_NOT_FOUND;
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

void
traces_get(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct detail d = { .r = r };
	struct trace t;
	enum err e;

	if (!find(r, &t))
		return;
	d.rows = ARENA_ARRAY(r->arena, struct trace_rcpt, RCPTS_MAX);
	e = trace_rcpts(r->api->traces, t.id, keep_rcpt, &d);
	if (e != OK && e != ERR_NOT_FOUND) {
		api_problem_err(r, e);
		return;
	}
	json_open_object(&j, NULL);
	write_members(r, &j, &t);
	write_summary(&j, &d, t.reason);
	json_open_array(&j, "recipients");
	for (size_t i = 0; i < d.count; i++)
		write_rcpt(r, &j, &d.rows[i]);
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

/* --- its events ------------------------------------------------------------------- */

struct telling {
	struct json_out j;
	size_t count;
	int64_t first_ms;
	bool is_cut;
};

static bool
tell_one(void *arg, const struct trace_event *event)
{
	struct telling *t = arg;

	t->is_cut = t->count == EVENTS_MAX;
	if (t->is_cut)
		return false;
	if (!t->count++)
		t->first_ms = event->at_ms;
	json_open_object(&t->j, NULL);
	trace_event_write(&t->j, event);
	json_i64(&t->j, "offset_ms", event->at_ms - t->first_ms);
	json_close_object(&t->j);
	return true;
}

void
traces_events(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct telling t = { .j = json_out_on(&b) };
	struct trace trace;
	enum err e;

	if (!find(r, &trace))
		return;
	json_open_object(&t.j, NULL);
	json_open_array(&t.j, "items");
	e = trace_events(r->api->traces, trace.id, tell_one, &t);
	json_close_array(&t.j);
	json_bool(&t.j, "truncated", t.is_cut);
	json_close_object(&t.j);
	if (e == OK)
		api_reply_json(r, 200, strbuf_str(&b));
	else
		api_problem_err(r, e);
}
