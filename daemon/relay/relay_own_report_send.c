/* A report that is made, on its way: by HTTPS, by mail, and onto record. */
#include "relay/relay_own_report_priv.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "mail/received.h"
#include "relay/relay_dsn.h"
#include "relay/relay_priv.h"

enum {
	RETRY_MS = 5000,
	REASON_MAX = 4096,
	MAIL_HEAD_MAX = 8 * 1024,
	POST_BODY_MAX = 64 * 1024,
};

/* --- what is told ------------------------------------------------------------------- */

static void
tell(struct relay_own_report *p, enum event_id id, struct str to, const char *reason)
{
	struct event e;

	event_init(&e, id, str_from(NULL), str_from(NULL));
	event_str(&e, "kind", relay_own_report_is_tls(p) ? STR("TLS") : STR("DMARC"));
	event_str(&e, "domain", p->seen.domain.n ? p->seen.domain : STR("all domains"));
	event_str(&e, "things",
	          relay_own_report_is_tls(p) ? STR("sessions") : STR("messages"));
	event_i64(&e, "count",
	          (int64_t)(id == EV_REPORT_CUT ? p->seen.left_out : p->seen.count));
	if (to.n)
		event_str(&e, "to", to);
	if (reason)
		event_str(&e, "reason", str_from(reason));
	event_tell(&e);
}

void
relay_own_report_tell_cut(struct relay_own_report *p)
{
	if (p->seen.left_out)
		tell(p, EV_REPORT_CUT, STR(""), NULL);
}

static void
tell_all(struct relay_own_report *p)
{
	relay_own_report_tell_cut(p);
	for (size_t i = 0; i < p->targets.count; i++) {
		const struct report_target *t = &p->targets.list[i];

		tell(p, t->refused ? EV_REPORT_UNSENT : EV_REPORT_SENT, t->address,
		     t->refused);
	}
}

/* --- into the store ----------------------------------------------------------------- */

static void put(struct relay_own_report *p);

void
relay_own_report_retry(void *arg)
{
	put(CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg));
}

static void
on_put(void *arg, enum err e, const struct answer_id *answer)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);

	(void)answer;
	p->call = 0;
	/* ERR_EXISTS: an earlier process has come so far, and its rows came late. */
	if (e == OK && p->op.name.n)
		tell_all(p);
	if (e == OK) {
		relay_own_report_finish(p, RELAY_OWN_REPORT_MADE);
		return;
	}
	log_line(LEVEL_WARN, "report.store", "error=%s domain=%.*s", err_get(e)->word,
	         STR_ARG(p->seen.domain));
	if (e == ERR_EXISTS) {
		p->op.name = STR("");
		put(p);
	} else if (p->op.mails_count && !err_is_temporary(e)) {
		/* None of its recipients can have it: that is on record then. */
		p->op.mails_count = 0;
		p->op.reason = str_from(err_get(e)->text);
		put(p);
	} else if (p->op.mails_count) {
		/* Its body may lie in a segment that was sealed meanwhile. */
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
	} else {
		timer_set(&p->retry, RETRY_MS);
	}
}

static void
put(struct relay_own_report *p)
{
	p->call = store_report_made(p->relay->store, &p->op, on_put, p);
}

void
relay_own_report_forget(struct relay_own_report *p)
{
	p->op.name = STR("");
	put(p);
}

static void
list_targets(struct relay_own_report *p)
{
	struct strbuf to = strbuf_arena(p->arena, REASON_MAX);
	struct strbuf not = strbuf_arena(p->arena, REASON_MAX);

	for (size_t i = 0; i < p->targets.count; i++) {
		const struct report_target *t = &p->targets.list[i];

		if (!t->refused)
			strbuf_printf(&to, "%s%.*s", to.n ? " " : "",
			              STR_ARG(t->address));
		else
			strbuf_printf(&not, "%s%.*s: %s", not .n ? "; " : "",
			              STR_ARG(t->address), t->refused);
	}
	if (p->targets.left_out)
		strbuf_printf(&not, "%sand %zu more than are served", not .n ? "; " : "",
		              p->targets.left_out);
	p->op.rcpts = strbuf_str(&to);
	p->op.reason = strbuf_str(&not );
}

