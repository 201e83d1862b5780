/* /queue: what waits to be sent. A row is one recipient of one message. */
#include "api/queue.h"

#include "api/fields.h"
#include "api/names.h"
#include "api/reason.h"
#include "api/routes.h"
#include "base/clock.h"

enum {
	Q_ID,
	Q_TRACE,
	Q_STATE,
	Q_FROM,
	Q_FROM_DOMAIN,
	Q_TO,
	Q_TO_DOMAIN,
	Q_SUBJECT,
	Q_MSGID,
	Q_HOST,
	Q_IP,
	Q_CODE,
	Q_CLASS,
	Q_BUCKET,
	Q_AGE,
	Q_ATTEMPTS,
	Q_NEXT,
	Q_SIZE,
	Q_TLS,
	Q_COUNT,
};

static const struct filter_field queue_fields[Q_COUNT] = {
	[Q_ID] = { "id", FILTER_EXACT, true },
	[Q_TRACE] = { "trace", FILTER_EXACT, true },
	[Q_STATE] = { "state", FILTER_EXACT, false },
	[Q_FROM] = { "from", FILTER_ADDRESS, true },
	[Q_FROM_DOMAIN] = { "from_domain", FILTER_EXACT, false },
	[Q_TO] = { "to", FILTER_ADDRESS, true },
	[Q_TO_DOMAIN] = { "to_domain", FILTER_EXACT, false },
	[Q_SUBJECT] = { "subject", FILTER_TEXT, true },
	[Q_MSGID] = { "msgid", FILTER_TEXT, true },
	[Q_HOST] = { "host", FILTER_TEXT, false },
	[Q_IP] = { "ip", FILTER_EXACT, false },
	[Q_CODE] = { "code", FILTER_NUMBER, false },
	[Q_CLASS] = { "class", FILTER_EXACT, false },
	[Q_BUCKET] = { "bucket", FILTER_EXACT, false },
	[Q_AGE] = { "age", FILTER_DURATION, false },
	[Q_ATTEMPTS] = { "attempts", FILTER_NUMBER, false },
	[Q_NEXT] = { "next", FILTER_DURATION, false },
	[Q_SIZE] = { "size", FILTER_SIZE, false },
	[Q_TLS] = { "tls", FILTER_EXACT, false },
};

struct row {
	const struct queue_filter *f;
	const struct queue_item *item;
	char id[32];
};

static struct reason
reason_of(const struct queue_item *item)
{
	return (struct reason){ .class = item->last_class,
		                .code = item->last_code,
		                .enhanced = item->last_enhanced,
		                .host = item->last_host,
		                .ip = item->last_ip,
		                .text = item->last_text };
}

/* What its sender says of encryption on the way (RFC 8689); NULL: nothing. */
static const char *
tls_word(const struct queue_item *item)
{
	if (item->message_flags & MESSAGE_TLS_REQUIRED)
		return "required";
	return item->message_flags & MESSAGE_TLS_OPTIONAL ? "optional" : NULL;
}

static int64_t
until_next_s(const struct row *row)
{
	int64_t ms = row->item->due_ms - row->f->now_ms;

	return ms > 0 ? ms / 1000 : 0;
}

static int64_t
get_number(const struct row *row, size_t field)
{
	const struct queue_item *item = row->item;

	switch (field) {
	case Q_CODE:
		return item->last_code;
	case Q_AGE:
		return (row->f->now_ms - item->created_ms) / 1000;
	case Q_ATTEMPTS:
		return item->attempts;
	case Q_NEXT:
		return until_next_s(row);
	case Q_SIZE:
		return (int64_t)item->ref.size;
	default:
		return 0;
	}
}

static struct str
bucket_of(const struct queue_item *item)
{
	struct reason reason = reason_of(item);

	return reason.class.n || reason.code ? reason_bucket(&reason) : str_from(NULL);
}

/* Called for each field of each row of a long queue: nothing is made that is not asked
   for. */
static struct str
get_text(const struct row *row, size_t field)
{
	const struct queue_item *item = row->item;

	switch (field) {
	case Q_ID:
		return str_from(row->id);
	case Q_TRACE:
		return item->trace_id;
	case Q_STATE:
		return str_from(queue_state_name((enum queue_state)item->state));
	case Q_FROM:
		return item->sender;
	case Q_FROM_DOMAIN:
		return api_domain_of(item->sender);
	case Q_TO:
		return item->rcpt;
	case Q_TO_DOMAIN:
		return item->domain;
	case Q_SUBJECT:
		return item->subject;
	case Q_MSGID:
		return item->message_id_field;
	case Q_HOST:
		return item->last_host;
	case Q_IP:
		return item->last_ip;
	case Q_CLASS:
		return item->last_class;
	case Q_BUCKET:
		return bucket_of(item);
	case Q_TLS:
		return str_from(tls_word(item));
	default:
		return str_from(NULL);
	}
}

