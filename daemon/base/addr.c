#include "base/addr.h"

#include <arpa/inet.h>

enum {
	BITS_V4 = 32,
	BITS_V6 = 128,
	PORT_MAX = 65535,
};

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static unsigned
bits_of(enum addr_family family)
{
	return family == ADDR_V4 ? BITS_V4 : family == ADDR_V6 ? BITS_V6 : 0;
}

void
addr_unmap(struct addr *a)
{
	if (a->family != ADDR_V6 ||
	    memcmp(a->ip, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	a->family = ADDR_V4;
	memmove(a->ip, a->ip + sizeof(mapped_prefix), 4);
	memset(a->ip + 4, 0, sizeof(a->ip) - 4);
}

/* The numbers alone; a mapped address stays mapped. */
static bool
parse_raw(struct str s, struct addr *a)
{
	char text[INET6_ADDRSTRLEN];

	*a = (struct addr){ 0 };
	if (!s.n || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, a->ip) == 1)
		a->family = ADDR_V4;
	else if (inet_pton(AF_INET6, text, a->ip) == 1)
		a->family = ADDR_V6;
	return a->family != ADDR_NONE;
}

bool
addr_parse_ip(struct str s, struct addr *addr_out)
{
	if (!parse_raw(s, addr_out))
		return false;
	addr_unmap(addr_out);
	return true;
}

bool
addr_parse(struct str s, struct addr *addr_out)
{
	size_t colon = str_find_last(s, ':');
	struct str ip;
	uint32_t port;

	if (colon == SIZE_MAX)
		return false;
	ip = str_first(s, colon);
	if (!str_parse_u32(str_from_offset(s, colon + 1), &port) || port > PORT_MAX)
		return false;
	if (str_skip_byte(&ip, '[')) {
		if (!ip.n || ip.p[ip.n - 1] != ']')
			return false;
		ip.n--;
		if (!parse_raw(ip, addr_out) || addr_out->family != ADDR_V6)
			return false;
		addr_unmap(addr_out);
	} else if (!parse_raw(ip, addr_out) || addr_out->family != ADDR_V4) {
		return false;
	}
	addr_out->port = (uint16_t)port;
	return true;
}

static void
format_v4(struct strbuf *out, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	strbuf_u64(out, a);
	strbuf_byte(out, '.');
	strbuf_u64(out, b);
	strbuf_byte(out, '.');
	strbuf_u64(out, c);
	strbuf_byte(out, '.');
	strbuf_u64(out, d);
}

void
addr_format_ip(struct strbuf *out, const struct addr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (a->family == ADDR_V4)
		format_v4(out, a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
	else if (a->family == ADDR_V6 && inet_ntop(AF_INET6, a->ip, text, sizeof(text)))
		strbuf_add(out, str_from(text));
	else
		strbuf_byte(out, '-');
}

void
addr_format(struct strbuf *out, const struct addr *a)
{
	bool is_v6 = a->family == ADDR_V6;

	if (is_v6)
		strbuf_byte(out, '[');
	addr_format_ip(out, a);
	if (is_v6)
		strbuf_byte(out, ']');
	strbuf_byte(out, ':');
	strbuf_u64(out, a->port);
}

struct str
addr_ip_text(const struct addr *a, char (*buffer)[ADDR_TEXT_MAX])
{
	struct strbuf b = strbuf_fixed(*buffer, sizeof(*buffer));

	addr_format_ip(&b, a);
	return strbuf_str(&b);
}

void
addr_format_reverse(struct strbuf *out, const struct addr *a)
{
	if (a->family == ADDR_V4) {
		format_v4(out, a->ip[3], a->ip[2], a->ip[1], a->ip[0]);
		strbuf_lit(out, ".in-addr.arpa");
	} else if (a->family == ADDR_V6) {
		for (int i = 15; i >= 0; i--)
			strbuf_printf(out, "%x.%x.", a->ip[i] & 15U,
			              (unsigned)a->ip[i] >> 4);
		strbuf_lit(out, "ip6.arpa");
	}
}

bool
addr_eq_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

struct addr
addr_masked(const struct addr *a, unsigned bits)
{
	struct addr masked = *a;

	masked.port = 0;
	for (unsigned i = 0; i < sizeof(masked.ip); i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			masked.ip[i] &= (uint8_t)(0xff00U >> keep);
	}
	return masked;
}

bool
net_parse(struct str s, struct net *net_out)
{
	size_t slash = str_find(s, '/');
	struct addr masked;
	uint32_t bits;
	unsigned widest;

	if (!parse_raw(str_first(s, slash), &net_out->addr))
		return false;
	widest = bits_of(net_out->addr.family);
	if (slash == SIZE_MAX) {
		addr_unmap(&net_out->addr);
		net_out->bits = bits_of(net_out->addr.family);
		return true;
	}
	if (!str_parse_u32(str_from_offset(s, slash + 1), &bits) || bits > widest)
		return false;
	masked = addr_masked(&net_out->addr, bits);
	if (!addr_eq_ip(&masked, &net_out->addr))
		return false;
	/* A mapped network is one of IPv4, unless it is wider than all of that. */
	if (bits >= BITS_V6 - BITS_V4)
		addr_unmap(&net_out->addr);
	net_out->bits = bits - (widest - bits_of(net_out->addr.family));
	return true;
}

bool
net_has(const struct net *n, const struct addr *a)
{
	struct addr masked;

	if (a->family != n->addr.family || a->family == ADDR_NONE)
		return false;
	masked = addr_masked(a, n->bits);
	return addr_eq_ip(&masked, &n->addr);
}

bool
nets_have(const struct net *nets, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (net_has(&nets[i], a))
			return true;
	}
	return false;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const struct addr one = { ADDR_V6, 0, { [15] = 1 } };

	if (a->family == ADDR_V4)
		return a->ip[0] == 127;
	return addr_eq_ip(a, &one);
}

/* The registry of RFC 6890 with its later additions, as prefixes. */
static const char *const special_nets[] = {
	"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12",  "192.0.0.0/24",  "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",   "::/128",
	"::1/128",        "64:ff9b:1::/48", "100::/64",      "2001::/23",
	"2001:db8::/32",  "2002::/16",      "3fff::/20",     "5f00::/16",
	"fc00::/7",       "fe80::/10",      "ff00::/8",
};

/* Where a network has nothing but IPv6, all of IPv4 is reached under this prefix, and is
   as near or far as it is without (RFC 6052 2.1). */
static bool
unwrap_nat64(const struct addr *a, struct addr *v4_out)
{
	struct net n;

	if (!net_parse(STR("64:ff9b::/96"), &n) || !net_has(&n, a))
		return false;
	*v4_out = (struct addr){ .family = ADDR_V4 };
	memcpy(v4_out->ip, a->ip + 12, 4);
	return true;
}

bool
addr_is_special(const struct addr *a)
{
	struct addr v4;

	if (unwrap_nat64(a, &v4))
		a = &v4;
	for (size_t i = 0; i < ARRAY_LEN(special_nets); i++) {
		struct net n;

		if (net_parse(str_from(special_nets[i]), &n) && net_has(&n, a))
			return true;
	}
	return a->family == ADDR_NONE;
}
