/* server_priv.h - what the server's files share: server.c has the connections and the way
 * of an operation, server_password.c those that hash or check a password first. */
#ifndef STORE_SERVER_PRIV_H
#define STORE_SERVER_PRIV_H

#include "base/list.h"
#include "base/strbuf.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "store/ops.h"
#include "store/server.h"

struct auth;
struct answer_auth;
struct committer;
struct housekeeping;
struct peers;

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
/* To the committer; c NULL: one of the store's own. */
void store_server_give(struct store_server *s, struct conn *c, enum op op, uint64_t seq,
                       uint64_t floor, struct str args);
/* The same, packed here. */
void store_server_give_own(void *server, enum op op, const void *args);
/* Something that a stop waits for has ended. */
void store_server_check_stopped(struct store_server *s);

/* --- server_password.c */
/* auth_new's two functions, with the server as their argument. */
void server_auth_answered(void *arg, void *request, enum err e,
                          const struct answer_auth *answer);
void server_login_noted(void *arg, uint32_t kind, uint64_t id);
/* Hashes the password in it, then gives it to the committer. */
void server_hash_first(struct conn *c, enum op op, uint64_t seq, uint64_t floor,
                       struct str args);
/* The key of an operation that failed was made, but no row took it. */
void server_drop_unused_key(const struct store_server *s, enum op op_id, enum err e,
                            struct str payload);
void server_check_password(struct conn *c, uint64_t seq, struct str args);

#endif
