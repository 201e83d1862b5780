/* spf_bench - one evaluation of SPF with every answer at hand, as a resolver with a warm
 * cache gives them: include, ip4 terms, mx with two hosts. All restarts are in it: each
 * round begins with no answer and ends with a verdict.
 *
 *     build/spf_bench [ROUNDS]
 */
#include "base/arena.h"
#include "base/panic.h"
#include "policy/spf.h"

#include <stdio.h>
#include <time.h>

enum {
	ROUNDS = 200000,
	TARGET_NS = 20000,
};

#define RECORD                                                                           \
	"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.7 include:_spf.example.net mx -all"
#define INCLUDED                                                                         \
	"v=spf1 ip4:198.18.0.0/20 ip4:198.18.16.0/20 ip4:198.18.32.0/20 "                \
	"ip4:198.18.48.0/20 "                                                            \
	"ip4:198.18.64.0/20 ip4:198.18.80.0/20 ip4:198.18.96.0/20 ip6:2001:db8:1::/48 "  \
	"ip6:2001:db8:2::/48 ip6:2001:db8:3::/48 ~all"

static const struct {
	struct str name;
	enum dns_type type;
	size_t count;
	struct dns_record records[2];
} cache[] = {
	{ STR_INIT("example.org"), DNS_TXT, 1, { { .text = STR_INIT(RECORD) } } },
	{ STR_INIT("_spf.example.net"), DNS_TXT, 1, { { .text = STR_INIT(INCLUDED) } } },
	{ STR_INIT("example.org"),
	  DNS_MX,
	  2,
	  { { .name = STR_INIT("mx1.example.org") },
	    { .name = STR_INIT("mx2.example.org") } } },
	{ STR_INIT("mx1.example.org"),
	  DNS_A,
	  1,
	  { { .addr = { .family = ADDR_V4, .ip = { 192, 0, 2, 1 } } } } },
	{ STR_INIT("mx2.example.org"),
	  DNS_A,
	  1,
	  { { .addr = { .family = ADDR_V4, .ip = { 192, 0, 2, 2 } } } } },
};

static void
answer(struct lookups *l)
{
	struct lookup *q;

	while ((q = lookups_next(l))) {
		struct dns_answer a = { .status = DNS_NXDOMAIN, .name = q->name };

		for (size_t i = 0; i < ARRAY_LEN(cache); i++) {
			if (cache[i].type != q->type || !str_eq(cache[i].name, q->name))
				continue;
			a.status = DNS_OK;
			a.count = cache[i].count;
			a.records = cache[i].records;
		}
		lookups_answer(q, &a);
	}
}

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static unsigned
round_once(struct arena *a, const struct spf_request *r)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_verdict v;
	unsigned calls = 1;

	for (; spf_check(r, l, a, &v) == POLICY_NEED; calls++)
		answer(l);
	CHECK(v.result == SPF_PASS && str_eq(v.mechanism, STR("mx")));
	arena_rewind(a);
	return calls;
}

int
main(int argc, char **argv)
{
	uint32_t rounds = ROUNDS;
	struct arena *a = arena_new(1 << 20);
	struct spf_request r = { .helo = STR("mx2.example.org"),
		                 .sender = STR("user@example.org") };
	unsigned calls = 0;
	int64_t began, each;

	if (argc > 2 || (argc == 2 && !str_parse_u32(str_from(argv[1]), &rounds)) ||
	    !rounds) {
		(void)fprintf(stderr, "usage: spf_bench [ROUNDS]\n");
		return 2;
	}
	CHECK(addr_parse_ip(STR("192.0.2.2"), &r.ip));
	began = now_ns();
	for (uint32_t i = 0; i < rounds; i++)
		calls = round_once(a, &r);
	each = (now_ns() - began) / rounds;
	(void)printf("spf: %.2f us a check of %u calls (to reach: %d)\n",
	             (double)each / 1000, calls, TARGET_NS / 1000);
	arena_free(&a);
	return each < TARGET_NS ? 0 : 1;
}
