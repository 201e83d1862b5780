/* Mail for the names that reports go to (reader_is_for_reports): read, one at a time, on
 * a thread, since strangers choose how long that takes; then kept or sent on.
 *
 *   row -> body -> thread: who sent it, what it says -> store_report_put, which takes the
 *   row away; what is no report goes whole to the postmaster (store_report_refuse); where
 *   there is none, back to its sender, as any mail that cannot be delivered
 *
 * A mail that is read again after a crash is the same report, and counts once.
 */
#include "relay/relay_report.h"

#include "base/mem.h"
#include "base/panic.h"
#include "ext/gzip.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "policy/report.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"

#include <stdlib.h>

enum {
	REPORT_MAGIC = 0x524c5940,
	WAITING_MAX = 30,     /* in memory; others come back in a while */
	LATER_MS = 5 * 1000,  /* … after so long */
	RETRY_MS = 30 * 1000, /* after a trouble of our own */
	MAIL_MAX = 16 << 20, /* larger ones are not looked at: 10 MiB packed, as base64 */
	HEADER_MAX = 64 << 10, /* looked at for who sent it */
	RESOLVE_BUDGET = 512 * 1024,
	ROW_BUDGET = 64 * 1024,
};

/* One that is being read. */
struct relay_report {
	uint32_t magic;
	struct relay *relay;
	struct relay_job *job;
	struct body_reading *reading;
	struct body *body;
	bool was_moved; /* the row has been read again */
	bool is_own;    /* this server made it (relay_own_report.c) */
	/* of the thread, until it is done */
	struct arena *arena;
	struct str text, authserv_id;
	enum err error;
	struct report report;
	struct str sender, raw, raw_type;
	bool is_proven;
	struct strbuf packed; /* raw, where we packed it */
	struct received_row *rows;
	size_t row_count;
};

static void start(struct relay *r);

/* --- on the thread ------------------------------------------------------------------ */

static struct received_row
row_of(const struct report *report, const struct report_row *row)
{
	const struct report_service *service = report_service_of(row->domains);
	struct received_row out = {
		.source = row->source,
		.name = row->name,
		.origin = service ? str_from(service->word)
		                  : str_first(row->source, REPORT_ORIGIN_MAX),
		.domains = row->domains,
		.count = row->count,
		.is_good = row->is_good,
		.spf = row->spf,
		.dkim = row->dkim,
		.done = row->done,
		.detail = row->detail,
	};

	if (report->kind == REPORT_TLS)
		out.origin = (struct str){ 0 };
	return out;
}