static struct filter_value
get(const void *arg, size_t field)
{
	return (struct filter_value){ .text = get_text(arg, field),
		                      .number = get_number(arg, field) };
}

bool
queue_filter_has(const struct queue_filter *f, const struct queue_item *item)
{
	struct row row = { .f = f, .item = item };
	struct strbuf id = strbuf_on(row.id);

	if (!api_may_domain(f->r, item->domain) &&
	    !api_may_domain(f->r, api_domain_of(item->sender)))
		return false;
	strbuf_lit(&id, "q_");
	strbuf_u64(&id, item->id);
	(void)strbuf_cstr(&id);
	return filter_matches(f->filter, get, &row);
}

/* A state that there is none of gives no rows, and no error. */
static void
narrow_state(struct queue_query *query, struct str word)
{
	uint32_t mask = 0;

	for (unsigned s = 0; s < QUEUE_STATE_COUNT; s++) {
		if (str_eq_icase(word, str_from(queue_state_name((enum queue_state)s))))
			mask = UINT32_C(1) << s;
	}
	/* A bit that no row has: both ends of a contradiction give nothing as well. */
	query->state_mask = query->state_mask ? query->state_mask & mask : mask;
	if (!query->state_mask)
		query->state_mask = UINT32_C(1) << 31;
}

static struct str
lower(struct api_request *r, struct str s)
{
	struct strbuf b = strbuf_arena(r->arena, s.n);

	for (size_t i = 0; i < s.n; i++)
		strbuf_byte(&b, byte_lower(s.p[i]));
	return strbuf_str(&b);
}

bool
queue_filter_read(struct api_request *r, struct str q, struct str state,
                  const char *pointer, struct queue_filter *out)
{
	struct filter_error error = { 0 };
	struct str value;

	*out = (struct queue_filter){ .r = r, .now_ms = clock_unix_ms() };
	if (filter_parse(q,
	                 &(struct filter_language){ queue_fields, Q_COUNT, out->now_ms },
	                 r->arena, &out->filter, &error) != OK) {
		filter_problem(r, pointer, &error);
		return false;
	}
	if (state.n)
		narrow_state(&out->query, state);
	if (filter_needs(out->filter, Q_STATE, &value))
		narrow_state(&out->query, value);
	if (filter_needs(out->filter, Q_TO_DOMAIN, &value))
		out->query.domain = lower(r, value);
	if (filter_needs_part(out->filter, Q_FROM, &value))
		out->query.sender_part = lower(r, value);
	if (filter_needs_part(out->filter, Q_TO, &value))
		out->query.rcpt_part = lower(r, value);
	if (filter_needs(out->filter, Q_TRACE, &value))
		out->query.trace_id = value;
	return true;
}

void
filter_problem(struct api_request *r, const char *pointer,
               const struct filter_error *error)
{
	api_fault(r, str_from(pointer), error->code, "%.*s", STR_ARG(error->text));
	r->errors[0].position = error->position;
	api_problem(r, PROBLEM_INVALID_FILTER, "%.*s at %zu", STR_ARG(error->text),
	            error->position);
}

void
queue_write_item(struct api_request *r, struct json_out *j, const struct queue_item *item,
                 int64_t now_ms, struct str *etag_out)
{
	struct reason reason = reason_of(item);
	size_t from = j->out->n;
	bool is_held = item->state == QUEUE_HELD;

	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "q", item->id));
	json_str(j, "trace_id", item->trace_id);
	json_cstr(j, "kind", queue_is_receipt(item->expires_ms) ? "receipt" : "mail");
	json_cstr(j, "state", queue_state_name((enum queue_state)item->state));
	if (item->wish)
		json_cstr(j, "wish", queue_verb_name(item->wish));
	else
		json_out_null(j, "wish");
	json_str(j, "from", item->sender);
	json_str(j, "to", item->rcpt);
	json_str(j, "to_domain", item->domain);
	json_str(j, "subject", item->subject);
	json_str(j, "message_id", item->message_id_field);
	json_i64(j, "size", (int64_t)item->ref.size);
	json_str_or_null(j, "tls", str_from(tls_word(item)));
	json_i64(j, "attempts", item->attempts);
	json_time(j, "created_at", item->created_ms);
	json_i64(j, "age_s", (now_ms - item->created_ms) / 1000);
	json_time(j, "next_try_at", is_held ? 0 : item->due_ms);
	json_time(j, "last_try_at", item->last_attempt_ms);
	/* What goes back to its sender is not waited for. */
	json_time(j, "expires_at",
	          item->expires_ms <= QUEUE_MARK_LAST ? 0 : item->expires_ms);
	reason_write(j, "reason", &reason);
	*etag_out = api_close_with_etag(r, j, from, item->version);
}

