/* relay_look_priv.h - one look at what the name service says of a domain of ours.
 *
 *   relay_dns.c   which domains, when, and what is told of a look
 *   relay_look.c  the look itself
 *
 * A look is one allocation beside its arena, in the list of struct relay_looks, until
 * relay_look_free.
 */
#ifndef RELAY_RELAY_LOOK_PRIV_H
#define RELAY_RELAY_LOOK_PRIV_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "io/loop.h"
#include "policy/records.h"
#include "store/types.h"

enum {
	LOOK_MAGIC = 0x524c5938,
	NS_MAX = 13,
	LOOK_SOON_MS = 30,       /* until the next search for what is due */
	LOOK_IN_FLIGHT_MAX = 24, /* questions of one look */
};

/* One domain that is being looked at. */
struct look {
	uint32_t magic;
	struct link link; /* in looks->all */
	struct relay_looks *looks;
	struct arena *arena;
	uint64_t domain_id;
	struct str domain;
	int64_t started_ms, last_pause_ms; /* Unix */
	bool was_asked;
	bool is_stale; /* what is to be published has changed since it began */
	bool is_late;  /* no more questions: what is there must do */
	struct timer limit;
	/* the zone */
	struct str zone; /* where name servers were found, or are looked for */
	struct str hosts[NS_MAX];
	size_t host_count;
	struct addr servers[RECORDS_SERVERS_MAX];
	struct str server_names[RECORDS_SERVERS_MAX];
	unsigned server_count;
	bool has_no_zone;
	/* the host */
	struct addr ips[RECORDS_IPS_MAX];
	size_t ip_count;
	struct records_conf conf;
	struct records *records;
	/* questions */
	struct records_question *questions;
	size_t question_count, next; /* next: question times server */
	struct records_answer *answers;
	size_t answer_count, answer_max;
	bool is_signed;
	struct lookups *lookups;
	struct link asks;
	size_t out;
	void (*then)(struct look *l); /* when nothing is out any more */
	uint64_t call;
	size_t key; /* the next one to be told */
};

struct relay_looks {
	uint32_t magic;
	struct relay *relay;
	struct timer search;
	struct link all;
	size_t count;
	struct strbuf wanted; /* the settings that records are made of, as they were */
};

/* Not yet asking; in the list. */
struct look *relay_look_new(struct relay_looks *looks, const struct dns_zone *z);
/* Asks; relay_look_done follows, later. */
void relay_look_begin(struct look *l);
/* l->records is judged: tells, and frees it. relay_dns.c */
void relay_look_done(struct look *l);
/* There is room for another: they are searched for soon. */
void relay_look_free(struct look *l);

#endif
