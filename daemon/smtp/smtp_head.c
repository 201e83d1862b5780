#include "smtp/smtp_head.h"

#include "base/strbuf.h"
#include "policy/auth_results.h"

#include <stddef.h>

enum {
	NAME_MAX_BYTES = 80, /* a longer name is none that we know */
	FROM_MAX = 4096,
	MESSAGE_ID_MAX = 250,
	LOOPS_MAX = 4096,
	HELD_MAX = NAME_MAX_BYTES + AUTH_RESULTS_ID_MAX,
};

enum where {
	AT_START, /* nothing has come yet */
	IN_NAME,  /* at the start of a line; what it is, is not yet known */
	IN_VALUE, /* somewhere in a line whose fate is known */
	IN_HELD,  /* in a field whose fate its value will tell */
	AT_HELD,  /* at the start of a line that may go on with it */
	IN_BODY,
};

enum fate {
	FATE_KEEP,
	FATE_DROP,
	FATE_BY_OWNER, /* dropped where it claims to be ours */
};

struct smtp_head {
	struct smtp_head_conf conf;
	smtp_data_sink *sink;
	void *sink_arg;
	enum where where;
	enum fate fate;
	struct strbuf *capture; /* where the value goes besides; or NULL */
	struct strbuf name;     /* the line so far, while IN_NAME */
	struct strbuf held;     /* the field so far, while IN_HELD */
	size_t held_value;      /* where its value begins */
	struct strbuf from, message_id, loops;
	unsigned received, from_fields, dates, message_ids, forged;
};

/* The fields that matter here. `count` and `capture` are offsets into struct smtp_head.
 */
struct known {
	struct str name;
	enum fate fate;
	bool is_submission_only; /* the fate; else it is kept */
	size_t count, capture;   /* capture: of the first one where there is a count */
};

#define AT(member) offsetof(struct smtp_head, member)
/* clang-format off */
static const struct known knowns[] = {
	{ STR_INIT("Return-Path"), FATE_DROP, false, 0, 0 },
	{ STR_INIT("Bcc"),         FATE_DROP, true,  0, 0 },
	{ STR_INIT("Authentication-Results"), FATE_BY_OWNER, false, 0, 0 },
	{ STR_INIT("Received"),    FATE_KEEP, false, AT(received), 0 },
	{ STR_INIT("Date"),        FATE_KEEP, false, AT(dates), 0 },
	{ STR_INIT("From"),        FATE_KEEP, false, AT(from_fields), AT(from) },
	{ STR_INIT("Message-ID"),  FATE_KEEP, false, AT(message_ids), AT(message_id) },
	{ STR_INIT("X-Loop"),      FATE_KEEP, false, 0, AT(loops) },
	{ STR_INIT("Delivered-To"), FATE_KEEP, false, 0, AT(loops) },
};
/* clang-format on */

struct smtp_head *
smtp_head_new(struct arena *a, const struct smtp_head_conf *conf, smtp_data_sink *sink,
              void *sink_arg)
{
	struct smtp_head *h = ARENA_NEW(a, struct smtp_head);

	h->conf = *conf;
	h->sink = sink;
	h->sink_arg = sink_arg;
	h->name = strbuf_arena(a, NAME_MAX_BYTES);
	h->from = strbuf_arena(a, FROM_MAX);
	h->message_id = strbuf_arena(a, MESSAGE_ID_MAX);
	h->loops = strbuf_arena(a, LOOPS_MAX);
	h->held = strbuf_arena(a, HELD_MAX);
	return h;
}

/* As much of it as fits: what is captured may be cut. */
static void
capture(struct strbuf *b, struct str bytes)
{
	strbuf_add(b, str_first(bytes, b->max - b->n));
}

static enum err
pass(struct smtp_head *h, struct str bytes)
{
	if (h->where != IN_BODY && h->capture)
		capture(h->capture, bytes);
	return bytes.n && h->fate == FATE_KEEP ? h->sink(h->sink_arg, bytes) : OK;
}

/* What is known so far of the line goes its way; the rest of the line follows it. */
static enum err
decide(struct smtp_head *h, enum fate fate)
{
	h->fate = fate;
	h->where = IN_VALUE;
	return fate == FATE_KEEP ? h->sink(h->sink_arg, strbuf_str(&h->name)) : OK;
}

