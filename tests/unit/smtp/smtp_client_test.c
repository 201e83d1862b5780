/* Outbound dialogues: one row is one connection. The server's bytes are fed as they
   stand, piece by piece and byte by byte; what the client says and how each recipient
   ends must be the same. '|' stands for CRLF in all three columns; a '~' in the server's
   column ends a piece, and a piece that begins with '!' comes while the text is still
   being sent. */
#include "smtp/smtp_client.h"

#include "base/strbuf.h"
#include "smtp/smtp_client_body.h"
#include "tests/unit/check.h"

static const struct smtp_client_times times = { 1000, 2000, 3000, 4000,
	                                        5000, 6000, 7000, 8000 };

struct dialogue {
	const char *what;
	enum smtp_client_tls tls;
	unsigned message; /* M_ bits */
	const char *rcpts;
	const char *server, *say, *results;
};

enum {
	M_8BIT = 1,
	M_UTF8 = 2,
	M_BIG = 4,
	M_DSN = 8,
	M_TWICE = 16, /* the same message a second time */
	M_TLS = 32,   /* REQUIRETLS */
	M_ORCPT8 = 64,
};

#define TRY  SMTP_CLIENT_TLS_TRY
#define MUST SMTP_CLIENT_TLS_MUST
#define PIPE "220 s|~250-s|250 PIPELINING|~"

