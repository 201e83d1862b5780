/* Notifications: what the sender of a message is told about its recipients.
 *
 * One for each job, about all of its recipients that are to be told of. It is accepted
 * into the store in the same transaction that writes the results, so it is made exactly
 * once, and it goes where any mail for the sender goes: into a mailbox or the queue. It
 * has the null sender, so nobody is ever told about a notification (RFC 5321 4.5.5).
 */
#include "relay/relay_dsn.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/encoded.h"
#include "mail/received.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"

enum {
	DSN_MAGIC = 0x524c5935,
	DSN_BUDGET = 4 * 1024 * 1024,
	OWN_PART_MAX = 8 * 1024 * 1024, /* of a notification, without the original */
	RETRY_MS = 2000,
	DIAGNOSTIC_MAX = 1024,
};

struct relay_dsn {
	uint32_t magic;
	struct relay_job *job;
	struct arena *arena;
	struct id id;
	struct body_writer *writer;
	struct body_reading *reading; /* of a large original, on a thread */
	struct timer retry;           /* the store could not take it just now */
	struct op_accept op;
	bool is_ready;
};

const struct op_accept *
relay_dsn_op(const struct relay_job *job)
{
	return job->dsn && job->dsn->is_ready ? &job->dsn->op : NULL;
}

void
relay_dsn_free(struct relay_job *job)
{
	struct relay_dsn *dsn = job->dsn;

	if (!dsn)
		return;
	job->dsn = NULL;
	timer_stop(&dsn->retry);
	if (dsn->reading)
		body_reading_forget(&dsn->reading);
	if (dsn->writer)
		body_writer_free(&dsn->writer);
	arena_free(&dsn->arena);
	mem_free(dsn);
}

/* RFC 3461 4: "+3D" is "=". What is not well-formed stays as it is. */
static struct str
xtext_decode(struct arena *a, struct str s)
{
	struct strbuf b = strbuf_arena(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n ? byte_hex_value(s.p[i + 1]) : -1;
		int low = i + 2 < s.n ? byte_hex_value(s.p[i + 2]) : -1;

		if (s.p[i] == '+' && high >= 0 && low >= 0) {
			strbuf_byte(&b, (char)(high * 16 + low));
			i += 2;
		} else {
			strbuf_byte(&b, s.p[i]);
		}
	}
	return strbuf_str(&b);
}

static const enum dsn_action actions[] = {
	[TELL_NOBODY] = DSN_FAILED,       [TELL_FAILED] = DSN_FAILED,
	[TELL_DELAYED] = DSN_DELAYED,     [TELL_RELAYED] = DSN_RELAYED,
	[TELL_DELIVERED] = DSN_DELIVERED, [TELL_EXPANDED] = DSN_EXPANDED,
};

/* When the row was tried last, or the mail arrived. */
static int64_t
attempt_ms(const struct relay_row *row)
{
	if (queue_is_receipt(row->item.expires_ms))
		return row->item.created_ms;
	return row->attempt == ATTEMPT_RETURNED ? 0 : clock_unix_ms();
}

static struct str
status_of(const struct relay_row *row, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, 16);

	if (queue_is_receipt(row->item.expires_ms))
		return STR("2.0.0");
	if (row->decision.tell == TELL_RELAYED)
		return row->enhanced.n ? row->enhanced : STR("2.0.0");
	if (row->decision.fate == FATE_EXPIRED)
		return STR("5.4.7");
	if (row->enhanced.n)
		return row->enhanced;
	queue_reason_status(row->reason, row->decision.tell == TELL_FAILED, &b);
	return strbuf_str(&b);
}

/* What the sender calls whom an alias sends on: smtp_policy_conn.c puts that into ORCPT
   where he did not. Empty: no alias does. */
