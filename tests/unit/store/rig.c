#include "tests/unit/store/rig.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/panic.h"
#include "io/socket.h"
#include "store/reader_priv.h"
#include "store/rights.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WAIT_MS = 60 * 1000,
	ARENA_BYTES = 512 << 20,
};

static void
tick(void *arg)
{
	(void)arg;
}

bool
rig_wait(struct rig *r, const bool *flag)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	struct timer t;

	timer_init(&t, r->loop, tick, NULL);
	while (!*flag && clock_mono_ms() < until_ms) {
		timer_set(&t, 20);
		(void)loop_turn(r->loop);
	}
	timer_stop(&t);
	return *flag;
}

void
rig_turn(struct rig *r, int ms)
{
	int64_t until_ms = clock_mono_ms() + ms;
	struct timer t;

	timer_init(&t, r->loop, tick, NULL);
	while (clock_mono_ms() < until_ms) {
		timer_set(&t, 5);
		(void)loop_turn(r->loop);
	}
	timer_stop(&t);
}

static void
conf_error(void *arg, const struct diag *d)
{
	(void)arg;
	(void)fprintf(stderr, "rig: %d: %s\n", d->line, d->text);
}

void
rig_start_store(struct rig *r)
{
	CHECK(store_server_new(r->loop, r->conf, dup(r->listen_fd), &r->server) == OK);
	store_server_peer(r->server, getpid(), STR("all"), BY_ALL);
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

void
rig_stop_store(struct rig *r)
{
	bool is_stopped = false;

	store_server_stop(r->server, set_flag, &is_stopped);
	CHECK(rig_wait(r, &is_stopped));
	store_server_free(&r->server);
}

void
rig_open(struct rig *r)
{
	char text[512], socket_path[128];
	struct diag diag;

	*r = (struct rig){ .listen_fd = -1 };
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/mailstead-unit-XXXXXX");
	CHECK(mkdtemp(r->dir));
	(void)snprintf(text, sizeof(text),
	               "hostname: mail.example.org\n"
	               "data_dir: %s\n"
	               "run_dir: %s\n"
	               "listen: {smtp: [\"127.0.0.1:0\"]}\n"
	               "limits: {auth_failure_delay: 10ms, store_turn: 10s}\n",
	               r->dir, r->dir);
	CHECK(conf_parse(str_from(text), "rig.yaml", conf_error, NULL, &r->conf) == OK);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/store.sock", r->dir);
	CHECK(socket_listen_unix(socket_path, 0600, &r->listen_fd, &diag) == OK);
	event_set_log(LEVEL_ERROR, "unit");
	r->arena = arena_new(ARENA_BYTES);
	r->loop = loop_new();
	rig_start_store(r);
	r->client = store_client_new(r->loop, r->conf);
	r->bodies = bodies_new(r->loop, r->client, r->conf);
	r->reader = reader_open(r->conf);
	r->traces = trace_reader_open(r->conf);
}

static void
remove_below(const char *dir)
{
	char path[512];
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		struct stat st;

		if (str_eq(str_from(entry->d_name), STR(".")) ||
		    str_eq(str_from(entry->d_name), STR("..")))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			remove_below(path);
		else
			(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(dir);
}

void
rig_close(struct rig *r)
{
	trace_reader_close(&r->traces);
	reader_close(&r->reader);
	bodies_free(&r->bodies);
	store_client_free(&r->client);
	if (r->server)
		rig_stop_store(r);
	(void)close(r->listen_fd);
	loop_free(&r->loop);
	conf_free(&r->conf);
	arena_free(&r->arena);
	remove_below(r->dir);
}

/* Answers are borrowed in the call-back: a copy goes through their packed form. */
static void
answered(struct rig *r, enum op op, enum err e, const void *answer)
{
	struct strbuf b = strbuf_heap(64 << 20);

	r->error = e;
	r->got = NULL;
	if (answer) {
		struct str copy;

		answer_pack(op, answer, &b);
		copy = arena_str(r->arena, strbuf_str(&b));
		CHECK(answer_unpack(op, copy, r->arena, &r->got) == OK);
	}
	strbuf_release(&b);
	r->is_answered = true;
}

#define OP(name, answer, way, by)                                                        \
	static void name##_answered(void *arg, enum err e,                               \
	                            const struct answer_##answer *a)                     \
	{                                                                                \
		answered(arg, OP_##name, e, a);                                          \
	}                                                                                \
	enum err rig_##name(struct rig *r, const struct op_##name *op,                   \
	                    struct answer_##answer *answer_out)                          \
	{                                                                                \
		r->is_answered = false;                                                  \
		(void)store_##name(r->client, op, name##_answered, r);                   \
		if (!rig_wait(r, &r->is_answered))                                       \
			return ERR_TIMEOUT;                                              \
		if (answer_out)                                                          \
			*answer_out = (struct answer_##answer){ 0 };                     \
		if (answer_out && r->got)                                                \
			*answer_out = *(struct answer_##answer *)r->got;                 \
		return r->error;                                                         \
	}
#include "store/ops.def"
#undef OP

uint64_t
rig_account(struct rig *r)
{
	struct op_domain_put domain = { .name = STR("example.org"), .enabled = true };
	struct op_account_create account = { .address = STR("ann@example.org"),
		                             .password = STR("correct horse") };
	struct answer_id id;

	CHECK(rig_domain_put(r, &domain, NULL) == OK);
	CHECK(rig_account_create(r, &account, &id) == OK);
	return id.id;
}

static void
body_done(void *arg, enum err e, const struct new_body *body)
{
	struct rig *r = arg;

	r->error = e;
	if (body) {
		/* An accept has a body in it: the same way of copying. */
		struct op_accept op = { .body = *body };
		struct strbuf b = strbuf_heap(64 << 20);
		void *copy;

		op_pack(OP_accept, &op, &b);
		CHECK(op_unpack(OP_accept, arena_str(r->arena, strbuf_str(&b)), r->arena,
		                &copy) == OK);
		r->body = ((struct op_accept *)copy)->body;
		strbuf_release(&b);
	}
	r->is_answered = true;
}

enum err
rig_body(struct rig *r, struct str message)
{
	struct body_about about = { .sender = STR("bob@example.net"),
		                    .rcpts = STR("ann@example.org"),
		                    .at_ms = clock_unix_ms(),
		                    .prefix = r->prefix };
	struct body_writer *w = body_writer_new(r->bodies, 100 << 20);
	enum err e = OK;

	/* In pieces that fit no boundary of ours. */
	while (message.n && e == OK) {
		struct str piece = str_first(message, 10007);

		e = body_write(w, piece);
		message = str_from_offset(message, piece.n);
	}
	r->is_answered = false;
	body_finish(w, &about, body_done, r);
	CHECK(rig_wait(r, &r->is_answered));
	body_writer_free(&w);
	return r->error;
}

enum err
rig_deliver(struct rig *r, uint64_t account_id, struct str message,
            struct answer_accept *answer_out)
{
	struct id trace = id_new("mtr_"), session = id_new("ses_");
	struct accept_rcpt rcpt = { .kind = RCPT_LOCAL,
		                    .rcpt = STR("ann@example.org"),
		                    .account_id = account_id };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .session_id = id_str(&session),
		                .direction = TRACE_IN,
		                .sender = STR("bob@example.net"),
		                .ip = STR("192.0.2.1"),
		                .rcpts = &rcpt,
		                .rcpts_count = 1 };
	enum err e = rig_body(r, message);

	op.body = r->body;
	return e == OK ? rig_accept(r, &op, answer_out) : e;
}

struct wanted {
	struct rig *rig;
	struct message *out;
};

static bool
keep_message(void *arg, const struct entry *e, const struct message *m)
{
	struct wanted *w = arg;

	(void)e;
	*w->out = *m;
	w->out->ref.sha256 = arena_str(w->rig->arena, m->ref.sha256);
	w->out->head.envelope = arena_str(w->rig->arena, m->head.envelope);
	w->out->head.subject = arena_str(w->rig->arena, m->head.subject);
	w->out->head.message_id = arena_str(w->rig->arena, m->head.message_id);
	return true;
}

enum err
rig_message(struct rig *r, uint64_t message_id, unsigned want, struct message *m_out)
{
	struct wanted w = { .rig = r, .out = m_out };
	struct entry_span span = { 0 };
	struct stmt *s;
	enum err e;

	*m_out = (struct message){ 0 };
	e = reader_one(r->reader,
	               "SELECT mailbox_id, uid FROM entry WHERE message_id = $1",
	               VALUES(V_I(message_id)), &s);
	if (e != OK)
		return e;
	span.mailbox_id = db_u64(s, 0);
	span.first = span.last = db_u32(s, 1);
	db_end(&s);
	return reader_messages(r->reader, &span, want, 1, keep_message, &w);
}

bool
rig_has_message(struct rig *r, uint64_t message_id)
{
	struct stmt *s;

	if (reader_one(r->reader, "SELECT id FROM message WHERE id = $1",
	               VALUES(V_I(message_id)), &s) != OK)
		return false;
	db_end(&s);
	return true;
}
