/* One resolver for several processes: over a socket, and its frames. */
#include "io/dns_share.h"

#include "base/clock.h"
#include "io/dns_frame.h"
#include "tests/unit/check.h"
#include "tests/unit/io/dns_rig.h"

#include <stdio.h>
#include <unistd.h>

static void
test_remote(void)
{
	struct dns_rig f;
	unsigned asked;

	dns_rig_remote(&f, NULL, 2000);
	f.responder.manner = RIGHT;
	dns_rig_ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "answered");
	CHECK_CSTR_EQ(f.text, "192.0.2.7", "by the server");
	dns_rig_ask(&f, "A.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, 1, "then by our own cache");
	dns_rig_ask(&f, "a..b", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "no name");
	for (int i = 0; i < 4; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		dns_rig_ask(&f, name, DNS_A);
	}
	asked = f.responder.asked;
	dns_rig_ask(&f, "n0.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, asked, "or by that of the other side");
	f.responder.manner = SERVFAIL;
	dns_rig_ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "no answer");
	asked = f.responder.asked;
	dns_share_free(&f.share);
	dns_rig_ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "nor again");
	CHECK_U64_EQ(f.responder.asked, asked, "as is known here");
	dns_rig_share(&f);
	dns_rig_pause(&f, 350);
	f.responder.manner = RIGHT;
	dns_rig_ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "for no longer than over there");
	dns_rig_fini(&f);
}

static void
test_remote_comes_back(void)
{
	struct dns_rig f;
	unsigned answers;
	int64_t start_ms;

	dns_rig_remote(&f, NULL, PATIENT_MS);
	f.responder.manner = RIGHT;
	dns_rig_ask(&f, "a.example", DNS_A);
	dns_share_free(&f.share);
	(void)dns_ask(f.dns, STR("b.example"), DNS_A, dns_rig_answer, &f);
	for (int i = 0; i < 10; i++)
		(void)loop_turn(f.loop);
	CHECK_U64_EQ(f.answers, 1, "nobody there to answer");
	dns_rig_share(&f);
	dns_rig_wait(&f, 2);
	CHECK_U64_EQ(f.status, DNS_OK, "asked again when it was back");
	dns_share_free(&f.share);
	start_ms = clock_mono_ms();
	dns_rig_ask(&f, "c.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "away for too long");
	CHECK_TRUE(clock_mono_ms() - start_ms < PATIENT_MS / 2, "before the time limit");
	answers = f.answers;
	(void)dns_ask(f.dns, STR("d.example"), DNS_A, dns_rig_answer, &f);
	for (int i = 0; i < 10; i++)
		(void)loop_turn(f.loop);
	CHECK_U64_EQ(f.answers, answers + 1, "still away: told at once");
	CHECK_U64_EQ(f.status, DNS_TEMP, "still away");
	dns_rig_share(&f);
	start_ms = clock_mono_ms();
	while (f.status != DNS_OK && clock_mono_ms() - start_ms < 30000)
		dns_rig_ask(&f, "e.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "and back");
	dns_rig_fini(&f);
}

/* A resolver that could not be heard, because this process had no processor, is not away. */
static void
test_remote_is_not_away_during_a_stall(void)
{
	struct dns_rig f;

	dns_rig_remote(&f, NULL, PATIENT_MS);
	f.responder.manner = RIGHT;
	dns_rig_ask(&f, "a.example", DNS_A);
	dns_share_free(&f.share);
	(void)dns_ask(f.dns, STR("b.example"), DNS_A, dns_rig_answer, &f);
	for (int i = 0; i < 20; i++) {
		if (i == 10)
			(void)usleep(2500 * 1000);
		(void)loop_turn(f.loop);
	}
	dns_rig_share(&f);
	dns_rig_wait(&f, 2);
	CHECK_U64_EQ(f.status, DNS_OK, "asked again");
	dns_rig_fini(&f);
}

static void
ask_ten_in_vain(struct dns_rig *f, int64_t timeout_ms)
{
	dns_rig_remote(f, NULL, timeout_ms);
	f->responder.manner = SILENT;
	for (int i = 0; i < 10; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		(void)dns_ask(f->dns, str_from(name), DNS_A, dns_rig_answer, f);
	}
}

/* A worker that somebody has broken into can ask for much, and gets TEMP for most. */
static void
test_remote_is_bounded(void)
{
	struct dns_rig f;

	ask_ten_in_vain(&f, PATIENT_MS);
	for (int i = 0; i < 20; i++)
		(void)loop_turn(f.loop);
	CHECK_U64_EQ(f.answers, 6, "four may be out");
	dns_rig_fini(&f);
	ask_ten_in_vain(&f, 500);
	dns_rig_wait(&f, 10);
	CHECK_U64_EQ(f.status, DNS_TEMP, "those that were out");
	dns_rig_fini(&f);
}

static void
test_keys(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool is_good;
	} rows[] = {
		{ "\0\1\1a\0", 5, true },      { "\0\1\1a\2bc\0", 8, true },
		{ "\0\1\1a", 4, false },       { "\0\1\0", 3, false },
		{ "\0\1", 2, false },          { "", 0, false },
		{ "\0\1\1A\0", 5, false },     { "\0\1\1.\0", 5, false },
		{ "\0\1\1\0\0", 5, false },    { "\0\1\1a\0\0", 6, false },
		{ "\0\1\300\14\0", 5, false }, { "\0\1\100a\0", 5, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_U64_EQ(dns_key_check(str_make(rows[i].bytes, rows[i].n)),
		             rows[i].is_good, rows[i].bytes);
}

static void
test_answer_frames(void)
{
	struct dns_raw raw = { DNS_OK, true, 77, STR("question"), STR("message") }, again;
	char bytes[128];
	struct strbuf b = strbuf_on(bytes);

	dns_answer_pack(&raw, &b);
	if (CHECK_TRUE(dns_answer_unpack(strbuf_str(&b), &again), "whole")) {
		CHECK_U64_EQ(again.status, DNS_OK, "status");
		CHECK_TRUE(again.is_authentic && again.ttl_ms == 77, "the rest");
		CHECK_STR_EQ(again.query, STR("question"), "query");
		CHECK_STR_EQ(again.message, STR("message"), "message");
	}
	for (size_t n = 0; n < b.n; n++)
		CHECK_TRUE(!dns_answer_unpack(str_make(b.p, n), &again), "cut off");
	b.p[0] = 9;
	CHECK_TRUE(!dns_answer_unpack(strbuf_str(&b), &again), "no status");
	strbuf_clear(&b);
	raw.ttl_ms = -1;
	dns_answer_pack(&raw, &b);
	CHECK_TRUE(!dns_answer_unpack(strbuf_str(&b), &again), "no time");
}

SUITE(io_dns_share, { "remote", test_remote },
      { "remote comes back", test_remote_comes_back },
      { "remote is not away during a stall", test_remote_is_not_away_during_a_stall },
      { "remote is bounded", test_remote_is_bounded }, { "keys", test_keys },
      { "answer frames", test_answer_frames });
