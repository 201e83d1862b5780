/* What the policies that are being written will do: until each is there, it says that it
   does not know. */
#include "policy/arc.h"
#include "policy/dkim_verify.h"
#include "policy/dmarc.h"
#include "policy/spf.h"

#define PENDING __attribute__((weak))

PENDING enum policy_step
spf_check(const struct spf_request *request, struct lookups *l, struct arena *a,
          struct spf_verdict *verdict_out)
{
	(void)request;
	(void)l;
	(void)a;
	*verdict_out =
		(struct spf_verdict){ SPF_TEMPERROR, .reason = STR("not looked at") };
	return POLICY_DONE;
}

PENDING struct dkim_verifier *
dkim_verifier_new(struct arena *a)
{
	(void)a;
	return NULL;
}

PENDING void
dkim_verifier_header(struct dkim_verifier *v, struct str header)
{
	(void)v;
	(void)header;
}

PENDING void
dkim_verifier_body(struct dkim_verifier *v, struct str bytes)
{
	(void)v;
	(void)bytes;
}

PENDING void
dkim_verifier_end(struct dkim_verifier *v)
{
	(void)v;
}

PENDING enum policy_step
dkim_verifier_check(struct dkim_verifier *v, int64_t now_ms, struct lookups *l)
{
	(void)v;
	(void)now_ms;
	(void)l;
	return POLICY_DONE;
}

PENDING size_t
dkim_verifier_count(const struct dkim_verifier *v)
{
	(void)v;
	return 0;
}

PENDING const struct dkim_verdict *
dkim_verifier_verdict(const struct dkim_verifier *v, size_t i)
{
	(void)v;
	(void)i;
	return NULL;
}

PENDING void
dkim_verifier_free(struct dkim_verifier **v)
{
	*v = NULL;
}

PENDING struct arc_validator *
arc_validator_new(struct arena *a)
{
	(void)a;
	return NULL;
}

PENDING void
arc_validator_header(struct arc_validator *v, struct str header)
{
	(void)v;
	(void)header;
}

PENDING void
arc_validator_body(struct arc_validator *v, struct str bytes)
{
	(void)v;
	(void)bytes;
}

PENDING void
arc_validator_end(struct arc_validator *v)
{
	(void)v;
}

PENDING enum policy_step
arc_validator_check(struct arc_validator *v, int64_t now_ms, struct lookups *l,
                    struct arc_verdict *verdict_out)
{
	(void)v;
	(void)now_ms;
	(void)l;
	*verdict_out = (struct arc_verdict){ .reason = STR("not looked at") };
	return POLICY_DONE;
}

PENDING void
arc_validator_free(struct arc_validator **v)
{
	*v = NULL;
}

PENDING enum err
arc_seal(struct arena *a, const struct arc_seal *seal, const struct arc_verdict *verdict,
         struct str header, struct str body, struct strbuf *out)
{
	(void)a;
	(void)seal;
	(void)verdict;
	(void)header;
	(void)body;
	(void)out;
	return ERR_UNSUPPORTED;
}

PENDING enum policy_step
dmarc_check(const struct dmarc_request *request, struct lookups *l, struct arena *a,
            struct dmarc_verdict *verdict_out)
{
	(void)request;
	(void)l;
	(void)a;
	*verdict_out = (struct dmarc_verdict){ .reason = STR("not looked at") };
	return POLICY_DONE;
}

PENDING enum policy_step
dmarc_org_domain(struct str domain, struct lookups *l, struct arena *a,
                 struct str *org_out)
{
	(void)domain;
	(void)l;
	(void)a;
	*org_out = (struct str){ NULL, 0 };
	return POLICY_DONE;
}
