#include "base/addr.h"

#include "tests/unit/check.h"

static void
test_ip(void)
{
	static const struct {
		const char *text, *want; /* NULL: no address */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "::", "::" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::ffff:c000:201", "192.0.2.1" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "", NULL },
		{ "1.2.3", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.256", NULL },
		{ "01.2.3.4", NULL },
		{ "1.2.3.4 ", NULL },
		{ "[::1]", NULL },
		{ "::1%lo", NULL },
		{ ":::", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "localhost", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[ADDR_TEXT_MAX];
		struct addr a;
		bool is_good = addr_parse_ip(str_from(rows[i].text), &a);

		CHECK_TRUE(is_good == (rows[i].want != NULL), rows[i].text);
		if (is_good)
			CHECK_STR_EQ(addr_ip_text(&a, &bytes), str_from(rows[i].want),
			             rows[i].text);
	}
}

static void
test_port(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "192.0.2.1:25", "192.0.2.1:25" },
		{ "[::]:0", "[::]:0" },
		{ "[2001:db8::1]:65535", "[2001:db8::1]:65535" },
		{ "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:-1", NULL },
		{ "192.0.2.1:25x", NULL },
		{ "::1:25", NULL },
		{ "[192.0.2.1]:25", NULL },
		{ "[::1:25", NULL },
		{ "[]:25", NULL },
		{ ":25", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[ADDR_TEXT_MAX];
		struct strbuf b = strbuf_on(bytes);
		struct addr a;
		bool is_good = addr_parse(str_from(rows[i].text), &a);

		CHECK_TRUE(is_good == (rows[i].want != NULL), rows[i].text);
		if (!is_good)
			continue;
		addr_format(&b, &a);
		CHECK_STR_EQ(strbuf_str(&b), str_from(rows[i].want), rows[i].text);
	}
}

static void
test_nets(void)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/8", "::10.0.0.1", false },
		{ "10.0.0.0/8", "::ffff:10.0.0.1", true },
		{ "::ffff:10.0.0.0/104", "10.0.0.1", true },
		{ "::ffff:10.0.0.0/104", "11.0.0.1", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "::1/128", "::1", true },
	};
	static const char *const bad[] = {
		"",           "10.0.0.1/8",  "10.0.0.0/33",  "10.0.0.0/",
		"10.0.0.0/x", "10.0.0.0/-1", "::1/129",      "2001:db8::1/64",
		"/8",         "ten/8",       "10.0.0.0/8/8",
	};
	struct net n;
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_TRUE(net_parse(str_from(rows[i].net), &n), rows[i].net);
		CHECK_TRUE(addr_parse_ip(str_from(rows[i].ip), &a), rows[i].ip);
		CHECK_TRUE(net_has(&n, &a) == rows[i].has, rows[i].net);
		CHECK_TRUE(nets_have(&n, 1, &a) == rows[i].has, rows[i].net);
		CHECK_TRUE(!nets_have(&n, 0, &a), "no net has anybody");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_TRUE(!net_parse(str_from(bad[i]), &n), bad[i]);
}

static void
test_kinds(void)
{
	static const struct {
		const char *ip;
		bool is_loopback, is_special;
	} rows[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.255.255", true, true },
		{ "::1", true, true },
		{ "::ffff:127.0.0.1", true, true },
		{ "10.1.2.3", false, true },
		{ "172.31.255.255", false, true },
		{ "172.32.0.0", false, false },
		{ "100.64.0.1", false, true },
		{ "169.254.169.254", false, true },
		{ "224.0.0.1", false, true },
		{ "0.0.0.0", false, true },
		{ "::", false, true },
		{ "fe80::1", false, true },
		{ "fd00::1", false, true },
		{ "ff02::1", false, true },
		{ "2001:db8::1", false, true },
		{ "8.8.8.8", false, false },
		{ "2a00:1450::1", false, false },
		{ "64:ff9b::808:808", false, false },
		{ "64:ff9b::a01:203", false, true },
		{ "64:ff9b::7f00:1", false, true },
		{ "64:ff9b:1::808:808", false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a;

		CHECK_TRUE(addr_parse_ip(str_from(rows[i].ip), &a), rows[i].ip);
		CHECK_TRUE(addr_is_loopback(&a) == rows[i].is_loopback, rows[i].ip);
		CHECK_TRUE(addr_is_special(&a) == rows[i].is_special, rows[i].ip);
	}
}

static void
test_masked(void)
{
	static const struct {
		const char *ip;
		unsigned bits;
		const char *want;
	} rows[] = {
		{ "192.0.2.255", 24, "192.0.2.0" },
		{ "192.0.2.255", 0, "0.0.0.0" },
		{ "192.0.2.255", 32, "192.0.2.255" },
		{ "192.0.2.255", 25, "192.0.2.128" },
		{ "2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::" },
		{ "2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[ADDR_TEXT_MAX];
		struct addr a;

		CHECK_TRUE(addr_parse_ip(str_from(rows[i].ip), &a), rows[i].ip);
		a.port = 25;
		a = addr_masked(&a, rows[i].bits);
		CHECK_STR_EQ(addr_ip_text(&a, &bytes), str_from(rows[i].want),
		             rows[i].ip);
		CHECK_U64_EQ(a.port, 0, "without its port");
	}
}

SUITE(base_addr, { "ip", test_ip }, { "port", test_port }, { "nets", test_nets },
      { "kinds", test_kinds }, { "masked", test_masked });
