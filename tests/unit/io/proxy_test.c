#include "io/proxy.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

static const struct {
	const char *what;
	struct str bytes;
	enum proxy_result want;
	const char *peer; /* with port */
	size_t used;
} cases[] = {
	{ "v1, IPv4", STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO"),
	  PROXY_OK, "192.0.2.1:56324", 44 },
	{ "v1, IPv6", STR_INIT("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n"), PROXY_OK,
	  "[2001:db8::1]:1", 41 },
	{ "v1, unknown", STR_INIT("PROXY UNKNOWN\r\n"), PROXY_OK, "-:0", 15 },
	{ "v1, unknown with more", STR_INIT("PROXY UNKNOWN a b c\r\n"), PROXY_OK, "-:0",
	  21 },
	{ "v1, no end", STR_INIT("PROXY TCP4 192.0.2.1"), PROXY_MORE, NULL, 0 },
	{ "v1, port too high", STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n"),
	  PROXY_ERROR, NULL, 0 },
	{ "v1, leading zero", STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 025 25\r\n"),
	  PROXY_ERROR, NULL, 0 },
	{ "v1, too few", STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 25\r\n"), PROXY_ERROR,
	  NULL, 0 },
	{ "v1, too many", STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 25 25 25\r\n"),
	  PROXY_ERROR, NULL, 0 },
	{ "v1, wrong family", STR_INIT("PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n"),
	  PROXY_ERROR, NULL, 0 },
	{ "v1, too long",
	  STR_INIT("PROXY TCP4 "
	           "1111111111111111111111111111111111111111111111111111111111111111111"
	           "11111111111111111111111111111111111111111111\r\n"),
	  PROXY_ERROR, NULL, 0 },
	{ "v2, IPv4",
	  STR_INIT("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\0"
	           "\x19"),
	  PROXY_OK, "192.0.2.1:56324", 28 },
	{ "v2, cut", STR_INIT("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33"),
	  PROXY_MORE, NULL, 0 },
	{ "v2, local", STR_INIT("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), PROXY_OK, "-:0", 16 },
	{ "v2, other version", STR_INIT("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"),
	  PROXY_ERROR, NULL, 0 },
	{ "v2, too short for IPv4", STR_INIT("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\1a"),
	  PROXY_ERROR, NULL, 0 },
	{ "a client", STR_INIT("EHLO x\r\n"), PROXY_NONE, NULL, 0 },
	{ "almost", STR_INIT("PROXI"), PROXY_NONE, NULL, 0 },
	{ "nothing", STR_INIT(""), PROXY_MORE, NULL, 0 },
};

static void
test_cases(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_header h;
		char text[ADDR_TEXT_MAX];
		struct strbuf b = strbuf_on(text);
		size_t used;

		CHECK_U64_EQ(proxy_parse(cases[i].bytes, &h, &used), cases[i].want,
		             cases[i].what);
		if (cases[i].want != PROXY_OK)
			continue;
		addr_format(&b, &h.peer);
		CHECK_STR_EQ(strbuf_str(&b), str_from(cases[i].peer), cases[i].what);
		CHECK_U64_EQ(used, cases[i].used, cases[i].what);
	}
}

static void
test_byte_by_byte(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum proxy_result result = PROXY_MORE;
		struct proxy_header h;
		size_t used;

		for (size_t n = 0; n <= cases[i].bytes.n && result == PROXY_MORE; n++)
			result = proxy_parse(str_first(cases[i].bytes, n), &h, &used);
		CHECK_U64_EQ(result, cases[i].want, cases[i].what);
	}
}

SUITE(io_proxy, { "cases", test_cases }, { "byte by byte", test_byte_by_byte });
