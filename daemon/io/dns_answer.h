/* dns_answer.h - what the name service said, as plain values.
 *
 * The resolver (dns.h) gives such answers, and policies judge by them; here is neither
 * socket nor clock, so pure code may include it.
 */
#ifndef IO_DNS_ANSWER_H
#define IO_DNS_ANSWER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DS = 43,
	DNS_TLSA = 52,
	DNS_CAA = 257,
};

enum dns_status {
	DNS_OK,       /* at least one record */
	DNS_NODATA,   /* the name exists, without such a record */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_TEMP,     /* no answer, SERVFAIL, time is over: try again later */
	DNS_BAD_NAME, /* the question is no possible name; nobody was asked */
};

struct dns_record {
	enum dns_type type;
	uint32_t ttl_s;
	uint16_t preference;   /* MX; SRV: priority */
	uint16_t weight, port; /* SRV */
	struct addr addr;      /* A, AAAA */
	struct str name; /* MX, NS, CNAME, PTR, SRV: target, SOA: primary server; lower
	                    case, without the last dot, "" is the root. CAA: the tag */
	struct str text; /* TXT: all strings joined; TLSA, DS: the data; CAA: the value */
	uint8_t usage, selector, matching; /* TLSA; CAA: usage has the flags */
	uint32_t serial;                   /* SOA */
};

/* Borrowed: good inside the callback only. */
struct dns_answer {
	enum dns_status status;
	bool authentic;  /* AD bit, from a resolver that the configuration trusts */
	bool truncated;  /* records beyond our bounds were left out */
	struct str name; /* the name at the end of the CNAME chain */
	uint32_t ttl_s;  /* of the whole answer */
	size_t count;
	const struct dns_record
		*records; /* of the type asked for, in the server's order */
};

/* What a TLSA record demands (RFC 6698 2.1), where it is kept by itself. */
struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct str data;
};

/* "MX"; "?" for a number that has no name here. */
const char *dns_type_word(enum dns_type t);
/* DNS_OK -> OK, NODATA -> ERR_DNS_NODATA, NXDOMAIN and BAD_NAME -> ERR_DNS_NXDOMAIN,
   TEMP -> ERR_DNS_TEMP. */
enum err dns_status_err(enum dns_status s);

#endif
