/* dns_priv.h - the resolver's inside, for its transports and for the process that serves.
 *
 * dns.c keeps questions, the cache and the time, dns_line.c knows whose turn it is. How a
 * question travels is the business of a transport: dns_ares.c asks name servers,
 * dns_remote.c asks our own process `dns`.
 */
#ifndef IO_DNS_PRIV_H
#define IO_DNS_PRIV_H

#include "base/list.h"
#include "base/strbuf.h"
#include "io/dns.h"
#include "io/dns_message.h"

enum {
	DNS_KEY_MAX = DNS_NAME_MAX + 2, /* the type in two bytes, the name as labels */
	DNS_SERVERS_MAX = 8,
	DNS_MESSAGE_MAX = 64 << 10,
};

#define DNS_TTL_MAX_MS ((int64_t)INT32_MAX * 1000) /* RFC 2181 8 */

struct flight;
struct map;
struct dns_cache;

struct dns_transport {
	bool is_last; /* asks the servers itself: nobody else counts their failures */
	/* Sends the question of f->wire; what comes back goes to f->query and f->message,
	   and then dns_flight_over. */
	void (*send)(struct flight *f);
	/* The answer was read with this result: true where it is not the last word and
	   another question is out for it. */
	bool (*again)(struct flight *f, enum err e, const struct dns_parsed *parsed);
	/* Lets go of all that the flight holds; also where nothing was sent. */
	void (*drop)(struct flight *f);
	/* The resolver ends; all flights are gone. */
	void (*end)(struct dns *d);
};

struct dns {
	uint32_t magic;
	struct loop *loop;
	const struct dns_transport *transport;
	void *way;            /* the transport's own */
	struct dns_conf conf; /* servers point to `servers` */
	struct addr servers[DNS_SERVERS_MAX];
	struct map *flights; /* by key */
	struct dns_cache *cache;
	struct map *groups; /* by id: those that have a place or a line */
	struct link lines;  /* groups with a line; the next to get a place is first */
	struct link out;    /* flights that have started */
	struct link queries;
	size_t in_flight;
};

/* Those on whose behalf questions are asked. Each has a line of its own, and they get
   places in turn: who asks much waits for himself. */
struct group {
	struct link link; /* in dns->lines, where it has a line */
	uint64_t id;
	struct link line;   /* flights that have not started */
	size_t lined, held; /* flights in line, and those that are out */
};

/* A question that is out, or in line; all who ask the same wait for it. */
struct flight {
	uint32_t magic;
	struct dns *dns;
	struct group *group;
	struct link line;    /* in group->line, then in dns->out */
	struct link waiting; /* queries */
	size_t key_n;
	char key[DNS_KEY_MAX];
	bool is_out, is_over;
	struct timer limit;
	void *way;         /* the transport's own; NULL at first */
	int64_t ttl_ms;    /* the least of the messages so far */
	int64_t failed_ms; /* for how long a failure stands, where somebody said so */
	bool is_authentic;
	struct strbuf wire;    /* the name asked for now */
	struct strbuf query;   /* what was sent last */
	struct strbuf message; /* its answer; empty: none */
};

/* What is known of an answer, as it came. */
struct dns_raw {
	enum dns_status status;
	bool is_authentic;
	int64_t ttl_ms;
	struct str query, message; /* empty where there is no answer */
};
typedef void dns_raw_fn(void *arg, const struct dns_raw *raw);

/* A resolver without a way to ask. */
struct dns *dns_new_by(struct loop *l, const struct dns_conf *conf,
                       const struct dns_transport *transport, void *way);
/* f has its answer, or will get none; the rest happens later. */
void dns_flight_over(struct flight *f);
/* One of the messages that make the answer: it is good no longer than any of them. */
void dns_flight_ttl(struct flight *f, const struct dns_answer *answer);
enum dns_type dns_flight_type(const struct flight *f);
/* As dns_ask; the key must be one that dns_key_check lets pass. */
struct dns_query *dns_ask_raw(struct dns *d, struct str key, dns_raw_fn *fn, void *arg);

/* --- dns_line.c ---------------------------------------------------------------------- */

/* To the end of the group's line. */
void dns_line_join(struct flight *f, uint64_t group);
/* Out of it, without having had a place. */
void dns_line_leave(struct flight *f);
/* One more waits for what is still in line: it goes on in the shorter of their lines.
   id: its group. */
void dns_line_change(struct flight *f, uint64_t id);
/* The first of the group whose turn it is and that may have another place, or NULL. */
struct flight *dns_line_next(struct dns *d);
/* Out of the line to a place, among those that are out; and away from it. */
void dns_place_take(struct flight *f);
void dns_place_give(struct flight *f);

/* --- dns_ares.c ---------------------------------------------------------------------- */

/* The servers of /etc/resolv.conf. */
size_t dns_system_servers(struct addr *servers);

#endif
