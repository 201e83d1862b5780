/* A client that says anything, in any pieces, to a server session.
 *
 * The first byte chooses the service and what the client may do, the second how the rest
 * is cut, the third what the answers to questions are. After each step the invariants
 * must hold; replies must be whole lines; nothing with a bare CR or LF, or a NUL, may be
 * accepted. */
#include "base/panic.h"
#include "smtp/smtp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
	struct smtp_session *session;
	struct smtp_answer answer;
	struct strbuf body, seen;
	uint8_t luck;
	bool has_asked;
};

static void
ask(struct world *w, enum err bad)
{
	CHECK(!w->has_asked);
	w->has_asked = true;
	/* Most are good, or nothing would get far. */
	w->luck = (uint8_t)(w->luck * 5 + 1);
	w->answer = (struct smtp_answer){ .err = w->luck % 8 ? OK : bad,
		                          .login = STR("ann@example.org"),
		                          .now_ms = 1764000000000 };
	w->answer.trace_id = id_make("mtr_", 1764000000000, w->luck);
}

static void
ask_auth(void *arg, const struct smtp_credentials *c)
{
	CHECK(c->user.n && c->password.n);
	ask(arg, ERR_AUTH);
}

static void
ask_mail(void *arg, const struct smtp_mail *mail)
{
	CHECK(mail->rcpt_count == 0);
	ask(arg, ERR_SENDER_LOCAL);
}

static void
ask_rcpt(void *arg, const struct smtp_rcpt *rcpt)
{
	CHECK(rcpt->text.n);
	ask(arg, ERR_NO_SUCH_USER);
}

static void
ask_open(void *arg, const struct smtp_mail *mail)
{
	struct world *w = arg;

	CHECK(mail->rcpt_count);
	strbuf_clear(&w->body);
	strbuf_clear(&w->seen);
	ask(w, ERR_STORE_TEMP);
}

static enum err
take_bytes(void *arg, struct str bytes)
{
	struct world *w = arg;

	strbuf_add(&w->body, bytes);
	return w->body.overflow ? ERR_DISK_FULL : OK;
}

static enum err
see_bytes(void *arg, struct str bytes)
{
	struct world *w = arg;

	strbuf_add(&w->seen, bytes);
	return OK;
}

static void
ask_accept(void *arg, const struct smtp_mail *mail)
{
	struct world *w = arg;
	struct str body = strbuf_str(&w->body);

	CHECK(mail->size == body.n);
	CHECK(str_starts(mail->return_path, STR("Return-Path: <")));
	CHECK(str_starts(body, STR("Received: ")));
	/* An empty chunk has nothing to see. */
	CHECK(!w->seen.n || str_ends(strbuf_str(&w->seen), STR("\r\n")));
	CHECK(str_ends(body, STR("\r\n")));
	CHECK(!memchr(body.p, '\0', body.n));
	for (size_t i = 0; i < body.n; i++) {
		CHECK(body.p[i] != '\n' || (i && body.p[i - 1] == '\r'));
		CHECK(body.p[i] != '\r' || (i + 1 < body.n && body.p[i + 1] == '\n'));
	}
	ask(w, ERR_DISK_FULL);
}

static void
forget(void *arg)
{
	struct world *w = arg;

	strbuf_clear(&w->body);
	strbuf_clear(&w->seen);
}

static void
tell(void *arg, struct event *e)
{
	(void)arg;
	CHECK(!e->body.overflow);
}

static const struct smtp_ops ops = {
	.auth = ask_auth,
	.mail = ask_mail,
	.rcpt = ask_rcpt,
	.open = ask_open,
	.accept = ask_accept,
	.write = take_bytes,
	.saw = see_bytes,
	.forget = forget,
	.tell = tell,
};

static const struct smtp_conf conf = {
	.hostname = STR_INIT("mail.example.org"),
	.has_tls = true,
	.message_size_max = 2000,
	.line_max = 300,
	.auth_line_max = 600,
	.line_close = 2000,
	.rcpt_max = 5,
	.mail_max = 10,
	.error_max = 20,
	.unknown_max = 10,
	.auth_fail_max = 3,
	.offers_dsn = true,
	.received_max = 5,
};

/* Replies are lines "NNN text" or "NNN-text" and nothing else. */
static void
check_replies(struct strbuf *out)
{
	struct str rest = strbuf_str(out), line;

	CHECK(!out->overflow);
	CHECK(out->n == 0 || str_ends(rest, STR("\r\n")));
	while (str_next(&rest, '\n', &line)) {
		CHECK(line.n >= 5 && line.p[line.n - 1] == '\r');
		CHECK(line.p[0] >= '2' && line.p[0] <= '5');
		CHECK(byte_is_digit(line.p[1]) && byte_is_digit(line.p[2]));
		CHECK(line.p[3] == ' ' || line.p[3] == '-');
		CHECK(!memchr(line.p, '\r', line.n - 1) && !memchr(line.p, '\0', line.n));
	}
	strbuf_clear(out);
}

static void
talk(struct world *w, struct str in, size_t piece, struct strbuf *out)
{
	size_t fed = 0, shown = 0;
	uint64_t progress = 0;
	enum smtp_next next = SMTP_READ;

	while (next != SMTP_CLOSE) {
		size_t used = 0;

		smtp_session_check(w->session);
		(void)smtp_session_patience(w->session);
		CHECK(*smtp_session_state(w->session));
		CHECK(!smtp_session_is_idle(w->session) || next != SMTP_WAIT);
		CHECK(smtp_session_progress(w->session) >= progress);
		progress = smtp_session_progress(w->session);
		if (next == SMTP_WAIT) {
			CHECK(w->has_asked);
			w->has_asked = false;
			w->answer.unread = shown - fed;
			next = smtp_session_resume(w->session, &w->answer, out);
		} else if (next == SMTP_STARTTLS) {
			fed = shown;
			smtp_session_secured(w->session, STR("TLSv1.3"), STR("AES"));
			next = SMTP_READ;
		} else {
			next = smtp_session_input(w->session,
			                          str_make(in.p + fed, shown - fed),
			                          &used, out);
			CHECK(used <= shown - fed);
			fed += used;
			if (next == SMTP_READ && (used == 0 || fed == shown) && !out->n) {
				if (shown == in.n)
					break;
				shown += piece < in.n - shown ? piece : in.n - shown;
			}
		}
		check_replies(out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct smtp_peer peer = { .ip = STR("203.0.113.9") };
	struct strbuf out = strbuf_heap(SMTP_OUT_MAX);
	struct world w = { .body = strbuf_heap(1 << 16), .seen = strbuf_heap(1 << 16) };

	if (n < 3)
		return 0;
	peer.may_relay = data[0] & 2;
	peer.may_auth_plain = data[0] & 4;
	peer.may_xclient = data[0] & 8;
	w.luck = data[2];
	w.session = smtp_session_new(&conf, data[0] & 1 ? SMTP_SUBMISSION : SMTP_MX,
	                             &peer, id_make("ses_", 1764000000000, 1), &ops, &w);
	smtp_session_greet(w.session, &out);
	check_replies(&out);
	talk(&w, str_make(data + 3, n - 3), (size_t)data[1] + 1, &out);
	if (data[0] & 16)
		smtp_session_end(w.session, ERR_TIMEOUT, &out);
	check_replies(&out);
	smtp_session_free(&w.session);
	strbuf_release(&out);
	strbuf_release(&w.body);
	strbuf_release(&w.seen);
	return 0;
}