/* It is decided who gets it: on record with it. */
static void
keep(struct relay_own_report *p)
{
	list_targets(p);
	p->op.name = p->head.id;
	p->op.row_count = p->seen.row_count;
	p->op.count = p->seen.count;
	p->op.left_out = p->seen.left_out;
	p->op.packed = strbuf_str(&p->packed);
	p->op.keep_ms = p->relay->conf->reports_keep_ms;
	put(p);
}

/* --- the mail ----------------------------------------------------------------------- */

static void
on_stored(void *arg, enum err e, const struct new_body *body)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);

	if (e != OK) {
		log_line(LEVEL_WARN, "report.body", "error=%s", err_get(e)->word);
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
		return;
	}
	p->mail.body = *body;
	/* A report on TLS must come through where TLS is what fails (RFC 8460 3). */
	p->mail.body.head.flags |=
		MESSAGE_REPORT |
		(relay_own_report_is_tls(p) ? (uint32_t)MESSAGE_TLS_OPTIONAL : 0);
	p->op.mails = &p->mail;
	p->op.mails_count = 1;
	keep(p);
}

/* Where the copies go; targets that have nobody are refused. */
static void
find_rcpts(struct relay_own_report *p, struct strbuf *words)
{
	struct accept_rcpt *all =
		ARENA_ARRAY(p->arena, struct accept_rcpt, RESOLVE_MAX + 1);

	p->mail.rcpts = all;
	for (size_t i = 0; i < p->targets.count; i++) {
		struct report_target *t = &p->targets.list[i];
		struct accept_rcpt *found;
		size_t n = 0;
		enum err e;

		if (t->refused || t->is_https)
			continue;
		e = relay_rcpts_find(p->relay, t->address, p->arena, &found, &n);
		if (e != OK || p->mail.rcpts_count + n > RESOLVE_MAX) {
			t->refused = err_get(e == OK ? ERR_LIMIT : e)->text;
			continue;
		}
		for (size_t j = 0; j < n; j++)
			all[p->mail.rcpts_count++] = found[j];
		strbuf_printf(words, "%s%.*s", words->n ? " " : "", STR_ARG(t->address));
	}
}

static struct str
boundary(struct relay_own_report *p)
{
	return arena_printf(p->arena, "%s%016llx", p->id.text + 4,
	                    (unsigned long long)random_u64());
}

static uint32_t
format_mail(struct relay_own_report *p, struct strbuf *out)
{
	struct str host = p->relay->conf->hostname, to[REPORT_TARGETS_MAX];
	struct received received = { .by = host,
		                     .trace_id = id_str(&p->id),
		                     .at_ms = clock_unix_ms() };
	struct report_mail mail = {
		.head = &p->head,
		.from = p->from,
		.to = to,
		.message_id = arena_printf(p->arena, "<%s@%.*s>", p->id.text,
		                           STR_ARG(p->submitter)),
		.boundary = boundary(p),
		.now_ms = received.at_ms,
		.packed = strbuf_str(&p->packed),
	};
	uint32_t prefix_len;

	for (size_t i = 0; i < p->targets.count; i++) {
		if (!p->targets.list[i].refused && !p->targets.list[i].is_https)
			to[mail.to_count++] = p->targets.list[i].address;
	}
	return_path_format(out, (struct str){ 0 });
	prefix_len = (uint32_t)out->n;
	received_format(out, &received);
	report_mail_format(out, &mail);
	return prefix_len;
}

/* RFC 8460 5.4: a day is long enough for a report on TLS. */
static int64_t
lifetime_ms(const struct relay_own_report *p)
{
	int64_t ms = p->relay->conf->delivery_lifetime_ms;

	return relay_own_report_is_tls(p) && ms > DAY_MS ? DAY_MS : ms;
}