/* clang-format off */
static const struct dialogue dialogues[] = {
	{ "one message, step by step", TRY, 0, "a@b", "220 s ESMTP|~250 s|~250 ok|~250 ok|~354 go|~250 2.0.0 got it|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 2.0.0 got it" },
	{ "pipelined", TRY, 0, "a@b c@b", PIPE "250 ok|250 ok|250 ok|354 go|~250 yes|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes|OK 250 yes" },
	{ "HELO for an old server", TRY, 0, "a@b", "220 s|~500 what|~250 s|~250 ok|~250 ok|~354 go|~250 yes|~221 bye|",
	  "EHLO me|HELO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes" },
	{ "one of two recipients", TRY, 0, "a@b c@b", PIPE "250 ok|550 5.1.1 no such user|250 ok|354 go|~250 yes|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|DATA|Hi|..dot|.|QUIT|", "PERM 550 5.1.1 no such user|OK 250 yes" },
	{ "no recipient, but 354", TRY, 0, "a@b", PIPE "250 ok|450 4.2.1 later|354 go|~554 no valid recipients|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|.|QUIT|", "TEMP 450 4.2.1 later" },
	{ "no recipient, DATA refused", TRY, 0, "a@b", PIPE "250 ok|550 no|503 first RCPT|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|QUIT|", "PERM 550 no" },
	{ "no recipient, no pipelining", TRY, 0, "a@b c@b", "220 s|~250 s|~250 ok|~550 no|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|QUIT|", "PERM 550 no|PERM 550 no" },
	{ "sender refused", TRY, 0, "a@b c@b", "220 s|~250 s|~553 5.1.8 who|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 553 5.1.8 who|PERM 553 5.1.8 who" },
	{ "sender refused, pipelined", TRY, 0, "a@b", PIPE "451 4.7.1 later|503 no|503 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|QUIT|", "TEMP 451 4.7.1 later" },
	{ "DATA refused", TRY, 0, "a@b", "220 s|~250 s|~250 ok|~250 ok|~451 4.3.0 disk|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|QUIT|", "TEMP 451 4.3.0 disk" },
	{ "text refused, many lines", TRY, 0, "a@b", "220 s|~250 s|~250 ok|~250 ok|~354 go|~554-5.7.1 spam|554-5.7.1 see|554 5.7.1 there|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "PERM 554 5.7.1 spam see there" },
	{ "a second message needs RSET after a refusal", TRY, M_TWICE, "a@b", "220 s|~250 s|~250 ok|~550 no|~250 reset|~250 ok|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RSET|MAIL FROM:<f@me>|RCPT TO:<a@b>|QUIT|", "PERM 550 no" },
	{ "a second message needs none after success", TRY, M_TWICE, "a@b", PIPE "250 ok|250 ok|354 go|~250 yes|~250 ok|250 ok|354 go|~250 again|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 again" },
	{ "STARTTLS", TRY, 0, "a@b", "220 s|~250-s|250 STARTTLS|~220 go|~250 s|~250 ok|~250 ok|~354 go|~250 yes|~221 bye|",
	  "EHLO me|STARTTLS|<TLS>EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes" },
	{ "STARTTLS offered and refused", TRY, 0, "a@b", "220 s|~250-s|250 STARTTLS|~454 no|~250 ok|~250 ok|~354 go|~250 yes|~221 bye|",
	  "EHLO me|STARTTLS|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes" },
	{ "STARTTLS needed and refused", MUST, 0, "a@b", "220 s|~250-s|250 STARTTLS|~454 4.7.0 no|", "EHLO me|STARTTLS|", "dialogue TEMP 454 4.7.0 no" },
	{ "STARTTLS needed and not offered", MUST, 0, "a@b", "220 s|~250 s|", "EHLO me|", "dialogue TEMP TLS_UNAVAILABLE" },
	{ "REQUIRETLS", MUST, M_TLS, "a@b", "220 s|~250-s|250 STARTTLS|~220 go|~250-s|250 REQUIRETLS|~250 ok|~250 ok|~354 go|~250 yes|~221 bye|",
	  "EHLO me|STARTTLS|<TLS>EHLO me|MAIL FROM:<f@me> REQUIRETLS|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes" },
	{ "REQUIRETLS offered, and no demand", MUST, 0, "a@b", "220 s|~250-s|250 STARTTLS|~220 go|~250-s|250 REQUIRETLS|~550 no|~221 bye|",
	  "EHLO me|STARTTLS|<TLS>EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 550 no" },
	{ "REQUIRETLS not offered", MUST, M_TLS, "a@b", "220 s|~250-s|250 STARTTLS|~220 go|~250 s|~221 bye|",
	  "EHLO me|STARTTLS|<TLS>EHLO me|QUIT|", "PERM NEED_REQUIRETLS 5.7.30" },
	{ "REQUIRETLS offered in plain, and not under TLS", MUST, M_TLS, "a@b", "220 s|~250-s|250-REQUIRETLS|250 STARTTLS|~220 go|~250 s|~221 bye|",
	  "EHLO me|STARTTLS|<TLS>EHLO me|QUIT|", "PERM NEED_REQUIRETLS 5.7.30" },
	{ "REQUIRETLS offered in plain only", TRY, M_TLS, "a@b", "220 s|~250-s|250 REQUIRETLS|~221 bye|",
	  "EHLO me|QUIT|", "PERM NEED_REQUIRETLS 5.7.30" },
	{ "TLS not wanted", SMTP_CLIENT_TLS_NEVER, 0, "a@b", "220 s|~250-s|250 STARTTLS|~550 no|~221 bye|", "EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 550 no" },
	{ "parameters that are offered", TRY, M_8BIT | M_UTF8 | M_DSN, "a@b", "220 s|~250-s|250-SIZE 1000|250-8BITMIME|250-SMTPUTF8|250 DSN|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me> SIZE=11 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id1|QUIT|", "PERM 550 no" },
	{ "DSN for a recipient", TRY, M_DSN, "a@b", "220 s|~250-s|250 dsn|~250 ok|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me> RET=HDRS ENVID=id1|RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y|QUIT|", "PERM 550 no" },
	{ "ORCPT in UTF-8 with SMTPUTF8", TRY, M_UTF8 | M_ORCPT8, "a@b", "220 s|~250-s|250-SMTPUTF8|250 dsn|~250 ok|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me> SMTPUTF8|RCPT TO:<a@b> ORCPT=utf-8;\303\274\360\237\215\272@y|QUIT|", "PERM 550 no" },
	{ "ORCPT in UTF-8 without", TRY, M_ORCPT8, "a@b", "220 s|~250-s|250-SMTPUTF8|250 dsn|~250 ok|~550 no|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b> ORCPT=utf-8;\\x{FC}\\x{1F37A}@y|QUIT|", "PERM 550 no" },
	{ "parameters that are not", TRY, M_DSN, "a@b", "220 s|~250 s|~250 ok|~550 no|~221 bye|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|QUIT|", "PERM 550 no" },
	{ "8-bit text to a 7-bit server", TRY, M_8BIT, "a@b", "220 s|~250 s|~221 bye|", "EHLO me|QUIT|", "PERM NEED_8BITMIME 5.6.3" },
	{ "UTF-8 address to an old server", TRY, M_UTF8, "a@b", "220 s|~250 s|~221 bye|", "EHLO me|QUIT|", "PERM NEED_SMTPUTF8 5.6.7" },
	{ "too large", TRY, M_BIG, "a@b", "220 s|~250-s|250 SIZE 1000|~221 bye|", "EHLO me|QUIT|", "PERM TOO_LARGE 5.3.4" },
	{ "an address that would inject", TRY, 0, "a@b>|RSET c@b", "220 s|~250 s|~250 ok|~550 no|~221 bye|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<c@b>|QUIT|", "PERM ADDRESS 5.1.3|PERM 550 no" },
	{ "RCPTMAX", TRY, 0, "a@b c@b", "220 s|~250-s|250 LIMITS MAILMAX=1 RCPTMAX=1|~250 ok|~250 ok|~354 go|~250 yes|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes|AGAIN" },
	{ "one recipient too many", TRY, 0, "a@b c@b", PIPE "250 ok|250 ok|452 4.5.3 too many|354 go|~250 yes|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes|AGAIN 452 4.5.3 too many" },
	{ "a full mailbox is not one too many", TRY, 0, "a@b c@b", PIPE "250 ok|250 ok|552 5.2.2 full|354 go|~250 yes|~221 bye|",
	  "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|DATA|Hi|..dot|.|QUIT|", "OK 250 yes|PERM 552 5.2.2 full" },
	{ "no service", TRY, 0, "a@b", "554 5.7.1 go away|", "", "dialogue PERM 554 5.7.1 go away" },
	{ "busy", TRY, 0, "a@b", "421 4.3.2 busy|", "", "dialogue TEMP 421 4.3.2 busy" },
	{ "421 in the middle", TRY, 0, "a@b c@b", PIPE "250 ok|250 ok|421 4.3.2 down|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|RCPT TO:<c@b>|DATA|",
	  "TEMP 421 4.3.2 down|TEMP 421 4.3.2 down" },
	{ "text refused half way", TRY, 0, "a@b", "220 s|~250 s|~250 ok|~250 ok|~354 go|~!552 5.3.4 too much|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|", "PERM 552 5.3.4 too much" },
	{ "accepted half way is a lie", TRY, 0, "a@b", "220 s|~250 s|~250 ok|~250 ok|~354 go|~!250 yes|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|", "TEMP PROTOCOL" },
	{ "not a mail server", TRY, 0, "a@b", "SSH-2.0-OpenSSH|", "", "dialogue TEMP PROTOCOL" },
	{ "codes that differ", TRY, 0, "a@b", "220 s|~250-s|220 s|", "EHLO me|", "dialogue TEMP PROTOCOL" },
	{ "a code of four digits", TRY, 0, "a@b", "2200 s|", "", "dialogue TEMP PROTOCOL" },
	{ "yes to everything", TRY, 0, "a@b", "220 s|~250 s|~250 ok|~250 ok|~250 ok|", "EHLO me|MAIL FROM:<f@me>|RCPT TO:<a@b>|DATA|", "TEMP PROTOCOL" },
	{ "code only", TRY, 0, "a@b", "220|~250|~550|~221|", "EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 550" },
	{ "an enhanced code of another class is text", TRY, 0, "a@b", "220 s|~250 s|~550 4.1.1 x|~221 bye|", "EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 550 4.1.1 x" },
	{ "control bytes in the text", TRY, 0, "a@b", "220 s|~250 s|~550 a\x1b[2J\xff\xc2\x9bz|~221 bye|", "EHLO me|MAIL FROM:<f@me>|QUIT|", "PERM 550 a [2J\xef\xbf\xbd z" },
};
/* clang-format on */

static void
add_lines(struct strbuf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			strbuf_lit(b, "\r\n");
		else
			strbuf_byte(b, s.p[i]);
	}
}

