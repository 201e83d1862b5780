/* ops.h - the operations of the store: their numbers, their bytes, what holds for all.
 * What each takes, does and answers is in the header of its subject:
 *
 *	ops_mail.h    messages and mailboxes
 *	ops_queue.h   rows of the queue
 *	ops_admin.h   logins, domains, accounts, aliases, administrators, tokens, settings
 *	ops_domain.h  keys, records and policies in the DNS; the host
 *	ops_report.h  aggregate reports, received and sent
 *	ops_store.h   the log, bodies, and what the store asks itself
 *
 * Whoever wants something changed fills a struct op_<name> and calls store_<name>() of
 * store/client.h. The store does operations of one client in the order they were sent,
 * each whole or not at all; the answer comes after the commit, when every reader already
 * sees the effect. All strings and arrays are borrowed: arguments until the call returns
 * (it packs them), answers until the call-back returns. Zero is a good value for every
 * member that a comment does not demand.
 *
 * Errors any operation can have: ERR_STORE_TEMP (the store is going down or its database
 * is busy beyond reason), ERR_DISK_FULL (what adds mail: below the reserve; other things:
 * nothing fits any more), ERR_CORRUPT (a row it needs is damaged), ERR_LIMIT (arguments
 * larger than one message to the store may be).
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "store/ops_admin.h"
#include "store/ops_domain.h"
#include "store/ops_mail.h"
#include "store/ops_queue.h"
#include "store/ops_report.h"
#include "store/ops_store.h"

struct arena;
struct strbuf;

enum op {
#define OP(name, answer, way, by) OP_##name,
#include "store/ops.def"
#undef OP
	OP_COUNT
};

/* "accept"; never NULL. */
const char *op_name(enum op op);
/* Appends arguments; in's type is struct op_<name>. */
void op_pack(enum op op, const void *in, struct strbuf *out);
/* Zeroed struct op_<name> in the arena, strings borrowed from bytes. ERR_MALFORMED for
   bytes that are none, ERR_LIMIT where the arena cannot hold them. */
MUSTUSE enum err op_unpack(enum op op, struct str bytes, struct arena *a, void **op_out);
/* The same for struct answer_<answer> of this operation. */
void answer_pack(enum op op, const void *in, struct strbuf *out);
MUSTUSE enum err answer_unpack(enum op op, struct str bytes, struct arena *a,
                               void **answer_out);

#endif
