/* Operations with a password or a new key: hashed, checked or made on a thread before
 * anything else. */
#include "store/server_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "ext/password.h"
#include "store/auth.h"
#include "store/key_files.h"

enum {
	REQUEST_ARENA_BYTES = 64 * 1024 * 1024,
	PASSWORD_MIN_BYTES = 8,
	HASHES_MAX = 1000, /* passwords that wait to be hashed */
};

/* A request that is not with the committer: a password to check or to hash, a key to be
   made. */
struct request {
	struct conn *conn;
	enum op op;
	struct call_head head;
	/* hashing */
	struct arena *arena;
	void *args;
	struct str *password;
	char hash[PASSWORD_HASH_MAX];
	struct str hashed;
	enum err error;
};

void
server_auth_answered(void *arg, void *request, enum err e,
                     const struct answer_auth *answer)
{
	struct request *r = request;
	struct store_server *s = arg;

	if (answer)
		conn_reply_packed(r->conn, OP_auth, r->head.seq, answer);
	else
		conn_reply(r->conn, OP_auth, r->head.seq, e, str_from(NULL));
	conn_drop(r->conn);
	mem_free(r);
	s->hashes_out--;
	store_server_check_stopped(s);
}

void
server_login_noted(void *arg, uint32_t kind, uint64_t id)
{
	struct op_login_noted op = { kind, id, clock_unix_ms() };

	store_server_give_own(arg, OP_login_noted, &op);
}

static void
hash_work(void *arg)
{
	struct request *r = arg;
	struct strbuf b = strbuf_on(r->hash);

	if (r->op == OP_dkim_key_create) {
		struct op_dkim_key_create *op = r->args;

		r->error = key_files_make(strbuf_str(&r->conn->server->data_dir),
		                          (enum dkim_algorithm)op->algorithm, r->arena,
		                          &op->file, &op->public_key);
		return;
	}
	r->error = password_hash(*r->password, &b);
	r->hashed = strbuf_str(&b);
}

static void
request_free(struct request *r)
{
	conn_drop(r->conn);
	arena_free(&r->arena);
	mem_free(r);
}

static void
hash_worked(void *arg)
{
	struct request *r = arg;
	struct store_server *s = r->conn->server;
	struct strbuf b = strbuf_heap(1 << 20);

	s->hashes_out--;
	if (r->error == OK) {
		if (r->password)
			*r->password = r->hashed;
		op_pack(r->op, r->args, &b);
		store_server_give(s, r->conn, r->op, &r->head, strbuf_str(&b));
	} else {
		conn_reply(r->conn, r->op, r->head.seq, r->error, str_from(NULL));
	}
	strbuf_release(&b);
	request_free(r);
	store_server_check_stopped(s);
}

/* Where the password is, in the operations that have one. */
static struct str *
password_in(enum op op, void *args)
{
	switch (op) {
	case OP_account_create:
		return &((struct op_account_create *)args)->password;
	case OP_account_password:
		return &((struct op_account_password *)args)->password;
	case OP_admin_create:
		return &((struct op_admin_create *)args)->password;
	case OP_admin_password:
		return &((struct op_admin_password *)args)->password;
	default:
		return NULL;
	}
}

/* Is it worth a thread's time? */
static enum err
check_request(struct request *r)
{
	if (r->op == OP_dkim_key_create) {
		const struct op_dkim_key_create *op = r->args;

		return op->algorithm == DKIM_RSA || op->algorithm == DKIM_ED25519
		               ? OK
		               : ERR_INVALID;
	}
	r->password = password_in(r->op, r->args);
	CHECK(r->password);
	return r->password->n < PASSWORD_MIN_BYTES || r->password->n > PASSWORD_MAX
	               ? ERR_INVALID
	               : OK;
}

void
server_drop_unused_key(const struct store_server *s, const struct job *job)
{
	struct arena *a;
	void *op;

	if (job->op != OP_dkim_key_create || (job->error == OK && !job->was_done))
		return;
	a = arena_new(64 * 1024);
	if (op_unpack(job->op, job_args(job), a, &op) == OK)
		key_files_remove(strbuf_str(&s->data_dir),
		                 ((struct op_dkim_key_create *)op)->file);
	arena_free(&a);
}

void
server_hash_first(struct conn *c, enum op op, const struct call_head *head,
                  struct str args)
{
	struct store_server *s = c->server;
	struct request *r = mem_alloc(sizeof(*r));
	struct str copy;
	enum err e;

	r->conn = c;
	r->op = op;
	r->head = *head;
	r->arena = arena_new_secret(REQUEST_ARENA_BYTES);
	c->refs++;
	copy = arena_str(r->arena, args);
	e = op_unpack(op, copy, r->arena, &r->args);
	if (e == OK)
		e = check_request(r);
	if (e == OK && s->hashes_out >= HASHES_MAX)
		e = ERR_BUSY;
	if (e != OK) {
		conn_reply(c, op, head->seq, e, str_from(NULL));
		request_free(r);
		return;
	}
	s->hashes_out++;
	loop_work(s->loop, hash_work, hash_worked, r);
}

void
server_check_password(struct conn *c, uint64_t seq, struct str args)
{
	struct store_server *s = c->server;
	struct arena *a = arena_new_secret(256 * 1024);
	struct request *r;
	void *op;

	if (op_unpack(OP_auth, args, a, &op) != OK) {
		conn_reply(c, OP_auth, seq, ERR_MALFORMED, str_from(NULL));
	} else {
		r = mem_alloc(sizeof(*r));
		r->conn = c;
		r->op = OP_auth;
		r->head.seq = seq;
		c->refs++;
		s->hashes_out++;
		auth_check(s->auth, op, r);
	}
	arena_free(&a);
}
