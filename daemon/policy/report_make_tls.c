#include "policy/report_make.h"

#include "base/rfc3339.h"
#include "ext/json.h"
#include "policy/report_make_priv.h"

/* RFC 8460 4.4. The sums of a policy stand in front of its failures, so those wait in a
 * buffer until the last row of the policy is there. */

enum {
	DETAILS_MAX = 8 << 20,
};

static const char policy_types[] = "tlsa sts no-policy-found";
static const char failures[] =
	"starttls-not-supported certificate-host-mismatch certificate-expired"
	" certificate-not-trusted validation-failure tlsa-invalid dnssec-invalid"
	" dane-required sts-policy-fetch-error sts-policy-invalid sts-webpki-invalid";

struct report_tls_maker {
	struct json_out json;
	const struct report_head *head;
	struct arena *arena;
	/* the policy at hand */
	struct str type, rules, mx;
	bool has_policy;
	uint64_t good, bad;
	struct strbuf details;
	struct json_out details_json;
};

static void
add_time(struct json_out *j, const char *key, int64_t at_s)
{
	char bytes[32];
	struct strbuf b = strbuf_on(bytes);
	struct str s;

	rfc3339_format(&b, at_s * 1000);
	/* Seconds are enough, and some read no fractions. */
	s = str_first(strbuf_str(&b), str_find(strbuf_str(&b), '.'));
	strbuf_truncate(&b, s.n);
	if (s.n && s.p[s.n - 1] != 'Z')
		strbuf_byte(&b, 'Z');
	json_str(j, key, strbuf_str(&b));
}

struct report_tls_maker *
report_make_tls_begin(struct strbuf *out, struct arena *a, const struct report_head *h)
{
	struct report_tls_maker *m = ARENA_NEW(a, struct report_tls_maker);

	m->json = json_out_on(out);
	m->head = h;
	m->arena = a;
	m->details = strbuf_heap(DETAILS_MAX);
	m->details_json = json_out_on(&m->details);
	json_open_object(&m->json, NULL);
	json_str(&m->json, "organization-name", h->organization);
	json_open_object(&m->json, "date-range");
	add_time(&m->json, "start-datetime", h->begin_s);
	add_time(&m->json, "end-datetime", h->end_s);
	json_close_object(&m->json);
	json_str(&m->json, "contact-info", h->contact);
	json_str(&m->json, "report-id", h->id);
	json_open_array(&m->json, "policies");
	return m;
}

/* Control bytes are no part of any of these texts, and NUL no reader takes. */
static void
add_text(struct json_out *j, const char *key, struct str text)
{
	char bytes[REPORT_FIELD_BYTES];
	struct strbuf b = strbuf_on(bytes);

	for (size_t i = 0; i < text.n && i < sizeof(bytes); i++) {
		bool is_control = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f;

		strbuf_byte(&b, is_control ? '?' : text.p[i]);
	}
	json_str(j, key, strbuf_str(&b));
}

/* A list, with a line or a space between. */
static void
add_list(struct json_out *j, const char *key, struct str list, char between)
{
	struct str one;

	if (!list.n)
		return;
	json_open_array(j, key);
	while (str_next(&list, between, &one)) {
		if (one.n)
			add_text(j, NULL, one);
	}
	json_close_array(j);
}

static void
finish_policy(struct report_tls_maker *m)
{
	struct json_out *j = &m->json;

	if (!m->has_policy)
		return;
	m->has_policy = false;
	json_close_array(&m->details_json);
	json_open_object(j, NULL);
	json_open_object(j, "policy");
	json_str(j, "policy-type", m->type);
	add_list(j, "policy-string", m->rules, '\n');
	json_str(j, "policy-domain", m->head->domain);
	add_list(j, "mx-host", m->mx, ' ');
	json_close_object(j);
	json_open_object(j, "summary");
	json_i64(j, "total-successful-session-count", (int64_t)m->good);
	json_i64(j, "total-failure-session-count", (int64_t)m->bad);
	json_close_object(j);
	if (m->bad)
		json_raw(j, "failure-details", strbuf_str(&m->details));
	json_close_object(j);
	if (m->details.overflow)
		j->out->overflow = true;
}

static void
begin_policy(struct report_tls_maker *m, const struct report_fields *f)
{
	finish_policy(m);
	m->has_policy = true;
	m->type = arena_str(m->arena, report_field(f, "policy"));
	m->rules = arena_str(m->arena, report_field(f, "rules"));
	m->mx = arena_str(m->arena, report_field(f, "mx"));
	m->good = m->bad = 0;
	strbuf_clear(&m->details);
	m->details_json = json_out_on(&m->details);
	json_open_array(&m->details_json, NULL);
}

static void
add_known(struct json_out *j, const char *key, struct str value)
{
	if (value.n)
		add_text(j, key, value);
}

static void
add_failure(struct report_tls_maker *m, const struct report_fields *f, struct str result,
            uint64_t count)
{
	struct json_out *j = &m->details_json;

	json_open_object(j, NULL);
	json_str(j, "result-type", result);
	add_known(j, "sending-mta-ip", report_field(f, "own_ip"));
	add_known(j, "receiving-mx-hostname", report_field(f, "host"));
	add_known(j, "receiving-mx-helo", report_field(f, "helo"));
	add_known(j, "receiving-ip", report_field(f, "ip"));
	json_i64(j, "failed-session-count", (int64_t)count);
	add_known(j, "failure-reason-code", report_field(f, "reason"));
	json_close_object(j);
}

void
report_make_tls_row(struct report_tls_maker *m, struct str body, uint64_t count)
{
	struct report_fields f;
	struct str result;

	report_fields_read(&f, body);
	if (!report_is_word(report_field(&f, "policy"), policy_types))
		return;
	if (!m->has_policy || !str_eq(m->type, report_field(&f, "policy")) ||
	    !str_eq(m->rules, report_field(&f, "rules")) ||
	    !str_eq(m->mx, report_field(&f, "mx")))
		begin_policy(m, &f);
	result = report_field(&f, "result");
	if (!report_is_word(result, failures)) {
		m->good += count;
		return;
	}
	m->bad += count;
	add_failure(m, &f, result, count);
}

void
report_make_tls_end(struct report_tls_maker *m)
{
	finish_policy(m);
	json_close_array(&m->json);
	json_close_object(&m->json);
	strbuf_release(&m->details);
}
