#include "policy/secure.h"

enum {
	USAGE_TA = 2,
	USAGE_EE = 3,
	MATCH_WHOLE = 0,
	MATCH_SHA256 = 1,
	MATCH_SHA512 = 2,
	SHA256_BYTES = 32,
	SHA512_BYTES = 64,
};

/* RFC 7672 3.1: usages 0 and 1 mean nothing to mail servers, and what cannot be computed
   cannot be demanded. */
static bool
is_usable(const struct dns_record *r)
{
	if ((r->usage != USAGE_TA && r->usage != USAGE_EE) || r->selector > 1)
		return false;
	switch (r->matching) {
	case MATCH_WHOLE:
		return r->text.n && r->text.n <= SECURE_TLSA_DATA_MAX;
	case MATCH_SHA256:
		return r->text.n == SHA256_BYTES;
	case MATCH_SHA512:
		return r->text.n == SHA512_BYTES;
	default:
		return false;
	}
}

static void
take_tlsa(const struct dns_answer *answer, struct secure_verdict *v)
{
	for (size_t i = 0; i < answer->count && v->tlsa_count < SECURE_TLSA_MAX; i++) {
		const struct dns_record *r = &answer->records[i];

		if (is_usable(r))
			v->tlsa[v->tlsa_count++] =
				(struct dns_tlsa){ r->usage, r->selector, r->matching,
				                   r->text };
	}
}

bool
secure_wants_tlsa(const struct secure_facts *f)
{
	return f->is_mx_authentic && !f->is_plain_fine &&
	       (f->is_host_authentic || f->is_alias_authentic);
}

bool
secure_wants_alias(const struct secure_facts *f)
{
	return f->is_mx_authentic && !f->is_plain_fine && !f->is_host_authentic &&
	       f->is_alias;
}

bool
secure_has_tlsa(const struct dns_answer *tlsa)
{
	return tlsa->status == DNS_TEMP || (tlsa->status == DNS_OK && tlsa->authentic);
}

/* False: DANE has nothing to say. */
static bool
decide_dane(const struct secure_facts *f, struct secure_verdict *v)
{
	const struct dns_answer *tlsa = f->tlsa;

	if (!secure_wants_tlsa(f) || !tlsa)
		return false;
	if (tlsa->status == DNS_TEMP) {
		/* RFC 7672 2.1.2: whoever can hold the answer back must not be able to
		   take the demand away. */
		v->policy = "dane";
		v->level = SECURE_NEVER;
		v->is_passing = true;
		v->reason = "the TLSA records of the host could not be looked up";
		return true;
	}
	if (!secure_has_tlsa(tlsa))
		return false;
	take_tlsa(tlsa, v);
	v->policy = "dane";
	v->level = v->tlsa_count ? SECURE_DANE : SECURE_ENCRYPT; /* RFC 7672 2.2 */
	v->reason = v->tlsa_count ? "the host's TLSA records name its certificate"
	                          : "the host has TLSA records, though none can be used";
	return true;
}

static bool
is_enforced(const struct secure_facts *f)
{
	return f->sts && f->sts->mode == MTA_STS_MODE_ENFORCE;
}

static void
decide_sts(const struct secure_facts *f, struct secure_verdict *v)
{
	if (!f->sts || f->sts->mode == MTA_STS_MODE_NONE || f->is_plain_fine)
		return;
	v->policy = "mta-sts";
	v->level = is_enforced(f) ? SECURE_NAME : SECURE_TEST;
	v->reason = is_enforced(f) ? "the domain's MTA-STS policy demands it"
	                           : "the domain's MTA-STS policy is being tested";
	if (!mta_sts_has_mx(f->sts, f->host)) {
		v->reason = "the domain's MTA-STS policy does not name this host";
		if (is_enforced(f))
			v->level = SECURE_NEVER;
	}
}

/* RFC 8689 4.2.1: that this is the host of the domain must be vouched for by DNSSEC or by
   MTA-STS, and the host must prove its name. */
static void
decide_required(const struct secure_facts *f, struct secure_verdict *v)
{
	bool is_named = f->sts && f->sts->mode != MTA_STS_MODE_NONE &&
	                mta_sts_has_mx(f->sts, f->host);

	if (v->level == SECURE_NEVER)
		return;
	if (!f->is_mx_authentic && !f->is_own_name && !is_named) {
		v->level = SECURE_NEVER;
		v->policy = "requiretls";
		v->reason = "the sender demands encryption to a proven host, and neither "
			    "DNSSEC nor MTA-STS vouches for this one";
		/* There may be a policy that vouches: no reason to send it back at once. */
		v->is_passing = f->is_sts_unknown;
		if (v->is_passing)
			v->reason =
				"the sender demands encryption to a proven host, and "
				"the MTA-STS policy that may vouch for this one cannot "
				"be had now";
	} else if (v->level < SECURE_NAME) {
		v->level = SECURE_NAME;
		v->policy = "requiretls";
		v->reason = "the sender demands it";
	}
}

void
secure_decide(const struct secure_facts *f, struct secure_verdict *v)
{
	*v = (struct secure_verdict){ .level = SECURE_TRY,
		                      .policy = "none",
		                      .reason = "nothing is demanded" };
	if (f->is_plain_fine && !f->is_required) {
		v->reason = "the sender says that it may go in plain";
		return;
	}
	/* Records that cannot be used prove nothing: a policy that wants more than
	   encryption still holds then. */
	if (!decide_dane(f, v) || (v->level == SECURE_ENCRYPT && is_enforced(f)))
		decide_sts(f, v);
	if (f->is_required)
		decide_required(f, v);
}

const char *
secure_level_word(enum secure_level level)
{
	static const char *const words[] = {
		[SECURE_TRY] = "may",         [SECURE_TEST] = "testing",
		[SECURE_ENCRYPT] = "encrypt", [SECURE_NAME] = "verify",
		[SECURE_DANE] = "dane",       [SECURE_NEVER] = "never",
	};

	return words[level];
}
