/* Whose turn it is: places for questions, given to one group after the other. */
#include "io/dns.h"

#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/io/dns_rig.h"

#include <stdio.h>

static void
on_ordered(void *arg, const struct dns_answer *a)
{
	struct dns_rig *f = arg;

	dns_rig_answer(arg, a);
	/* The first letter of the name: it is the answer's as well. */
	f->order[f->answers - 1] = a->name.n ? a->name.p[0] : '?';
}

static void
ask_for(struct dns_rig *f, uint64_t group, const char *names)
{
	for (; *names; names++) {
		char name[] = "?.example";

		name[0] = *names;
		dns_query_group(dns_ask(f->dns, str_from(name), DNS_A, on_ordered, f),
		                group);
	}
}

/* Who asks a lot waits behind himself: places go from one to the other. */
static void
test_turns(void)
{
	struct dns_rig f;

	dns_rig_bounds(&f, 5000, 1, 0);
	f.responder.manner = RIGHT;
	ask_for(&f, 1, "abcd");
	ask_for(&f, 2, "xy");
	ask_for(&f, 3, "z");
	dns_rig_wait(&f, 7);
	CHECK_CSTR_EQ(f.order, "abxzcyd", "in turn");
	/* What both wait for goes on in the shorter line. */
	ask_for(&f, 1, "efgh");
	ask_for(&f, 2, "h");
	dns_rig_wait(&f, 12);
	CHECK_CSTR_EQ(f.order + 7, "efhhg", "together");
	dns_rig_fini(&f);
}

/* Nobody gets all places: those whose servers are silent keep no others waiting. */
static void
test_part_of_the_places(void)
{
	struct dns_rig f;

	dns_rig_bounds(&f, 5000, 4, 2);
	f.responder.manner = RIGHT;
	f.responder.deaf = "abcdefgh";
	ask_for(&f, 1, "abcdefgh");
	for (int i = 0; i < 500 && f.responder.asked < 2; i++)
		dns_rig_pause(&f, 10);
	dns_rig_pause(&f, 20);
	CHECK_U64_EQ(f.responder.asked, 2, "two of them are out");
	ask_for(&f, 2, "uvwxyz");
	dns_rig_wait(&f, 6);
	CHECK_CSTR_EQ(f.order, "uvwxyz", "the others get theirs");
	CHECK_U64_EQ(f.responder.asked, 8, "and nobody else was asked for");
	dns_rig_fini(&f);
}

/* What nobody waits for any more gives its place to the next. */
static void
test_cancelled_place(void)
{
	for (int is_remote = 0; is_remote < 2; is_remote++) {
		struct dns_rig f;
		struct dns_query *q[3];
		int64_t began;

		if (is_remote)
			dns_rig_remote(&f, NULL, PATIENT_MS);
		else
			dns_rig_init(&f, NULL, PATIENT_MS);
		f.responder.manner = RIGHT;
		f.responder.deaf = "n";
		for (size_t i = 0; i < ARRAY_LEN(q); i++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "n%zu.example", i);
			q[i] = dns_ask(f.dns, str_from(name), DNS_A, dns_rig_answer, &f);
		}
		dns_rig_pause(&f, 50);
		CHECK_U64_EQ(f.responder.asked, 3, "all places are taken");
		(void)dns_ask(f.dns, STR("last.example"), DNS_A, dns_rig_answer, &f);
		dns_rig_pause(&f, 50);
		CHECK_U64_EQ(f.answers, 0, "it stands in line");
		began = clock_mono_ms();
		dns_cancel(&q[1]);
		dns_rig_wait(&f, 1);
		CHECK_U64_EQ(f.status, DNS_OK, "then it has its answer");
		CHECK_TRUE(clock_mono_ms() - began < PATIENT_MS / 2, "at once");
		dns_cancel(&q[0]);
		dns_cancel(&q[2]);
		dns_rig_pause(&f, 20);
		f.responder.deaf = NULL;
		dns_rig_ask(&f, "n0.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_OK, "what was called off can be asked again");
		dns_rig_fini(&f);
	}
}

SUITE(io_dns_turns, { "turns", test_turns },
      { "a part of the places", test_part_of_the_places },
      { "cancelled place", test_cancelled_place });