static struct str
alias_of(const struct relay_row *row, struct arena *a)
{
	struct str orcpt = row->item.forward_domain.n ? row->item.orcpt : STR("");
	struct str address =
		xtext_decode(a, str_from_offset(orcpt, str_find(orcpt, ';') + 1));
	struct strbuf plain = strbuf_arena(a, address.n + 1);

	if (!str_starts_icase(orcpt, STR("utf-8;")))
		return address;
	encoded_parse_address(address, &plain);
	return strbuf_str(&plain);
}

static struct dsn_rcpt
rcpt_of(const struct relay_row *row, struct arena *a)
{
	struct strbuf words = strbuf_arena(a, DIAGNOSTIC_MAX);
	struct str alias = alias_of(row, a);
	bool is_said = row->code && !alias.n;

	/* Where an alias leads is nobody's business (RFC 3464 4.2), and other servers'
	   words like to name it: the log has them. */
	if (alias.n)
		strbuf_add(&words, str_from(queue_reason_info(row->reason)->title));
	else if (row->code)
		relay_reply_format(row, &words);
	else
		relay_reason_format(row, &words);
	return (struct dsn_rcpt){
		.address = alias.n ? alias : row->item.rcpt,
		.original = xtext_decode(a, row->item.orcpt),
		.action = actions[row->decision.tell],
		.status = status_of(row, a),
		.remote_host = is_said ? row->host : (struct str){ 0 },
		.diagnostic = strbuf_str(&words),
		.last_attempt_ms = attempt_ms(row),
		.will_retry_until_ms = row->item.expires_ms,
		.final_log_id = row->item.trace_id,
	};
}

enum err
relay_rcpts_find(struct relay *r, struct str to, struct arena *a,
                 struct accept_rcpt **rcpts_out, size_t *count_out)
{
	struct strbuf key = strbuf_arena(a, ADDRESS_KEY_MAX);
	struct resolution found = { 0 };
	struct address address;
	enum err e = address_parse(to, ADDRESS_UTF8, a, &address);

	if (e == OK)
		e = address_normalize(&address, &key);
	if (e == OK)
		e = reader_resolve(r->reader, strbuf_str(&key), 0, a, &found);
	if (e != OK && e != ERR_RELAY)
		return e;
	if (e == ERR_RELAY) {
		struct strbuf domain = strbuf_arena(a, ADDRESS_KEY_MAX);

		if (address.is_literal)
			strbuf_add(&domain, address.domain);
		else if (domain_normalize(address.domain, &domain) != OK)
			return ERR_ADDRESS;
		found.targets = ARENA_NEW(a, struct target);
		found.targets[0] = (struct target){ .kind = RCPT_REMOTE,
			                            .rcpt = to,
			                            .domain = strbuf_str(&domain) };
		found.count = 1;
	}
	*rcpts_out = ARENA_ARRAY(a, struct accept_rcpt, found.count);
	*count_out = found.count;
	for (size_t i = 0; i < found.count; i++)
		(*rcpts_out)[i] = (struct accept_rcpt){
			.kind = found.targets[i].kind,
			.rcpt = found.targets[i].rcpt,
			.orig_rcpt = found.is_alias ? to : (struct str){ 0 },
			.account_id = found.targets[i].account_id,
			.domain = found.targets[i].domain,
			.notify = NOTIFY_NEVER,
		};
	return OK;
}

static void on_stored(void *arg, enum err e, const struct new_body *body);

static void
on_retry(void *arg)
{
	struct relay_dsn *dsn = CAST(relay_dsn, DSN_MAGIC, arg);
	struct relay_job *job = dsn->job;

	relay_dsn_free(job);
	relay_dsn_make(job);
}

void
relay_dsn_drop(struct relay_job *job, enum err why)
{
	const char *words = err_get(why)->text;

	for (size_t i = 0; i < job->count; i++) {
		const struct relay_row *row = &job->rows[i];

		if (row->decision.tell == TELL_FAILED)
			relay_tell_double_bounce(row, words);
		else if (row->decision.tell != TELL_NOBODY)
			relay_tell_dsn_dropped(row, words);
	}
	relay_dsn_free(job);
}

