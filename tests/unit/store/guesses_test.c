#include "store/guesses.h"

#include "tests/unit/check.h"

static struct addr
from(const char *ip)
{
	struct addr a = { 0 };

	CHECK_TRUE(addr_parse_ip(str_from(ip), &a), ip);
	return a;
}

static bool
guess(struct guesses *g, const char *ip, const char *account, int64_t now_ms)
{
	struct addr a = from(ip);

	return guesses_try(g, &a, str_from(account), 3, 5, now_ms);
}

static void
test_by_address(void)
{
	struct guesses *g = guesses_new();

	for (int i = 0; i < 3; i++)
		CHECK_TRUE(guess(g, "192.0.2.1", "ann", 0), "three are looked at");
	CHECK_TRUE(!guess(g, "192.0.2.1", "bob", 0), "whatever the name");
	CHECK_TRUE(guess(g, "198.51.100.1", "ann", 0), "ann from elsewhere");
	CHECK_TRUE(!guess(g, "192.0.2.1", "ann", GUESSES_WINDOW_MS - 1), "still");
	CHECK_TRUE(guess(g, "192.0.2.1", "ann", GUESSES_WINDOW_MS), "after ten minutes");
	guesses_free(&g);
}

static void
test_by_account(void)
{
	struct guesses *g = guesses_new();

	for (int i = 0; i < 5; i++) {
		char ip[] = "192.0.2.0";

		ip[8] = (char)('1' + i);
		CHECK_TRUE(guess(g, ip, "ann", 0), "one from each");
	}
	CHECK_TRUE(!guess(g, "192.0.2.9", "ann", 0), "the network is too eager");
	CHECK_TRUE(guess(g, "192.0.2.9", "bob", 0), "bob is another matter");
	CHECK_TRUE(guess(g, "198.51.100.1", "ann", 0), "so is ann from elsewhere");
	guesses_free(&g);
}

static void
test_v6_is_counted_by_network(void)
{
	struct guesses *g = guesses_new();

	CHECK_TRUE(guess(g, "2001:db8::1", "a", 0), "1");
	CHECK_TRUE(guess(g, "2001:db8::2", "b", 0), "2");
	CHECK_TRUE(guess(g, "2001:db8::3", "c", 0), "3");
	CHECK_TRUE(!guess(g, "2001:db8::4", "d", 0), "the same /64");
	CHECK_TRUE(guess(g, "2001:db8:0:1::4", "d", 0), "another one");
	guesses_free(&g);
}

static void
test_success(void)
{
	struct guesses *g = guesses_new();
	struct addr a = from("192.0.2.1");

	CHECK_TRUE(guess(g, "192.0.2.1", "ann", 0), "right");
	guesses_good(g, &a, STR("ann"), true, 0);
	for (int i = 0; i < 3; i++)
		CHECK_TRUE(guess(g, "192.0.2.1", "bob", 0), "a neighbour guesses");
	CHECK_TRUE(!guess(g, "192.0.2.1", "bob", 0), "and is stopped");
	CHECK_TRUE(guess(g, "192.0.2.1", "ann", 0), "ann, known from there, is not");
	guesses_good(g, &a, STR("ann"), false, 0);
	CHECK_TRUE(!guess(g, "192.0.2.1", "carl", 0),
	           "a success that was not counted gives nothing back");
	guesses_free(&g);
}

SUITE(store_guesses, { "by address", test_by_address }, { "by account", test_by_account },
      { "IPv6", test_v6_is_counted_by_network }, { "success", test_success });
