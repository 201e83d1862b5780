#include "queue/queue_route.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <stdio.h>

static const struct str us = STR_INIT("mail.us.example");

/* "10 a.example 20 b.example" as records; "." is the root. */
static size_t
parse_mx(const char *text, struct queue_mx *mx, size_t max)
{
	struct str rest = str_from(text), word;
	size_t n = 0;

	while (n < max && str_next(&rest, ' ', &word)) {
		uint32_t preference = 0;

		CHECK_TRUE(str_parse_u32(word, &preference), text);
		CHECK_TRUE(str_next(&rest, ' ', &word), text);
		mx[n].preference = (uint16_t)preference;
		if (str_eq(word, STR(".")))
			word.n = 0;
		mx[n++].host = word;
	}
	return n;
}

static const struct {
	const char *what, *mx, *hosts;
	enum err e;
} routes[] = {
	{ "by preference", "20 b 10 a 30 c", "a b c", OK },
	{ "no MX", "", "dest.example", OK },
	{ "null MX", "0 .", "", ERR_NULL_MX },
	{ "a root among others", "0 . 10 a", "a", OK },
	{ "only roots", "0 . 1 .", "", ERR_DNS_NODATA },
	{ "we are the best", "10 mail.us.example 20 b", "", ERR_LOOP },
	{ "we are the backup", "10 a 20 Mail.Us.Example 20 b 30 c", "a", OK },
	{ "twice the same", "10 a 10 A 20 a", "a", OK },
	{ "eleven of them", "1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h 9 i 10 j 11 k",
	  "a b c d e f g h i j k", OK },
	{ "eleven, the best last", "1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h 9 i 10 j 0 k",
	  "k a b c d e f g h i j", OK },
};

/* Of more than a route holds the worst are left out, wherever they stand. */
static void
test_bound(void)
{
	enum {
		HOSTS = ROUTE_HOSTS_MAX + 1,
	};
	static char names[HOSTS][8];
	struct queue_mx mx[HOSTS];
	struct queue_route route;

	for (size_t i = 0; i < HOSTS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "h%d", (int)i);
		mx[i].host = str_from(names[i]);
		mx[i].preference = (uint16_t)(HOSTS - i);
	}
	CHECK_ERR_EQ(queue_route_from_mx(&route, STR("d"), mx, HOSTS - 1, us, 1), OK, "");
	CHECK_U64_EQ(route.count, ROUTE_HOSTS_MAX, "all");
	CHECK_STR_EQ(route.hosts[route.count - 1].name, STR("h0"), "the worst, too");
	CHECK_ERR_EQ(queue_route_from_mx(&route, STR("d"), mx, HOSTS, us, 1), OK, "");
	CHECK_U64_EQ(route.count, ROUTE_HOSTS_MAX, "no more");
	CHECK_STR_EQ(route.hosts[0].name, STR("h64"), "the best is the last of them");
	CHECK_STR_EQ(route.hosts[route.count - 1].name, STR("h1"), "the worst is not");
}

static void
test_routes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct queue_mx mx[12];
		struct queue_route route;
		struct strbuf got = strbuf_heap(256);
		size_t n = parse_mx(routes[i].mx, mx, ARRAY_LEN(mx));

		CHECK_ERR_EQ(
			queue_route_from_mx(&route, STR("dest.example"), mx, n, us, i),
			routes[i].e, routes[i].what);
		for (size_t k = 0; routes[i].e == OK && k < route.count; k++) {
			if (k)
				strbuf_byte(&got, ' ');
			strbuf_add(&got, route.hosts[k].name);
		}
		CHECK_STR_EQ(strbuf_str(&got), str_from(routes[i].hosts), routes[i].what);
		strbuf_release(&got);
	}
}

