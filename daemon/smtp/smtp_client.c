/* smtp_client.c - the outbound dialogue: greeting, hello, STARTTLS, replies, the end. The
 * transactions in it are in smtp_client_tx.c.
 *
 * A reply that nobody asked for is never taken for an answer: what follows the last
 * outstanding reply in the same input was sent before our next command could be read.
 */
#include "smtp/smtp_client.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/utf8.h"
#include "smtp/smtp_client_priv.h"

#include <assert.h>

enum {
	CLIENT_MAGIC = 0x534d4343,
	DIALOGUE_BUDGET = 32 * 1024,
	TX_BUDGET = (SMTP_CLIENT_RCPT_LIMIT + 8) * (SMTP_CLIENT_TEXT_MAX + 64),
	PEER_NAME_MAX = 255,
};

static const struct {
	const char *name;
	size_t time_offset;
} states[] = {
#define STATE(id, name, time) { name, offsetof(struct smtp_client_times, time) },
#include "smtp/smtp_client_states.def"
#undef STATE
};

static_assert(ARRAY_LEN(states) == SMTP_CLIENT_STATE_COUNT, "one row a state");

struct smtp_client *
smtp_client_new(const struct smtp_client_conf *conf)
{
	struct smtp_client *c = mem_alloc(sizeof(*c));

	c->magic = CLIENT_MAGIC;
	c->conf = conf;
	c->arena = arena_new(DIALOGUE_BUDGET);
	c->tx = arena_new(TX_BUDGET);
	c->text = strbuf_heap(SMTP_CLIENT_TEXT_MAX);
	smtp_reply_init(&c->parser);
	c->state = SMTP_CLIENT_GREETING;
	c->outstanding = 1;
	return c;
}

void
smtp_client_free(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;

	if (!c)
		return;
	CHECK(c->magic == CLIENT_MAGIC);
	smtp_reply_fini(&c->parser);
	strbuf_release(&c->text);
	arena_free(&c->tx);
	arena_free(&c->arena);
	mem_free(c);
	*cp = NULL;
}

/* What the caller does while nothing changes. */
static enum smtp_client_next
present(const struct smtp_client *c)
{
	switch (c->state) {
	case SMTP_CLIENT_IDLE:
		return SMTP_CLIENT_NEXT_READY;
	case SMTP_CLIENT_BODY:
		return SMTP_CLIENT_NEXT_BODY;
	case SMTP_CLIENT_SHAKING:
		return SMTP_CLIENT_NEXT_STARTTLS;
	case SMTP_CLIENT_CLOSED:
		return SMTP_CLIENT_NEXT_CLOSE;
	default:
		return SMTP_CLIENT_NEXT_READ;
	}
}

enum smtp_client_next
smtp_client_enter(struct smtp_client *c, enum smtp_client_state state)
{
	c->state = state;
	c->steps++;
	return present(c);
}

/* Appends one line of a reply as text that may be shown: UTF-8, no control characters
   (C1 included), lines joined by a space; the rest is cut at the buffer's cap. */
static void
add_text(struct smtp_client *c, int code, struct str s)
{
	uint32_t u;

	if (c->text.n) {
		struct str shown = strbuf_str(&c->text);
		struct str first = smtp_reply_enhanced(code, &shown), rest = s;

		if (first.n && str_eq(smtp_reply_enhanced(code, &rest), first))
			s = rest;
		strbuf_byte(&c->text, ' ');
	}
	while (s.n && !c->text.overflow) {
		if (!utf8_next(&s, &u)) {
			u = 0xfffd;
			s = str_from_offset(s, 1);
		}
		utf8_add(&c->text, u < ' ' || (u >= 0x7f && u < 0xa0) ? ' ' : u);
	}
}

struct smtp_client_result
smtp_client_reply_result(const struct smtp_client *c, struct arena *arena, int code)
{
	static const enum smtp_client_outcome outcomes[] = {
		[2] = SMTP_CLIENT_OK,
		[3] = SMTP_CLIENT_TEMP, /* no answer to anything but DATA */
		[4] = SMTP_CLIENT_TEMP,
		[5] = SMTP_CLIENT_PERM,
	};
	struct str text = arena_str(arena, str_trim(strbuf_str(&c->text)));

	return (struct smtp_client_result){
		.outcome = outcomes[code / 100],
		.at = c->state,
		.cause = code / 100 == 3 ? ERR_PROTOCOL : OK,
		.code = code,
		.enhanced = smtp_reply_enhanced(code, &text),
		.text = text,
	};
}

/* A finding of our own. */
static struct smtp_client_result
own_result(const struct smtp_client *c, enum smtp_client_outcome outcome, enum err cause)
{
	return (struct smtp_client_result){ .outcome = outcome,
		                            .at = c->state,
		                            .cause = cause };
}

