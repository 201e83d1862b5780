/* trace_reader.h - reads of the delivery log: data_dir/trace/YYYY-MM-DD.db.
 *
 * A trace lives in the file of the day its id was made, whatever happens to it later.
 * Events appear here within about half a second after their operation was answered.
 * Same rules as store/reader.h; days are opened when needed and closed again.
 */
#ifndef STORE_TRACE_READER_H
#define STORE_TRACE_READER_H

#include "base/arena.h"
#include "base/macros.h"
#include "store/types.h"

struct conf;
struct trace_reader;

struct trace_reader *trace_reader_open(const struct conf *conf);
struct trace_reader *trace_reader_open_dir(struct str data_dir);
void trace_reader_close(struct trace_reader **r);

/* All given members must hold. */
struct trace_query {
	struct str address;  /* sender or recipient: "ann@example.org", or "@example.org"
	                        for a whole domain; without case */
	struct str from, to; /* the same, on one side */
	struct str id;       /* trace or session id */
	struct str message_id; /* with its angle brackets or without */
	struct str ip;
	struct str text;        /* part of the subject, without ASCII case */
	uint32_t direction;     /* enum trace_direction */
	uint32_t verdict;       /* enum trace_verdict */
	int64_t from_ms, to_ms; /* from <= at < to; 0: open */
	struct str before; /* id of the last one of the page before; empty at first */
	bool is_up;        /* oldest first, those behind `before` */
};
typedef bool trace_fn(void *arg, const struct trace *t);
/* Newest first, or oldest with is_up; up to limit. */
MUSTUSE enum err trace_search(struct trace_reader *r, const struct trace_query *query,
                              size_t limit, trace_fn *fn, void *arg);
MUSTUSE enum err trace_get(struct trace_reader *r, struct str id, struct arena *a,
                           struct trace *out);
typedef bool trace_rcpt_fn(void *arg, const struct trace_rcpt *rcpt);
MUSTUSE enum err trace_rcpts(struct trace_reader *r, struct str id, trace_rcpt_fn *fn,
                             void *arg);
typedef bool trace_event_fn(void *arg, const struct trace_event *event);
/* The events of one message in order, with those of the session that brought it. */
MUSTUSE enum err trace_events(struct trace_reader *r, struct str id, trace_event_fn *fn,
                              void *arg);

/* Messages by hour for charts: whole hours, from that of from_ms on; those without any
   are left out. */
struct trace_hour {
	int64_t at_ms;
	uint64_t in, out, delivered, deferred, refused, bounced;
};
typedef bool trace_hour_fn(void *arg, const struct trace_hour *hour);
MUSTUSE enum err trace_hours(struct trace_reader *r, int64_t from_ms, int64_t to_ms,
                             trace_hour_fn *fn, void *arg);

#endif