/* Each of three equals is first about every third time. */
static void
test_equals(void)
{
	struct queue_mx mx[3];
	size_t n = parse_mx("10 a 10 b 10 c", mx, 3), first[3] = { 0 };

	for (uint64_t seed = 1; seed <= 3000; seed++) {
		struct queue_route route;

		CHECK_ERR_EQ(
			queue_route_from_mx(&route, STR("d"), mx, n, us, seed * 7919), OK,
			"");
		first[route.hosts[0].name.p[0] - 'a']++;
	}
	for (size_t i = 0; i < 3; i++)
		CHECK_TRUE(first[i] > 800 && first[i] < 1200, "evenly");
}

static void
test_cut(void)
{
	struct queue_mx mx[3];
	struct queue_route route;
	size_t n = parse_mx("10 a 20 b 30 c", mx, 3);

	CHECK_ERR_EQ(queue_route_from_mx(&route, STR("d"), mx, n, us, 1), OK, "");
	CHECK_ERR_EQ(queue_route_cut(&route, 1), OK, "b is ourselves");
	CHECK_U64_EQ(route.count, 1, "only a is left");
	CHECK_ERR_EQ(queue_route_cut(&route, 0), ERR_LOOP, "a as well");
	CHECK_ERR_EQ(queue_route_from_mx(&route, us, mx, 0, us, 1), ERR_LOOP,
	             "us, no MX");
}

static void
test_addresses(void)
{
	struct addr v6[3], v4[5], out[20];
	size_t n;

	for (size_t i = 0; i < 5; i++) {
		v4[i] = (struct addr){ .family = ADDR_V4,
			               .ip = { 192, 0, 2, (uint8_t)i } };
		if (i < 3)
			v6[i] = (struct addr){ .family = ADDR_V6,
				               .ip = { 0x20, (uint8_t)i } };
	}
	n = queue_route_addresses(&(struct queue_addresses){ v6, v4, 3, 5 }, 25, 42, out,
	                          ARRAY_LEN(out));
	CHECK_U64_EQ(n, ROUTE_HOST_ADDRESSES_MAX, "bounded");
	for (size_t i = 0; i < n; i++) {
		CHECK_U64_EQ(out[i].family, i % 2 ? ADDR_V4 : ADDR_V6, "by turns");
		CHECK_U64_EQ(out[i].port, 25, "port");
		for (size_t k = 0; k < i; k++)
			CHECK_TRUE(!addr_eq_ip(&out[i], &out[k]), "each once");
	}
	CHECK_U64_EQ(queue_route_addresses(&(struct queue_addresses){ NULL, v4, 0, 2 },
	                                   25, 1, out, 20),
	             2, "only IPv4");
	CHECK_U64_EQ(queue_route_addresses(&(struct queue_addresses){ v6, v4, 1, 2 }, 25,
	                                   1, out, 2),
	             2, "little room");
	CHECK_U64_EQ(queue_route_addresses(&(struct queue_addresses){ NULL, NULL, 0, 0 },
	                                   25, 1, out, 2),
	             0, "none");
}

static void
test_literals(void)
{
	struct addr a;

	CHECK_TRUE(queue_route_literal(STR("[192.0.2.1]"), 2525, &a), "IPv4");
	CHECK_U64_EQ(a.port, 2525, "port");
	CHECK_TRUE(queue_route_literal(STR("[ipv6:2001:db8::1]"), 25, &a), "IPv6");
	CHECK_TRUE(!queue_route_literal(STR("[2001:db8::1]"), 25, &a),
	           "IPv6 without a tag");
	CHECK_TRUE(!queue_route_literal(STR("192.0.2.1"), 25, &a), "no brackets");
	CHECK_TRUE(!queue_route_literal(STR("["), 25, &a), "half a bracket");
	CHECK_TRUE(!queue_route_literal(STR("[x400:odd]"), 25, &a), "another tag");
}

SUITE(queue_route, { "orders", test_routes }, { "bound", test_bound },
      { "equals", test_equals }, { "cuts", test_cut }, { "addresses", test_addresses },
      { "address literals", test_literals });
