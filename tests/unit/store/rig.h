/* rig.h - a store, a client and readers in one process and one directory below /tmp, on a
 * real SQLite file and real segments. Every operation has a function that waits for its
 * answer: rig_accept(&rig, &op, &answer) and so on; answers live until rig_close.
 */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include "conf/conf.h"
#include "io/loop.h"
#include "store/body.h"
#include "store/client.h"
#include "store/feed.h"
#include "store/reader.h"
#include "store/server.h"
#include "store/trace_reader.h"

struct rig {
	char dir[64];
	struct conf *conf;
	struct loop *loop;
	int listen_fd;
	struct store_server *server;
	struct store_client *client;
	struct bodies *bodies;
	struct reader *reader;
	struct trace_reader *traces;
	struct arena *arena;
	/* of the call that is waited for */
	bool is_answered;
	enum err error;
	void *got;
	struct new_body body;
	struct str prefix; /* of the next bodies */
};

/* Panics where it cannot be set up. */
void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* Ends the store as a stop would, and starts it again; the client stays. */
void rig_stop_store(struct rig *r);
void rig_start_store(struct rig *r);
/* Turns the loop until *flag, at most 10 s; false: it did not come. */
bool rig_wait(struct rig *r, const bool *flag);
/* Turns the loop for a while. */
void rig_turn(struct rig *r, int ms);

/* A domain example.org and an account ann@example.org; the account's id. */
uint64_t rig_account(struct rig *r);
/* Stores a body; r->body lives until rig_close. */
enum err rig_body(struct rig *r, struct str message);
/* Accepts the message for one account's INBOX. */
enum err rig_deliver(struct rig *r, uint64_t account_id, struct str message,
                     struct answer_accept *answer_out);
/* A message that is in some mailbox: of its strings sha256, envelope, subject and
   message_id. ERR_NOT_FOUND: it is in none. */
enum err rig_message(struct rig *r, uint64_t message_id, unsigned want,
                     struct message *m_out);
/* Whether its row is there, in a mailbox or not. */
bool rig_has_message(struct rig *r, uint64_t message_id);

#define OP(name, answer, way, by)                                                        \
	enum err rig_##name(struct rig *r, const struct op_##name *op,                   \
	                    struct answer_##answer *answer_out);
#include "store/ops.def"
#undef OP

#endif