/* Now that it is known, or the field is over, what was held goes its way. */
static enum err
judge_held(struct smtp_head *h, bool is_whole)
{
	struct str held = strbuf_str(&h->held);
	enum auth_results_owner owner = auth_results_owner(
		str_from_offset(held, h->held_value), is_whole, h->conf.authserv_id);
	enum err e = OK;

	if (owner == AUTH_RESULTS_MORE)
		return OK;
	h->fate = owner == AUTH_RESULTS_OURS ? FATE_DROP : FATE_KEEP;
	h->forged += h->fate == FATE_DROP;
	if (h->fate == FATE_KEEP)
		e = h->sink(h->sink_arg, held);
	h->where = str_ends(held, STR("\n")) ? IN_NAME : IN_VALUE;
	strbuf_clear(&h->held);
	return e;
}

/* As much of the line as is needed; *bytes is what is left. */
static enum err
hold(struct smtp_head *h, struct str *bytes)
{
	size_t lf = str_find(*bytes, '\n');
	size_t room = h->held_value + AUTH_RESULTS_ID_MAX - h->held.n;
	struct str part = str_first(*bytes, lf == SIZE_MAX ? bytes->n : lf + 1);

	part = str_first(part, room);
	strbuf_add(&h->held, part);
	*bytes = str_from_offset(*bytes, part.n);
	if (str_ends(part, STR("\n")))
		h->where = AT_HELD;
	return judge_held(h, false);
}

static enum err
complete(struct smtp_head *h)
{
	enum err e = OK;

	if (!h->conf.is_submission)
		return OK;
	if (!h->dates)
		e = h->sink(h->sink_arg, h->conf.date);
	if (e == OK && !h->message_ids)
		e = h->sink(h->sink_arg, h->conf.message_id);
	return e;
}

/* The header is over; what was held back is the first of the body. */
static enum err
begin_body(struct smtp_head *h, struct str held)
{
	enum err e = complete(h);

	h->where = IN_BODY;
	h->fate = FATE_KEEP;
	return e == OK ? pass(h, held) : e;
}

/* A message that begins with a folded line has no header: the line would go on with the
   field that we put before it, our Received or Authentication-Results. */
static enum err
begin(struct smtp_head *h, char first)
{
	h->where = IN_NAME;
	return first == ' ' || first == '\t' ? begin_body(h, STR("\r\n")) : OK;
}

/* A line that is no field. A submission is put right by ending the header before it; what
   another server sent is left alone. */
static enum err
on_stray_line(struct smtp_head *h)
{
	enum err e;

	h->capture = NULL;
	if (!h->conf.is_submission)
		return decide(h, FATE_KEEP);
	e = begin_body(h, STR("\r\n"));
	return e == OK ? pass(h, strbuf_str(&h->name)) : e;
}

static const struct known *
find_known(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(knowns); i++) {
		if (str_eq_icase(name, knowns[i].name))
			return &knowns[i];
	}
	return NULL;
}

static enum fate
fate_of(const struct smtp_head *h, const struct known *known)
{
	if (known && (!known->is_submission_only || h->conf.is_submission))
		return known->fate;
	return FATE_KEEP;
}

static enum err
on_field(struct smtp_head *h)
{
	struct str name = str_trim(str_first(strbuf_str(&h->name), h->name.n - 1));
	const struct known *known = find_known(name);
	enum fate fate = fate_of(h, known);

	h->capture = NULL;
	if (!known)
		return decide(h, FATE_KEEP);
	if (known->capture)
		h->capture = (struct strbuf *)(void *)((char *)h + known->capture);
	if (known->count) {
		unsigned *count = (unsigned *)(void *)((char *)h + known->count);

		/* Only the first one is kept in mind. */
		if (++*count > 1)
			h->capture = NULL;
	}
	if (h->received > h->conf.received_max)
		return ERR_LOOP;
	if (fate != FATE_BY_OWNER || !h->conf.authserv_id.n)
		return decide(h, fate == FATE_BY_OWNER ? FATE_KEEP : fate);
	strbuf_clear(&h->held);
	strbuf_add(&h->held, strbuf_str(&h->name));
	h->held_value = h->held.n;
	h->where = IN_HELD;
	return OK;
}

