/* addr.h - IP addresses with a port, and networks, as plain values.
 *
 * IPv4 addresses that arrive mapped into IPv6 (::ffff:a.b.c.d) are turned into IPv4 by
 * everything that makes a struct addr, so one client has one address. sockaddr forms are
 * made where the kernel wants them (io/socket.h).
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum addr_family {
	ADDR_NONE, /* no address: a unix socket, or not known */
	ADDR_V4,
	ADDR_V6,
};

enum {
	ADDR_TEXT_MAX = 64, /* enough for any addr_format, brackets and port included */
};

struct addr {
	enum addr_family family;
	uint16_t port;  /* host byte order; 0: none */
	uint8_t ip[16]; /* network byte order; 4 bytes for ADDR_V4, the rest 0 */
};

struct net {
	struct addr addr; /* port 0, host bits 0 */
	unsigned bits;    /* length of the prefix */
};

/* "192.0.2.1", "2001:db8::1"; no brackets, no zone, no port; false for anything else. */
bool addr_parse_ip(struct str s, struct addr *addr_out);
/* "192.0.2.1:25", "[::]:25"; the port is 0-65535 and must be there. */
bool addr_parse(struct str s, struct addr *addr_out);
/* Appends the address without its port, IPv6 in the form of RFC 5952. ADDR_NONE: "-". */
void addr_format_ip(struct strbuf *out, const struct addr *a);
/* The same with ":port", IPv6 in brackets. */
void addr_format(struct strbuf *out, const struct addr *a);
/* The text of addr_format_ip in a buffer of the caller's; for logs and keys. */
struct str addr_ip_text(const struct addr *a, char (*buffer)[ADDR_TEXT_MAX]);
/* Appends the name whose PTR records name the address: "1.2.0.192.in-addr.arpa", 72
   bytes and "ip6.arpa" (RFC 1035 3.5, RFC 3596 2.5). ADDR_NONE: nothing. */
void addr_format_reverse(struct strbuf *out, const struct addr *a);

/* ::ffff:a.b.c.d becomes a.b.c.d. */
void addr_unmap(struct addr *a);

/* The same family and address; ports are not looked at. */
bool addr_eq_ip(const struct addr *a, const struct addr *b);
/* 127.0.0.0/8 and ::1. */
bool addr_is_loopback(const struct addr *a);
/* Not reachable from the Internet: private, loopback, link-local, shared, multicast,
   documentation, unspecified (RFC 6890), for refusing to connect there. An address of
   NAT64 is what the IPv4 address in it is. */
bool addr_is_special(const struct addr *a);
/* The address cut to its first `bits` bits, port 0. */
struct addr addr_masked(const struct addr *a, unsigned bits);

/* "10.0.0.0/8", "::1/128", or a bare address (all its bits). Host bits must be 0. */
bool net_parse(struct str s, struct net *net_out);
bool net_has(const struct net *n, const struct addr *a);
/* True when any of the n nets has a. */
bool nets_have(const struct net *nets, size_t n, const struct addr *a);

#endif
