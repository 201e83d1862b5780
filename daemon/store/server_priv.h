/* server_priv.h - what the server's files share: server.c has the connections and the way
 * of an operation, server_password.c those that hash or check a password first,
 * server_feed.c what is told to subscribers, server_events.c what the store tells. */
#ifndef STORE_SERVER_PRIV_H
#define STORE_SERVER_PRIV_H

#include "base/list.h"
#include "base/strbuf.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "store/job.h"
#include "store/ops.h"
#include "store/server.h"

struct auth;
struct answer_auth;
struct commit_news;
struct committer;
struct event;
struct housekeeping;
struct peers;
struct recovered;

/* A client's connection. It outlives its peer while jobs are out. */
struct conn {
	uint32_t magic;
	struct link link;
	struct store_server *server;
	struct ipc_peer *peer; /* NULL: gone */
	unsigned rights;       /* since its HELLO */
	uint64_t epoch;        /* 0: before it */
	size_t refs;           /* the peer, and each request that is out */
	bool wants_queue, wants_settings, wants_events, wants_accounts;
	bool has_missed; /* changes were dropped: a reset is due */
};

struct store_server {
	struct loop *loop;
	struct committer *committer;
	struct ipc_server *ipc;
	struct auth *auth;
	struct strbuf data_dir; /* heap */
	struct housekeeping *housekeeping;
	struct index_check *index_check;
	struct peers *peers;
	struct link conns;
	uint64_t epoch, seq; /* of the store's own operations */
	size_t jobs_out, hashes_out;
	int64_t started_ms;
	struct strbuf own_events;
	uint32_t own_count;
	struct timer own_timer, stop_timer;
	bool is_stopping, is_full_told;
	int64_t trouble_ms;  /* when the last error was told */
	int64_t stranger_ms; /* ... and the last peer that nobody knows */
	loop_fn *stopped, *settings_fn;
	void *stopped_arg, *settings_arg;
};

/* A reference less; the last one frees it. */
void conn_drop(struct conn *c);
/* The answer to an operation, where the peer is still there. */
void conn_reply(struct conn *c, enum op op, uint64_t seq, enum err e, struct str answer);
void conn_reply_packed(struct conn *c, enum op op, uint64_t seq, const void *answer);
/* What stands before the arguments of an operation. */
struct call_head {
	uint64_t seq, floor;
	struct deed deed;
};

/* To the committer; c NULL: one of the store's own. */
void store_server_give(struct store_server *s, struct conn *c, enum op op,
                       const struct call_head *head, struct str args);
/* The same, packed here. */
void store_server_give_own(void *server, enum op op, const void *args);
/* Something that a stop waits for has ended. */
void store_server_check_stopped(struct store_server *s);

/* --- server_feed.c */
/* What a commit has told, to all who want it. */
void server_commit_news(void *arg, const struct commit_news *news);
/* There is room again: who has missed changes is told to look at everything. */
void conn_reset_missed(struct conn *c);

/* --- server_events.c */
enum {
	OWN_EVENTS_MAX = 1 << 20,
};
/* A sink for event_set_sink. They gather in own_events until its timer calls the second
   function. */
void server_take_event(void *arg, const struct event *e);
void server_send_events(void *arg);
/* Trouble that is ours, told once until it is over, or once in a while. */
void server_tell_trouble(struct store_server *s, const struct job *job);
void server_tell_recovered(struct recovered r);
void server_tell_index_damaged(void *arg, struct str reason);

/* --- server_password.c */
/* auth_new's two functions, with the server as their argument. */
void server_auth_answered(void *arg, void *request, enum err e,
                          const struct answer_auth *answer);
void server_login_noted(void *arg, uint32_t kind, uint64_t id);
/* Hashes the password in it, then gives it to the committer. */
void server_hash_first(struct conn *c, enum op op, const struct call_head *head,
                       struct str args);
/* A key was made for an operation that failed, or that was done before: no row took it. */
void server_drop_unused_key(const struct store_server *s, const struct job *job);
void server_check_password(struct conn *c, uint64_t seq, struct str args);

#endif