static void
give_up(struct relay_job *job, enum err e)
{
	relay_dsn_drop(job, e);
	relay_job_write(job);
}

static void
on_stored(void *arg, enum err e, const struct new_body *body)
{
	struct relay_dsn *dsn = CAST(relay_dsn, DSN_MAGIC, arg);
	struct relay_job *job = dsn->job;

	if (e != OK && err_is_ours(e)) {
		timer_set(&dsn->retry, RETRY_MS);
		return;
	}
	if (e != OK) {
		give_up(job, e);
		return;
	}
	dsn->op.body = *body;
	/* What held for the message holds for the news of it (RFC 8689 5). */
	dsn->op.body.head.flags |= job->rows[0].item.message_flags &
	                           (MESSAGE_TLS_REQUIRED | MESSAGE_TLS_OPTIONAL);
	dsn->is_ready = true;
	relay_job_write(job);
}

static struct str
boundary(struct arena *a, const struct id *id)
{
	return arena_printf(a, "%s%016llx", id->text + 4,
	                    (unsigned long long)random_u64());
}

/* Does 8-bit text get there? Into a mailbox of ours, and where it takes SMTPUTF8. */
static bool
may_be_8bit(const struct relay_dsn *dsn)
{
	const struct op_accept *op = &dsn->op;
	size_t here = 0;

	for (size_t i = 0; i < op->rcpts_count; i++)
		here += op->rcpts[i].kind == RCPT_LOCAL;
	return here == op->rcpts_count || !ascii_check(dsn->job->rows[0].item.sender);
}

/* Only a failure brings the whole message back (RFC 3461 4.3), and not a large one (6.2);
   nor one that must not be seen on the way (RFC 8689 5), or with which the news would not
   get there: a whole message in 8 bits cannot be encoded (RFC 2046 5.2.1). */
static bool
wants_full(const struct relay_dsn *dsn)
{
	const struct relay_job *job = dsn->job;
	const struct queue_item *item = &job->rows[0].item;

	if ((item->message_flags & (MESSAGE_8BIT | MESSAGE_8BIT_HEADER)) &&
	    !may_be_8bit(dsn))
		return false;
	if (item->ret != RET_FULL || (item->message_flags & MESSAGE_TLS_REQUIRED) ||
	    item->ref.size > (uint64_t)relay_limits(job->relay)->delivery_return_size)
		return false;
	for (size_t i = 0; i < job->count; i++) {
		if (job->rows[i].decision.tell == TELL_FAILED)
			return true;
	}
	return false;
}

/* Two members of one alias are one recipient to who wrote to it. */
static bool
is_told(const struct dsn *report, const struct dsn_rcpt *rcpts, const struct dsn_rcpt *r)
{
	for (size_t i = 0; i < report->rcpt_count; i++) {
		if (rcpts[i].action == r->action && str_eq(rcpts[i].address, r->address))
			return true;
	}
	return false;
}

/* The whole report, as it will lie in the mailbox. Returns the length of its first line,
   Return-Path. */
static uint32_t
format(struct relay_dsn *dsn, struct str original, struct strbuf *out)
{
	struct relay_job *job = dsn->job;
	const struct queue_item *item = &job->rows[0].item;
	struct str host = job->relay->conf->hostname;
	struct received received = { .by = host,
		                     .trace_id = id_str(&dsn->id),
		                     .at_ms = clock_unix_ms() };
	struct dsn report = {
		.host = host,
		.to = item->sender,
		.envelope_id = xtext_decode(dsn->arena, item->envid),
		.message_id = arena_printf(dsn->arena, "<%s@%.*s>", dsn->id.text,
		                           STR_ARG(host)),
		.trace_id = item->trace_id,
		.now_ms = received.at_ms,
		.arrival_ms = item->created_ms,
		.boundary = boundary(dsn->arena, &dsn->id),
		.want_full = wants_full(dsn),
		.original = original,
	};
	struct dsn_rcpt *rcpts = ARENA_ARRAY(dsn->arena, struct dsn_rcpt, job->count);
	uint32_t prefix_len;

	for (size_t i = 0; i < job->count; i++) {
		if (job->rows[i].decision.tell == TELL_NOBODY)
			continue;
		rcpts[report.rcpt_count] = rcpt_of(&job->rows[i], dsn->arena);
		report.rcpt_count += !job->rows[i].item.forward_domain.n ||
		                     !is_told(&report, rcpts, &rcpts[report.rcpt_count]);
	}
	report.rcpts = rcpts;
	return_path_format(out, (struct str){ 0 });
	prefix_len = (uint32_t)out->n;
	received_format(out, &received);
	dsn_format(out, &report);
	return prefix_len;
}

