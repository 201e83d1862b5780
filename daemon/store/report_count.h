/* report_count.h - what events count for the reports that we send others.
 *
 * Domains ask who sends in their name (DMARC, RFC 9990) and how well they are reached
 * (TLS, RFC 8460). Every answer is in an event already, so nothing is counted while mail
 * is received: housekeeping, which carries the events into the delivery log, sums them up
 * here, and the sums go into the index in the very transaction that takes the events out
 * of the journal. Each event counts exactly once, whoever dies in between, and the queue
 * process, which makes the reports, reads the index as ever and needs no right to the
 * delivery log.
 *
 * A plain collection, used by one thread.
 */
#ifndef STORE_REPORT_COUNT_H
#define STORE_REPORT_COUNT_H

#include "base/macros.h"
#include "store/ops.h"

struct report_counts;

struct report_counts *report_counts_new(void);
void report_counts_free(struct report_counts **c);
/* Takes an event in; those that no report wants are passed over. What comes long after
   the end of its day counts for today: that day's reports may be on their way. */
void report_counts_add(struct report_counts *c, const struct trace_event *event,
                       int64_t now_ms);
/* All so far, those of one domain side by side, in the order of time; borrowed until the
   next call. */
struct report_count *report_counts_list(struct report_counts *c, size_t *count_out);
void report_counts_clear(struct report_counts *c);

#endif
