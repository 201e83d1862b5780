#include "io/dns_answer.h"

#include "base/macros.h"
#include "base/panic.h"

static const struct {
	enum dns_type type;
	const char *word;
} types[] = {
	{ DNS_A, "A" },     { DNS_NS, "NS" },     { DNS_CNAME, "CNAME" },
	{ DNS_SOA, "SOA" }, { DNS_PTR, "PTR" },   { DNS_MX, "MX" },
	{ DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" }, { DNS_SRV, "SRV" },
	{ DNS_DS, "DS" },   { DNS_TLSA, "TLSA" }, { DNS_CAA, "CAA" },
};

static const enum err status_errors[] = {
	[DNS_OK] = OK,
	[DNS_NODATA] = ERR_DNS_NODATA,
	[DNS_NXDOMAIN] = ERR_DNS_NXDOMAIN,
	[DNS_TEMP] = ERR_DNS_TEMP,
	[DNS_BAD_NAME] = ERR_DNS_NXDOMAIN,
};

const char *
dns_type_word(enum dns_type t)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].type == t)
			return types[i].word;
	}
	return "?";
}

enum err
dns_status_err(enum dns_status s)
{
	CHECK((size_t)s < ARRAY_LEN(status_errors));
	return status_errors[s];
}
