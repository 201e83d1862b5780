#include "tests/unit/policy/spf_rig.h"

#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

struct spf_verdict
spf_rig_check(struct arena *a, const char *const *zone, const char *ip, const char *helo,
              const char *sender)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_request r = { .helo = str_from(helo),
		                 .sender = str_from(sender),
		                 .receiver = STR("receiver.example"),
		                 .now_ms = INT64_C(1700000000000) };
	struct spf_verdict v;

	CHECK_TRUE(addr_parse_ip(str_from(ip), &r.ip), ip);
	while (spf_check(&r, l, a, &v) == POLICY_NEED)
		zone_answer(zone, l);
	return v;
}
