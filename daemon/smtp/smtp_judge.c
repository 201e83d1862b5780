#include "smtp/smtp_judge.h"

#include "policy/auth_results.h"

enum {
	WORDS_MAX = 300,
};

const struct spf_verdict *
smtp_judge_spf(const struct auth_verdict *v)
{
	return v->has_spf_from ? &v->spf_from : &v->spf_helo;
}

const char *
smtp_judge_dkim_word(const struct auth_verdict *v)
{
	for (size_t i = 0; i < v->dkim_count; i++) {
		if (v->dkim[i]->result == DKIM_PASS)
			return dkim_result_word(DKIM_PASS);
	}
	return dkim_result_word(v->dkim_count ? v->dkim[0]->result : DKIM_NONE);
}

static bool
is_listed(struct str domains, struct str name)
{
	struct str one;

	while (name.n && str_next(&domains, ' ', &one)) {
		if (iprev_is_below(name, one))
			return true;
	}
	return false;
}

static bool
is_forwarder(const struct smtp_judge_conf *conf, const struct auth_request *request,
             const struct auth_verdict *v)
{
	const struct spf_verdict *spf = smtp_judge_spf(v);

	return nets_have(conf->networks, conf->networks_count, &request->ip) ||
	       is_listed(conf->forwarders, v->iprev.host) ||
	       (spf->result == SPF_PASS && is_listed(conf->forwarders, spf->domain));
}

/* A reply is one line of ASCII, and parts of these words are a stranger's. */
static struct str
words(struct arena *a, const char *format, struct str domain, struct str reason)
{
	struct strbuf b = strbuf_arena(a, 2 * WORDS_MAX);

	strbuf_add(&b, str_first(domain, WORDS_MAX / 2));
	strbuf_add(&b, str_from(format));
	strbuf_add(&b, str_first(reason, WORDS_MAX));
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < ' ' || b.p[i] > '~')
			b.p[i] = '?';
	}
	return strbuf_str(&b);
}

static void
judge_spf(const struct smtp_judge_conf *conf, const struct auth_verdict *v,
          struct arena *a, struct smtp_judgement *j)
{
	const struct spf_verdict *spf = smtp_judge_spf(v);

	if (!conf->refuse_spf_fail || spf->result != SPF_FAIL ||
	    v->dmarc.result == DMARC_PASS)
		return;
	j->error = ERR_SPF_FAIL;
	j->words = words(
		a, " does not allow this address to send for it (SPF): ", spf->domain,
		spf->explanation.n ? spf->explanation : spf->reason);
}

static bool
is_unresolved(const struct auth_verdict *v)
{
	if (v->dmarc.result == DMARC_TEMPERROR)
		return true;
	if (v->dmarc.result != DMARC_FAIL || v->dmarc.policy == DMARC_POLICY_NONE)
		return false;
	/* It might have passed. */
	if (smtp_judge_spf(v)->result == SPF_TEMPERROR)
		return true;
	for (size_t i = 0; i < v->dkim_count; i++) {
		if (v->dkim[i]->result == DKIM_TEMPERROR)
			return true;
	}
	return false;
}

void
smtp_judge(const struct smtp_judge_conf *conf, const struct auth_request *request,
           const struct auth_verdict *v, unsigned from_fields, struct arena *a,
           struct smtp_judgement *j)
{
	*j = (struct smtp_judgement){ .wanted = auth_results_disposition(v),
		                      .override = "" };
	/* What people see is the first or the last of them, and nobody knows which
	   (RFC 5322 3.6). */
	if (from_fields > 1) {
		j->error = ERR_MESSAGE_SYNTAX;
		j->words = STR("A message has one From field, this one has more");
		return;
	}
	if (v->dmarc.result == DMARC_FAIL && v->is_arc_trusted) {
		j->override = "trusted_forwarder";
		j->why = arena_printf(a, "%.*s, whom we trust, saw it pass",
		                      STR_ARG(v->arc_trusted_domain));
		return;
	}
	if (is_forwarder(conf, request, v)) {
		if (j->wanted != DMARC_POLICY_NONE) {
			j->override = "trusted_forwarder";
			j->why = STR("the client is a forwarder whom we trust");
		}
		j->wanted = DMARC_POLICY_NONE;
		return;
	}
	if (is_unresolved(v)) {
		if (conf->defer_unresolved) {
			j->error = ERR_DNS_TEMP;
			return;
		}
		/* What might have passed is not refused for our resolver's sake. */
		if (j->wanted != DMARC_POLICY_NONE) {
			j->override = "other";
			j->why = STR("the name service did not answer");
		}
		j->wanted = DMARC_POLICY_NONE;
	}
	if (j->wanted != DMARC_POLICY_REJECT)
		judge_spf(conf, v, a, j);
	if (j->wanted == DMARC_POLICY_REJECT && j->error == OK)
		j->words = words(
			a, " asks to refuse mail that is not proven to be its (DMARC): ",
			v->dmarc.policy_domain, v->dmarc.reason);
}

enum dmarc_policy
smtp_judge_for(enum dmarc_policy wanted, enum domain_incoming incoming)
{
	if (incoming == INCOMING_MARK)
		return DMARC_POLICY_NONE;
	if (incoming == INCOMING_JUNK && wanted == DMARC_POLICY_REJECT)
		return DMARC_POLICY_QUARANTINE;
	return wanted;
}
