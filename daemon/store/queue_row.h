/* queue_row.h - a row of the queue as struct queue_item, for readers and for claims. */
#ifndef STORE_QUEUE_ROW_H
#define STORE_QUEUE_ROW_H

#include "base/arena.h"
#include "store/db.h"
#include "store/types.h"

/* SELECT QUEUE_COLUMNS QUEUE_FROM " WHERE q.id = …" */
#define QUEUE_COLUMNS                                                                    \
	"q.id, q.message_id, q.trace_id, q.sender, q.rcpt, q.domain, q.state, q.wish,"   \
	" q.attempts, q.created_ms, q.due_ms, q.expires_ms, q.last_attempt_ms,"          \
	" q.lease_until_ms, q.delay_warned_ms, q.last_class, q.last_code,"               \
	" q.last_enhanced, q.last_text, q.last_host, q.last_ip, q.notify, q.ret,"        \
	" q.orcpt, q.envid, q.forward_domain, q.sharer, q.version, m.segment, m.place, " \
	"m.stored_bytes, m.size,"                                                        \
	" m.codec, m.sha256, m.prefix_len, m.flags, m.fields"
#define QUEUE_FROM " FROM queue q LEFT JOIN message m ON m.id = q.message_id"

/* Rows that wait for their time: the index queue_turn is of these, and asked only so. */
#define QUEUE_WAITS "state <> 1 AND state <> 3"

/* Borrows from the statement's row. */
void queue_row_read(struct stmt *s, struct queue_item *item_out);
/* Copies all strings into the arena. ERR_LIMIT where it is full. */
MUSTUSE enum err queue_row_try_keep(struct queue_item *item, struct arena *a);
/* The same where the arena is ours and large enough. */
void queue_row_keep(struct queue_item *item, struct arena *a);

#endif