static void
show_result(struct strbuf *b, struct smtp_client_result r)
{
	static const char *const words[] = { "OPEN", "OK", "AGAIN", "TEMP", "PERM" };

	strbuf_add(b, str_from(words[r.outcome]));
	if (r.cause != OK)
		strbuf_printf(b, " %s", err_get(r.cause)->name);
	if (r.code)
		strbuf_printf(b, " %d", r.code);
	if (r.enhanced.n)
		strbuf_printf(b, " %.*s", STR_ARG(r.enhanced));
	if (r.text.n)
		strbuf_printf(b, " %.*s", STR_ARG(r.text));
}

struct runner {
	const struct dialogue *d;
	struct smtp_client *c;
	struct smtp_client_message message;
	struct smtp_client_rcpt rcpts[8];
	struct strbuf out;
	unsigned left; /* messages still to send */
	bool was_sent;
	enum smtp_client_next next;
};

/* Does what the client asks for until it wants input. `holds_body` leaves the text
   unfinished, for servers that answer in the middle of it. */
static void
obey(struct runner *r, bool holds_body)
{
	for (;;) {
		switch (r->next) {
		case SMTP_CLIENT_NEXT_READ:
		case SMTP_CLIENT_NEXT_CLOSE:
			return;
		case SMTP_CLIENT_NEXT_STARTTLS:
			strbuf_lit(&r->out, "<TLS>");
			r->next = smtp_client_secured(r->c, &r->out);
			break;
		case SMTP_CLIENT_NEXT_READY:
			if (r->left && smtp_client_room(r->c)) {
				r->left--;
				r->was_sent = true;
				r->next = smtp_client_send(r->c, &r->message, &r->out);
			} else {
				r->next = smtp_client_quit(r->c, &r->out);
			}
			break;
		case SMTP_CLIENT_NEXT_BODY:
			if (holds_body)
				return;
			smtp_client_body(r->c, STR("Hi\r\n.d"), &r->out);
			smtp_client_body(r->c, STR("ot\r\n"), &r->out);
			r->next = smtp_client_body_end(r->c, &r->out);
			break;
		}
	}
}

