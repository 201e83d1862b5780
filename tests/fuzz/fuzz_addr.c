/* Addresses and networks: what is read is written, and read again as the same; a network
   has its own address. */
#include "base/addr.h"
#include "base/panic.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct addr *a, const struct addr *b)
{
	CHECK(a->family == b->family && a->port == b->port);
	CHECK(memcmp(a->ip, b->ip, sizeof(a->ip)) == 0);
	CHECK(addr_eq_ip(a, b));
}

static void
there_and_back(const struct addr *a)
{
	char text[ADDR_TEXT_MAX], reverse[80];
	struct strbuf b = strbuf_on(text), r = strbuf_on(reverse);
	struct addr again, bare = *a;

	CHECK(a->family != ADDR_NONE);
	addr_format(&b, a);
	CHECK(!b.overflow && addr_parse(strbuf_str(&b), &again));
	check_same(a, &again);
	bare.port = 0;
	CHECK(addr_parse_ip(addr_ip_text(&bare, &text), &again));
	check_same(&bare, &again);
	addr_format_reverse(&r, a);
	CHECK(!r.overflow && str_ends(strbuf_str(&r), STR(".arpa")));
	CHECK(!addr_is_loopback(a) || addr_is_special(a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);
	struct addr a;
	struct net n;

	if (addr_parse_ip(s, &a)) {
		CHECK(a.port == 0);
		there_and_back(&a);
	}
	if (addr_parse(s, &a))
		there_and_back(&a);
	if (net_parse(s, &n)) {
		struct addr masked = addr_masked(&n.addr, n.bits);

		CHECK(n.bits <= (n.addr.family == ADDR_V4 ? 32U : 128U));
		check_same(&n.addr, &masked);
		CHECK(net_has(&n, &n.addr) && nets_have(&n, 1, &n.addr));
	}
	return 0;
}
