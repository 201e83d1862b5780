/* feed.h - what changed, told to whoever asked.
 *
 * A subscription names a topic; its call-back gets one struct change after each commit
 * that touched it, several commits may be told as one. A change is a hint to read again,
 * never the data itself. After the store was away every subscription gets CHANGE_RESET:
 * something may have been missed. For IDLE: subscribe first, then read the mailbox row.
 */
#ifndef STORE_FEED_H
#define STORE_FEED_H

#include "store/client.h"
#include "store/types.h"

enum feed_topic {
	FEED_ACCOUNT = 1,  /* id: the account: its mailboxes and their entries */
	FEED_ACCOUNTS = 2, /* of all accounts (dashboard) */
	FEED_QUEUE = 3,    /* rows came, went, became due earlier */
	FEED_SETTINGS = 4, /* settings, domains, accounts, aliases, admins, tokens */
	FEED_EVENTS = 5,   /* every event of the delivery log as it is committed */
};

enum change_kind {
	CHANGE_RESET = 1,     /* look at everything again */
	CHANGE_MAILBOX = 2,   /* entries or flags: see modseq */
	CHANGE_MAILBOXES = 3, /* mailboxes came, went, were renamed or (un)subscribed */
	CHANGE_QUEUE = 4,
	CHANGE_SETTINGS = 5,
	CHANGE_EVENT = 6,
};

struct change {
	uint32_t kind; /* enum change_kind */
	uint64_t account_id, mailbox_id;
	uint64_t modseq; /* highestmodseq of the mailbox now */
	uint32_t uidnext, exists;
	int64_t due_ms; /* CHANGE_QUEUE: the earliest new due time; 0: now; INT64_MAX:
	                   rows only went or were claimed */
	struct str key; /* CHANGE_SETTINGS: "setting:NAME", "domain:NAME", … */
	struct trace_event event; /* CHANGE_EVENT */
};

struct feed;

/* Everything in *change is borrowed for the call. fn may close subscriptions, its own
   too, but open none (defer that). */
typedef void feed_fn(void *arg, const struct change *change);
/* id: of the account for FEED_ACCOUNT, else 0. Never NULL. */
struct feed *feed_open(struct store_client *c, enum feed_topic kind, uint64_t id,
                       feed_fn *fn, void *arg);
void feed_close(struct feed **f);

#endif
