/* Who sent the message that a stranger brings: from MAIL on it is found out, at the end
 * it is judged, told, and marked in front of the body (RFC 8601).
 *
 * One reply, one fate: a refusal is for all recipients. Where their domains want
 * different things, those that would refuse it get it in Junk.
 */
#include "base/clock.h"
#include "base/utf8.h"
#include "policy/auth_results.h"
#include "smtp/smtp_conn_priv.h"
#include "smtp/smtp_judge.h"

enum {
	LIST_MAX = 480,    /* of all signatures, in one field of an event */
	RECORD_MAX = 160,  /* of what a report says of a record */
	FO_MAX = 16,       /* of its fo tag */
	REASON_MAX = 120,  /* why SPF, or one signature, did not pass … */
	REASONS_MAX = 400, /* … and all signatures */
	JUNK_RESERVE = 4 * 1024,
};

/* ---- beginning ---------------------------------------------------------------------- */

bool
smtp_incoming_is_due(const struct smtp_conn *c)
{
	return c->server->parts.dns && c->protocol == CONF_SMTP &&
	       !smtp_session_login(c->session).n &&
	       !smtp_session_peer(c->session)->may_relay;
}

/* One client, as the limiter counts: an IPv4 address, or a network of 64 bits. */
static uint64_t
client_group(const struct addr *ip)
{
	uint64_t id = 0;

	memcpy(&id, ip->ip, ip->family == ADDR_V6 ? sizeof(id) : 4);
	return id;
}

void
smtp_incoming_begin(struct smtp_conn *c, const struct smtp_mail *mail)
{
	const struct smtp_settings *s = c->settings;
	struct smtp_check_conf conf = {
		.loop = c->server->parts.loop,
		.dns = c->server->parts.dns,
		.timeout_ms = s->verify_ms,
		.header_max = s->header_max,
	};
	struct auth_request request = {
		.helo = smtp_session_helo(c->session),
		.sender = mail->from_text,
		.authserv_id = s->session.hostname,
		.trusted_sealers = s->sealers,
		.now_ms = clock_unix_ms(),
	};

	if (!addr_parse_ip(smtp_session_peer(c->session)->ip, &request.ip))
		request.ip = (struct addr){ .family = ADDR_NONE };
	conf.group = client_group(&request.ip);
	c->check = smtp_check_new(&conf, &request);
}

/* ---- telling ------------------------------------------------------------------------ */

static void
event_begin(struct smtp_conn *c, struct event *e, enum event_id id)
{
	const struct smtp_mail *mail = smtp_session_mail(c->session);

	event_init(e, id, id_str(&mail->trace_id), id_str(smtp_session_id(c->session)));
}

static void
tell_spf(struct smtp_conn *c, const char *scope, const struct spf_verdict *spf)
{
	struct event e;

	event_begin(c, &e, EV_SPF);
	event_str(&e, "result", str_from(spf_result_word(spf->result)));
	event_str(&e, "scope", str_from(scope));
	event_str(&e, "domain", spf->domain);
	event_str(&e, "mechanism", spf->mechanism);
	event_str(&e, "reason", spf->reason);
	smtp_events_add(&c->events, &e);
}

static void
tell_dkim(struct smtp_conn *c, const struct dkim_verdict *d)
{
	struct event e;

	event_begin(c, &e, EV_DKIM);
	event_str(&e, "result", str_from(dkim_result_word(d->result)));
	event_str(&e, "domain", d->domain);
	event_str(&e, "selector", d->selector);
	event_str(&e, "algorithm", str_from(d->algorithm));
	event_i64(&e, "bits", d->key_bits);
	event_str(&e, "reason", d->reason);
	smtp_events_add(&c->events, &e);
}

static void
tell_parts(struct smtp_conn *c, const struct auth_verdict *v)
{
	struct event e;

	event_begin(c, &e, EV_IPREV);
	event_str(&e, "result", str_from(iprev_result_word(v->iprev.result)));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	event_str(&e, "host", v->iprev.host);
	event_str(&e, "reason", v->iprev.reason);
	smtp_events_add(&c->events, &e);
	if (v->has_spf_from)
		tell_spf(c, "mfrom", &v->spf_from);
	tell_spf(c, "helo", &v->spf_helo);
	for (size_t i = 0; i < v->dkim_count; i++)
		tell_dkim(c, v->dkim[i]);
	if (v->arc.result == ARC_NONE)
		return;
	event_begin(c, &e, EV_ARC);
	event_str(&e, "result", str_from(arc_result_word(v->arc.result)));
	event_i64(&e, "sets", (int64_t)v->arc.count);
	event_str(&e, "domain", v->arc_trusted_domain);
	event_str(&e, "reason", v->arc.reason);
	smtp_events_add(&c->events, &e);
}

