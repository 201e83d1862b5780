/* dns.h - asks the name service, with a cache.
 *
 * One resolver per loop. Answers always come later, never inside dns_ask. Equal
 * questions that are out at the same time become one. Each question has its own port
 * and id and its own time limit; a broken or silent server gives DNS_TEMP, never a wait
 * without end. Positive and negative answers are cached by their TTL (RFC 2308), and
 * failures for a while (RFC 9520), bounded in time, number and bytes (dns_cache.h).
 * CNAMEs are followed inside the answer (RFC 1034 3.6.2).
 * c-ares stays inside dns_ares.c; answers are parsed by dns_message.c.
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include "base/addr.h"
#include "base/str.h"
#include "io/dns_answer.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns;
struct dns_query;
typedef void dns_fn(void *arg, const struct dns_answer *a);

struct dns_conf {
	const struct addr *servers; /* 0 of them: those of /etc/resolv.conf */
	size_t servers_count;
	bool trust_ad;           /* the way to these servers is safe: believe AD */
	int64_t timeout_ms;      /* one question in all, retries included */
	size_t cache_max;        /* answers kept … */
	size_t cache_max_bytes;  /* … and what they may take */
	int64_t ttl_max_ms;      /* kept no longer than this … */
	int64_t negative_max_ms; /* … and negative ones than this */
	int64_t failure_ms;      /* a failure is kept this long, then twice as long … */
	int64_t failure_max_ms;  /* … and no longer than this */
	size_t in_flight_max;    /* more wait in line */
	size_t group_max;        /* of them by one group; 0: all */
};

/* What the configuration says; borrows its servers. */
struct conf;
struct dns_conf dns_conf_from(const struct conf *conf);
/* conf is copied. */
struct dns *dns_new(struct loop *l, const struct dns_conf *conf);
/* A resolver that asks our process `dns` over the unix socket at path (io/dns_share.h):
   no network socket is made here. conf's servers do not matter; its cache is in front.
   DNS_TEMP while that process is away for more than two seconds. */
struct dns *dns_new_remote(struct loop *l, const char *path, const struct dns_conf *conf);
/* Questions that are out are dropped without a callback. Not inside a dns_fn. */
void dns_free(struct dns **d);
/* Other servers from now on; the cache is emptied. */
void dns_set_conf(struct dns *d, const struct dns_conf *conf);

/* Asks. name: with or without last dot, LDH, underscore or any bytes but NUL, ASCII
   (A-labels). Returns a handle that is good until the callback has run. */
struct dns_query *dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn,
                          void *arg);
/* Right after asking: on whose behalf (0: nobody's in particular). Places are given to
   one after the other, and conf.group_max at most to each: whose servers are silent keeps
   no others waiting. */
void dns_query_group(struct dns_query *q, uint64_t id);
/* Right after asking: past the cache, for whoever wants to see what a server says now. */
void dns_query_fresh(struct dns_query *q);
/* No callback any more, and the place is given to another where nobody else waits for the
   answer; *q becomes NULL. Harmless on NULL. */
void dns_cancel(struct dns_query **q);

#endif
