/* LIST over many mailboxes, each below many others: it goes on in turns, rather than to
   do all of it while everybody waits. */
#include "imap/imap_session.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "imap/imap_ops.h"
#include "tests/unit/check.h"

enum {
	BOXES = 3000,
	NAME_BYTES = 128,
	LOOKS = 16 *
	        1024, /* nodes looked at in a turn, or a sixteenth as many patterns */
	TURNS_MAX = 10000,
	OUT_MAX = 1 << 20,
};

struct world {
	struct imap_boxes *boxes_out;
	struct mailbox_info infos[BOXES];
	char names[BOXES][NAME_BYTES];
};

static void
login(void *arg, struct str user, struct str password)
{
	(void)arg;
	(void)user;
	(void)password;
}

static void
boxes(void *arg, struct arena *a, struct imap_boxes *boxes_out)
{
	struct world *w = arg;

	(void)a;
	w->boxes_out = boxes_out;
}

static struct world *
world_new(void)
{
	struct world *w = mem_alloc(sizeof(*w));

	for (unsigned i = 0; i < BOXES; i++) {
		struct strbuf name = strbuf_on(w->names[i]);

		for (int level = 0; level < 30; level++)
			strbuf_lit(&name, "a/");
		strbuf_printf(&name, "%05u", i);
		w->infos[i] = (struct mailbox_info){ .id = i + 1,
			                             .name = strbuf_str(&name),
			                             .subscribed = true };
	}
	return w;
}

static enum imap_next
say(struct imap_session *s, const char *line, struct strbuf *out)
{
	size_t used;

	strbuf_clear(out);
	return imap_session_input(s, str_from(line), &used, out);
}

static const struct list_case {
	const char *line;
	unsigned turns_min;
	size_t answers;
} cases[] = {
	/* clang-format off */
	/* Each mailbox and each level above it is asked about three patterns. */
	{ "b LIST \"\" (x y z)\r\n", 3 * BOXES * 16 / LOOKS, 0 },
	{ "b LIST \"\" *\r\n", BOXES * 16 / LOOKS, BOXES },
	/* Each level looks at all mailboxes below it for one that is not shown. */
	{ "b LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *\r\n", 30 * BOXES / LOOKS, BOXES },
	/* It fails at most places of a name, and only after some bytes. */
	{ "b LIST \"\" *a/a/a/a/a/a/a/a/a/a/b\r\n", BOXES * (16 + 32) / LOOKS, 0 },
	{ "b LSUB \"\" %\r\n", BOXES * 16 / LOOKS, 1 },
	/* clang-format on */
};

static void
run(const struct list_case *c, struct world *w)
{
	static const struct imap_ops ops = { .login = login, .boxes = boxes };
	struct imap_conf conf = imap_conf_default;
	struct imap_session *s = imap_session_new(&conf, &ops, w, true);
	struct strbuf out = strbuf_heap(OUT_MAX);
	size_t answers = 0;
	unsigned turns = 1;
	enum imap_next next;

	CHECK_U64_EQ(say(s, "a LOGIN b c\r\n", &out), IMAP_WAIT, c->line);
	CHECK_U64_EQ(imap_session_resume(s, OK, &out), IMAP_READ, c->line);
	CHECK_U64_EQ(say(s, c->line, &out), IMAP_WAIT, c->line);
	*w->boxes_out = (struct imap_boxes){ .boxes = w->infos, .n = BOXES };
	next = imap_session_resume(s, OK, &out);
	for (;;) {
		struct str rest = strbuf_str(&out), line;

		while (str_next(&rest, '\n', &line))
			answers += str_starts(line, STR("* L"));
		strbuf_clear(&out);
		if (next != IMAP_MORE || ++turns > TURNS_MAX)
			break;
		next = imap_session_drained(s, &out);
	}
	CHECK_U64_EQ(next, IMAP_READ, c->line);
	CHECK_U64_EQ(answers, c->answers, c->line);
	CHECK_TRUE(turns >= c->turns_min, c->line);
	strbuf_release(&out);
	imap_session_free(&s);
}

static void
test_turns(void)
{
	struct world *w = world_new();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run(&cases[i], w);
	mem_free(w);
}

SUITE(imap_list, { "many mailboxes take turns", test_turns });
