/* /domains/{domain}/policies/{policy}: what a domain says of itself: DMARC, MTA-STS, TLS
 * reports. */
#include "api/domain_records.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/routes.h"
#include "base/duration.h"

enum {
	AGE_MIN_S = DAY_S,
	AGE_MAX_S = 31557600, /* RFC 8461 3.2 */
	VALUE_MAX = 4096,
};

enum which {
	POLICY_DMARC,
	POLICY_STS,
	POLICY_TLS,
	POLICIES,
};

static const char *const names[POLICIES] = { "dmarc", "mta_sts", "tls_rpt" };
static const char *const sts_modes[] = { "none", "testing", "enforce" };

struct found {
	struct domain domain;
	enum which which;
	struct domain_policies p;
	uint64_t version;
};

/* False: answered. */
static bool
find(struct api_request *r, struct found *f)
{
	struct str name;
	enum err e;

	if (!names_domain(r, r->params[0], &name))
		return false;
	for (f->which = 0; f->which < POLICIES; f->which++) {
		if (str_eq(r->params[1], str_from(names[f->which])))
			break;
	}
	if (f->which == POLICIES) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return false;
	}
	e = reader_domain(r->api->reader, name, r->arena, &f->domain);
	if (e == OK)
		e = domain_policies_read(r->api->reader, f->domain.id, f->domain.name,
		                         r->arena, &f->p);
	if (e != OK) {
		api_problem_err(r, e);
		return false;
	}
	f->version = f->which == POLICY_DMARC ? f->p.dmarc_version
	             : f->which == POLICY_STS ? f->p.sts_version
	                                      : f->p.tls_version;
	return true;
}

/* Do reports that go there come to us, and are read? */
static bool
is_read(struct api_request *r, struct str rua)
{
	size_t at = str_find_last(rua, '@');

	return at != SIZE_MAX && reader_is_for_reports(rua) &&
	       reader_is_local_domain(r->api->reader, str_from_offset(rua, at + 1)) == OK;
}

static void
write_rua(struct api_request *r, struct json_out *j, struct str rua)
{
	json_str(j, "rua", rua);
	json_bool(j, "rua_is_read", is_read(r, rua));
}

static void
write_members(struct api_request *r, struct json_out *j, const struct found *f)
{
	switch (f->which) {
	case POLICY_DMARC:
		json_cstr(j, "policy", f->p.dmarc_policy);
		json_bool(j, "testing", f->p.dmarc_testing);
		write_rua(r, j, f->p.dmarc_rua);
		break;
	case POLICY_STS:
		json_cstr(j, "mode", sts_modes[f->p.sts_mode]);
		json_i64(j, "max_age_s", f->p.sts_max_age_s);
		json_str(j, "policy_id", f->p.sts_id);
		break;
	default:
		write_rua(r, j, f->p.tls_rua);
		break;
	}
}

static void
reply(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct found f;

	if (!find(r, &f))
		return;
	json_open_object(&j, NULL);
	json_str(&j, "domain", f.domain.name);
	json_cstr(&j, "name", names[f.which]);
	write_members(r, &j, &f);
	api_header(r, "ETag", api_close_with_etag(r, &j, 0, f.version));
	api_reply_json(r, 200, strbuf_str(&b));
}

void
domain_policies_get(struct api_request *r)
{
	reply(r);
}

/* --- setting ------------------------------------------------------------------------ */

static const struct field_spec dmarc_specs[] = {
	{ .name = "policy",
	  .kind = FIELD_WORD,
	  .flags = FIELD_MUST,
	  .words = "none quarantine reject" },
	{ .name = "testing", .kind = FIELD_BOOL },
	{ .name = "rua", .kind = FIELD_STR, .max = 254 },
};
static const struct field_spec sts_specs[] = {
	{ .name = "mode",
	  .kind = FIELD_WORD,
	  .flags = FIELD_MUST,
	  .words = "none testing enforce" },
	{ .name = "max_age_s", .kind = FIELD_I64, .min = AGE_MIN_S, .max = AGE_MAX_S },
};
static const struct field_spec tls_specs[] = {
	{ .name = "rua", .kind = FIELD_STR, .max = 254 },
};

/* An address for reports: what stands in a record must not end its tag. */
static bool
check_rua(struct api_request *r, struct str *rua)
{
	struct str address;

	if (!rua->n)
		return true;
	if (str_find(*rua, ';') != SIZE_MAX || str_find(*rua, ',') != SIZE_MAX ||
	    str_find(*rua, '!') != SIZE_MAX) {
		api_fault(r, STR("/rua"), "invalid", "not in a DNS record");
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	if (!names_check_target(r, STR("/rua"), *rua, &address))
		return false;
	*rua = address;
	return true;
}

static bool
read_value(struct api_request *r, struct found *f, struct strbuf *out)
{
	static const char *const policies[] = { "none", "quarantine", "reject" };
	struct json_out j = json_out_on(out);
	struct field v[3];

	json_open_object(&j, NULL);
	switch (f->which) {
	case POLICY_DMARC:
		if (!fields_read(r, dmarc_specs, ARRAY_LEN(dmarc_specs), v) ||
		    !check_rua(r, &v[2].s))
			return false;
		json_cstr(&j, "policy", policies[v[0].i]);
		json_bool(&j, "testing", v[1].is_set && v[1].b);
		if (v[2].is_set)
			json_str(&j, "rua", v[2].s);
		break;
	case POLICY_STS:
		if (!fields_read(r, sts_specs, ARRAY_LEN(sts_specs), v))
			return false;
		json_cstr(&j, "mode", sts_modes[v[0].i]);
		if (v[1].is_set)
			json_i64(&j, "max_age_s", v[1].i);
		break;
	default:
		if (!fields_read(r, tls_specs, ARRAY_LEN(tls_specs), v) ||
		    !check_rua(r, &v[0].s))
			return false;
		if (v[0].is_set)
			json_str(&j, "rua", v[0].s);
		break;
	}
	json_close_object(&j);
	return true;
}

void
domain_policies_put(struct api_request *r)
{
	struct strbuf b = strbuf_arena(r->arena, VALUE_MAX);
	struct op_domain_policy_put op = { .actor = api_actor(r) };
	struct found f;

	if (!find(r, &f) || !read_value(r, &f, &b) ||
	    !api_if_match(r, f.version, false, &op.if_version))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "domain.policy", f.domain.name);
		return;
	}
	op.domain = f.domain.name;
	op.name = str_from(names[f.which]);
	op.value = strbuf_str(&b);
	r->next = reply;
	r->call = store_domain_policy_put(r->api->store, &op, api_done_id, r);
}