static void
feed(struct runner *r, struct str piece, bool by_bytes, bool holds_body)
{
	size_t step = by_bytes ? 1 : piece.n;

	for (size_t i = 0; i < piece.n; i += step) {
		r->next = smtp_client_input(
			r->c, str_first(str_from_offset(piece, i), step), &r->out);
		obey(r, holds_body);
	}
}

static void
set_message(struct runner *r, struct strbuf *names)
{
	const struct dialogue *d = r->d;
	struct str rest, name;

	r->message = (struct smtp_client_message){
		.from = STR("f@me"),
		.size = d->message & M_BIG ? 1001 : 11,
		.is_8bit = d->message & M_8BIT,
		.is_tls_required = d->message & M_TLS,
		.is_utf8 = d->message & M_UTF8,
		.rcpts = r->rcpts,
	};
	if (d->message & M_DSN) {
		r->message.ret = STR("HDRS");
		r->message.envid = STR("id1");
	}
	add_lines(names, str_from(d->rcpts));
	rest = strbuf_str(names);
	while (str_next(&rest, ' ', &name)) {
		struct smtp_client_rcpt *rcpt = &r->rcpts[r->message.rcpt_count++];

		rcpt->address = name;
		if (d->message & M_DSN) {
			rcpt->orcpt = STR("rfc822;x@y");
			rcpt->notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY;
		}
		if (d->message & M_ORCPT8)
			rcpt->orcpt = STR("utf-8;\303\274\360\237\215\272@y");
	}
}

static void
check_results(struct runner *r)
{
	struct strbuf got = strbuf_heap(4096);

	if (!r->was_sent) {
		strbuf_lit(&got, "dialogue ");
		show_result(&got, smtp_client_failure(r->c));
	}
	for (size_t i = 0; r->was_sent && i < r->message.rcpt_count; i++) {
		if (i)
			strbuf_lit(&got, "|");
		show_result(&got, r->rcpts[i].result);
	}
	CHECK_STR_EQ(strbuf_str(&got), str_from(r->d->results), r->d->what);
	strbuf_release(&got);
}

