/* trace_log.h - writes the delivery log: events become rows of trace/YYYY-MM-DD.db.
 *
 * A trace lives in the file of the day its id was made. The same journal row may be given
 * twice (after a crash): each file remembers the last row it has taken, in the same
 * transaction as that row's events.
 *
 * Used by one thread.
 */
#ifndef STORE_TRACE_LOG_H
#define STORE_TRACE_LOG_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdint.h>

struct trace_log;

/* Makes data_dir/trace where it is missing. */
MUSTUSE enum err trace_log_open(struct str data_dir, struct trace_log **out);
void trace_log_close(struct trace_log **t);
/* Takes the packed events of journal row `seq`; rows come in ascending order. */
MUSTUSE enum err trace_log_take(struct trace_log *t, uint64_t seq, struct str events);
/* Writes what was taken, one synced transaction a file. After an error nothing of it
   counts as taken. */
MUSTUSE enum err trace_log_commit(struct trace_log *t);
/* Gives back memory, between two commits: for who has nothing to do. */
void trace_log_rest(struct trace_log *t);
/* Removes the files of days that ended before this time. */
void trace_log_expire(struct trace_log *t, int64_t before_ms);

/* "trace/2026-11-23.db" for a time, below data_dir, NUL-terminated. */
struct strbuf;
const char *trace_day_path(struct str data_dir, int64_t at_ms, struct strbuf *out);

#endif