static int
compare_rows(const void *a, const void *b)
{
	uint64_t x = ((const struct received_row *)a)->count;
	uint64_t y = ((const struct received_row *)b)->count;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The smallest of too many become two: those that were good, and those that were not. */
static void
condense(struct relay_report *rep)
{
	size_t first = REPORT_STORED_ROWS_MAX - 2;
	struct received_row rest[2] = {
		{ .is_good = true, .detail = STR("many more, with few messages each") },
		{ .detail = STR("many more, with few messages each") },
	};

	if (rep->row_count <= REPORT_STORED_ROWS_MAX)
		return;
	qsort(rep->rows, rep->row_count, sizeof(*rep->rows), compare_rows);
	for (size_t i = first; i < rep->row_count; i++)
		rest[!rep->rows[i].is_good].count += rep->rows[i].count;
	rep->rows[first] = rest[0];
	rep->rows[first + 1] = rest[1];
	rep->row_count = REPORT_STORED_ROWS_MAX;
}

static enum err
take_rows(struct relay_report *rep)
{
	const struct report *report = &rep->report;

	rep->row_count = report->row_count;
	rep->rows = arena_try(rep->arena, (report->row_count + 1) * sizeof(*rep->rows));
	if (!rep->rows)
		return ERR_LIMIT;
	for (size_t i = 0; i < report->row_count; i++)
		rep->rows[i] = row_of(report, &report->rows[i]);
	condense(rep);
	return OK;
}

/* The document is kept packed, as it came or by us. */
static void
pack_raw(struct relay_report *rep)
{
	bool is_packed = !str_eq(rep->raw_type, STR("application/xml")) &&
	                 !str_eq(rep->raw_type, STR("application/json"));

	if (!is_packed && gzip_pack(rep->raw, &rep->packed))
		rep->raw = strbuf_str(&rep->packed);
	rep->raw_type = rep->report.kind == REPORT_TLS ? STR("application/json")
	                                               : STR("application/xml");
	if (rep->raw.n > REPORT_STORED_RAW_MAX)
		rep->raw = rep->raw_type = (struct str){ 0 };
}

/* Our own came through no border where anybody judged it, and needs no proof. */
static bool
find_sender(struct relay_report *rep, struct str header)
{
	struct header_field from;
	struct address_list list;

	if (!rep->is_own)
		return report_sender(header, rep->authserv_id, rep->arena, &rep->sender);
	if (header_find(header, STR("From"), &from)) {
		address_list_parse(from.value, 1, rep->arena, &list);
		if (list.count)
			rep->sender = list.entries[0].domain;
	}
	return true;
}

static void
read_it(void *arg)
{
	struct relay_report *rep = CAST(relay_report, REPORT_MAGIC, arg);
	struct str header = str_first(rep->text, HEADER_MAX);

	rep->is_proven = find_sender(rep, str_first(header, header_size(header)));
	rep->error = report_parse_mail(rep->text, rep->arena, &rep->report, &rep->raw,
	                               &rep->raw_type);
	if (rep->error == OK)
		rep->error = take_rows(rep);
	if (rep->error == OK)
		pack_raw(rep);
}

/* --- the end of one ----------------------------------------------------------------- */

/* The row has its result, or goes its way as any other; on to the next mail. */
static void
end(struct relay_report *rep)
{
	struct relay *r = rep->relay;

	if (rep->reading)
		body_reading_forget(&rep->reading);
	if (rep->body)
		body_close(&rep->body);
	strbuf_release(&rep->packed);
	arena_free(&rep->arena);
	relay_job_free(&rep->job);
	r->report = NULL;
	rep->magic = 0;
	mem_free(rep);
	start(r);
	relay_moved(r);
}

static void
again_later(struct relay_report *rep, enum err e)
{
	struct relay_job *job = rep->job;

	log_line(LEVEL_WARN, "report.later", "reason=%s", err_get(e)->word);
	rep->job = NULL;
	relay_job_return(job, relay_now(rep->relay) + RETRY_MS);
	end(rep);
}

/* Nobody here can have it. */
static void
give_up(struct relay_report *rep, enum err e)
{
	struct relay_finding finding = { .attempt = ATTEMPT_PERM, .cause = e };
	struct relay_job *job = rep->job;

	rep->job = NULL;
	relay_job_fail(job, &finding);
	relay_job_finish(job);
	end(rep);
}

/* --- what is none ------------------------------------------------------------------- */

static void
refused(void *arg, enum err e, const struct answer_accept *answer)
{
	struct relay_report *rep = CAST(relay_report, REPORT_MAGIC, arg);

	(void)answer;
	if (e == OK || e == ERR_CONFLICT)
		end(rep);
	else if (err_is_temporary(e))
		again_later(rep, e);
	else
		give_up(rep, e);
}

static void
refuse(struct relay_report *rep, const char *reason)
{
	struct relay *r = rep->relay;
	const struct queue_item *item = &rep->job->rows[0].item;
	size_t at = str_find_last(item->rcpt, '@');
	struct op_report_refuse op = {
		.queue_id = item->id,
		.reason = str_from(reason),
		.expires_ms = relay_now(r) + r->conf->delivery_lifetime_ms,
	};
	struct arena *a = arena_new(RESOLVE_BUDGET * 2);
	struct resolution found = { 0 };
	enum err e = reader_postmaster(r->reader, str_from_offset(item->rcpt, at + 1), a,
	                               &found);

	op.rcpts = ARENA_ARRAY(a, struct accept_rcpt, found.count + 1);
	for (size_t i = 0; i < found.count; i++) {
		const struct target *t = &found.targets[i];

		/* Not round in a circle. */
		if (str_eq(t->domain, STR(REPORTS_DOMAIN)))
			continue;
		op.rcpts[op.rcpts_count++] =
			(struct accept_rcpt){ .kind = t->kind,
			                      .rcpt = t->rcpt,
			                      .orig_rcpt = item->rcpt,
			                      .account_id = t->account_id,
			                      .domain = t->domain };
	}
	if (e == OK && op.rcpts_count)
		(void)store_report_refuse(r->store, &op, refused, rep);
	arena_free(&a);
	if (e == OK && op.rcpts_count)
		return;
	if (e != OK && err_is_temporary(e))
		again_later(rep, e);
	else
		give_up(rep, ERR_NO_SUCH_USER);
}

static const char *
words_of(enum err e)
{
	switch (e) {
	case ERR_NOT_FOUND:
		return "nothing attached to it could be a report";
	case ERR_LIMIT:
		return "there is more in it than in any report";
	case ERR_UNSUPPORTED:
		return "it is packed or written as reports are not";
	default:
		return "what is attached is not as a report must be";
	}
}

/* --- what is one -------------------------------------------------------------------- */

static void
kept(void *arg, enum err e, const struct answer_id *answer)
{
	struct relay_report *rep = CAST(relay_report, REPORT_MAGIC, arg);

	(void)answer;
	if (e == OK || e == ERR_CONFLICT)
		end(rep);
	else if (e == ERR_LIMIT)
		refuse(rep, "more reports on the domain came today than are kept");
	else if (err_is_temporary(e))
		again_later(rep, e);
	else
		refuse(rep, err_get(e)->text);
}

/* Which domain of ours it is about: that one, or one above it. */
static enum err
find_domain(struct relay_report *rep, struct str *domain_out)
{
	struct str name = rep->report.domain;
	enum err e = ERR_NOT_FOUND;

	while (name.n && e == ERR_NOT_FOUND) {
		*domain_out = name;
		e = reader_is_local_domain(rep->relay->reader, name);
		name = str_from_offset(name, str_find(name, '.') == SIZE_MAX
		                                     ? name.n
		                                     : str_find(name, '.') + 1);
	}
	return e;
}

static void
keep(struct relay_report *rep, struct str domain)
{
	const struct report *report = &rep->report;
	struct op_report_put op = {
		.queue_id = rep->job->rows[0].item.id,
		.report = { .kind = report->kind,
		            .is_proven = rep->is_proven,
		            .sender = str_first(rep->sender, REPORT_TEXT_MAX),
		            .name = report->name,
		            .reporter = report->reporter,
		            .about = report->domain,
		            .begin_ms = report->begin_ms,
		            .end_ms = report->end_ms,
		            .good = report->good,
		            .bad = report->bad,
		            .raw_type = rep->raw_type },
		.domain = domain,
		.raw = rep->raw,
		.rows = rep->rows,
		.rows_count = rep->row_count,
	};

	(void)store_report_put(rep->relay->store, &op, kept, rep);
}

static void
on_read(void *arg)
{
	struct relay_report *rep = CAST(relay_report, REPORT_MAGIC, arg);
	struct str domain;
	enum err e = rep->error;

	if (e != OK) {
		refuse(rep, words_of(e));
		return;
	}
	e = find_domain(rep, &domain);
	if (e == OK)
		keep(rep, domain);
	else if (e == ERR_NOT_FOUND)
		refuse(rep, "it is about a domain that is none of ours");
	else
		again_later(rep, e);
}

/* --- from the queue ----------------------------------------------------------------- */

static void open_body(struct relay_report *rep);

/* Compaction moved it since the row was claimed. */
static void
look_again(struct relay_report *rep)
{
	struct queue_item *item = &rep->job->rows[0].item, fresh;
	struct arena *a = arena_new(ROW_BUDGET);
	enum err e = reader_queue_item(rep->relay->reader, item->id, a, &fresh);

	rep->was_moved = true;
	if (e == OK) {
		item->ref = fresh.ref;
		item->ref.sha256 = arena_str(rep->job->arena, fresh.ref.sha256);
	}
	arena_free(&a);
	if (e == OK)
		open_body(rep);
	else
		again_later(rep, e);
}

static void
on_opened(void *arg, enum err e, struct body *body)
{
	struct relay_report *rep = CAST(relay_report, REPORT_MAGIC, arg);

	rep->reading = NULL;
	if (e == ERR_NOT_FOUND && !rep->was_moved) {
		look_again(rep);
		return;
	}
	if (e != OK) {
		again_later(rep, e);
		return;
	}
	rep->body = body;
	rep->text = body_bytes(body);
	loop_work(rep->relay->loop, read_it, on_read, rep);
}

static void
open_body(struct relay_report *rep)
{
	rep->reading = body_open_later(rep->relay->bodies, &rep->job->rows[0].item.ref, 0,
	                               on_opened, rep);
}

/* The next one that waits. */
static void
start(struct relay *r)
{
	struct relay_report *rep;
	struct link *l = r->reports.next;

	if (r->report || r->is_stopping || list_is_empty(&r->reports))
		return;
	list_remove(l);
	r->reports_waiting--;
	rep = mem_alloc(sizeof(*rep));
	rep->magic = REPORT_MAGIC;
	rep->relay = r;
	rep->job = CONTAINER_OF(l, struct relay_job, link);
	rep->is_own = rep->job->rows[0].item.message_flags & MESSAGE_REPORT;
	rep->arena = arena_new(REPORT_ARENA_BYTES);
	rep->packed = strbuf_heap(REPORT_BYTES_MAX);
	rep->authserv_id = arena_str(rep->arena, r->conf->hostname);
	r->report = rep;
	if (rep->job->rows[0].item.ref.size > MAIL_MAX)
		refuse(rep, "it is larger than a report may be");
	else
		open_body(rep);
}

bool
relay_report_is_one(const struct queue_item *item)
{
	return str_eq(item->domain, STR(REPORTS_DOMAIN)) &&
	       item->expires_ms != QUEUE_SENT_BACK;
}

void
relay_report_take(struct relay *r, const struct queue_item *item)
{
	struct relay_job *job = relay_job_new(r, NULL, 1);

	(void)relay_job_add(job, item);
	if (r->is_stopping || r->reports_waiting == WAITING_MAX) {
		relay_job_return(job, relay_now(r) + (r->is_stopping ? 0 : LATER_MS));
		return;
	}
	list_add_last(&r->reports, &job->link);
	r->reports_waiting++;
	start(r);
}

static struct relay_job *
take_waiting(struct relay *r)
{
	struct link *l = r->reports.next;

	list_remove(l);
	r->reports_waiting--;
	return CONTAINER_OF(l, struct relay_job, link);
}

void
relay_report_return_all(struct relay *r)
{
	while (!list_is_empty(&r->reports))
		relay_job_return(take_waiting(r), relay_now(r));
}

void
relay_report_free(struct relay *r)
{
	while (!list_is_empty(&r->reports)) {
		struct relay_job *job = take_waiting(r);

		relay_job_free(&job);
	}
	/* One whose thread still works goes with the process. */
}
