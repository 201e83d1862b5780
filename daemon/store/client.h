/* client.h - a process's way to the store: operations in, answers later.
 *
 * One client per process and loop. store_<name>() for every row of store/ops.def packs
 * its arguments, gives them an operation id (epoch of this client, sequence number) and
 * sends them; the answer comes through the call-back, later, never inside the call, and
 * exactly once. While the store is away (it restarts within a second) operations wait and
 * are sent again when it is back, in their order; the store knows their ids and does none
 * twice. What has not been answered after store_client's time limit (60 s) is answered
 * ERR_STORE_TEMP, and its late result is dropped; what no store has seen within some
 * seconds, because none is there (it cannot open its data), is answered so then, and has
 * certainly not been done.
 *
 * Owns: its connection and all operations under way. Borrows: loop and conf.
 * Everything happens in the loop's thread.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "base/event.h"
#include "base/macros.h"
#include "store/job.h"
#include "store/ops.h"

struct conf;
struct loop;
struct store_client;

/* Connects in the background to conf's run_dir/store.sock. Never NULL. */
struct store_client *store_client_new(struct loop *loop, const struct conf *conf);
/* Drops all call-backs that are outstanding (they are not called) and what is unsent.
   Call store_flush first where events matter. */
void store_client_free(struct store_client **c);
/* Is the store there at this moment? For health pages only: operations never need it. */
bool store_is_connected(const struct store_client *c);
/* The epoch of this client: what leases are owned by. */
uint64_t store_epoch(const struct store_client *c);

/* For each row OP(name, answer, way, by):
     typedef void store_<name>_fn(void *arg, enum err e, const struct answer_<answer>
   *answer); uint64_t store_<name>(struct store_client *c, const struct op_<name> *op,
                           store_<name>_fn *done, void *arg);
   The result names the call for store_forget. done may be NULL: nobody wants to know.
   answer is NULL where e is not OK, but for accept (per recipient results). ERR_BUSY
   comes back (later, through done) when too much waits already: 10,000 operations or
   48 MiB. */
#define OP(name, answer, way, by)                                                        \
	typedef void store_##name##_fn(void *arg, enum err e,                            \
	                               const struct answer_##answer *answer_in);         \
	uint64_t store_##name(struct store_client *c, const struct op_##name *op,        \
	                      store_##name##_fn *done, void *arg);
#include "store/ops.def"
#undef OP

/* From here on operations are the next deeds of that request (struct deed, whose n is
   counted on here); NULL: of none. Borrowed until it is set again. */
void store_set_deed(struct store_client *c, struct deed *deed);

/* The caller of `seq` goes away: its call-back is not called any more. The operation
   itself is not undone. Harmless for calls that have been answered, and for 0. */
void store_forget(struct store_client *c, uint64_t seq);

/* Takes an event for the delivery log. They leave in batches: with or before the next
   operation (so they are committed no later than it), or after 100 ms. Under
   back-pressure the ones of level debug are dropped first, and counted. */
void store_tell(struct store_client *c, const struct event *e);
/* The same as a sink for event_set_sink(store_sink, c). */
void store_sink(void *client, const struct event *e);
/* Calls done once all that was sent before is answered, and all events are handed over.
 */
void store_flush(struct store_client *c, void (*done)(void *arg), void *arg);

#endif
