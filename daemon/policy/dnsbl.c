#include "policy/dnsbl.h"

enum {
	REVERSE_ROOM = 80,
};

void
dnsbl_name(struct strbuf *out, const struct addr *ip, struct str zone)
{
	char bytes[REVERSE_ROOM];
	struct strbuf reverse = strbuf_on(bytes);
	struct str digits;

	addr_format_reverse(&reverse, ip);
	digits = strbuf_str(&reverse);
	digits = str_first(digits,
	                   digits.n - (ip->family == ADDR_V4 ? STR("in-addr.arpa").n
	                                                     : STR("ip6.arpa").n));
	strbuf_add(out, digits);
	strbuf_add(out, zone);
}

enum dnsbl_result
dnsbl_judge(const struct dns_answer *answer)
{
	enum dnsbl_result result = DNSBL_STRANGE;

	if (answer->status == DNS_TEMP || answer->status == DNS_BAD_NAME)
		return DNSBL_SILENT;
	if (!answer->count)
		return DNSBL_CLEAR;
	for (size_t i = 0; i < answer->count; i++) {
		const uint8_t *ip = answer->records[i].addr.ip;

		if (answer->records[i].addr.family != ADDR_V4 || ip[0] != 127)
			continue;
		if ((ip[1] == 255 && ip[2] == 255) ||
		    (ip[1] == 0 && ip[2] == 0 && ip[3] == 1))
			return DNSBL_REFUSED;
		result = DNSBL_LISTED;
	}
	return result;
}

/* 127.0.0.n, or ::FFFF:7F00:n, which addr_parse would take for the former. */
static struct addr
test_point(enum addr_family family, uint8_t last)
{
	struct addr a = { .family = family };
	size_t at = 0;

	if (family == ADDR_V6) {
		a.ip[10] = a.ip[11] = 0xff;
		at = 12;
	}
	a.ip[at] = 127;
	a.ip[at + 3] = last;
	return a;
}

struct addr
dnsbl_test_listed(enum addr_family family)
{
	return test_point(family, 2);
}

struct addr
dnsbl_test_clear(enum addr_family family)
{
	return test_point(family, 1);
}
