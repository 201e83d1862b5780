/* The resolver, and a responder that misbehaves. */
#include "io/dns.h"

#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/io/dns_rig.h"

#include <stdio.h>

enum {
	SHORT_MS = 150,   /* until silence is an answer */
	FAILURE_MS = 300, /* as dns_rig.c has it */
	LOOKS = 60,
};

static void
test_bad_manners(void)
{
	static const enum manner bad[] = { SILENT, WRONG_QUESTION, GARBAGE, SERVFAIL };
	struct dns_rig f;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t start_ms = clock_mono_ms();

		dns_rig_init(&f, NULL, 200);
		f.responder.manner = bad[i];
		dns_rig_ask(&f, "a.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_TEMP, "try again later");
		CHECK_TRUE(clock_mono_ms() - start_ms < PATIENT_MS / 2, "in time");
		dns_rig_fini(&f);
	}
}

static void
test_cache_and_coalescing(void)
{
	struct dns_rig f;
	unsigned asked;

	dns_rig_init(&f, NULL, PATIENT_MS);
	f.responder.manner = RIGHT;
	(void)dns_ask(f.dns, STR("a.example"), DNS_A, dns_rig_answer, &f);
	(void)dns_ask(f.dns, STR("A.Example."), DNS_A, dns_rig_answer, &f);
	CHECK_U64_EQ(f.answers, 0, "never inside the call");
	dns_rig_wait(&f, 2);
	CHECK_CSTR_EQ(f.text, "192.0.2.7", "the answer");
	CHECK_U64_EQ(f.responder.asked, 1, "two equal questions are one");
	dns_rig_ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, 1, "then it comes from the cache");
	CHECK_TRUE(f.ttl_s > 0 && f.ttl_s <= 60, "with what is left of its TTL");
	for (int i = 0; i < 6; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		dns_rig_ask(&f, name, DNS_A);
	}
	asked = f.responder.asked;
	dns_rig_ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, asked + 1, "the cache is bounded");
	dns_rig_fini(&f);
}

/* What could not be resolved is not asked for again at once (RFC 9520 3.2), whether the
   server is broken or silent. */
static void
test_failures_are_kept(void)
{
	static const enum manner bad[] = { SERVFAIL, SILENT, GARBAGE };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dns_rig f;
		unsigned asked;

		int64_t start_ms = clock_mono_ms();

		dns_rig_init(&f, NULL, SHORT_MS);
		f.responder.manner = bad[i];
		dns_rig_ask(&f, "a.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_TEMP, "failed");
		asked = f.responder.asked;
		CHECK_TRUE(asked > 0, "asked");
		f.responder.manner = RIGHT;
		dns_rig_ask(&f, "A.example.", DNS_A);
		/* Without a processor for a while, its time is over. */
		if (clock_mono_ms() - start_ms < FAILURE_MS) {
			CHECK_U64_EQ(f.status, DNS_TEMP, "still failed");
			dns_rig_ask(&f, "a.example", DNS_AAAA);
			CHECK_TRUE(f.responder.asked > asked, "only another type is");
		}
		for (int n = 0; n < LOOKS && f.status != DNS_OK; n++) {
			dns_rig_pause(&f, FAILURE_MS + 20);
			dns_rig_ask(&f, "a.example", DNS_A);
		}
		CHECK_U64_EQ(f.status, DNS_OK, "after its time it is asked again");
		dns_rig_fini(&f);
	}
}

static void
test_fresh(void)
{
	struct dns_rig f;
	unsigned asked;

	dns_rig_init(&f, NULL, PATIENT_MS);
	f.responder.manner = SERVFAIL;
	dns_rig_ask(&f, "a.example", DNS_A);
	f.responder.manner = RIGHT;
	asked = f.responder.asked;
	dns_query_fresh(dns_ask(f.dns, STR("a.example"), DNS_A, dns_rig_answer, &f));
	dns_rig_wait(&f, 2);
	CHECK_U64_EQ(f.status, DNS_OK, "what it says now");
	CHECK_U64_EQ(f.responder.asked, asked + 1, "it was asked");
	dns_rig_ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "and that is kept");
	CHECK_U64_EQ(f.responder.asked, asked + 1, "for the next");
	dns_rig_fini(&f);
}