/* --- the list --------------------------------------------------------------------- */

struct listing {
	struct page page;
	struct queue_filter filter;
	uint64_t count; /* of all that match, up to API_COUNT_MAX */
	bool counts;    /* all that match are looked at: the page is its beginning */
};

/* As ?sort names them: "age" is "created" seen from the other end. */
#define SORTS "created age next size attempts to_domain"
static const enum queue_sort sorts[] = {
	QUEUE_BY_AGE,  QUEUE_BY_AGE,      QUEUE_BY_NEXT,
	QUEUE_BY_SIZE, QUEUE_BY_ATTEMPTS, QUEUE_BY_DOMAIN
};
enum {
	SORT_AGE = 1, /* place of "age" */
};

/* The key of a row in its page: "q_ID", with what the list is in order of before it. */
static struct str
key_of(const struct listing *l, const struct queue_item *item)
{
	struct api_request *r = l->page.r;
	struct str id = names_id(r, "q", item->id);
	uint64_t number = 0;

	switch (l->filter.query.sort) {
	case QUEUE_BY_DOMAIN:
		return arena_printf(r->arena, "%.*s %.*s", STR_ARG(item->domain),
		                    STR_ARG(id));
	case QUEUE_BY_NEXT:
		number = (uint64_t)item->due_ms;
		break;
	case QUEUE_BY_SIZE:
		number = item->ref.size;
		break;
	case QUEUE_BY_ATTEMPTS:
		number = item->attempts;
		break;
	default:
		return id;
	}
	return arena_printf(r->arena, "%llu %.*s", (unsigned long long)number,
	                    STR_ARG(id));
}

/* The same read again; a cursor is ours, so it has the form. */
static void
go_behind(struct queue_query *query, struct str key)
{
	size_t at = str_find_last(key, ' ');
	uint64_t number;

	query->after =
		names_parse_id(str_from_offset(key, at == SIZE_MAX ? 0 : at + 1), "q");
	query->after_text = str_first(key, at == SIZE_MAX ? 0 : at);
	if (str_parse_u64(query->after_text, &number))
		query->after_number = (int64_t)number;
}

static bool
list_one(void *arg, const struct queue_item *item)
{
	struct listing *l = arg;
	struct api_request *r = l->page.r;
	struct str ignored;

	if (!queue_filter_has(&l->filter, item))
		return true;
	l->count++;
	if (!page_take(&l->page, key_of(l, item)))
		return l->counts && l->count < API_COUNT_MAX;
	queue_write_item(r, &l->page.j, item, l->filter.now_ms, &ignored);
	return true;
}

static bool
count_one(void *arg, const struct queue_item *item)
{
	struct listing *l = arg;

	l->count += queue_filter_has(&l->filter, item);
	return l->count < API_COUNT_MAX;
}

/* What the reader can tell apart by itself, it counts by itself. */
static bool
counts_itself(const struct listing *l)
{
	return filter_is_empty(l->filter.filter) && !l->page.r->caller.domains.n;
}

static enum err
count_rows(struct listing *l)
{
	struct api_request *r = l->page.r;

	l->count = 0;
	if (counts_itself(l))
		return reader_queue_count(r->api->reader, &l->filter.query, API_COUNT_MAX,
		                          &l->count);
	return reader_queue(r->api->reader, &l->filter.query, NAMES_SCAN_MAX, count_one,
	                    l);
}

