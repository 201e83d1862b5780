/* relay_priv.h - what the files of relay/ share (README.md says which file does what).
 *
 * A job belongs to exactly one of: the line of its destination (dest->jobs), a
 * connection (conn->job), the results to be written (relay->results or a batch that is
 * out). Whoever has it hands it on or frees it. All of it happens on one loop.
 */
#ifndef RELAY_RELAY_PRIV_H
#define RELAY_RELAY_PRIV_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "io/dns.h"
#include "io/loop.h"
#include "io/stream.h"
#include "policy/secure.h"
#include "queue/queue_decide.h"
#include "queue/queue_destination.h"
#include "queue/queue_reason.h"
#include "queue/queue_route.h"
#include "queue/queue_schedule.h"
#include "queue/queue_shares.h"
#include "smtp/smtp_client.h"
#include "store/body.h"
#include "store/client.h"
#include "store/feed.h"
#include "store/reader.h"

enum {
	RELAY_MAGIC = 0x524c5930,
	RELAY_DEST_MAGIC = 0x524c5931,
	RELAY_JOB_MAGIC = 0x524c5932,
	RELAY_CONN_MAGIC = 0x524c5933,

	RELAY_LEASE_MS = 2 * 60 * 60 * 1000, /* outlives any attempt */
	RELAY_WAIT_MAX_MS = 10 * 60 * 1000,  /* of a row in memory, before its attempt */
	RELAY_ROWS_MAX = 5000,               /* in memory */
	RELAY_ROWS_LOW = 600,                /* below it more are claimed */
	RELAY_CLAIM = 300,                   /* rows at a time */
	RELAY_CONGESTED_MS = 2000, /* a destination whose first job waits that long */
	RELAY_CONGESTED_ROWS = 60, /* keeps only so many rows in memory */
	RELAY_OWN_MAX = 64,        /* own addresses known */
	RELAY_HOST_ADDRS = 16,     /* addresses of one family looked at */
	/* Kept of a connection: names of hosts, where their aliases led (1 KiB each with
	   all bytes escaped), what each address said. The largest zone needs a third. */
	RELAY_CONN_BYTES = 1 << 20,
};

struct relay_dest;
struct relay_job;
struct relay_conn;
struct relay_dsn;
struct relay_domains;
struct dkim_signing_key; /* policy/dkim_sign.h */
struct relay_hosts;
struct relay_looks;
struct relay_report;
struct relay_own_reports;
struct relay_seal;
struct relay_signer;
struct relay_signing;
struct relay_sts;

/* The process. */
struct relay {
	uint32_t magic;
	const struct conf
		*conf; /* replaced by a reload: nothing of it is kept over one */
	struct loop *loop;
	struct tls_server *tls;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct dns *dns;
	struct feed *feed;
	struct queue_clock clock;
	struct relay_signing *signing;
	struct relay_domains *domains;
	struct relay_looks *looks;
	struct relay_hosts *hosts;
	struct relay_own_reports *own_reports;
	struct addr own[RELAY_OWN_MAX]; /* where we ourselves take mail */
	size_t own_count;

	struct map *dests;
	struct link dest_list;       /* all destinations */
	struct link waiting;         /* those with jobs, who is next first */
	size_t rows;                 /* in memory, until their result is written */
	size_t congested_rows;       /* of slow destinations, as of the last sweep */
	size_t conns;                /* that exist */
	struct queue_shares *shares; /* whose jobs they have: by relay_job_sharer */

	struct timer wake;   /* something is due */
	struct timer sweep;  /* once a second */
	struct timer stop;   /* stopping has taken long enough */
	int64_t next_due_ms; /* queue time; INT64_MAX: nothing known */
	int64_t looked_ms;   /* monotonic: when the store was asked what comes next */
	bool is_claiming;    /* a claim is out */
	bool counts_attempt; /* and counts attempts */
	bool want_claim;     /* there may be more */
	bool is_ready;       /* old leases are given back */
	bool is_dispatching; /* a round is due */
	bool is_stopping, is_flushing;
	loop_fn *stopped; /* NULL: nobody waits for the end */
	void *stopped_arg;