/* "example.org/s1=pass example.net/s2=fail": what an aggregate report says of each. */
static void
add_signatures(struct event *e, const struct auth_verdict *v)
{
	char bytes[LIST_MAX];
	struct strbuf b = strbuf_on(bytes);

	for (size_t i = 0; i < v->dkim_count && !b.overflow; i++) {
		const struct dkim_verdict *d = v->dkim[i];
		size_t before = b.n;

		strbuf_printf(&b, "%s%.*s/%.*s=%s", i ? " " : "", STR_ARG(d->domain),
		              STR_ARG(d->selector), dkim_result_word(d->result));
		if (b.overflow)
			strbuf_truncate(&b, before);
	}
	event_str(e, "signatures", strbuf_str(&b));
}

/* Why those that do not pass do not, in the order of `signatures`, "|" between; and the
   same of SPF. */
static void
add_reasons(struct event *e, const struct auth_verdict *v, const struct spf_verdict *spf)
{
	char bytes[REASONS_MAX];
	struct strbuf b = strbuf_on(bytes);
	bool is_any = false;

	for (size_t i = 0; i < v->dkim_count; i++) {
		const struct dkim_verdict *d = v->dkim[i];
		struct str why = d->result == DKIM_PASS ? STR("") : d->reason;

		if (i)
			strbuf_byte(&b, '|');
		why = utf8_first(why, REASON_MAX);
		for (size_t n = 0; n < why.n; n++)
			strbuf_byte(&b, why.p[n] == '|' ? '/' : why.p[n]);
		is_any = is_any || why.n;
	}
	if (is_any)
		event_str(e, "dkim_reasons", strbuf_str(&b));
	if (spf->result != SPF_PASS)
		event_str(e, "spf_reason", utf8_first(spf->reason, REASON_MAX));
}

/* The domain of all recipients, where that is one. */
static void
add_envelope_to(struct event *e, struct smtp_conn *c)
{
	struct str domain = { NULL, 0 };
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);

	for (const struct smtp_target *t = c->targets; t; t = t->next) {
		if (t->rcpt->address.is_literal ||
		    (domain.n && !str_eq_icase(domain, t->rcpt->address.domain)))
			return;
		domain = t->rcpt->address.domain;
	}
	if (domain.n && domain_normalize(domain, &b) == OK)
		event_str(e, "envelope_to", strbuf_str(&b));
}

/* What the domain published, as its report tells it, and who wants that report; see
   store/report_count.c. Nothing where nobody does, or where the message will come again
   and count then. */
static void
add_report(struct smtp_conn *c, struct event *e, const struct auth_verdict *v,
           enum err refused)
{
	const struct dmarc_verdict *d = &v->dmarc;
	const struct dmarc_record *r = &d->record;
	char bytes[RECORD_MAX];
	struct strbuf b = strbuf_on(bytes);
	enum dmarc_policy sp = r->has_sp ? r->sp : r->p;

	if (!r->rua.n || !d->policy_domain.n || (refused && err_is_temporary(refused)))
		return;
	strbuf_printf(&b, "p=%s sp=%s np=%s adkim=%c aspf=%c t=%c",
	              dmarc_policy_word(r->p), dmarc_policy_word(sp),
	              dmarc_policy_word(r->has_np ? r->np : sp),
	              r->is_strict_dkim ? 's' : 'r', r->is_strict_spf ? 's' : 'r',
	              r->is_testing ? 'y' : 'n');
	if (r->fo.n)
		strbuf_printf(&b, " fo=%.*s", STR_ARG(str_first(r->fo, FO_MAX)));
	event_str(e, "record", strbuf_str(&b));
	event_str(e, "rua", r->rua);
	add_envelope_to(e, c);
	add_reasons(e, v, smtp_judge_spf(v));
}

static void
tell_dmarc(struct smtp_conn *c, const struct auth_verdict *v,
           const struct smtp_judgement *j, const char *disposition)
{
	const struct dmarc_verdict *d = &v->dmarc;
	const struct spf_verdict *spf = smtp_judge_spf(v);
	struct event e;

	event_begin(c, &e, EV_DMARC);
	event_str(&e, "result", str_from(dmarc_result_word(d->result)));
	event_str(&e, "domain", d->from_domain);
	event_str(&e, "policy_domain", d->policy_domain);
	if (d->policy_domain.n) {
		event_str(&e, "policy", str_from(dmarc_policy_word(d->policy)));
		event_str(&e, "published", str_from(dmarc_policy_word(d->published)));
	}
	event_i64(&e, "aligned_spf", d->is_aligned_spf);
	event_i64(&e, "aligned_dkim", d->is_aligned_dkim);
	event_str(&e, "spf", str_from(spf_result_word(spf->result)));
	event_str(&e, "spf_domain", spf->domain);
	event_str(&e, "spf_scope", v->has_spf_from ? STR("mfrom") : STR("helo"));
	event_str(&e, "dkim", str_from(smtp_judge_dkim_word(v)));
	add_signatures(&e, v);
	event_str(&e, "disposition", str_from(disposition));
	event_str(&e, "override", str_from(j->override));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	add_report(c, &e, v, j->error);
	event_str(&e, "reason", d->reason);
	smtp_events_add(&c->events, &e);
}

