/* relay_conn.h - one connection: which job it has, when it is used again, when it ends.
 *
 * Owns its arena, stream and dialogue, and its job while it has one. In the list of its
 * destination from relay_conn_open() until relay_conn_end() or relay_conn_free_all().
 */
#ifndef RELAY_RELAY_CONN_H
#define RELAY_RELAY_CONN_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/stream.h"
#include "policy/secure.h"
#include "relay/relay_path.h"
#include "relay/relay_result.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body;
struct relay;
struct relay_dest;
struct relay_job;
struct relay_signer;

enum {
	RELAY_CONN_MAGIC = 0x524c5933,

	RELAY_IDLE_MS = 2000, /* kept for another job */
	RELAY_QUIT_MS = 2000, /* for the reply to QUIT */

	/* Kept of a connection: names of hosts, where their aliases led (1 KiB each with
	   all bytes escaped), what each address said. The largest zone needs a third. */
	RELAY_CONN_BYTES = 1 << 20,
};

enum relay_conn_state {
	RELAY_ROUTING, /* DNS is asked, or the attempt is being recorded */
	RELAY_DIALING,
	RELAY_TALKING,
	RELAY_IDLE,    /* READY, and no job */
	RELAY_WRITING, /* the job's result goes to the store */
	RELAY_LEAVING, /* QUIT */
};

struct relay_conn {
	uint32_t magic;
	struct link link;
	struct relay_dest *dest;
	enum relay_conn_state state;
	struct arena *arena;
	struct relay_path path;
	struct str host; /* the server's name by MX, or the literal */
	struct addr addr;
	struct addr own; /* our end of the last connection; ADDR_NONE: it never stood */
	struct relay_finding best; /* of the addresses tried; attempt OK: none yet */
	struct smtp_client_conf client_conf;
	struct smtp_client *client;
	struct stream *stream;
	struct stream_limits limits;
	struct tls_client tls;
	struct secure_verdict secure; /* of the host; its records live in secure_arena */
	struct arena *secure_arena;
	struct str
		tlsa_base; /* whose TLSA records were asked for last, in secure_arena */
	struct link sts_link; /* in the line for the policy of its destination */
	bool is_asking_sts;
	struct id session_id;
	char ip_text[ADDR_TEXT_MAX];
	uint64_t steps;       /* of the client when the deadline was set */
	int64_t dialed_ms;    /* monotonic */
	int64_t job_until_ms; /* monotonic: no job takes longer */
	uint64_t messages;    /* done over this connection */
	struct str sharer;    /* whose share it is of, while it has a job; the job's */
	bool is_plain;        /* TLS was tried at this address and failed */
	bool is_counted;      /* the session, for the TLS report */
	uint32_t demand;      /* relay_job_demand() of all its jobs */
	bool is_passing;      /* an address failed for what may be over another time */

	struct relay_job *job;
	uint64_t store_call;
	bool is_sent; /* the job is in a transaction */
	struct smtp_client_message message;
	struct smtp_client_rcpt *rcpts; /* in job->arena */
	size_t *rcpt_rows;              /* their rows */
	struct body *body;
	struct str rest;    /* of the body, still to be sent */
	struct strbuf lead; /* signatures or a seal, sent before it; heap */
	size_t lead_sent;
	struct relay_signer *signer; /* they are being made */
};

/* A new connection for a job of its destination. */
void relay_conn_open(struct relay_dest *d, struct relay_job *job);
/* An idle connection of the destination that can take the job, or NULL. job NULL: any. */
struct relay_conn *relay_conn_idle(const struct relay_dest *d,
                                   const struct relay_job *job);
/* Gives an idle one a job. */
void relay_conn_take(struct relay_conn *c, struct relay_job *job);
/* Ends an idle connection of any destination to make room; false: there is none. */
bool relay_conn_make_room(struct relay *r);
/* Off with the job: it no longer waits for the connection, nor the other way round. */
struct relay_job *relay_conn_unbind(struct relay_conn *c);
/* Drops stream and dialogue; another address may follow. */
void relay_conn_hang_up(struct relay_conn *c);
/* Ends an idle one with QUIT. */
void relay_conn_leave(struct relay_conn *c);
/* It is over and has no job: others may take its place. Frees c. */
void relay_conn_end(struct relay_conn *c);
/* There is no address (left). cause says why where none was tried; with is_permanent
   the destination can never be reached. */
void relay_conn_exhausted(struct relay_conn *c, enum err cause, bool is_permanent);
/* The result of its job is in the store: go on. */
void relay_conn_go_on(struct relay_conn *c);
/* Idle ones leave: what they were judged by holds no longer. */
void relay_conn_leave_idle(struct relay *r);
/* We stop: idle ones leave now, busy ones after their message. */
void relay_conn_stop_all(struct relay *r);
/* All at once, without waiting for anybody; their jobs keep their lease. */
void relay_conn_free_all(struct relay *r);

#endif