	struct link reports; /* jobs that are reports, to be read */
	size_t reports_waiting;
	struct relay_report *report; /* the one that is being read; NULL: none is */

	struct link telling; /* jobs whose notification is being made */
	struct link results; /* jobs that are to be written */
	struct link batches; /* and those that are under way */
	size_t writing;      /* jobs with a result that is not yet in the store */
	struct timer retry;  /* the store could not take results */
};

/* A destination with jobs, connections, or a past. */
struct relay_dest {
	uint32_t magic;
	struct link link;    /* in relay->dest_list */
	struct link waiting; /* in relay->waiting, while it has jobs */
	struct relay *relay;
	struct queue_destination d;
	struct link jobs; /* waiting, by round, oldest first */
	uint64_t round;   /* of the one that was taken last */
	size_t job_rows;  /* in them */
	size_t held;      /* jobs of it, wherever they are */
	struct link conns;
	int64_t plain_until_ms; /* TLS failed there: not tried before */
	int64_t row_ms;         /* between two finished rows, about */
	int64_t row_at_ms;      /* when the last one was */
	struct relay_sts *sts;  /* NULL: nobody has asked yet */
	struct strbuf name;
};

/* One claimed row, and what became of it. Strings live in the job's arena. */
struct relay_row {
	struct queue_item item;
	enum queue_attempt attempt;
	enum err cause; /* OK: the server said it */
	bool is_done;   /* attempt is set */
	enum queue_reason reason;
	int code;
	struct str enhanced, text; /* of the reply; text: our words without one */
	struct str host, ip;       /* of the server, where one was reached */
	struct queue_decision decision;
	bool is_returned; /* not tried after all, due at decision.due_ms */
};

/* Rows of one message for one destination. */
struct relay_job {
	uint32_t magic;
	struct link link;
	struct relay *relay;
	struct relay_dest *dest; /* NULL: rows of several, which go back unseen */
	struct relay_conn *conn; /* waits for the result; NULL: nobody does */
	struct arena *arena;
	struct relay_row *rows;
	size_t count, max;
	uint64_t round;   /* of its destination's line: one of each sharer in each */
	int64_t since_ms; /* monotonic: when it began to wait */
	bool is_counted;  /* the attempt is in the store */
	bool was_retried; /* a kept connection broke under it: it is sent once more */
	bool is_writing;  /* counted in relay->writing */
	bool is_alone;    /* its result is written by itself */
	struct relay_dsn *dsn;
};

/* What was found out about rows that have no result of their own. */
struct relay_finding {
	enum queue_attempt attempt;
	enum err cause;     /* OK: the server said code, enhanced, text */
	bool is_connecting; /* before it said anything */
	enum queue_stage stage;
	int code;
	struct str enhanced, text, host, ip;
};

enum relay_conn_state {
	RELAY_ROUTING, /* DNS is asked, or the attempt is being recorded */
	RELAY_DIALING,
	RELAY_TALKING,
	RELAY_IDLE,    /* READY, and no job */
	RELAY_WRITING, /* the job's result goes to the store */
	RELAY_LEAVING, /* QUIT */
};

