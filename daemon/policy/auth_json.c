#include "policy/auth_json.h"

static void
add_spf(struct json_out *j, const char *key, const struct spf_verdict *spf)
{
	json_open_object(j, key);
	json_cstr(j, "result", spf_result_word(spf->result));
	json_str_or_null(j, "domain", spf->domain);
	json_str_or_null(j, "mechanism", spf->mechanism);
	json_str_or_null(j, "explanation", spf->explanation);
	json_str(j, "reason", spf->reason);
	json_i64(j, "lookups", spf->terms);
	json_i64(j, "void_lookups", spf->voids);
	json_close_object(j);
}

static void
add_dkim(struct json_out *j, const struct auth_verdict *v)
{
	json_open_array(j, "dkim");
	for (size_t i = 0; i < v->dkim_count; i++) {
		const struct dkim_verdict *d = v->dkim[i];

		json_open_object(j, NULL);
		json_cstr(j, "result", dkim_result_word(d->result));
		json_str_or_null(j, "domain", d->domain);
		json_str_or_null(j, "selector", d->selector);
		json_str_or_null(j, "identity", d->identity);
		json_str_or_null(j, "algorithm", str_from(d->algorithm));
		json_i64(j, "key_bits", d->key_bits);
		json_bool(j, "is_testing", d->is_testing);
		json_str(j, "reason", d->reason);
		json_close_object(j);
	}
	json_close_array(j);
}

static void
add_arc(struct json_out *j, const struct arc_verdict *arc)
{
	json_open_object(j, "arc");
	json_cstr(j, "result", arc_result_word(arc->result));
	json_i64(j, "sets", (int64_t)arc->count);
	json_open_array(j, "sealers");
	for (size_t i = 0; arc->result == ARC_PASS && i < arc->count; i++)
		json_str(j, NULL, arc->sets[i].seal_domain);
	json_close_array(j);
	json_str(j, "reason", arc->reason);
	json_close_object(j);
}

static void
add_dmarc(struct json_out *j, const struct dmarc_verdict *d)
{
	json_open_object(j, "dmarc");
	json_cstr(j, "result", dmarc_result_word(d->result));
	json_str_or_null(j, "from_domain", d->from_domain);
	json_str_or_null(j, "org_domain", d->org_domain);
	json_str_or_null(j, "policy_domain", d->policy_domain);
	json_cstr(j, "policy", d->policy_domain.n ? dmarc_policy_word(d->policy) : NULL);
	json_cstr(j, "published",
	          d->policy_domain.n ? dmarc_policy_word(d->published) : NULL);
	json_bool(j, "aligned_spf", d->is_aligned_spf);
	json_bool(j, "aligned_dkim", d->is_aligned_dkim);
	json_str(j, "reason", d->reason);
	json_close_object(j);
}

void
auth_json_members(struct json_out *j, const struct auth_verdict *v,
                  enum dmarc_policy applied)
{
	json_open_object(j, "iprev");
	json_cstr(j, "result", iprev_result_word(v->iprev.result));
	json_str_or_null(j, "host", v->iprev.host);
	json_str(j, "reason", v->iprev.reason);
	json_close_object(j);
	add_spf(j, "spf_helo", &v->spf_helo);
	if (v->has_spf_from)
		add_spf(j, "spf", &v->spf_from);
	else
		json_out_null(j, "spf");
	add_dkim(j, v);
	add_arc(j, &v->arc);
	add_dmarc(j, &v->dmarc);
	json_cstr(j, "disposition", dmarc_policy_word(applied));
	json_str_or_null(j, "trusted_sealer", v->arc_trusted_domain);
}