/* The null sender: nobody is told of its failure, and nothing answers it. */
static void
send_mail(struct relay_own_report *p)
{
	struct strbuf words = strbuf_arena(p->arena, REASON_MAX), text;
	struct body_about about = { .trace_id = id_str(&p->id),
		                    .at_ms = clock_unix_ms() };
	enum err e;

	p->mail = (struct op_accept){
		.trace_id = id_str(&p->id),
		.direction = TRACE_OWN,
		.expires_ms = relay_now(p->relay) + lifetime_ms(p),
	};
	find_rcpts(p, &words);
	if (!p->mail.rcpts_count) {
		keep(p);
		return;
	}
	text = strbuf_heap(MAIL_HEAD_MAX + 2 * p->packed.n);
	about.rcpts = strbuf_str(&words);
	about.prefix_len = p->mail.body.prefix_len = format_mail(p, &text);
	p->writer = body_writer_new(p->relay->bodies, text.n + 1);
	e = body_write(p->writer, strbuf_str(&text));
	/* What went wrong is said once more at the end. */
	(void)!e;
	body_finish(p->writer, &about, on_stored, p);
	strbuf_release(&text);
}

/* --- HTTPS -------------------------------------------------------------------------- */

static void post_next(struct relay_own_report *p);

static bool
has_mail(const struct relay_own_report *p)
{
	for (size_t i = 0; i < p->targets.count; i++) {
		if (!p->targets.list[i].refused && !p->targets.list[i].is_https)
			return true;
	}
	return false;
}

static void
on_posted(void *arg, enum err e, struct str body, const char *fault)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);
	struct report_target *t = &p->targets.list[p->posting];
	bool is_final = e == ERR_FORBIDDEN || e == ERR_NOT_FOUND || e == ERR_SYNTAX;

	(void)body;
	p->post = NULL;
	if (e == OK) {
		p->op.delivered++;
	} else if (is_final || p->is_last || p->op.delivered || has_mail(p)) {
		t->refused = arena_cstr(p->arena, str_from(fault));
		p->op.failed++;
	} else {
		log_line(LEVEL_INFO, "report.post", "domain=%.*s fault=\"%s\"",
		         STR_ARG(p->seen.domain), fault);
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
		return;
	}
	p->posting++;
	post_next(p);
}

static void
post_next(struct relay_own_report *p)
{
	while (p->posting < p->targets.count) {
		const struct report_target *t = &p->targets.list[p->posting];
		struct relay_https_request request = {
			.host = t->host,
			.type = "application/tlsrpt+gzip",
			.body_max = POST_BODY_MAX,
			.posted = strbuf_str(&p->packed),
		};

		if (!t->refused && t->is_https) {
			request.path = arena_cstr(p->arena, t->path);
			p->post = relay_https_get(p->relay, &request, on_posted, p);
			return;
		}
		p->posting++;
	}
	if (has_mail(p))
		send_mail(p);
	else
		keep(p);
}

/* --- the beginning ------------------------------------------------------------------ */

/* RFC 9990 3.5: with all that mail adds. */
static void
check_sizes(struct relay_own_report *p)
{
	uint64_t size = MAIL_HEAD_MAX / 4 + p->packed.n / 57 * 78 + 78;

	for (size_t i = 0; i < p->targets.count; i++) {
		struct report_target *t = &p->targets.list[i];

		if (!t->refused && t->size_max_bytes && size > t->size_max_bytes)
			t->refused = "it is larger than they want";
	}
}

void
relay_own_report_send(struct relay_own_report *p)
{
	if (!report_targets_good(&p->targets)) {
		keep(p);
		return;
	}
	for (size_t i = 0; !p->packed.n && i < p->targets.count; i++)
		p->targets.list[i].refused = "it is larger than a report may be";
	check_sizes(p);
	post_next(p);
}