void
queue_list(struct api_request *r)
{
	enum { Q, STATE, COUNT, FIELDS };
	static const struct field_spec query[FIELDS] = {
		[Q] = { .name = "q", .kind = FIELD_STR, .max = FILTER_BYTES_MAX },
		[STATE] = { .name = "state", .kind = FIELD_STR, .max = 20 },
		[COUNT] = { .name = "count", .kind = FIELD_BOOL },
	};
	struct field f[FIELDS];
	struct listing l = { .count = 0 };
	struct str bound;
	enum err e;

	if (!fields_query(r, query, FIELDS, f) ||
	    !queue_filter_read(r, f[Q].s, f[STATE].s, "?q", &l.filter))
		return;
	bound = arena_printf(r->arena, "%.*s %.*s", STR_ARG(f[STATE].s), STR_ARG(f[Q].s));
	if (!page_begin_sorted(&l.page, r, "queue", bound, SORTS))
		return;
	l.filter.query.sort = sorts[l.page.sort];
	l.filter.query.is_down = l.page.is_down ^ (l.page.sort == SORT_AGE);
	go_behind(&l.filter.query, l.page.after);
	/* The first page of what only we can tell apart: one look at each row is enough. */
	l.counts = f[COUNT].b && l.filter.query.sort == QUEUE_BY_AGE &&
	           !l.page.has_cursor && !counts_itself(&l);
	e = reader_queue(r->api->reader, &l.filter.query, NAMES_SCAN_MAX, list_one, &l);
	if (!f[COUNT].b || e != OK) {
		page_end(&l.page, e);
		return;
	}
	l.filter.query.after = 0;
	l.filter.query.is_down = false;
	l.filter.query.sort = QUEUE_BY_AGE;
	if (!l.counts)
		e = count_rows(&l);
	page_end_counted(&l.page, e, l.count, l.count == API_COUNT_MAX);
}

/* --- one -------------------------------------------------------------------------- */

bool
queue_find(struct api_request *r, struct str param, struct queue_item *out)
{
	uint64_t id = names_parse_id(param, "q");
	enum err e =
		id ? reader_queue_item(r->api->reader, id, r->arena, out) : ERR_NOT_FOUND;

	if (e == OK && !api_may_domain(r, out->domain) &&
	    !api_may_domain(r, api_domain_of(out->sender)))
		e = ERR_NOT_FOUND;
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static void
reply_item(struct api_request *r, int status, const struct queue_item *item)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct str etag;

	queue_write_item(r, &j, item, clock_unix_ms(), &etag);
	api_header(r, "ETag", etag);
	api_reply_json(r, status, strbuf_str(&b));
}

void
queue_get(struct api_request *r)
{
	struct queue_item item;

	if (queue_find(r, r->params[0], &item))
		reply_item(r, 200, &item);
}

/* What one action wants of which row. */
struct acting {
	uint64_t id;
	uint32_t verb;
};

static void
acted(struct api_request *r)
{
	struct acting *a = r->state;
	struct queue_item item;
	enum err e;

	e = reader_queue_item(r->api->reader, a->id, r->arena, &item);
	if (e == ERR_NOT_FOUND && a->verb == QUEUE_DELETE)
		api_reply_empty(r, 204);
	else if (e != OK)
		api_problem_err(r, e);
	else
		reply_item(r, 202, &item); /* as it was already: that is fine */
}

static void
action_done(void *arg, enum err e, const struct answer_count *answer)
{
	(void)answer; /* a row that is in that state already is done as well */
	api_continue(arg, e);
}

static void
act(struct api_request *r, enum queue_verb verb, const char *name)
{
	struct op_queue_action op = { .actor = api_actor(r),
		                      .ids_count = 1,
		                      .verb = verb };
	struct acting *a = ARENA_NEW(r->arena, struct acting);
	struct queue_item item;

	if (!queue_find(r, r->params[0], &item))
		return;
	if (verb == QUEUE_BOUNCE && queue_is_receipt(item.expires_ms)) {
		api_problem_err(r, ERR_CONFLICT);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, name, r->params[0]);
		return;
	}
	a->id = item.id;
	a->verb = verb;
	op.ids = &a->id;
	op.now_ms = clock_unix_ms();
	r->state = a;
	r->next = acted;
	r->call = store_queue_action(r->api->store, &op, action_done, r);
}

void
queue_retry(struct api_request *r)
{
	act(r, QUEUE_RETRY, "queue.retry");
}

void
queue_hold(struct api_request *r)
{
	act(r, QUEUE_HOLD, "queue.hold");
}

void
queue_release(struct api_request *r)
{
	act(r, QUEUE_UNHOLD, "queue.release");
}

void
queue_bounce(struct api_request *r)
{
	act(r, QUEUE_BOUNCE, "queue.bounce");
}

/* Deleting what is not there is done already. */
void
queue_delete(struct api_request *r)
{
	uint64_t id = names_parse_id(r->params[0], "q");
	struct queue_item item;

	if (!id ||
	    reader_queue_item(r->api->reader, id, r->arena, &item) == ERR_NOT_FOUND)
		api_reply_empty(r, 204);
	else
		act(r, QUEUE_DELETE, "queue.delete");
}
