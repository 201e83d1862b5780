/* dns_cache.h - what name servers said, for as long as it is good; pure.
 *
 * Answers stay for their TTL, negative ones too (RFC 2308 5), each no longer than the
 * configuration allows. Failures stay as well (RFC 9520 3.2): a name whose servers are
 * silent or broken is asked for once, and then not again for a second, two, four … up to
 * a limit. Bounded in entries and in bytes; what was not asked for the longest goes
 * first.
 *
 * A key is that of io/dns_priv.h; times are monotonic. Owns: its copies.
 */
#ifndef IO_DNS_CACHE_H
#define IO_DNS_CACHE_H

#include "base/macros.h"
#include "io/dns_priv.h"

struct dns_cache;

struct dns_cache_conf {
	size_t count_max, bytes_max; /* of all together; 0: nothing is kept */
	int64_t ttl_max_ms, negative_max_ms;
	int64_t failure_ms, failure_max_ms; /* the first one, and the longest */
};

struct dns_cache *dns_cache_new(const struct dns_cache_conf *conf);
void dns_cache_free(struct dns_cache **c);
/* Forgets everything. */
void dns_cache_set_conf(struct dns_cache *c, const struct dns_cache_conf *conf);

/* What is known, with what is left of its time; it borrows from the cache, until the next
   call of any other function here. False: nothing. */
MUSTUSE bool dns_cache_find(struct dns_cache *c, struct str key, int64_t now_ms,
                            struct dns_raw *raw_out);
/* Keeps it for raw->ttl_ms, or for less; also a failure whose time somebody else knows. */
void dns_cache_put(struct dns_cache *c, struct str key, int64_t now_ms,
                   const struct dns_raw *raw);
/* Keeps that there was no answer, and says for how long. */
int64_t dns_cache_fail(struct dns_cache *c, struct str key, int64_t now_ms);

size_t dns_cache_count(const struct dns_cache *c);
size_t dns_cache_bytes(const struct dns_cache *c);

#endif
