#include "io/proxy.h"

#include <string.h>

enum {
	V1_MAX = 107, /* with CRLF */
	V2_HEAD = 16,
	V2_VERSION = 2,
	V2_LOCAL = 0,
	V2_PROXY = 1,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_BYTES_V4 = 12,
	V2_BYTES_V6 = 36,
};

static const struct str v1_signature = STR_INIT("PROXY ");
static const struct str v2_signature = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

/* The bytes so far could still become the signature. */
static bool
may_begin(struct str bytes, struct str signature)
{
	size_t n = bytes.n < signature.n ? bytes.n : signature.n;

	return memcmp(bytes.p, signature.p, n) == 0;
}

static bool
parse_port(struct str s, struct addr *a)
{
	uint32_t port;

	if (s.n > 5 || (s.n > 1 && s.p[0] == '0') || !str_parse_u32(s, &port) ||
	    port > 65535)
		return false;
	a->port = (uint16_t)port;
	return true;
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 25" */
static bool
parse_v1_line(struct str line, struct proxy_header *h)
{
	struct str family, peer, local, peer_port, local_port;

	if (!str_next(&line, ' ', &family))
		return false;
	if (str_eq(family, STR("UNKNOWN"))) {
		h->is_local = true;
		return true;
	}
	if (!str_next(&line, ' ', &peer) || !str_next(&line, ' ', &local) ||
	    !str_next(&line, ' ', &peer_port) || !str_next(&line, ' ', &local_port) ||
	    line.n)
		return false;
	if (!addr_parse_ip(peer, &h->peer) || !addr_parse_ip(local, &h->local))
		return false;
	if (str_eq(family, STR("TCP4"))) {
		if (h->peer.family != ADDR_V4 || h->local.family != ADDR_V4)
			return false;
	} else if (!str_eq(family, STR("TCP6")) || str_find(peer, ':') == SIZE_MAX ||
	           str_find(local, ':') == SIZE_MAX) {
		return false;
	}
	return parse_port(peer_port, &h->peer) && parse_port(local_port, &h->local);
}

static enum proxy_result
parse_v1(struct str bytes, struct proxy_header *h, size_t *used_out)
{
	size_t end = str_find_str(str_first(bytes, V1_MAX), STR("\r\n"));
	struct str line;

	if (end == SIZE_MAX)
		return bytes.n < V1_MAX ? PROXY_MORE : PROXY_ERROR;
	line = str_from_offset(str_first(bytes, end), v1_signature.n);
	*used_out = end + 2;
	return parse_v1_line(line, h) ? PROXY_OK : PROXY_ERROR;
}

static unsigned
u16_at(struct str bytes, size_t at)
{
	return (unsigned)(uint8_t)bytes.p[at] << 8 | (uint8_t)bytes.p[at + 1];
}

static struct addr
addr_at(struct str bytes, size_t at, size_t n, size_t port_at)
{
	struct addr a = { .family = n == 4 ? ADDR_V4 : ADDR_V6 };

	memcpy(a.ip, bytes.p + at, n);
	a.port = (uint16_t)u16_at(bytes, port_at);
	addr_unmap(&a);
	return a;
}

static enum proxy_result
parse_v2(struct str bytes, struct proxy_header *h, size_t *used_out)
{
	unsigned version_command, family, n;

	if (bytes.n < V2_HEAD)
		return PROXY_MORE;
	version_command = (uint8_t)bytes.p[12];
	family = (uint8_t)bytes.p[13];
	n = u16_at(bytes, 14);
	if (version_command >> 4 != V2_VERSION || n > PROXY_HEADER_MAX - V2_HEAD)
		return PROXY_ERROR;
	if (bytes.n < V2_HEAD + n)
		return PROXY_MORE;
	*used_out = V2_HEAD + n;
	if ((version_command & 15) == V2_LOCAL) {
		h->is_local = true;
		return PROXY_OK;
	}
	if ((version_command & 15) != V2_PROXY)
		return PROXY_ERROR;
	if (family == V2_TCP4 && n >= V2_BYTES_V4) {
		h->peer = addr_at(bytes, V2_HEAD, 4, V2_HEAD + 8);
		h->local = addr_at(bytes, V2_HEAD + 4, 4, V2_HEAD + 10);
		return PROXY_OK;
	}
	if (family == V2_TCP6 && n >= V2_BYTES_V6) {
		h->peer = addr_at(bytes, V2_HEAD, 16, V2_HEAD + 32);
		h->local = addr_at(bytes, V2_HEAD + 16, 16, V2_HEAD + 34);
		return PROXY_OK;
	}
	/* UNSPEC: the proxy does not know (2.2: use the real addresses). */
	h->is_local = family == 0;
	return h->is_local ? PROXY_OK : PROXY_ERROR;
}

enum proxy_result
proxy_parse(struct str bytes, struct proxy_header *header_out, size_t *used_out)
{
	*header_out = (struct proxy_header){ 0 };
	*used_out = 0;
	if (!bytes.n)
		return PROXY_MORE;
	if (may_begin(bytes, v2_signature))
		return bytes.n < v2_signature.n ? PROXY_MORE
		                                : parse_v2(bytes, header_out, used_out);
	if (may_begin(bytes, v1_signature))
		return bytes.n < v1_signature.n ? PROXY_MORE
		                                : parse_v1(bytes, header_out, used_out);
	return PROXY_NONE;
}
