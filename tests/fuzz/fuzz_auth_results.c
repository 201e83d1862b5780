/* Authentication-Results: what is read is bounded; whose it is does not depend on how it
   came; and whatever a stranger says, the field we write is one field that reads back. */
#include "base/panic.h"
#include "policy/auth_results.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str own = STR_INIT("mail.example.com");

static void
check_owner(struct str value)
{
	enum auth_results_owner whole = auth_results_owner(value, true, own);
	size_t step = 1 + value.n / 32;

	CHECK(whole != AUTH_RESULTS_MORE);
	for (size_t n = 0; n < value.n; n += step) {
		enum auth_results_owner early =
			auth_results_owner(str_first(value, n), false, own);

		if (early != AUTH_RESULTS_MORE && n < AUTH_RESULTS_ID_MAX)
			CHECK(early == whole);
	}
}

static void
check_read(struct str value)
{
	struct arena *a = arena_new(1 << 20);
	struct auth_results r;

	if (auth_results_parse(value, a, &r) == OK) {
		CHECK(r.authserv_id.n && r.count <= AUTH_RESULTS_COUNT_MAX);
		for (size_t i = 0; i < r.count; i++)
			CHECK(r.results[i].method.n &&
			      r.results[i].property_count <= AUTH_RESULTS_PROPERTY_MAX);
	}
	arena_free(&a);
}

static void
check_written(struct str s)
{
	static char bytes[AUTH_RESULTS_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct arena *a = arena_new(1 << 20);
	struct dkim_verdict d = { .result = DKIM_FAIL, .algorithm = "rsa-sha256" };
	const struct dkim_verdict *const dkim[] = { &d };
	struct auth_request request = { .authserv_id = own, .helo = s, .sender = s };
	struct auth_verdict v = { .iprev = { .host = s },
		                  .has_spf_from = true,
		                  .dkim_count = 1,
		                  .dkim = dkim };
	struct auth_results r;
	struct str field, name;

	d.domain = d.selector = d.identity = d.signature = d.reason = s;
	v.spf_from.reason = v.spf_helo.reason = v.arc.reason = v.dmarc.reason = s;
	v.dmarc.from_domain = s;
	CHECK(auth_results_format(&request, &v, DMARC_POLICY_NONE, &b) == OK);
	field = strbuf_str(&b);
	for (size_t i = 0; i + 1 < field.n; i++) {
		CHECK((unsigned char)field.p[i] >= ' ' || field.p[i] == '\t' ||
		      field.p[i] == '\r' || field.p[i] == '\n');
		CHECK(field.p[i] != '\n' || field.p[i + 1] == '\t');
		CHECK(field.p[i] != '\r' || field.p[i + 1] == '\n');
	}
	CHECK(str_next(&field, ':', &name) && auth_results_is_name(name));
	CHECK(auth_results_owner(field, true, own) == AUTH_RESULTS_OURS);
	CHECK(auth_results_parse(field, a, &r) == OK && r.count == 6);
	CHECK(str_eq(r.results[5].method, STR("dmarc")));
	arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);

	check_owner(s);
	check_read(s);
	check_written(s);
	return 0;
}
