/* A server that says anything, in any pieces. The first byte chooses how the rest is cut
   and what the client wants, with its highest bit the second one too; whatever comes,
   each recipient ends with one result and nothing but CRLF line ends is sent. */
#include "base/panic.h"
#include "base/strbuf.h"
#include "smtp/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
	RCPTS = 3,
	MESSAGES = 3,
};

static enum smtp_client_next
obey(struct smtp_client *c, enum smtp_client_next next, struct smtp_client_message *m,
     int *left, struct strbuf *out)
{
	for (;;) {
		switch (next) {
		case SMTP_CLIENT_NEXT_STARTTLS:
			next = smtp_client_secured(c, out);
			break;
		case SMTP_CLIENT_NEXT_READY:
			for (size_t i = 0; *left < MESSAGES && i < RCPTS; i++)
				CHECK(m->rcpts[i].result.outcome != SMTP_CLIENT_OPEN);
			if (*left && smtp_client_room(c)) {
				(*left)--;
				next = smtp_client_send(c, m, out);
			} else {
				next = smtp_client_quit(c, out);
			}
			break;
		case SMTP_CLIENT_NEXT_BODY:
			smtp_client_body(c, STR("a\n.\rb\r\n.c"), out);
			next = smtp_client_body_end(c, out);
			break;
		default:
			return next;
		}
	}
}

static void
check_output(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			CHECK(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			CHECK(i + 1 < s.n && s.p[i + 1] == '\n');
	}
}

/* What only some servers can do. */
static void
want(struct smtp_client_message *m, uint8_t bits)
{
	m->is_utf8 = bits & 1;
	m->is_tls_required = bits & 2;
	m->ret = bits & 4 ? STR("HDRS") : STR("");
	if (bits & 8)
		m->size = 5000;
	for (size_t i = 0; i < RCPTS; i++) {
		m->rcpts[i].notify = bits >> 4;
		m->rcpts[i].orcpt = bits & 4 ? STR("rfc822;a@b") : STR("");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct smtp_client_rcpt rcpts[RCPTS] = { { .address = STR("a@b") },
		                                 { .address = STR("\"x y\"@b") },
		                                 { .address = STR("bad\r\n@b") } };
	struct smtp_client_message m = { .from = STR("f@me"),
		                         .envid = STR("id"),
		                         .size = 10,
		                         .rcpts = rcpts,
		                         .rcpt_count = RCPTS };
	struct smtp_client_conf conf = { .helo = STR("me"), .rcpt_max = 100 };
	enum smtp_client_next next = SMTP_CLIENT_NEXT_READ;
	struct strbuf out = strbuf_heap(1 << 22);
	struct smtp_client *c;
	int left = MESSAGES;
	size_t step, begin = 1;

	if (n < 2)
		return 0;
	conf.tls = (enum smtp_client_tls)(data[0] % 3);
	m.is_8bit = data[0] & 0x20;
	step = data[0] & 0x40 ? 1 : 1 + (size_t)(data[0] & 0x1c) * 5;
	if (data[0] & 0x80)
		want(&m, data[begin++]);
	c = smtp_client_new(&conf);
	for (size_t i = begin; i < n && next != SMTP_CLIENT_NEXT_CLOSE; i += step) {
		size_t piece = n - i < step ? n - i : step;

		CHECK(*smtp_client_state_name(smtp_client_state(c)));
		CHECK(!smtp_client_has_requiretls(c) || smtp_client_is_secured(c));
		(void)smtp_client_time_ms(c);
		next = smtp_client_input(c, str_make(data + i, piece), &out);
		next = obey(c, next, &m, &left, &out);
	}
	smtp_client_closed(c, ERR_CLOSED);
	for (size_t i = 0; left < MESSAGES && i < RCPTS; i++)
		CHECK(rcpts[i].result.outcome != SMTP_CLIENT_OPEN);
	CHECK(!out.overflow);
	check_output(strbuf_str(&out));
	smtp_client_free(&c);
	strbuf_release(&out);
	return 0;
}