/* The addresses that a connection may try. */
struct relay_path {
	struct queue_route route; /* names live in conn->arena */
	size_t host;              /* the next one to resolve */
	struct addr addrs[ROUTE_HOST_ADDRESSES_MAX];
	size_t addr_count, addr_next, tried;
	int64_t since_ms; /* monotonic: when the way was looked for */
	struct addr v4[RELAY_HOST_ADDRS], v6[RELAY_HOST_ADDRS];
	size_t v4_count, v6_count;
	struct dns_query *mx, *a, *aaaa;
	struct dns_query *tlsa; /* or the CNAME before it */
	bool is_mx_authentic, is_v4_authentic, is_v6_authentic; /* signed by DNSSEC */
	bool is_alias_authentic; /* and the CNAME of the host, where it was asked for */
	/* Where the CNAMEs of the host led; empty: it has no such address. */
	struct str v4_name, v6_name;
	enum err dns; /* the best reason why a host had no address */
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

/* --- relay.c ------------------------------------------------------------------------ */

int64_t relay_now(struct relay *r);        /* queue time: Unix ms that never jump back */
int64_t relay_mono(const struct relay *r); /* monotonic ms */
struct queue_schedule relay_schedule(const struct relay *r);
struct queue_destination_conf relay_dest_conf(const struct relay *r);
/* The address of ours that we connect from, or ADDR_NONE. */
struct addr relay_source_for(const struct relay *r, const struct addr *to);
const struct conf_limits *relay_limits(const struct relay *r);
/* Something is due at that queue time. */
void relay_due(struct relay *r, int64_t due_ms);
/* Claims, where there is room. */
void relay_claim(struct relay *r);
/* Something ended: goes on, or finishes stopping. */
void relay_moved(struct relay *r);

/* --- relay_jobs.c ------------------------------------------------------------------- */

/* Takes the rows of a claim, whose attempts are counted already or not. */
void relay_take(struct relay *r, const struct queue_item *items, size_t n,
                bool is_counted);
/* The destination of that name, which is made where there is none. */
struct relay_dest *relay_dest_get(struct relay *r, struct str name);
struct relay_job *relay_job_new(struct relay *r, struct relay_dest *d, size_t max);
/* A row for this item, copied into the job's arena. */
struct relay_row *relay_job_add(struct relay_job *job, const struct queue_item *from);
void relay_job_free(struct relay_job **job);
/* What its sender says of encryption: MESSAGE_TLS_REQUIRED, MESSAGE_TLS_OPTIONAL or 0. */
uint32_t relay_job_demand(const struct relay_job *job);
/* Whose share of the connections it takes (struct queue_item). */
struct str relay_job_sharer(const struct relay_job *job);
/* The job that relay_job_next would give, which stays; or NULL. */
const struct relay_job *relay_job_first(const struct relay_dest *d);
/* Opens connections and gives out jobs as far as the destinations allow, soon: never
   inside this call. */
void relay_dispatch_soon(struct relay *r);
void relay_dispatch_cancel(struct relay *r);
/* The next waiting job, or NULL; it is the caller's then. */
struct relay_job *relay_job_next(struct relay_dest *d);
/* Back to the head of the line. */
void relay_job_put_back(struct relay_job *job);
/* The destination cannot be used: its waiting rows go back to the store. */
void relay_dest_failed(struct relay_dest *d, enum queue_reason reason);
/* Some rows of it are done. */
void relay_dest_finished(struct relay_dest *d, size_t rows);
struct str relay_dest_name(const struct relay_dest *d);
/* Is any destination paused or slow? Then claims do not count as attempts. */
bool relay_is_troubled(struct relay *r);
/* Once a second: sends away what waits too long, forgets idle destinations. */
void relay_sweep(struct relay *r);
/* Sends all waiting rows back, due at once. */
void relay_return_all(struct relay *r);
/* All jobs that wait and all destinations; connections are gone already. */
void relay_dests_free(struct relay *r);

/* --- relay_report.c ----------------------------------------------------------------- */

/* Is the row one that is read here? */
bool relay_report_is_one(const struct queue_item *item);
/* A claimed one of them. */
void relay_report_take(struct relay *r, const struct queue_item *item);
/* Those that wait go back to the store. */
void relay_report_return_all(struct relay *r);
void relay_report_free(struct relay *r);

/* --- relay_path.c ------------------------------------------------------------------- */

/* Looks for the addresses of the connection's destination; relay_conn_dial or
   relay_conn_exhausted follows, later or at once. */
void relay_path_start(struct relay_conn *c);
/* The next address. */
void relay_path_next(struct relay_conn *c);
/* The policy of its destination is known, or there is none: on to the MX records. */
void relay_path_demanded(struct relay_conn *c);
/* c->secure says how the host that was just resolved must be reached: its addresses, or
   the next host. */
void relay_path_secured(struct relay_conn *c);
void relay_path_cancel(struct relay_conn *c);

/* --- relay_sts.c -------------------------------------------------------------------- */

/* Waits until the policy of the connection's destination is known: relay_path_demanded
   follows, later. */
void relay_sts_ask(struct relay_conn *c);
/* No longer. */
void relay_sts_leave(struct relay_conn *c);
/* What holds now, or NULL. */
const struct mta_sts_policy *relay_sts_policy(const struct relay_dest *d);
/* The text of what holds; good until the loop goes on. */
struct str relay_sts_text(const struct relay_dest *d);
/* Nothing holds, and this is why, in the words of TLS reports (RFC 8460 4.3.2.2): what
   the domain wants could not be had. NULL: it wants nothing. */
const char *relay_sts_fault(const struct relay_dest *d);
/* It was looked for in vain the last time: nobody knows whether there is one. */
bool relay_sts_is_unknown(const struct relay_dest *d);
/* A policy is being fetched: its answer is worth waiting for. */
bool relay_sts_is_busy(const struct relay_dest *d);
/* Somebody may have asked the store for a policy to be fetched. */
void relay_sts_changed(struct relay *r);
void relay_sts_free(struct relay_dest *d);

/* --- relay_secure.c ----------------------------------------------------------------- */

/* Decides how `host` must be reached; relay_path_secured follows, later or at once. */
void relay_secure_host(struct relay_conn *c, struct str host);
/* There is no name to prove: an address was given. Nothing is demanded then, or it cannot
   be met. */
void relay_secure_none(struct relay_conn *c);
/* c->secure is SECURE_NEVER for this host: told, and remembered. */
void relay_secure_refuse(struct relay_conn *c, struct str host);
/* Must the connection be encrypted? */
bool relay_secure_is_demanded(const struct relay_conn *c);
/* What io/tls.h is asked to check. */
struct tls_client relay_secure_client(const struct relay_conn *c);

/* --- relay_conn.c ------------------------------------------------------------------- */

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

/* --- relay_talk.c ------------------------------------------------------------------- */

void relay_conn_dial(struct relay_conn *c, struct str host, const struct addr *addr);
/* Keeps why the host c->host or its address c->addr cannot be used: the result of the job
   where no other can be either. */
void relay_conn_remember(struct relay_conn *c, enum err cause, struct str words);
/* Sends its job over a dialogue that is ready. */
void relay_conn_send(struct relay_conn *c);

/* The next slice of a long message that is being signed. */
void relay_conn_signing(void *conn);

/* --- relay_keys.c ------------------------------------------------------------------- */

struct relay_keys;

struct relay_key {
	struct link link; /* in the list of all */
	uint64_t id;
	struct str domain, selector, file;
	struct crypto_key *key; /* NULL: not used yet, or broken */
	bool is_broken;
	struct relay_key *next; /* of the same domain */
};

/* No keys; the generation tells one list from the next. */
struct relay_keys *relay_keys_new(uint64_t generation);
void relay_keys_free(struct relay_keys **keys);
/* Puts those that sign now in the place of *keys, which stay where that fails. */
void relay_keys_read(struct relay *r, uint64_t generation, struct relay_keys **keys);
uint64_t relay_keys_generation(const struct relay_keys *keys);
/* The keys of the domain, or of its nearest parent that has some; or NULL. */
struct relay_key *relay_keys_find(const struct relay_keys *keys, struct str domain);
/* Sees to it that the private half is parsed; false: it cannot be read. */
bool relay_key_load(struct relay *r, struct relay_key *k);

/* --- relay_text.c ------------------------------------------------------------------- */

/* Embedded; no need to free. */
struct relay_text {
	void (*sink)(void *arg, struct str bytes);
	void *arg;
	bool has_cr; /* the last byte taken in was a CR that is not handed on yet */
};

/* Hands a piece of the text on, and the last of it. */
void relay_text_feed(struct relay_text *t, struct str piece);
void relay_text_end(struct relay_text *t);
/* A header likewise, without the empty line behind it. */
struct str relay_text_header(struct str header, struct arena *a);

/* --- relay_sign.c ------------------------------------------------------------------- */

void relay_signing_new(struct relay *r);
/* Reads the keys, and again with each change. */
void relay_signing_start(struct relay *r);
void relay_signing_free(struct relay *r);
/* Fills c->lead for the message that is open, and says true; or false: there is more to
   hash, relay_sign_step() goes on, until it says true. */
MUSTUSE bool relay_sign_begin(struct relay_conn *c);
MUSTUSE bool relay_sign_step(struct relay_conn *c);
void relay_sign_cancel(struct relay_conn *c);
/* An active key of the domain or its nearest parent, RSA where there is one; false: there
   is none. Good until the loop goes on. */
MUSTUSE bool relay_sign_key(struct relay *r, struct str domain, struct arena *a,
                            struct dkim_signing_key *key_out);

/* --- relay_seal.c ------------------------------------------------------------------- */

/* Begins to seal a message that an alias sends on: header with clean line ends, borrowed
   as is the arena until the end. NULL: it is not sealed, and why was told. */
struct relay_seal *relay_seal_begin(struct relay *r, const struct queue_item *item,
                                    struct str header, struct arena *a);
void relay_seal_body(struct relay_seal *s, struct str bytes);
/* The body is complete: appends the set and tells, or tells why not and says false. */
MUSTUSE bool relay_seal_end(struct relay_seal *s, struct relay *r,
                            const struct queue_item *item, struct strbuf *out);
void relay_seal_free(struct relay_seal **s);
void relay_tell_unsealed(const struct queue_item *item, const char *why);

/* --- relay_domains.c ---------------------------------------------------------------- */

void relay_domains_new(struct relay *r);
void relay_domains_start(struct relay *r);
/* Something of the settings has changed. */
void relay_domains_changed(struct relay *r, const struct change *change);
void relay_domains_free(struct relay *r);

/* --- relay_dns.c -------------------------------------------------------------------- */

void relay_dns_new(struct relay *r);
void relay_dns_start(struct relay *r);
/* Something of the settings has changed. */
void relay_dns_changed(struct relay *r, const struct change *change);
/* The configuration is new: where other records are to be published, all domains are
   looked at again. */
void relay_dns_reload(struct relay *r);
/* Not before everything else has stopped. */
void relay_dns_free(struct relay *r);

/* --- relay_host.c ------------------------------------------------------------------- */

void relay_host_new(struct relay *r);
void relay_host_start(struct relay *r);
/* Something of the settings has changed. */
void relay_host_changed(struct relay *r, const struct change *change);
/* Not before everything else has stopped. */
void relay_host_free(struct relay *r);

/* --- relay_message.c ---------------------------------------------------------------- */

/* What the dialogue was about when it stood there. */
enum queue_stage relay_stage_of(enum smtp_client_state at);
/* Fills c->message from the job's open rows and opens the body. ERR_NOT_FOUND and the
   like: the body cannot be read. */
MUSTUSE enum err relay_message_open(struct relay_conn *c);
/* The envelope sender for the next server: rewritten where an alias sends the mail on, as
   in the row else (relay_forward.c). */
struct str relay_forward_sender(struct relay *r, const struct queue_item *item,
                                struct arena *a);
/* The transaction broke before its text was sent, and nothing was decided: the same
   rows may go to another address. */
bool relay_message_can_repeat(const struct relay_conn *c);
void relay_message_close(struct relay_conn *c);
/* Takes the results of a transaction over into the rows. Rows that are to be sent in
   another one become a job of their own, at the head of the line. */
void relay_message_results(struct relay_conn *c);

/* --- relay_result.c ----------------------------------------------------------------- */

/* One finding for all rows of a job that have no result yet. */
void relay_job_fail(struct relay_job *job, const struct relay_finding *finding);
void relay_row_set(struct relay_job *job, struct relay_row *row,
                   const struct relay_finding *finding);
/* Every row has a result: decides, tells, and writes it. job->conn goes on once it is in
   the store. */
void relay_job_finish(struct relay_job *job);
/* Gives all rows back that were not tried after all. */
void relay_job_return(struct relay_job *job, int64_t due_ms);
/* Its notification is there, or none is possible. */
void relay_job_write(struct relay_job *job);
/* What the store could not take is put in line again. */
void relay_retry(void *arg);
/* All jobs whose results are not in the store. Their batches must not be answered any
   more. */
void relay_results_free(struct relay *r);

/* --- relay_event.c ------------------------------------------------------------------ */

void relay_tell_attempt(const struct relay_conn *c, const struct relay_row *row);
void relay_tell_dial(const struct relay_conn *c);
void relay_tell_tls(const struct relay_conn *c);
void relay_tell_tls_failed(const struct relay_conn *c, struct str detail);
void relay_tell_sts_fetched(const struct relay_dest *d,
                            const struct mta_sts_policy *policy);
void relay_tell_sts_failed(const struct relay_dest *d, const char *fault,
                           const char *then);
/* What must hold for the host, where anything must. */
void relay_tell_secure(const struct relay_conn *c, struct str host);
/* It does not hold, and so nothing is sent there. */
void relay_tell_tls_refused(const struct relay_conn *c, struct str host,
                            struct str detail);
/* A policy that is being tested would have refused the host. */
void relay_tell_tls_test(const struct relay_conn *c, struct str detail);
void relay_tell_route(const struct relay_conn *c);
/* What became of a row. */
void relay_tell_fate(const struct relay_job *job, const struct relay_row *row);
void relay_tell_double_bounce(const struct relay_row *row, const char *why);
void relay_tell_rewritten(const struct queue_item *item, struct str sender);
/* The notification that it asks for is not to be had; failures: relay_tell_double_bounce. */
void relay_tell_dsn_dropped(const struct relay_row *row, const char *why);
/* "failed", "delayed" …: what a notification says of a row (RFC 3464 2.3.3). */
const char *relay_tell_word(enum queue_tell tell);
/* Why, in plain words with the server's: "the mailbox is full: 452 4.2.2 over quota". */
void relay_reason_format(const struct relay_row *row, struct strbuf *out);
/* The reply as it is shown: "550 5.1.1 no such user", or our own words. */
void relay_reply_format(const struct relay_row *row, struct strbuf *out);

/* --- relay_count.c ------------------------------------------------------------------ */

/* Tells of a session with the host c->host for the TLS report to the destination. result:
   "ok", or the kind of failure (RFC 8460 4.3); reason: more of it, or empty. */
void relay_count_session(const struct relay_conn *c, const char *result,
                         struct str reason);
/* The connection is encrypted, as far as it was demanded. */
void relay_count_secured(const struct relay_conn *c);
/* c->secure is SECURE_NEVER: there is no session. */
void relay_count_refused(const struct relay_conn *c);
/* The kind of failure by the words that tls.h has for a certificate. */
const char *relay_count_certificate(struct str words);

/* --- relay_dsn.c -------------------------------------------------------------------- */

/* Builds the notification that the job's decisions ask for; relay_job_write follows,
   later or at once. */
void relay_dsn_make(struct relay_job *job);
/* The operation, or NULL where there is none (nobody to tell, or it failed). */
const struct op_accept *relay_dsn_op(const struct relay_job *job);
void relay_dsn_free(struct relay_job *job);
/* There will be none: the log alone is told, and why. */
void relay_dsn_drop(struct relay_job *job, enum err why);
/* Where mail of ours to this address goes: mailboxes of our accounts, or the queue. */
MUSTUSE enum err relay_rcpts_find(struct relay *r, struct str to, struct arena *a,
                                  struct accept_rcpt **rcpts_out, size_t *count_out);

/* --- relay_own_reports.c, relay_own_report.c ---------------------------------------- */

void relay_own_reports_new(struct relay *r);
void relay_own_reports_start(struct relay *r);
/* The configuration was read again. */
void relay_own_reports_reload(struct relay *r);
void relay_own_reports_free(struct relay *r);

#endif
