/* trace_reader_priv.h - what the two files that read the delivery log share. */
#ifndef STORE_TRACE_READER_PRIV_H
#define STORE_TRACE_READER_PRIV_H

#include "store/db.h"
#include "store/trace_reader.h"

enum {
	TRACE_DAYS_MAX = 4096, /* files looked at */
};

/* The file used last stays open: one page of a list mostly comes from one day. */
struct trace_reader {
	struct arena *arena;
	struct str data_dir;
	struct db *db;
	int64_t day; /* that db is of */
};

/* Days are numbered from 1970 on. ERR_NOT_FOUND: there is no file of that day. */
MUSTUSE enum err trace_day_open(struct trace_reader *r, int64_t day);
/* The days there are, newest first: TRACE_DAYS_MAX at most. */
size_t trace_days(struct trace_reader *r, int64_t *days);
/* e came of a day. One that is not there (retention has just taken it away, or it is
   being made), or that is damaged, must not hide the others: OK. A damaged file is begun
   anew by the store: it is opened again at the next look. */
MUSTUSE enum err trace_day_passed(struct trace_reader *r, enum err e);

/* The columns of "trace t", and a row of them; its strings are the statement's. */
#define TRACE_COLUMNS                                                                    \
	"t.id, t.at_ms, t.updated_ms, t.direction, t.verdict, t.sender, t.rcpts,"        \
	" t.rcpt_count, t.subject, t.message_id, t.ip, t.login, t.reason, t.size,"       \
	" t.queue_id, t.spf, t.dkim, t.dmarc"
void trace_row_read(struct stmt *s, struct trace *t);

#endif