static void
tell_disposition(struct smtp_conn *c, const struct auth_verdict *v, struct str why,
                 const char *disposition)
{
	struct event e;

	event_begin(c, &e, EV_DISPOSITION);
	event_str(&e, "domain", v->dmarc.policy_domain);
	event_str(&e, "policy", str_from(dmarc_policy_word(v->dmarc.policy)));
	event_str(&e, "disposition", str_from(disposition));
	if (why.n)
		event_str(&e, "why", arena_printf(c->arena, ", for %.*s", STR_ARG(why)));
	smtp_events_add(&c->events, &e);
}

static void
tell_forged(struct smtp_conn *c, unsigned count)
{
	struct event e;

	if (!count)
		return;
	event_begin(c, &e, EV_FORGED);
	event_i64(&e, "count", count);
	smtp_events_add(&c->events, &e);
}

/* ---- judging ------------------------------------------------------------------------ */

static enum domain_incoming
incoming_of(struct smtp_conn *c, const struct smtp_rcpt *rcpt)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf domain = strbuf_on(bytes);
	enum domain_incoming incoming = INCOMING_HONOUR;

	if (rcpt->address.is_literal ||
	    domain_normalize(rcpt->address.domain, &domain) != OK ||
	    smtp_names_incoming(c->server->names, strbuf_str(&domain), &incoming) != OK)
		return INCOMING_HONOUR;
	return incoming;
}

/* What is done for all: DMARC_POLICY_REJECT only where every recipient's domain says so;
   else targets are marked for Junk. */
static enum dmarc_policy
apply(struct smtp_conn *c, enum dmarc_policy wanted)
{
	enum dmarc_policy most = DMARC_POLICY_NONE, least = DMARC_POLICY_REJECT;

	for (struct smtp_target *t = c->targets; t; t = t->next) {
		enum dmarc_policy own = smtp_judge_for(wanted, incoming_of(c, t->rcpt));

		t->is_junk = own != DMARC_POLICY_NONE;
		most = own > most ? own : most;
		least = own < least ? own : least;
	}
	if (wanted == DMARC_POLICY_REJECT && least == DMARC_POLICY_REJECT)
		return DMARC_POLICY_REJECT;
	return most == DMARC_POLICY_NONE ? most : DMARC_POLICY_QUARANTINE;
}

enum err
smtp_incoming_judge(struct smtp_conn *c, struct strbuf *prefix, struct str *words_out)
{
	const struct smtp_mail *mail = smtp_session_mail(c->session);
	const struct smtp_settings *s = c->settings;
	const struct auth_verdict *v = smtp_check_verdict(c->check);
	const struct auth_request *request = smtp_check_request(c->check);
	struct smtp_judge_conf conf = {
		.forwarders = s->forwarders,
		.networks = s->forwarder_networks.p,
		.networks_count = s->forwarder_networks.n,
		.refuse_spf_fail = s->refuse_spf_fail,
		.defer_unresolved = s->defer_unresolved,
	};
	enum dmarc_policy applied = DMARC_POLICY_NONE;
	const char *disposition;
	struct smtp_judgement j;
	struct str why;

	smtp_judge(&conf, request, v, mail->from_fields, c->arena, &j);
	if (j.error == OK)
		applied = apply(c, j.wanted);
	if (applied == DMARC_POLICY_REJECT)
		j.error = ERR_DMARC;
	disposition = j.error == ERR_DMARC ? "reject" : dmarc_policy_word(applied);
	why = j.why;
	if (!why.n && j.error == OK && applied != j.wanted) {
		j.override = "local_policy";
		why = STR("that is what our domain wants");
	}
	tell_forged(c, mail->forged);
	tell_parts(c, v);
	tell_dmarc(c, v, &j, disposition);
	if (v->dmarc.result == DMARC_FAIL && v->dmarc.policy != DMARC_POLICY_NONE)
		tell_disposition(c, v, why, disposition);
	*words_out = j.words;
	if (j.error != OK)
		return j.error;
	return auth_results_format(request, v, applied, prefix);
}

/* ---- Junk --------------------------------------------------------------------------- */

static bool
take_junk(void *arg, const struct mailbox_info *m)
{
	struct strbuf *name = arg;

	if (m->special_use != USE_JUNK)
		return true;
	strbuf_add(name, m->name);
	return false;
}

struct str
smtp_incoming_junk(struct smtp_conn *c, uint64_t account_id)
{
	char bytes[1024];
	struct strbuf name = strbuf_on(bytes);

	if (reader_mailboxes(c->server->parts.reader, account_id, take_junk, &name) !=
	            OK ||
	    !name.n || name.overflow || str_eq(strbuf_str(&name), STR("Junk")) ||
	    arena_left(c->arena) < JUNK_RESERVE)
		return STR("Junk");
	return arena_str(c->arena, strbuf_str(&name));
}