static void
store_report(struct relay_dsn *dsn, struct str original)
{
	struct relay *r = dsn->job->relay;
	const struct queue_item *item = &dsn->job->rows[0].item;
	struct strbuf text = strbuf_heap(OWN_PART_MAX + original.n * 2);
	struct body_about about = { .trace_id = id_str(&dsn->id),
		                    .at_ms = clock_unix_ms() };
	enum err e;

	about.prefix_len = format(dsn, original, &text);
	about.rcpts = item->sender;
	dsn->op.body.prefix_len = about.prefix_len;
	dsn->writer = body_writer_new(r->bodies, text.n + 1);
	e = body_write(dsn->writer, strbuf_str(&text));
	/* What went wrong with writing is said once more at the end. */
	if (text.overflow || e == ERR_TOO_LARGE)
		give_up(dsn->job, ERR_TOO_LARGE);
	else
		body_finish(dsn->writer, &about, on_stored, dsn);
	strbuf_release(&text);
}

/* A damaged original does not keep the sender from being told. */
static void
on_opened(void *arg, enum err e, struct body *body)
{
	struct relay_dsn *dsn = CAST(relay_dsn, DSN_MAGIC, arg);
	struct str original = { 0 };

	dsn->reading = NULL;
	if (e == OK)
		original = str_from_offset(body_bytes(body),
		                           dsn->job->rows[0].item.prefix_len);
	store_report(dsn, original);
	if (e == OK)
		body_close(&body);
}

static void
open_original(struct relay_dsn *dsn)
{
	struct bodies *bodies = dsn->job->relay->bodies;
	const struct body_ref *ref = &dsn->job->rows[0].item.ref;
	struct body *body = NULL;
	enum err e;

	if (body_is_large(ref)) {
		dsn->reading = body_open_later(bodies, ref, 0, on_opened, dsn);
		return;
	}
	e = body_open(bodies, ref, &body);
	on_opened(dsn, e, body);
}

void
relay_dsn_make(struct relay_job *job)
{
	struct relay *r = job->relay;
	const struct queue_item *item = &job->rows[0].item;
	struct relay_dsn *dsn = mem_alloc(sizeof(*dsn));
	enum err e;

	*dsn = (struct relay_dsn){ .magic = DSN_MAGIC };
	dsn->job = job;
	dsn->arena = arena_new(DSN_BUDGET);
	dsn->id = id_new("mtr_");
	timer_init(&dsn->retry, r->loop, on_retry, dsn);
	job->dsn = dsn;
	list_remove(&job->link);
	list_add_last(&r->telling, &job->link);
	dsn->op.trace_id = id_str(&dsn->id);
	dsn->op.direction = TRACE_OWN;
	dsn->op.expires_ms = relay_now(r) + r->conf->delivery_lifetime_ms;
	e = relay_rcpts_find(r, item->sender, dsn->arena, &dsn->op.rcpts,
	                     &dsn->op.rcpts_count);
	/* A page that cannot be read just now must not cost the sender the news. */
	if (e != OK && err_is_ours(e) && e != ERR_QUOTA) {
		timer_set(&dsn->retry, RETRY_MS);
		return;
	}
	if (e != OK) {
		give_up(job, e);
		return;
	}
	open_original(dsn);
}
