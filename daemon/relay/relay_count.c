/* Sessions with the servers of other domains, as TLS reports count them (RFC 8460 4.3):
 * one event each, which store/report_count.c sums up.
 *
 * Not counted: what may go in plain by its sender's word, TLS reports among it (RFC 8460
 * 3), and sessions in plain for a while after encryption failed, which was counted.
 */
#include "relay/relay_count.h"

#include "base/event.h"
#include "base/utf8.h"
#include "relay/relay_conn.h"
#include "relay/relay_jobs.h"
#include "relay/relay_sts.h"

enum {
	RULES_MAX = 400, /* of a policy's text; cut between two lines */
	HELO_MAX = 255,
};

#define EXPIRED   "certificate-expired"
#define MISMATCH  "certificate-host-mismatch"
#define UNTRUSTED "certificate-not-trusted"

/* The library's words for what is wrong with a certificate, where they say more than that
   it is not trusted. */
static const struct {
	struct str words;
	const char *result;
} certificates[] = {
	{ STR_INIT("certificate has expired"), EXPIRED },
	{ STR_INIT("certificate is not yet valid"), EXPIRED },
	{ STR_INIT("hostname mismatch"), MISMATCH },
};

const char *
relay_count_certificate(struct str words)
{
	for (size_t i = 0; i < ARRAY_LEN(certificates); i++) {
		if (str_starts_icase(words, certificates[i].words))
			return certificates[i].result;
	}
	return UNTRUSTED;
}

static const char *
policy_of(const struct relay_conn *c)
{
	struct str policy = str_from(c->secure.policy);

	if (str_eq(policy, STR("dane")))
		return "tlsa";
	return str_eq(policy, STR("mta-sts")) ? "sts" : "no-policy-found";
}

/* RFC 8460 4.4: each record as a line of a zone file has it. */
static void
add_tlsa(const struct relay_conn *c, struct strbuf *rules)
{
	for (size_t i = 0; i < c->secure.tlsa_count; i++) {
		const struct dns_tlsa *t = &c->secure.tlsa[i];
		size_t before = rules->n;

		strbuf_printf(rules, "%s%u %u %u ", before ? "\n" : "", t->usage,
		              t->selector, t->matching);
		strbuf_hex(rules, t->data);
		if (!rules->overflow)
			continue;
		rules->overflow = false;
		strbuf_truncate(rules, before);
		return;
	}
}

/* As many whole pieces as there is room for. */
static void
add_pieces(struct strbuf *out, struct str text, char between)
{
	struct str one;

	while (str_next(&text, between, &one)) {
		size_t before = out->n;

		if (!one.n)
			continue;
		if (before)
			strbuf_byte(out, between);
		strbuf_add(out, one);
		if (!out->overflow)
			continue;
		out->overflow = false;
		strbuf_truncate(out, before);
		return;
	}
}

static void
add_sts(const struct relay_conn *c, struct strbuf *rules, struct strbuf *mx)
{
	const struct mta_sts_policy *policy = relay_sts_policy(c->dest);

	if (!policy)
		return;
	add_pieces(rules, relay_sts_text(c->dest), '\n');
	for (size_t i = 0; i < policy->mx_count; i++)
		add_pieces(mx, policy->mx[i], ' ');
}

/* From where to whom a session that failed was (RFC 8460 4.4). */
static void
add_ends(struct event *e, const struct relay_conn *c)
{
	char bytes[ADDR_TEXT_MAX];
	struct str name = c->client ? smtp_client_peer_name(c->client) : STR("");

	if (c->own.family != ADDR_NONE)
		event_str(e, "own_ip", addr_ip_text(&c->own, &bytes));
	if (name.n)
		event_str(e, "helo", utf8_first(name, HELO_MAX));
}

void
relay_count_session(const struct relay_conn *c, const char *result, struct str reason)
{
	const char *policy = policy_of(c), *fault = relay_sts_fault(c->dest);
	char rules_bytes[RULES_MAX], mx_bytes[RULES_MAX], ip_bytes[ADDR_TEXT_MAX];
	struct strbuf rules = strbuf_on(rules_bytes), mx = strbuf_on(mx_bytes);
	struct event e;

	if (!c->job || c->demand == MESSAGE_TLS_OPTIONAL)
		return;
	if (str_eq(str_from(policy), STR("tlsa")))
		add_tlsa(c, &rules);
	if (str_eq(str_from(policy), STR("sts")))
		add_sts(c, &rules, &mx);
	/* What the domain wants could not be found out. */
	if (fault && str_eq(str_from(policy), STR("no-policy-found"))) {
		policy = "sts";
		result = fault;
		reason = STR("");
	}
	event_init(&e, EV_TLS_SESSION, c->job->rows[0].item.trace_id,
	           id_str(&c->session_id));
	event_str(&e, "domain", relay_dest_name(c->dest));
	event_str(&e, "policy", str_from(policy));
	if (rules.n)
		event_str(&e, "rules", strbuf_str(&rules));
	if (mx.n)
		event_str(&e, "mx", strbuf_str(&mx));
	event_str(&e, "host", c->host);
	if (c->addr.family != ADDR_NONE)
		event_str(&e, "ip", addr_ip_text(&c->addr, &ip_bytes));
	event_str(&e, "result", str_from(result));
	if (!str_eq(str_from(result), STR("ok")))
		add_ends(&e, c);
	if (reason.n)
		event_str(&e, "reason", utf8_first(reason, RULES_MAX / 4));
	event_tell(&e);
}

/* RFC 7672 2.2: encrypted without a check, for none of its records can be used. */
void
relay_count_secured(const struct relay_conn *c)
{
	const struct mta_sts_policy *policy = relay_sts_policy(c->dest);
	const struct tls_info *info = stream_tls_info(c->stream);
	struct str words = info ? str_from(info->verify_text) : STR("");
	bool is_dane = str_eq(str_from(c->secure.policy), STR("dane"));
	bool is_test = c->secure.level == SECURE_TEST;

	if (c->secure.level == SECURE_ENCRYPT && is_dane)
		relay_count_session(c, "tlsa-invalid", STR(""));
	else if (is_test && policy && !mta_sts_has_mx(policy, c->host))
		relay_count_session(c, "validation-failure",
		                    STR("the policy does not name the host"));
	else if (is_test && info && !info->verified)
		relay_count_session(c, relay_count_certificate(words), words);
	else
		relay_count_session(c, "ok", STR(""));
}

void
relay_count_refused(const struct relay_conn *c)
{
	struct str policy = str_from(c->secure.policy);

	if (str_eq(policy, STR("dane")))
		relay_count_session(c, "dnssec-invalid", str_from(c->secure.reason));
	else if (str_eq(policy, STR("mta-sts")))
		relay_count_session(c, "validation-failure", str_from(c->secure.reason));
}
