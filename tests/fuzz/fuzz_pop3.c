/* A POP3 session fed any bytes, whole and in pieces: the same replies, the invariants
   hold, every question is answered in some way. */
#include "base/panic.h"
#include "pop3/pop3_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct pop3_session *session;
	struct str *message;
	unsigned answers; /* what the answers are drawn from */
	bool is_open, is_held;
};

static const struct str text = STR_INIT("Subject: x\r\n\r\n.\r\nbody\r\n..\r\nend");

static void
ask_login(void *arg, struct str user, struct str password)
{
	(void)arg;
	CHECK(user.n && password.n);
}

static void
ask_open(void *arg)
{
	struct world *w = arg;

	w->is_open = true;
}

static void
ask_message(void *arg, uint32_t uid, struct str *message_out)
{
	struct world *w = arg;

	CHECK(uid >= 1 && uid <= 40 && !w->is_held);
	w->message = message_out;
}

static void
ask_remove(void *arg, const struct uid_range *uids, size_t n)
{
	(void)arg;
	CHECK(n > 0);
	for (size_t i = 0; i < n; i++)
		CHECK(uids[i].first <= uids[i].last &&
		      (i == 0 || uids[i - 1].last < uids[i].first));
}

static void
release(void *arg)
{
	struct world *w = arg;

	CHECK(w->is_held);
	w->is_held = false;
}

static const struct pop3_ops ops = { ask_login, ask_open, ask_message, ask_remove,
	                             release };

static enum pop3_next
answer(struct world *w, struct strbuf *out)
{
	enum err e = w->answers % 5 == 4 ? ERR_STORE_TEMP : OK;

	w->answers = w->answers * 7 / 5 + 3;
	if (w->is_open && e == OK) {
		pop3_session_begin(w->session, 1);
		for (uint32_t i = 0; i < 20; i++)
			CHECK(pop3_session_entry(w->session, i * 2 + 1,
			                         (uint32_t)text.n));
	}
	w->is_open = false;
	if (w->message && e == OK) {
		*w->message = text;
		w->is_held = true;
	}
	w->message = NULL;
	return pop3_session_resume(w->session, e, out);
}

static void
run(const struct pop3_conf *conf, struct str in, size_t piece, unsigned answers,
    struct strbuf *all)
{
	struct world w = { .answers = answers };
	struct strbuf out = strbuf_heap(1 << 20);
	enum pop3_next next = POP3_READ;
	size_t used, at = 0, shown = 0;

	w.session = pop3_session_new(conf, &ops, &w, answers % 3 == 0);
	pop3_session_greet(w.session, &out);
	while (next != POP3_CLOSE) {
		pop3_session_check(w.session);
		CHECK(*pop3_state_word(pop3_session_state(w.session)));
		CHECK(pop3_session_is_waiting(w.session) == (next == POP3_WAIT));
		CHECK(!pop3_session_is_at_rest(w.session) || next != POP3_WAIT);
		strbuf_add(all, strbuf_str(&out));
		strbuf_clear(&out);
		if (next == POP3_WAIT) {
			next = answer(&w, &out);
			continue;
		}
		if (next == POP3_MORE) {
			next = pop3_session_drained(w.session, &out);
			continue;
		}
		if (next == POP3_STARTTLS)
			pop3_session_secured(w.session);
		next = pop3_session_input(w.session, str_make(in.p + at, shown - at),
		                          &used, &out);
		CHECK(used <= shown - at);
		at += used;
		if (next == POP3_READ && used == 0) {
			if (shown == in.n)
				break;
			shown = in.n - shown < piece ? in.n : shown + piece;
		}
	}
	strbuf_add(all, strbuf_str(&out));
	pop3_session_free(&w.session);
	CHECK(!w.is_held);
	strbuf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf whole = strbuf_heap(1 << 22), pieces = strbuf_heap(1 << 22);
	struct pop3_conf conf = pop3_conf_default;
	struct str in;

	if (size < 2)
		return 0;
	conf.has_starttls = data[0] & 1;
	conf.has_plaintext_auth = data[0] & 2;
	conf.output_soft_bytes = data[0] & 4 ? 1 : 4096;
	conf.line_max_bytes = 128;
	in = str_make(data + 2, size - 2);
	run(&conf, in, in.n ? in.n : 1, data[1], &whole);
	run(&conf, in, 1, data[1], &pieces);
	CHECK(str_eq(strbuf_str(&whole), strbuf_str(&pieces)));
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
