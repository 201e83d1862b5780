/* dns_message.h - DNS messages as bytes, pure (RFC 1035 4). Answers come from strangers:
 * every length is checked, compression pointers only go backwards, records are bounded.
 */
#ifndef IO_DNS_MESSAGE_H
#define IO_DNS_MESSAGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/dns.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 255,    /* bytes of a name on the wire */
	DNS_RECORDS_MAX = 256, /* of one answer */
	DNS_CHAIN_MAX = 12,    /* CNAMEs in a row */
};

/* A name as labels, lower case. False: no possible name ("", empty or long labels, NUL,
   a backslash). */
MUSTUSE bool dns_name_parse(struct str text, struct strbuf *wire_out);

/* A question with recursion desired and AD asked for (RFC 6840 5.7). Each bit of `cases`
   set makes one letter upper case, the first letter from the lowest bit, over and over:
   what the answer must repeat. */
void dns_message_format(struct strbuf *out, uint16_t id, struct str wire_name,
                        enum dns_type type, uint64_t cases);

struct dns_parsed {
	struct dns_answer answer; /* records and names in the arena or the message */
	bool is_other_case;       /* the question came back in other case */
	bool is_authority;        /* the server speaks for the zone (AA) */
	bool is_truncated;        /* ask again over TCP (TC) */
	bool is_open;             /* the chain left the answer: ask for answer.name */
};

/* Reads the answer to `query` (what was sent). ERR_MALFORMED: not an answer to it, or
   damaged; else the status is in answer, TTLs as in the message. */
MUSTUSE enum err dns_message_parse(struct str message, struct str query, struct arena *a,
                                   struct dns_parsed *out);

#endif