/* The dialogue is over; open recipients get a temporary result, for this cause. */
static enum smtp_client_next
give_up(struct smtp_client *c, struct smtp_client_result result)
{
	struct smtp_client_result for_rcpt = result;

	if (c->state == SMTP_CLIENT_CLOSED)
		return SMTP_CLIENT_NEXT_CLOSE;
	c->failure = result;
	for_rcpt.outcome = SMTP_CLIENT_TEMP;
	smtp_client_settle(c, for_rcpt);
	c->message = NULL;
	c->outstanding = 0;
	return smtp_client_enter(c, SMTP_CLIENT_CLOSED);
}

enum smtp_client_next
smtp_client_give_up(struct smtp_client *c, enum err cause)
{
	return give_up(c, own_result(c, SMTP_CLIENT_TEMP, cause));
}

enum smtp_client_next
smtp_client_give_up_on(struct smtp_client *c, int code)
{
	struct smtp_client_result result = smtp_client_reply_result(c, c->arena, code);

	/* The recipients' copies go with the transaction, this one with the dialogue. */
	return give_up(c, result);
}

void
smtp_client_sent(struct smtp_client *c)
{
	c->outstanding++;
}

static enum smtp_client_next
say_hello(struct smtp_client *c, enum smtp_client_state state, struct strbuf *out)
{
	c->ext = (struct smtp_client_ext){ 0 };
	strbuf_add(out, state == SMTP_CLIENT_EHLO ? STR("EHLO ") : STR("HELO "));
	strbuf_add(out, c->conf->helo);
	strbuf_lit(out, "\r\n");
	smtp_client_sent(c);
	return smtp_client_enter(c, state);
}

static enum smtp_client_next
on_greeting(struct smtp_client *c, int code, struct strbuf *out)
{
	if (code != 220)
		return smtp_client_give_up_on(c, code);
	return say_hello(c, SMTP_CLIENT_EHLO, out);
}

/* Hello was accepted: encrypt first where we may. */
static enum smtp_client_next
after_hello(struct smtp_client *c, struct strbuf *out)
{
	if (c->is_secured || c->conf->tls == SMTP_CLIENT_TLS_NEVER)
		return smtp_client_enter(c, SMTP_CLIENT_IDLE);
	if (!(c->ext.offers & SMTP_OFFER_STARTTLS)) {
		if (c->conf->tls == SMTP_CLIENT_TLS_MUST)
			return smtp_client_give_up(c, ERR_TLS_UNAVAILABLE);
		return smtp_client_enter(c, SMTP_CLIENT_IDLE);
	}
	strbuf_lit(out, "STARTTLS\r\n");
	smtp_client_sent(c);
	return smtp_client_enter(c, SMTP_CLIENT_STARTTLS);
}

static enum smtp_client_next
on_ehlo(struct smtp_client *c, int code, struct strbuf *out)
{
	if (code / 100 == 2)
		return after_hello(c, out);
	/* An old server knows HELO only (RFC 5321 3.2). */
	if (code / 100 == 5)
		return say_hello(c, SMTP_CLIENT_HELO, out);
	return smtp_client_give_up_on(c, code);
}

static enum smtp_client_next
on_helo(struct smtp_client *c, int code, struct strbuf *out)
{
	return code / 100 == 2 ? after_hello(c, out) : smtp_client_give_up_on(c, code);
}

static enum smtp_client_next
on_starttls(struct smtp_client *c, int code, struct strbuf *out)
{
	(void)out;
	if (code == 220)
		return smtp_client_enter(c, SMTP_CLIENT_SHAKING);
	/* Offered and refused: opportunistic encryption goes on without (RFC 3207 4). */
	if (c->conf->tls == SMTP_CLIENT_TLS_MUST)
		return smtp_client_give_up_on(c, code);
	return smtp_client_enter(c, SMTP_CLIENT_IDLE);
}

enum smtp_client_next
smtp_client_secured(struct smtp_client *c, struct strbuf *out)
{
	CHECK(c->state == SMTP_CLIENT_SHAKING);
	c->is_secured = true;
	return say_hello(c, SMTP_CLIENT_EHLO, out);
}

/* Something unasked for in a pause: a goodbye, or nonsense. */
static enum smtp_client_next
on_idle(struct smtp_client *c, int code, struct strbuf *out)
{
	(void)out;
	return smtp_client_give_up_on(c, code);
}

static enum smtp_client_next
on_quit(struct smtp_client *c, int code, struct strbuf *out)
{
	(void)code;
	(void)out;
	return smtp_client_enter(c, SMTP_CLIENT_CLOSED);
}

