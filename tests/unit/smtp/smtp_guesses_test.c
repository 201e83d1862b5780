#include "smtp/smtp_guesses.h"

#include "base/str.h"
#include "tests/unit/check.h"

#include <stdio.h>

static struct addr
ip(const char *text)
{
	struct addr a = { .family = ADDR_NONE };

	(void)addr_parse_ip(str_from(text), &a);
	return a;
}

static void
test_counts_by_address(void)
{
	struct smtp_guesses *g = smtp_guesses_new();
	struct addr a = ip("192.0.2.1"), b = ip("192.0.2.2"), nobody = ip("");

	for (int i = 0; i < 3; i++)
		smtp_guesses_add(g, &a, 1000 + i);
	smtp_guesses_add(g, &nobody, 1000);
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 2000), 3, "its own");
	CHECK_U64_EQ(smtp_guesses_of(g, &b, 2000), 0, "another's");
	CHECK_U64_EQ(smtp_guesses_of(g, &nobody, 2000), 0, "nobody's");
	a.port = 99;
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 2000), 3, "from another port");
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 999 + SMTP_GUESSES_WINDOW_MS), 3,
	             "to the end");
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 1000 + SMTP_GUESSES_WINDOW_MS), 0,
	             "and then");
	smtp_guesses_add(g, &a, 1000 + SMTP_GUESSES_WINDOW_MS);
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 1001 + SMTP_GUESSES_WINDOW_MS), 1, "anew");
	smtp_guesses_free(&g);
}

static void
test_one_network_of_ipv6_is_one_client(void)
{
	struct smtp_guesses *g = smtp_guesses_new();
	struct addr a = ip("2001:db8::1"), b = ip("2001:db8::2:0:0:1"),
		    c = ip("2001:db8:0:1::1");

	smtp_guesses_add(g, &a, 0);
	smtp_guesses_add(g, &b, 0);
	CHECK_U64_EQ(smtp_guesses_of(g, &a, 1), 2, "one /64");
	CHECK_U64_EQ(smtp_guesses_of(g, &c, 1), 0, "the next");
	smtp_guesses_free(&g);
}

/* Many addresses push old windows out and never the newest. */
static void
test_memory_is_fixed(void)
{
	struct smtp_guesses *g = smtp_guesses_new();
	char text[32];

	for (int i = 0; i < 20000; i++) {
		struct addr a;

		(void)snprintf(text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
		a = ip(text);
		smtp_guesses_add(g, &a, i);
		CHECK_U64_EQ(smtp_guesses_of(g, &a, i), 1, text);
	}
	smtp_guesses_free(&g);
}

SUITE(smtp_guesses, { "counts by address", test_counts_by_address },
      { "one network of IPv6 is one client", test_one_network_of_ipv6_is_one_client },
      { "memory is fixed", test_memory_is_fixed });
