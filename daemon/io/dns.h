/* dns.h - asks the name service, with a cache.
 *
 * One resolver per loop. Answers always come later, never inside dns_query. Equal
 * questions that are out at the same time become one. Each question has its own port
 * and id and its own time limit; a broken or silent server gives DNS_TEMP, never a wait
 * without end. Positive and negative answers are cached by their TTL (RFC 2308), bounded
 * in time and number. CNAMEs are followed inside the answer (RFC 1034 3.6.2).
 * c-ares stays inside dns.c; answers are parsed by dns_message.c.
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "io/loop.h"

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
	DNS_TLSA = 52,
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
	uint16_t preference; /* MX */
	struct addr addr;    /* A, AAAA */
	struct str name; /* MX, NS, CNAME, PTR: target, SOA: primary server; lower case,
	                    without the last dot, "" is the root */
	struct str text; /* TXT: all strings joined; TLSA: the data */
	uint8_t usage, selector, matching; /* TLSA */
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

struct dns;
struct dns_query;
typedef void dns_fn(void *arg, const struct dns_answer *a);

struct dns_conf {
	const struct addr *servers; /* 0 of them: those of /etc/resolv.conf */
	size_t servers_count;
	bool trust_ad;          /* the way to these servers is safe: believe AD */
	int64_t timeout_ms;     /* one question in all, retries included */
	size_t cache_max;       /* answers kept */
	int64_t ttl_max_s;      /* kept no longer than this … */
	int64_t negative_max_s; /* … and negative ones than this */
	size_t in_flight_max;   /* more wait in line */
};

/* conf is copied. */
struct dns *dns_new(struct loop *l, const struct dns_conf *conf);
/* Questions that are out are dropped without a callback. Not inside a dns_fn. */
void dns_free(struct dns **d);
/* Other servers from now on; the cache is emptied. */
void dns_set_conf(struct dns *d, const struct dns_conf *conf);

/* Asks. name: with or without last dot, LDH, underscore or any bytes but NUL, ASCII
   (A-labels). Returns a handle that is good until the callback has run. */
struct dns_query *dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn,
                          void *arg);
/* The name for the PTR question about an address (in-addr.arpa, ip6.arpa). */
struct dns_query *dns_ask_ptr(struct dns *d, const struct addr *a, dns_fn *fn, void *arg);
/* No callback any more; *q becomes NULL. Harmless on NULL. */
void dns_cancel(struct dns_query **q);

const char *dns_status_word(enum dns_status s);
const char *dns_type_word(enum dns_type t);
/* DNS_OK -> OK, NODATA -> ERR_DNS_NODATA, NXDOMAIN and BAD_NAME -> ERR_DNS_NXDOMAIN,
   TEMP -> ERR_DNS_TEMP. */
enum err dns_status_err(enum dns_status s);

#endif
