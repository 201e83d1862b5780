#include "relay/relay_host_basis.h"

#include "base/map.h"
#include "base/panic.h"
#include "conf/schema.h"

enum {
	TEXT_MAX = 1 << 20, /* longer than a file of the configuration */
};

#define OF(check) (1u << HOST_##check)
#define OF_NAMES  (OF(ADDRESS) | OF(PTR) | OF(OUTBOUND) | OF(BLOCKLISTS) | OF(RESOLVER))

static const struct {
	const char *key;
	unsigned checks;
} keys[] = {
	{ "hostname", OF_NAMES },
	{ "dns.servers", OF_NAMES },
	{ "dns.trusted", OF(RESOLVER) },
	{ "delivery.port", OF(OUTBOUND) },
	{ "delivery.source", OF(OUTBOUND) },
	{ "delivery.private_targets", OF(OUTBOUND) },
	{ "host.outbound_targets", OF(OUTBOUND) },
	{ "host.blocklists", OF(BLOCKLISTS) },
	{ "host.blocklists_minor", OF(BLOCKLISTS) },
	/* Our own addresses are those listened on: they stand in for a name without any,
	   and are no way out. */
	{ "listen.smtp",
	  OF(ADDRESS) | OF(PTR) | OF(OUTBOUND) | OF(INBOUND) | OF(BLOCKLISTS) },
	{ "listen.submission", OF(INBOUND) },
	{ "listen.submissions", OF(INBOUND) },
	{ "listen.imap", OF(INBOUND) },
	{ "listen.imaps", OF(INBOUND) },
	{ "listen.pop3", OF(INBOUND) },
	{ "listen.pop3s", OF(INBOUND) },
	{ "listen.https", OF(INBOUND) },
};

int64_t
relay_host_basis(const struct conf *conf, enum host_check check)
{
	static const uint64_t public_key[2] = { 0x686f7374, 0x6261736973 };
	struct strbuf text = strbuf_heap(TEXT_MAX);
	int64_t basis;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct conf_row *row = conf_row_find(str_from(keys[i].key));

		CHECK(row);
		if (!(keys[i].checks & 1u << check))
			continue;
		strbuf_printf(&text, "%s: ", keys[i].key);
		conf_value_format(row, conf, &text);
		strbuf_byte(&text, '\n');
	}
	basis = (int64_t)(siphash24(public_key, strbuf_str(&text)) >> 1);
	strbuf_release(&text);
	return basis ? basis : 1;
}
