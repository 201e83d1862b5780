/* What the queue process tells the delivery log, in plain words and with the server's. */
#include "relay/relay_event.h"

#include "base/event.h"
#include "base/rfc3339.h"
#include "relay/relay_conn.h"
#include "relay/relay_jobs.h"

enum {
	WORDS_MAX = 1024,
};

/* The words of err.def are those of a server; these are a client's. */
static const struct {
	enum err cause;
	const char *words;
} causes[] = {
	{ OK, "" },
	{ ERR_TIMEOUT, "it did not answer in time" },
	{ ERR_CLOSED, "it closed the connection" },
	{ ERR_PROTOCOL, "it does not speak SMTP properly" },
	{ ERR_CONNECT, "no connection" },
	{ ERR_LOOP, "the way leads back to us" },
	{ ERR_FORBIDDEN, "its address is a private one, which this server does not dial "
	                 "(delivery.private_targets)" },
	{ ERR_NEED_REQUIRETLS, "it does not promise to pass the demand on" },
	{ ERR_TOO_LARGE, "it takes no message of this size" },
	{ ERR_NEED_SMTPUTF8,
	  "an address or the header needs SMTPUTF8, which it does not offer" },
	{ ERR_NEED_8BITMIME, "the text needs 8BITMIME, which it does not offer" },
	{ ERR_IO, "the stored message could not be read" },
	{ ERR_CORRUPT, "the stored message is damaged" },
	{ ERR_NOT_FOUND, "the stored message could not be found" },
};

static const char *
cause_words(enum err cause)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		if (causes[i].cause == cause)
			return causes[i].words;
	}
	return err_get(cause)->text;
}

void
relay_reply_format(const struct relay_row *row, struct strbuf *out)
{
	if (row->code) {
		strbuf_printf(out, "%d", row->code);
		if (row->enhanced.n) {
			strbuf_byte(out, ' ');
			strbuf_add(out, row->enhanced);
		}
		if (row->text.n) {
			strbuf_byte(out, ' ');
			strbuf_add(out, row->text);
		}
		return;
	}
	strbuf_add(out, str_from(cause_words(row->cause)));
	if (row->text.n) {
		strbuf_lit(out, ": ");
		strbuf_add(out, row->text);
	}
}

/* Where the class says it all, our own words would say it twice. */
static bool
is_said_by_class(const struct relay_row *row)
{
	return !row->code && !row->text.n && row->reason != REASON_REMOTE_TEMP &&
	       row->reason != REASON_POLICY_OTHER &&
	       row->reason != REASON_NOT_SUPPORTED &&
	       row->reason != REASON_LOCAL_RESOURCE;
}

void
relay_reason_format(const struct relay_row *row, struct strbuf *out)
{
	const char *title = queue_reason_info(row->reason)->title;
	size_t before;

	strbuf_add(out, str_from(title));
	if (is_said_by_class(row))
		return;
	if (title[0])
		strbuf_lit(out, ": ");
	before = out->n;
	relay_reply_format(row, out);
	if (out->n == before && title[0])
		strbuf_truncate(out, before - 2);
}

static void
begin(struct event *e, enum event_id id, const struct relay_row *row,
      const struct relay_conn *c)
{
	event_init(e, id, row->item.trace_id,
	           c ? id_str(&c->session_id) : (struct str){ 0 });
}

void
relay_tell_attempt(const struct relay_conn *c, const struct relay_row *row)
{
	struct event e;

	begin(&e, EV_ATTEMPT, row, c);
	event_str(&e, "rcpt", row->item.rcpt);
	event_i64(&e, "attempt", row->item.attempts);
	event_i64(&e, "queue_id", (int64_t)row->item.id);
	if (c->stream)
		event_str(&e, "host", c->host);
	event_tell(&e);
}

void
relay_tell_route(const struct relay_conn *c)
{
	const struct queue_route *route = &c->path.route;
	struct strbuf hosts = strbuf_heap(WORDS_MAX);
	struct event e;

	for (size_t i = 0; i < route->count; i++)
		strbuf_printf(&hosts, "%s%.*s (%u)", i ? ", " : "",
		              STR_ARG(route->hosts[i].name), route->hosts[i].preference);
	begin(&e, EV_ROUTE, &c->job->rows[0], c);
	event_str(&e, "domain", relay_dest_name(c->dest));
	event_str(&e, "hosts", strbuf_str(&hosts));
	event_tell(&e);
	strbuf_release(&hosts);
}

void
relay_tell_dial(const struct relay_conn *c)
{
	char text[ADDR_TEXT_MAX];
	struct event e;

	begin(&e, EV_DIAL, &c->job->rows[0], c);
	event_str(&e, "host", c->host);
	event_str(&e, "ip", addr_ip_text(&c->addr, &text));
	event_i64(&e, "port", c->addr.port);
	event_tell(&e);
}

void
relay_tell_tls(const struct relay_conn *c)
{
	const struct tls_info *info = stream_tls_info(c->stream);
	struct event e;

	begin(&e, EV_REMOTE_TLS, &c->job->rows[0], c);
	event_str(&e, "host", c->host);
	if (info) {
		event_str(&e, "tls", str_from(info->version));
		event_str(&e, "cipher", str_from(info->cipher));
		event_str(&e, "verified", str_from(info->verify_text));
	}
	event_tell(&e);
}

void
relay_tell_tls_failed(const struct relay_conn *c, struct str detail)
{
	struct event e;

	begin(&e, EV_REMOTE_TLS_FAILED, &c->job->rows[0], c);
	event_str(&e, "host", c->host);
	event_str(&e, "reason", detail);
	event_tell(&e);
}