/* What only waited in line is no failure of its name. */
static void
test_line_is_no_failure(void)
{
	struct dns_rig f;
	int64_t start_ms;

	dns_rig_init(&f, NULL, SHORT_MS);
	f.responder.manner = SILENT;
	(void)dns_ask(f.dns, STR("x.example"), DNS_A, dns_rig_answer, &f);
	(void)dns_ask(f.dns, STR("y.example"), DNS_A, dns_rig_answer, &f);
	(void)dns_ask(f.dns, STR("z.example"), DNS_A, dns_rig_answer, &f);
	(void)dns_ask(f.dns, STR("w.example"), DNS_A, dns_rig_answer, &f);
	dns_rig_wait(&f, 4);
	f.responder.manner = RIGHT;
	start_ms = clock_mono_ms();
	dns_rig_ask(&f, "w.example", DNS_A);
	CHECK_TRUE(f.status == DNS_OK || clock_mono_ms() - start_ms >= SHORT_MS,
	           "it was never asked");
	dns_rig_fini(&f);
}

static void
test_cancel_and_free(void)
{
	struct dns_rig f;
	struct dns_query *q[ANSWERS_MAX];

	dns_rig_init(&f, NULL, 2000);
	f.responder.manner = RIGHT;
	for (int i = 0; i < 10; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		q[i] = dns_ask(f.dns, str_from(name), DNS_A, dns_rig_answer, &f);
	}
	dns_cancel(&q[3]);
	CHECK_TRUE(!q[3], "cleared");
	dns_rig_wait(&f, 9);
	f.responder.manner = SILENT;
	(void)dns_ask(f.dns, STR("x.example"), DNS_A, dns_rig_answer, &f);
	(void)loop_turn(f.loop);
	(void)loop_turn(f.loop);
	dns_rig_fini(&f); /* with a question out: no answer, no leak */
	CHECK_U64_EQ(f.answers, 9, "no more");
}

/* What stands in line, and nobody waits for any more, does not keep others waiting. */
static void
test_forgotten_in_line(void)
{
	struct dns_rig f;
	struct dns_query *out[3], *q[5];

	dns_rig_init(&f, NULL, PATIENT_MS);
	f.responder.manner = RIGHT;
	f.responder.deaf = "xyz";
	out[0] = dns_ask(f.dns, STR("x.example"), DNS_A, dns_rig_answer, &f);
	out[1] = dns_ask(f.dns, STR("y.example"), DNS_A, dns_rig_answer, &f);
	out[2] = dns_ask(f.dns, STR("z.example"), DNS_A, dns_rig_answer, &f);
	while (f.responder.asked < ARRAY_LEN(out))
		(void)loop_turn(f.loop);
	for (size_t i = 0; i < ARRAY_LEN(q); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%zu.example", i);
		q[i] = dns_ask(f.dns, str_from(name), DNS_A, dns_rig_answer, &f);
	}
	(void)loop_turn(f.loop);
	(void)dns_ask(f.dns, STR("last.example"), DNS_A, dns_rig_answer, &f);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		dns_cancel(&q[i]);
	for (size_t i = 0; i < ARRAY_LEN(out); i++) /* now there is room */
		dns_cancel(&out[i]);
	dns_rig_wait(&f, 1);
	CHECK_U64_EQ(f.status, DNS_OK, "the one that is waited for");
	CHECK_U64_EQ(f.responder.heard, 1, "only that one is asked for");
	dns_rig_fini(&f);
}

static void
test_bad_names(void)
{
	struct dns_rig f;

	dns_rig_init(&f, NULL, 500);
	f.responder.manner = RIGHT;
	dns_rig_ask(&f, "", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "empty");
	dns_rig_ask(&f, "a..b", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "empty label");
	CHECK_U64_EQ(f.responder.asked, 0, "nobody was asked");
	dns_rig_fini(&f);
}

/* One that changes the case is asked again over TCP, which ours does not speak. */
static void
test_other_case_is_not_believed(void)
{
	struct dns_rig f;

	dns_rig_init(&f, NULL, 400);
	f.responder.manner = LOWER_CASE;
	dns_rig_ask(&f, "abcdefghijklmnopqrstuvwxyz.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "not believed");
	dns_rig_fini(&f);
}

SUITE(io_dns, { "bad manners", test_bad_manners },
      { "cache and coalescing", test_cache_and_coalescing },
      { "failures are kept", test_failures_are_kept }, { "fresh", test_fresh },
      { "a line is no failure", test_line_is_no_failure },
      { "cancel and free", test_cancel_and_free },
      { "forgotten in line", test_forgotten_in_line }, { "bad names", test_bad_names },
      { "other case is not believed", test_other_case_is_not_believed });
