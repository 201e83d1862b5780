/* relay_own_report_priv.h - one report that is being made, for the files that do it. */
#ifndef RELAY_RELAY_OWN_REPORT_PRIV_H
#define RELAY_RELAY_OWN_REPORT_PRIV_H

#include "base/arena.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "io/loop.h"
#include "policy/lookups_conn.h"
#include "policy/report_ask.h"
#include "policy/report_make.h"
#include "relay/relay_https.h"
#include "relay/relay_own_report.h"
#include "store/body.h"
#include "store/ops.h"

enum {
	RELAY_OWN_REPORT_MAGIC = 0x524c5938,
};

struct packing;

struct relay_own_report {
	uint32_t magic;
	struct relay *relay;
	relay_own_report_fn *done;
	void *arg;
	struct arena *arena;
	struct seen_domain seen;
	struct str from, submitter;
	bool is_last;
	struct id id; /* of the report, and of its mail */

	struct report_targets targets;
	struct lookups *lookups;
	struct lookups_conn *asking;
	bool is_temp;
	struct dns_query *txt;
	struct packing *packing; /* NULL: not packed yet, or packed already */
	struct report_head head;
	struct strbuf packed;
	size_t posting; /* the target that is posted to */
	struct relay_https *post;
	struct body_writer *writer;
	struct op_report_made op;
	struct op_accept mail;
	uint64_t call;
	struct timer retry;
};

/* --- relay_own_report.c ------------------------------------------------------------- */

void relay_own_report_finish(struct relay_own_report *p, enum relay_own_report_end end);
static inline bool
relay_own_report_is_tls(const struct relay_own_report *p)
{
	return p->seen.kind == SEEN_TLS;
}

/* --- relay_own_report_send.c -------------------------------------------------------- */

/* It is known who wants it, and it is packed, or nobody does. To each as he wants it, and
   on record: relay_own_report_finish follows, later. */
void relay_own_report_send(struct relay_own_report *p);
/* Nobody asks for it: only its rows go. */
void relay_own_report_forget(struct relay_own_report *p);
/* Of its timer: what the store could not take just now. */
void relay_own_report_retry(void *arg);
/* What of it found no row. */
void relay_own_report_tell_cut(struct relay_own_report *p);

#endif
