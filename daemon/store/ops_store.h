/* ops_store.h - operations on the log, on files of bodies, and of the store itself
 * (what holds for all: ops.h).
 */
#ifndef STORE_OPS_STORE_H
#define STORE_OPS_STORE_H

#include "store/ops_base.h"
#include "store/types.h"

/* --- the log, bodies, the process --------------------------------------------------- */

/* A batch of events, packed by events_pack of store/events.h. Use store_tell() of
   store/client.h instead. */
struct op_events {
	struct str events;
	uint32_t count;
};
/* A new segment file for this client to write; store/body.h does it. */
struct op_segment_open {
	uint32_t unused;
};
struct answer_segment {
	uint64_t segment;
};
/* Its writer is done with it. */
struct op_segment_seal {
	uint64_t segment;
	uint64_t size;
};
/* See store/feed.h. */
struct op_subscribe_feed {
	bool all_accounts, queue, settings, events;
	uint64_t *accounts;
	size_t accounts_count;
};
struct op_stats {
	uint32_t unused;
};
struct answer_stats {
	int64_t started_ms;
	uint64_t operations, batches, syncs;
	uint64_t written_max; /* rows that one transaction wrote, at the most */
	uint64_t disk_free_bytes, disk_reserve_bytes;
	bool disk_full; /* new mail is put off */
	bool index_damaged;
	uint64_t messages, message_bytes; /* stored, referenced ones */
	uint64_t journal_rows; /* batches of events not yet in the delivery log */
};

/* --- sent by the store to itself ---------------------------------------------------- */

/* last_login_ms of an account or admin. */
struct op_login_noted {
	uint32_t kind; /* enum login_kind */
	uint64_t id;
	int64_t at_ms;
};
/* Some messages, or sessions, that were alike (store/report_count.h). */
struct report_count {
	uint32_t kind; /* enum seen_kind */
	int64_t day;   /* since 1970 */
	struct str domain;
	struct str policy, rua; /* of the domain, as of last; may be empty */
	struct str body;        /* what they have in common, logfmt */
	uint64_t count;
	int64_t at_ms; /* of the last one; does not travel */
};
/* Who came last from the Internet to a service (outside.h). */
struct outside_seen {
	struct str service, ip;
	int64_t at_ms;
};
/* Journal rows up to this one are in the delivery log, on disk, and this is what they
   count for reports, and whom they saw. */
struct op_journal_trim {
	uint64_t up_to;
	struct report_count *counts;
	size_t counts_count;
	struct outside_seen *seen;
	size_t seen_count;
};
/* A segment goes from one enum segment_state to another; ERR_CONFLICT: it was in none of
   the states from (bits 1 << state). */
struct op_segment_state {
	uint64_t segment;
	uint32_t from, to;
};
/* These messages have been copied: they now lie in segment `to`, in the order of ids at
   places. Messages that are gone or were elsewhere are passed over. */
struct op_segment_moved {
	uint64_t from, to;
	uint64_t *ids, *places;
	size_t ids_count, places_count;
};
/* Takes a segment without messages away, row first, file after. ERR_CONFLICT: it has
   some. */
struct op_segment_drop {
	uint64_t segment;
};

#endif
