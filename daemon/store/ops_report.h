/* ops_report.h - operations on aggregate reports (what holds for all: ops.h). */
#ifndef STORE_OPS_REPORT_H
#define STORE_OPS_REPORT_H

#include "store/ops_base.h"
#include "store/ops_mail.h"
#include "store/types.h"

/* --- what others saw of our domains ------------------------------------------------- */

/* The report that was read from the mail of a leased queue row: its rows and document are
   kept and the queue row goes, both or neither. The answer has its id, and version 0
   where one of that name was there already (it counts once). Tells REPORT_RECEIVED or
   REPORT_REPEATED. ERR_CONFLICT: the row is not leased by this client; ERR_NOT_FOUND:
   domain is none of ours; ERR_LIMIT: too many came today, or more rows and bytes than
   types.h says. Over the limit report_space the oldest reports go. */
struct op_report_put {
	uint64_t queue_id;
	struct received_report report; /* without ids, domain, raw_bytes, trace_id */
	struct str domain;             /* ours */
	struct str raw;
	struct received_row *rows;
	size_t rows_count;
};
/* The mail of a leased queue row is no report: it goes on whole to rcpts, and the row
   goes. Tells REPORT_REFUSED with the reason. ERR_CONFLICT as above. */
struct op_report_refuse {
	uint64_t queue_id;
	struct str reason;
	int64_t expires_ms; /* of rows that go on to other servers */
	struct accept_rcpt *rcpts;
	size_t rcpts_count;
};
/* These go, old ones. */
struct op_report_drop {
	uint64_t *ids;
	size_t ids_count;
};

/* --- what we saw of others ---------------------------------------------------------- */

/* A report is made: what it was made of goes, the report is kept on record, and its mail
   is on its way, all or nothing. So it is made once, whoever dies in between. ERR_EXISTS:
   that domain and day have one. Without a name nothing is kept: nobody wanted it. */
struct op_report_made {
	uint32_t kind; /* enum seen_kind */
	int64_t day;
	struct str domain; /* empty: the row that counts the whole day */
	struct str name;   /* its id, as the report says it */
	struct str rcpts;  /* who gets it, one space between: addresses, and URLs */
	struct str reason; /* who does not, and why; or empty */
	uint64_t row_count, count, left_out;
	struct str packed;  /* the report, in gzip */
	uint32_t delivered; /* to so many already, over HTTPS */
	uint32_t failed;
	int64_t keep_ms;         /* how long it stays on record */
	struct op_accept *mails; /* one, or none */
	size_t mails_count;
};

#endif