/* Longer than any name we know; but spaces may stand behind a name, and nobody who means
   well writes so many of them behind one of these. */
static enum err
on_long_name(struct smtp_head *h)
{
	const struct known *known = find_known(str_trim(strbuf_str(&h->name)));
	enum fate fate = fate_of(h, known);

	h->capture = NULL;
	if (known && known->capture == AT(from))
		return ERR_MESSAGE_SYNTAX;
	if (fate == FATE_BY_OWNER) {
		h->forged++;
		fate = FATE_DROP;
	}
	return decide(h, fate);
}

/* One more byte of a line whose fate is open. */
static enum err
take_name(struct smtp_head *h, char c)
{
	char last = h->name.n ? h->name.p[h->name.n - 1] : '\0';
	bool is_space = c == ' ' || c == '\t';

	strbuf_byte(&h->name, c);
	if (h->name.n == 1 && is_space) { /* the field goes on, and its fate as well */
		if (h->capture)
			capture(h->capture, STR(" "));
		return decide(h, h->fate);
	}
	if (h->name.n == 2 && last == '\r' && c == '\n')
		return begin_body(h, STR("\r\n"));
	if (h->name.n == 1 && c == '\r')
		return OK;
	if (c == ':')
		return h->name.n > 1 ? on_field(h) : on_stray_line(h);
	if (c == '\r' || c == '\n' || (!is_space && (last == ' ' || last == '\t')))
		return on_stray_line(h);
	if (h->name.n == NAME_MAX_BYTES)
		return on_long_name(h);
	return OK;
}

/* One byte of the name, or of a line that is none. */
static enum err
write_name(struct smtp_head *h, char c)
{
	enum err e = take_name(h, c);

	if (h->where == IN_NAME)
		return e;
	strbuf_clear(&h->name);
	/* A stray line can be over with the byte that showed it. */
	if (h->where == IN_VALUE && c == '\n')
		h->where = IN_NAME;
	return e;
}

enum err
smtp_head_write(void *head, struct str bytes)
{
	struct smtp_head *h = head;
	enum err e = OK;

	while (bytes.n && e == OK && h->where != IN_BODY) {
		size_t lf;

		if (h->where == AT_START) {
			e = begin(h, bytes.p[0]);
			continue;
		}
		if (h->where == AT_HELD) {
			h->where = IN_HELD;
			if (bytes.p[0] != ' ' && bytes.p[0] != '\t') {
				e = judge_held(h, true);
				continue;
			}
		}
		if (h->where == IN_HELD) {
			e = hold(h, &bytes);
			continue;
		}
		if (h->where == IN_NAME) {
			e = write_name(h, bytes.p[0]);
			bytes = str_from_offset(bytes, 1);
			continue;
		}
		lf = str_find(bytes, '\n');
		e = pass(h, str_first(bytes, lf == SIZE_MAX ? bytes.n : lf + 1));
		bytes = str_from_offset(bytes, lf == SIZE_MAX ? bytes.n : lf + 1);
		if (lf != SIZE_MAX)
			h->where = IN_NAME;
	}
	return e == OK ? pass(h, bytes) : e;
}

enum err
smtp_head_finish(struct smtp_head *h)
{
	/* Content ends in CRLF, so no part of a line is held back, but a field may be. */
	enum err e = h->where == AT_HELD ? judge_held(h, true) : OK;

	/* Whom it names behind what is kept in mind, nobody here has seen. */
	if (h->from.n == h->from.max)
		return ERR_MESSAGE_SYNTAX;
	if (e != OK || h->where == IN_BODY)
		return e;
	return complete(h);
}

struct str
smtp_head_from(const struct smtp_head *h)
{
	return str_trim(strbuf_str(&h->from));
}

struct str
smtp_head_message_id(const struct smtp_head *h)
{
	return str_trim(strbuf_str(&h->message_id));
}

struct str
smtp_head_loops(const struct smtp_head *h)
{
	return strbuf_str(&h->loops);
}

unsigned
smtp_head_from_fields(const struct smtp_head *h)
{
	return h->from_fields;
}

unsigned
smtp_head_forged(const struct smtp_head *h)
{
	return h->forged;
}
