/* lookups.h - what a policy asks the name service, and the answers it has so far.
 *
 * A policy is a pure function over a message, the time and a struct lookups. Where it
 * needs a name it calls lookups_find(): an answer, or NULL, which means "asked for, call
 * me again". So it returns POLICY_NEED, its driver resolves what lookups_next() gives,
 * all at once where there are several, hands in the answers and calls the policy again,
 * from its beginning. Policies keep no state between two calls; the number of questions
 * is bounded here, and a driver that runs out of time calls lookups_give_up().
 *
 * Borrows the arena, in which names and answers are copied.
 */
#ifndef POLICY_LOOKUPS_H
#define POLICY_LOOKUPS_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "io/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookups;

/* What a policy says when it is called. */
enum policy_step {
	POLICY_DONE, /* the verdict is there */
	POLICY_NEED, /* lookups_next() has at least one question */
};

enum {
	LOOKUPS_MAX = 200,     /* questions of one message, all policies together */
	LOOKUPS_NAME_MAX = 253 /* bytes of a name; longer ones are DNS_BAD_NAME */
};

/* A question that is, or is to be, out. */
struct lookup {
	uint32_t magic;
	struct str name; /* as it was asked for first, without a final dot */
	enum dns_type type;
};

/* max: how many different questions may be asked; what is beyond them is answered with
   DNS_TEMP at once. */
struct lookups *lookups_new(struct arena *a, size_t max);

/* --- for policies ------------------------------------------------------------------- */

/* The answer, which lives as long as the arena; NULL: not known yet, and asked for.
   Names are the same whatever their case. A name that can be none is answered at once
   with DNS_BAD_NAME. */
const struct dns_answer *lookups_find(struct lookups *l, struct str name,
                                      enum dns_type type);
/* The same for the PTR records of an address. */
const struct dns_answer *lookups_find_ptr(struct lookups *l, const struct addr *ip);

/* --- for their drivers -------------------------------------------------------------- */

/* The next question that nobody took yet, or NULL. It is good as long as the arena, and
   is to be answered exactly once. */
struct lookup *lookups_next(struct lookups *l);
/* Copies the answer. */
void lookups_answer(struct lookup *q, const struct dns_answer *answer);
/* Time is over: all that is unanswered, and all that is asked later, is DNS_TEMP.
   Questions that are out need no answer any more. */
void lookups_give_up(struct lookups *l);
/* How many questions are taken and not answered. */
size_t lookups_out(const struct lookups *l);
/* How many there were in all. */
size_t lookups_count(const struct lookups *l);

#endif
