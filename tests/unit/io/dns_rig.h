/* dns_rig.h - a resolver, and a responder of our own that answers, or misbehaves in ways
 * no real server would on demand. */
#ifndef TESTS_UNIT_IO_DNS_RIG_H
#define TESTS_UNIT_IO_DNS_RIG_H

#include "io/dns.h"
#include "io/dns_share.h"

#include <stdbool.h>

enum {
	ANSWERS_MAX = 64,
	PATIENT_MS = 60 * 1000, /* a time limit of who may wait for a processor */
};

/* How the responder treats what it gets. */
enum manner {
	SILENT,
	WRONG_QUESTION,
	GARBAGE,
	SERVFAIL,
	RIGHT, /* A 192.0.2.7, TTL 60 */
	LOWER_CASE,
};

struct responder {
	int fd;
	struct watch *watch;
	enum manner manner;
	const char *deaf; /* first letters of names that it does not hear; NULL: none */
	unsigned asked, heard;
	struct addr addr;
};

struct dns_rig {
	struct loop *loop;
	struct dns *dns;
	struct dns *far; /* whom dns asks, where it asks no servers itself */
	struct dns_share *share;
	char directory[32], path[48];
	struct responder responder;
	unsigned answers;
	enum dns_status status;
	size_t count;
	uint32_t ttl_s;
	bool authentic;
	char text[4096]; /* of all records, in words */
	char order[ANSWERS_MAX];
	struct timer tick;
};

/* A resolver that asks `server`, or the responder where that is NULL; three questions may
   be out. */
void dns_rig_init(struct dns_rig *f, const struct addr *server, int64_t timeout_ms);
/* … with other bounds, and the responder. */
void dns_rig_bounds(struct dns_rig *f, int64_t timeout_ms, size_t in_flight_max,
                    size_t group_max);
/* What was said to ask the servers is now asked over a socket. */
void dns_rig_remote(struct dns_rig *f, const struct addr *server, int64_t timeout_ms);
/* Serves that socket (again). */
void dns_rig_share(struct dns_rig *f);
void dns_rig_fini(struct dns_rig *f);

/* The callback that takes an answer down; arg is the rig. */
void dns_rig_answer(void *arg, const struct dns_answer *a);
/* Runs the loop until there were so many answers in all. */
void dns_rig_wait(struct dns_rig *f, unsigned answers);
void dns_rig_pause(struct dns_rig *f, int64_t ms);
/* Asks, and waits for the answer. */
void dns_rig_ask(struct dns_rig *f, const char *name, enum dns_type type);

#endif