static void
run(const struct dialogue *d, bool by_bytes)
{
	struct smtp_client_conf conf = { STR("me"), d->tls, 100, times };
	struct runner r = { .d = d, .out = strbuf_heap(1 << 20) };
	struct strbuf names = strbuf_heap(256), said = strbuf_heap(4096);
	struct str script = str_from(d->server), piece;

	r.c = smtp_client_new(&conf);
	r.left = d->message & M_TWICE ? 2 : 1;
	set_message(&r, &names);
	while (str_next(&script, '~', &piece)) {
		struct strbuf bytes = strbuf_heap(4096);
		bool holds_body = str_skip(&piece, STR("!"));

		holds_body = holds_body || str_starts(script, STR("!"));
		add_lines(&bytes, piece);
		feed(&r, strbuf_str(&bytes), by_bytes, holds_body);
		strbuf_release(&bytes);
	}
	CHECK_U64_EQ(r.next, SMTP_CLIENT_NEXT_CLOSE, d->what);
	add_lines(&said, str_from(d->say));
	CHECK_STR_EQ(strbuf_str(&r.out), strbuf_str(&said), d->what);
	check_results(&r);
	smtp_client_free(&r.c);
	strbuf_release(&r.out);
	strbuf_release(&names);
	strbuf_release(&said);
}

static void
test_dialogues(void)
{
	for (size_t i = 0; i < ARRAY_LEN(dialogues); i++) {
		run(&dialogues[i], false);
		run(&dialogues[i], true);
	}
}

/* Bytes that were sent before the client could have asked for them. */
static void
test_early(void)
{
	struct smtp_client_conf conf = { STR("me"), TRY, 100, times };
	struct smtp_client_rcpt rcpt = { .address = STR("a@b") };
	struct smtp_client_message m = { .from = STR("f@me"),
		                         .rcpts = &rcpt,
		                         .rcpt_count = 1 };
	struct strbuf out = strbuf_heap(4096);
	struct smtp_client *c = smtp_client_new(&conf);

	CHECK_U64_EQ(smtp_client_input(c, STR("220 s\r\n250 s\r\n250 ok\r\n"), &out),
	             SMTP_CLIENT_NEXT_CLOSE, "all at once");
	CHECK_ERR_EQ(smtp_client_failure(c).cause, ERR_PROTOCOL, "all at once");
	smtp_client_free(&c);

	c = smtp_client_new(&conf);
	CHECK_U64_EQ(smtp_client_input(c, STR("220 s\r\n"), &out), SMTP_CLIENT_NEXT_READ,
	             "");
	CHECK_U64_EQ(smtp_client_input(c, STR("250-s\r\n250 STARTTLS\r\n"), &out),
	             SMTP_CLIENT_NEXT_READ, "STARTTLS is asked for");
	CHECK_U64_EQ(smtp_client_input(c, STR("220 go\r\n250 injected\r\n"), &out),
	             SMTP_CLIENT_NEXT_CLOSE, "plain text behind STARTTLS");
	smtp_client_free(&c);

	c = smtp_client_new(&conf);
	CHECK_U64_EQ(smtp_client_input(c, STR("220 s\r\n"), &out), SMTP_CLIENT_NEXT_READ,
	             "");
	CHECK_U64_EQ(smtp_client_input(c, STR("250-s\r\n250 PIPELINING\r\n"), &out),
	             SMTP_CLIENT_NEXT_READY, "no TLS there");
	CHECK_U64_EQ(smtp_client_send(c, &m, &out), SMTP_CLIENT_NEXT_READ, "");
	CHECK_U64_EQ(smtp_client_input(c, STR("250 a\r\n250 b\r\n354 c\r\n"), &out),
	             SMTP_CLIENT_NEXT_BODY, "");
	CHECK_U64_EQ(smtp_client_body_end(c, &out), SMTP_CLIENT_NEXT_READ, "");
	CHECK_U64_EQ(smtp_client_input(c, STR("250 d\r\n421 bye\r\n"), &out),
	             SMTP_CLIENT_NEXT_CLOSE, "accepted, and closed");
	CHECK_U64_EQ(rcpt.result.outcome, SMTP_CLIENT_OK, "and it stays accepted");
	smtp_client_free(&c);
	strbuf_release(&out);
}

