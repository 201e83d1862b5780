#include "io/dns_cache.h"

#include "tests/unit/check.h"

#include <stdio.h>

static const struct dns_cache_conf conf = {
	.count_max = 3,
	.bytes_max = 1800,
	.ttl_max_ms = 60000,
	.negative_max_ms = 5000,
	.failure_ms = 1000,
	.failure_max_ms = 6000,
};

static struct str
key_of(const char *name)
{
	return str_from(name);
}

static void
put(struct dns_cache *c, const char *name, int64_t now_ms, enum dns_status status,
    int64_t ttl_ms)
{
	struct dns_raw raw = { status, true, ttl_ms, STR("query"), STR("message") };

	dns_cache_put(c, key_of(name), now_ms, &raw);
}

/* What is left of its time; -1: not there. */
static int64_t
left(struct dns_cache *c, const char *name, int64_t now_ms)
{
	struct dns_raw raw;

	return dns_cache_find(c, key_of(name), now_ms, &raw) ? raw.ttl_ms : -1;
}

static void
test_times(void)
{
	static const struct row {
		const char *what;
		enum dns_status status;
		int64_t ttl_ms, left_ms;
	} rows[] = {
		{ "its TTL", DNS_OK, 30000, 30000 },
		{ "a TTL of nothing", DNS_OK, 0, -1 },
		{ "no longer than allowed", DNS_OK, 60001, 60000 },
		{ "nothing of the kind", DNS_NODATA, 4000, 4000 },
		{ "… no longer", DNS_NODATA, 5001, 5000 },
		{ "no such name", DNS_NXDOMAIN, 9000, 5000 },
		{ "a failure somebody else timed", DNS_TEMP, 1500, 1500 },
		{ "… no longer", DNS_TEMP, 9000, 6000 },
		{ "… that is not to be kept", DNS_TEMP, 0, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct dns_cache *c = dns_cache_new(&conf);

		put(c, "a", 100, r->status, r->ttl_ms);
		CHECK_I64_EQ(left(c, "a", 100), r->left_ms, r->what);
		if (r->left_ms > 0) {
			CHECK_I64_EQ(left(c, "a", 100 + r->left_ms - 1), 1, r->what);
			CHECK_I64_EQ(left(c, "a", 100 + r->left_ms), -1, r->what);
			CHECK_U64_EQ(dns_cache_count(c), 0, "and it is gone");
			CHECK_U64_EQ(dns_cache_bytes(c), 0, "with its bytes");
		}
		dns_cache_free(&c);
	}
}

static void
test_content(void)
{
	struct dns_cache *c = dns_cache_new(&conf);
	struct dns_raw raw = { DNS_NODATA, true, 1000, STR("q"), STR("old") };

	dns_cache_put(c, key_of("a"), 0, &raw);
	raw = (struct dns_raw){ DNS_OK, false, 1000, STR("query"), STR("new message") };
	dns_cache_put(c, key_of("a"), 0, &raw);
	put(c, "b", 0, DNS_NXDOMAIN, 1000);
	CHECK_TRUE(dns_cache_find(c, key_of("a"), 10, &raw), "there");
	CHECK_U64_EQ(raw.status, DNS_OK, "the last one counts");
	CHECK_TRUE(!raw.is_authentic, "also for what is signed");
	CHECK_STR_EQ(raw.query, STR("query"), "query");
	CHECK_STR_EQ(raw.message, STR("new message"), "message");
	CHECK_TRUE(dns_cache_find(c, key_of("b"), 10, &raw), "the other");
	CHECK_TRUE(raw.is_authentic, "signed");
	CHECK_U64_EQ(dns_cache_count(c), 2, "entries");
	dns_cache_set_conf(c, &conf);
	CHECK_TRUE(!dns_cache_find(c, key_of("a"), 10, &raw), "forgotten");
	CHECK_U64_EQ(dns_cache_bytes(c), 0, "all of it");
	dns_cache_free(&c);
}

/* 1, 2, 4 seconds, and no more than the limit; from the beginning after a success, or
   when the last one is long ago. */
static void
test_failures(void)
{
	struct dns_cache *c = dns_cache_new(&conf);
	struct str a = key_of("a");
	struct dns_raw raw;
	int64_t now = 0;

	CHECK_I64_EQ(dns_cache_fail(c, a, now), 1000, "first");
	CHECK_TRUE(dns_cache_find(c, a, now + 999, &raw), "kept");
	CHECK_U64_EQ(raw.status, DNS_TEMP, "as a failure");
	CHECK_I64_EQ(raw.ttl_ms, 1, "for its time");
	now += 1000;
	CHECK_I64_EQ(left(c, "a", now), -1, "then it is asked again");
	CHECK_I64_EQ(dns_cache_fail(c, a, now), 2000, "second");
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 2000), 4000, "third");
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 4000), 6000, "no longer");
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 6000 + 5999), 6000, "still in a row");
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 12000), 1000, "long ago");
	CHECK_I64_EQ(dns_cache_fail(c, key_of("b"), now), 1000, "another name");
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 1000), 2000, "second");
	put(c, "a", now += 2000, DNS_NXDOMAIN, 1000);
	CHECK_I64_EQ(dns_cache_fail(c, a, now += 1000), 1000, "after an answer");
	dns_cache_free(&c);
}

static void
test_bounds(void)
{
	struct dns_cache_conf small = conf;
	struct dns_cache *c = dns_cache_new(&conf);
	static const char big[1500];
	struct dns_raw raw = { DNS_OK, false, 1000, STR(""), str_make(big, 1500) };
	struct dns_raw found;

	put(c, "a", 0, DNS_OK, 1000);
	put(c, "b", 0, DNS_OK, 1000);
	put(c, "c", 0, DNS_OK, 1000);
	CHECK_I64_EQ(left(c, "a", 1), 999, "as many as allowed");
	put(c, "d", 1, DNS_OK, 1000);
	CHECK_U64_EQ(dns_cache_count(c), 3, "and not one more");
	CHECK_I64_EQ(left(c, "b", 1), -1, "the one not asked for goes");
	CHECK_I64_EQ(left(c, "a", 1), 999, "the other stays");
	dns_cache_put(c, key_of("big"), 1, &raw);
	CHECK_TRUE(dns_cache_find(c, key_of("big"), 1, &found), "a big one");
	CHECK_TRUE(dns_cache_bytes(c) <= conf.bytes_max, "within the bytes");
	CHECK_U64_EQ(dns_cache_count(c), 2, "at the cost of others");
	dns_cache_set_conf(c, &conf);
	dns_cache_put(c, key_of("big"), 1, &raw);
	small.bytes_max = dns_cache_bytes(c);
	dns_cache_set_conf(c, &small);
	dns_cache_put(c, key_of("big"), 1, &raw);
	CHECK_U64_EQ(dns_cache_count(c), 1, "to the byte");
	small.bytes_max--;
	dns_cache_set_conf(c, &small);
	dns_cache_put(c, key_of("big"), 1, &raw);
	CHECK_U64_EQ(dns_cache_count(c), 0, "and not one more");
	small.bytes_max = conf.bytes_max;
	small.count_max = 0;
	dns_cache_set_conf(c, &small);
	put(c, "a", 0, DNS_OK, 1000);
	CHECK_I64_EQ(dns_cache_fail(c, key_of("b"), 0), 0, "nothing is kept");
	CHECK_U64_EQ(dns_cache_count(c), 0, "nothing");
	dns_cache_free(&c);
}

SUITE(io_dns_cache, { "times", test_times }, { "content", test_content },
      { "failures in a row", test_failures }, { "bounds", test_bounds });
