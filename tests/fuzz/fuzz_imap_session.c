/* A client that says anything to a session over the store in memory of the stories.
 *
 * The first byte says whether it is logged in and how small the output is; then the rest
 * is told whole to one session and in pieces to another, and both must say the same. Now
 * and then another session changes the mailbox. After each step the invariants must hold.
 */
#include "base/panic.h"
#include "tests/dialogue/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
	OUT_MAX = 32 << 20,
	STEPS_MAX = 100000,
};

struct run {
	struct imap_world *world;
	struct imap_session *session;
	struct strbuf out, said;
	enum imap_next next;
	bool is_cut; /* what came with STARTTLS is gone */
};

static void
add_mail(struct imap_world *w)
{
	imap_world_append(
		w,
		STR("From: a@b (c)\r\nSubject: x\r\nContent-Type: multipart/mixed; "
	            "boundary=y\r\n\r\n--y\r\n\r\none\r\n--y\r\nContent-Type: "
	            "message/rfc822\r\n\r\nTo: z\r\n\r\ntwo\r\n--y--\r\n"),
		FLAG_FLAGGED);
}

static void
flush(struct run *r)
{
	imap_session_check(r->session);
	CHECK(*imap_state_word(imap_session_state(r->session)));
	CHECK(!imap_session_is_waiting(r->session) ||
	      !imap_session_is_at_rest(r->session));
	CHECK(imap_session_user(r->session).n == 0 ||
	      imap_session_state(r->session) != IMAP_STATE_NOT_AUTH);
	CHECK(imap_session_command(r->session));
	strbuf_add(&r->said, strbuf_str(&r->out));
	strbuf_clear(&r->out);
}

/* Everything of `in` that the session takes. */
static size_t
settle(struct run *r, struct str in)
{
	size_t all = 0;

	for (unsigned steps = 0; r->next != IMAP_CLOSE; steps++) {
		size_t used = 0;

		CHECK(steps < STEPS_MAX);
		switch (r->next) {
		case IMAP_WAIT:
			r->next = imap_world_answer(r->world, &r->out);
			break;
		case IMAP_MORE:
			r->next = imap_session_drained(r->session, &r->out);
			break;
		case IMAP_STARTTLS:
			all = in.n;
			r->is_cut = true;
			imap_session_secured(r->session);
			r->next = IMAP_READ;
			break;
		default:
			r->next = imap_session_input(r->session, str_from_offset(in, all),
			                             &used, &r->out);
			all += used;
			flush(r);
			if (used == 0 && r->next == IMAP_READ)
				return all;
			continue;
		}
		flush(r);
	}
	return in.n;
}

static void
begin(struct run *r, const struct imap_conf *conf, bool is_logged_in)
{
	struct str login = STR("x LOGIN ann@example.org secret\r\ny SELECT INBOX\r\n");

	*r = (struct run){ .out = strbuf_heap(OUT_MAX), .said = strbuf_heap(OUT_MAX) };
	r->world = imap_world_new();
	for (int i = 0; i < 5; i++)
		add_mail(r->world);
	r->session = imap_session_new(conf, &imap_world_ops, r->world, false);
	imap_world_attach(r->world, r->session);
	imap_session_greet(r->session, &r->out);
	r->next = IMAP_READ;
	if (is_logged_in)
		CHECK(settle(r, login) == login.n);
}

static void
end(struct run *r)
{
	imap_session_free(&r->session);
	imap_world_free(&r->world);
	strbuf_release(&r->out);
	strbuf_release(&r->said);
}

/* What others do, at the same place in both runs: between two groups of lines. */
static void
disturb(struct run *r, uint8_t what)
{
	if (what % 4 == 0)
		add_mail(r->world);
	else if (what % 4 == 1)
		imap_world_expunge(r->world, what / 4 % 8);
	else
		imap_world_flag(r->world, what / 4 % 8, what);
	if (r->next == IMAP_READ) {
		r->next = imap_session_notify(r->session, &r->out);
		flush(r);
		(void)settle(r, (struct str){ "", 0 });
	}
}

static void
tell(struct run *r, struct str in, size_t piece)
{
	struct strbuf unread = strbuf_heap(OUT_MAX);

	/* 0xff and a byte after it: something happens. */
	while (in.n > 0 && r->next != IMAP_CLOSE) {
		size_t n = str_find(in, '\xff');
		struct str part = str_first(in, n);

		if (part.n == 0 && in.n > 1 && n == 0) {
			disturb(r, (uint8_t)in.p[1]);
			in = str_from_offset(in, 2);
			continue;
		}
		if (part.n == 0)
			part = str_first(in, 1);
		in = str_from_offset(in, part.n);
		while (part.n > 0 && r->next != IMAP_CLOSE) {
			struct str some = piece ? str_first(part, piece) : part;

			strbuf_add(&unread, some);
			part = str_from_offset(part, some.n);
			strbuf_consume(&unread, settle(r, strbuf_str(&unread)));
			/* Plain text up to the next event came with it, in any pieces. */
			if (r->is_cut)
				break;
		}
		r->is_cut = false;
	}
	strbuf_release(&unread);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct imap_conf conf = imap_conf_default;
	struct run whole, pieces;

	if (n < 2 || n > 8192)
		return 0;
	conf.has_starttls = data[0] & 2;
	conf.has_plaintext_auth = true;
	conf.output_soft_bytes = data[0] & 4 ? 50 : 64 * 1024;
	conf.append_max_bytes = 4096;
	begin(&whole, &conf, data[0] & 1);
	begin(&pieces, &conf, data[0] & 1);
	tell(&whole, str_make(data + 1, n - 1), 0);
	tell(&pieces, str_make(data + 1, n - 1), 1 + data[0] / 16);
	CHECK(whole.next == pieces.next);
	CHECK(str_eq(strbuf_str(&whole.said), strbuf_str(&pieces.said)));
	end(&whole);
	end(&pieces);
	return 0;
}