/* Lost at every step: the open recipients get a temporary result, once. */
static void
test_closed(void)
{
	static const struct str replies[] = {
		STR_INIT("250 a\r\n"),
		STR_INIT("250 b\r\n"),
		STR_INIT("354 c\r\n"),
	};

	for (size_t steps = 0; steps <= ARRAY_LEN(replies); steps++) {
		struct smtp_client_conf conf = { STR("me"), TRY, 100, times };
		struct smtp_client_rcpt rcpt = { .address = STR("a@b") };
		struct smtp_client_message m = { .from = STR("f@me"),
			                         .rcpts = &rcpt,
			                         .rcpt_count = 1 };
		struct strbuf out = strbuf_heap(4096);
		struct smtp_client *c = smtp_client_new(&conf);
		enum smtp_client_next next;

		next = smtp_client_input(c, STR("220 s\r\n"), &out);
		next = smtp_client_input(c, STR("250 s\r\n"), &out);
		CHECK_U64_EQ(next, SMTP_CLIENT_NEXT_READY, "ready");
		next = smtp_client_send(c, &m, &out);
		for (size_t i = 0; i < steps; i++)
			next = smtp_client_input(c, replies[i], &out);
		if (next == SMTP_CLIENT_NEXT_BODY)
			next = smtp_client_body_end(c, &out);
		CHECK_U64_EQ(next, SMTP_CLIENT_NEXT_READ, "waits");
		smtp_client_closed(c, ERR_CLOSED);
		smtp_client_closed(c, ERR_TIMEOUT);
		CHECK_U64_EQ(rcpt.result.outcome, SMTP_CLIENT_TEMP, "temporary");
		CHECK_ERR_EQ(rcpt.result.cause, ERR_CLOSED, "the first cause stays");
		smtp_client_free(&c);
		strbuf_release(&out);
	}
}

/* A reply without end is given up after 64 KiB, and costs no more steps. */
static void
test_endless(void)
{
	static const struct str pieces[] = {
		STR_INIT("220-and so on\r\n"),
		STR_INIT("220-no line end at all, never "),
	};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct smtp_client_conf conf = { STR("me"), TRY, 100, times };
		struct strbuf out = strbuf_heap(4096);
		struct smtp_client *c = smtp_client_new(&conf);
		uint64_t steps = smtp_client_steps(c);
		size_t fed = 0;

		while (smtp_client_input(c, pieces[i], &out) == SMTP_CLIENT_NEXT_READ) {
			CHECK_U64_EQ(smtp_client_steps(c), steps, "no step");
			fed += pieces[i].n;
			if (fed > (1 << 20))
				break;
		}
		CHECK_TRUE(fed <= 64 * 1024, "given up in time");
		CHECK_ERR_EQ(smtp_client_failure(c).cause, ERR_PROTOCOL, "cause");
		smtp_client_free(&c);
		strbuf_release(&out);
	}
}

static const struct {
	const char *what, *in, *out;
} bodies[] = {
	{ "plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n" },
	{ "empty", "", ".\r\n" },
	{ "no last line end", "a", "a\r\n.\r\n" },
	{ "dots", ".\r\n..\r\na.\r\n.b", "..\r\n...\r\na.\r\n..b\r\n.\r\n" },
	{ "bare LF", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n" },
	{ "bare CR", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "CR CR LF", "a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n" },
	{ "LF dot CRLF", "a\n.\r\nMAIL FROM:<x>\r\n",
	  "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n" },
	{ "CRLF dot CR", "a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "last CR", "a\r", "a\r\n.\r\n" },
	{ "LF CR", "a\n\r.\r\n", "a\r\n\r\n..\r\n.\r\n" },
};

static void
test_bodies(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str in = str_from(bodies[i].in);

		for (size_t step = 1; step <= in.n + 1; step++) {
			struct smtp_body_writer w = { 0 };
			struct strbuf out = strbuf_heap(256);

			for (size_t at = 0; at < in.n; at += step)
				smtp_body_write(&w,
				                str_first(str_from_offset(in, at), step),
				                &out);
			smtp_body_end(&w, &out);
			CHECK_STR_EQ(strbuf_str(&out), str_from(bodies[i].out),
			             bodies[i].what);
			strbuf_release(&out);
		}
	}
}

SUITE(smtp_smtp_client, { "dialogues", test_dialogues }, { "early talkers", test_early },
      { "lost connections", test_closed }, { "endless replies", test_endless },
      { "message text", test_bodies });