static smtp_client_reply_fn *const handlers[SMTP_CLIENT_STATE_COUNT] = {
	[SMTP_CLIENT_GREETING] = on_greeting,
	[SMTP_CLIENT_EHLO] = on_ehlo,
	[SMTP_CLIENT_HELO] = on_helo,
	[SMTP_CLIENT_STARTTLS] = on_starttls,
	[SMTP_CLIENT_SHAKING] = on_idle,
	[SMTP_CLIENT_IDLE] = on_idle,
	[SMTP_CLIENT_RSET] = smtp_client_on_rset,
	[SMTP_CLIENT_MAIL] = smtp_client_on_mail,
	[SMTP_CLIENT_RCPT] = smtp_client_on_rcpt,
	[SMTP_CLIENT_DATA] = smtp_client_on_data,
	[SMTP_CLIENT_BODY] = smtp_client_on_body,
	[SMTP_CLIENT_DOT] = smtp_client_on_dot,
	[SMTP_CLIENT_QUIT] = on_quit,
	[SMTP_CLIENT_CLOSED] = on_quit,
};

/* One line of a reply. The first line of the reply to EHLO names the server, the others
   what it offers; all other lines are text. */
static void
take_line(struct smtp_client *c, struct smtp_reply_line line, bool is_first)
{
	bool is_hello = c->state == SMTP_CLIENT_EHLO || c->state == SMTP_CLIENT_HELO;

	if (is_hello && line.code / 100 == 2 && !is_first)
		smtp_client_ext_parse(&c->ext, line.text);
	else
		add_text(c, line.code, line.text);
	if (is_hello && is_first && line.code / 100 == 2) {
		struct str name = str_trim(strbuf_str(&c->text));
		size_t space = str_find(name, ' ');

		name = str_first(name, space == SIZE_MAX ? PEER_NAME_MAX : space);
		c->peer_name = arena_str(c->arena, str_first(name, PEER_NAME_MAX));
	}
}

/* A reply is complete; `early` says that more bytes came with it. */
static enum smtp_client_next
take_reply(struct smtp_client *c, int code, bool early, struct strbuf *out)
{
	bool is_asked = c->outstanding > 0;
	enum smtp_client_next next;

	if (is_asked)
		c->outstanding--;
	early = early && !c->outstanding;
	/* A refusal is believed whatever follows it, an agreement is not. */
	if (early && code < 400 && c->state != SMTP_CLIENT_DOT &&
	    c->state != SMTP_CLIENT_IDLE)
		return smtp_client_give_up(c, ERR_PROTOCOL);
	if (code == 421 && c->state != SMTP_CLIENT_QUIT) {
		smtp_client_settle(c, smtp_client_reply_result(c, c->tx, code));
		return smtp_client_give_up_on(c, code);
	}
	next = handlers[c->state](c, code, out);
	/* The results so far stand, but nothing more is asked of this server. */
	if (early)
		return smtp_client_give_up(c, ERR_CLOSED);
	return next;
}

enum smtp_client_next
smtp_client_input(struct smtp_client *c, struct str in, struct strbuf *out)
{
	enum smtp_client_next next = present(c);

	while (in.n && c->state != SMTP_CLIENT_CLOSED) {
		struct smtp_reply_line line;
		bool is_first = c->parser.code == 0;

		switch (smtp_reply_next(&c->parser, &in, &line)) {
		case REPLY_MORE:
			return next;
		case REPLY_BAD:
			return smtp_client_give_up(c, ERR_PROTOCOL);
		case REPLY_LINE:
			break;
		}
		if (is_first)
			strbuf_clear(&c->text);
		take_line(c, line, is_first);
		if (line.is_last)
			next = take_reply(c, line.code, in.n > 0, out);
	}
	return c->state == SMTP_CLIENT_CLOSED ? SMTP_CLIENT_NEXT_CLOSE : next;
}

enum smtp_client_next
smtp_client_quit(struct smtp_client *c, struct strbuf *out)
{
	CHECK(c->state == SMTP_CLIENT_IDLE);
	strbuf_lit(out, "QUIT\r\n");
	smtp_client_sent(c);
	return smtp_client_enter(c, SMTP_CLIENT_QUIT);
}

void
smtp_client_closed(struct smtp_client *c, enum err why)
{
	(void)smtp_client_give_up(c, why);
}

enum smtp_client_state
smtp_client_state(const struct smtp_client *c)
{
	return c->state;
}

const char *
smtp_client_state_name(enum smtp_client_state state)
{
	CHECK((size_t)state < SMTP_CLIENT_STATE_COUNT);
	return states[state].name;
}

uint32_t
smtp_client_time_ms(const struct smtp_client *c)
{
	const char *times = (const char *)&c->conf->times;
	uint32_t ms;

	memcpy(&ms, times + states[c->state].time_offset, sizeof(ms));
	return ms;
}

uint64_t
smtp_client_steps(const struct smtp_client *c)
{
	return c->steps;
}

bool
smtp_client_is_secured(const struct smtp_client *c)
{
	return c->is_secured;
}

unsigned
smtp_client_offers(const struct smtp_client *c)
{
	return c->ext.offers;
}

struct str
smtp_client_peer_name(const struct smtp_client *c)
{
	return c->peer_name;
}

struct smtp_client_result
smtp_client_failure(const struct smtp_client *c)
{
	return c->failure;
}