static void
tell_host(const struct relay_conn *c, enum event_id id, struct str host,
          struct str reason)
{
	struct event e;

	begin(&e, id, &c->job->rows[0], c);
	event_str(&e, "host", host);
	event_str(&e, "domain", relay_dest_name(c->dest));
	event_str(&e, "policy", str_from(c->secure.policy));
	event_str(&e, "demand", str_from(secure_level_word(c->secure.level)));
	event_str(&e, "reason", reason);
	event_tell(&e);
}

void
relay_tell_sts_fetched(const struct relay_dest *d, const struct mta_sts_policy *policy)
{
	struct event e;

	event_init(&e, EV_STS_FETCHED, (struct str){ 0 }, (struct str){ 0 });
	event_str(&e, "domain", relay_dest_name(d));
	event_str(&e, "mode", str_from(mta_sts_mode_word(policy->mode)));
	event_i64(&e, "seconds", policy->max_age_s);
	event_tell(&e);
}

void
relay_tell_sts_failed(const struct relay_dest *d, const char *fault, const char *then)
{
	struct event e;

	event_init(&e, EV_STS_FAILED, (struct str){ 0 }, (struct str){ 0 });
	event_str(&e, "domain", relay_dest_name(d));
	event_str(&e, "reason", str_from(fault));
	event_str(&e, "detail", str_from(then));
	event_tell(&e);
}

void
relay_tell_secure(const struct relay_conn *c, struct str host)
{
	tell_host(c, EV_REMOTE_TLS_POLICY, host, str_from(c->secure.reason));
}

void
relay_tell_tls_refused(const struct relay_conn *c, struct str host, struct str detail)
{
	tell_host(c, EV_REMOTE_TLS_REFUSED, host, detail);
}

void
relay_tell_tls_test(const struct relay_conn *c, struct str detail)
{
	tell_host(c, EV_REMOTE_TLS_TEST, c->host, detail);
}

static const enum event_id fate_events[] = {
	[FATE_DELIVERED] = EV_DELIVERED,
	[FATE_DEFERRED] = EV_DEFERRED,
	[FATE_BOUNCED] = EV_BOUNCED,
	[FATE_EXPIRED] = EV_EXPIRED,
};

static void
add_when(struct event *e, const char *key, int64_t at_ms)
{
	char bytes[40];
	struct strbuf when = strbuf_on(bytes);

	rfc3339_format(&when, at_ms);
	event_str(e, key, strbuf_str(&when));
}

void
relay_tell_fate(const struct relay_job *job, const struct relay_row *row)
{
	const struct relay_conn *c = job->conn;
	struct strbuf words = strbuf_heap(WORDS_MAX);
	struct event e;

	begin(&e, fate_events[row->decision.fate], row, c);
	event_str(&e, "rcpt", row->item.rcpt);
	event_i64(&e, "queue_id", (int64_t)row->item.id);
	event_i64(&e, row->decision.fate == FATE_EXPIRED ? "tries" : "attempt",
	          row->item.attempts);
	if (row->host.n)
		event_str(&e, "host", row->host);
	if (row->ip.n)
		event_str(&e, "ip", row->ip);
	if (row->code)
		event_i64(&e, "code", row->code);
	if (row->enhanced.n)
		event_str(&e, "enhanced", row->enhanced);
	if (row->decision.fate == FATE_DELIVERED) {
		const struct tls_info *tls =
			c && c->stream ? stream_tls_info(c->stream) : NULL;

		if (tls)
			event_str(&e, "tls", str_from(tls->version));
		relay_reply_format(row, &words);
		event_str(&e, "reply", strbuf_str(&words));
	} else {
		event_str(&e, "class", str_from(queue_reason_info(row->reason)->word));
		relay_reason_format(row, &words);
		event_str(&e, "reason", strbuf_str(&words));
	}
	if (row->decision.fate == FATE_DEFERRED)
		add_when(&e, "next", row->decision.due_ms);
	event_tell(&e);
	strbuf_release(&words);
}

void
relay_tell_double_bounce(const struct relay_row *row, const char *why)
{
	struct event e;

	begin(&e, EV_DOUBLE_BOUNCE, row, NULL);
	event_str(&e, "from", row->item.sender);
	event_str(&e, "rcpt", row->item.rcpt);
	event_str(&e, "reason", str_from(why));
	event_tell(&e);
}

static const char *const tell_words[] = {
	[TELL_NOBODY] = "",
	[TELL_FAILED] = "failed",
	[TELL_DELAYED] = "delayed",
	[TELL_RELAYED] = "relayed",
	[TELL_DELIVERED] = "delivered",
	[TELL_EXPANDED] = "expanded",
};

const char *
relay_tell_word(enum queue_tell tell)
{
	return tell_words[tell];
}

void
relay_tell_rewritten(const struct queue_item *item, struct str sender)
{
	struct event e;

	event_init(&e, EV_REWRITTEN, item->trace_id, (struct str){ 0 });
	event_str(&e, "rcpt", item->rcpt);
	event_str(&e, "from", sender);
	event_tell(&e);
}

void
relay_tell_dsn_dropped(const struct relay_row *row, const char *why)
{
	struct event e;

	begin(&e, EV_DSN_DROPPED, row, NULL);
	event_str(&e, "from", row->item.sender);
	event_str(&e, "rcpt", row->item.rcpt);
	event_str(&e, "action", str_from(tell_words[row->decision.tell]));
	event_str(&e, "reason", str_from(why));
	event_tell(&e);
}
