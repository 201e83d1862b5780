#include "imap/imap_search.h"

#include "base/arena.h"
#include "imap/imap_priv.h"
#include "mail/search.h"
#include "tests/unit/check.h"

enum {
	KEYS = 200,
	BODY_BYTES = 300 * 1024,
	BUDGET = 4 * 1024 * 1024,
};

static int64_t
now_ms(void *arg)
{
	(void)arg;
	return 0;
}

/* One message, asked KEYS times the same: the program as a peer would write it, and how
   many turns of SEARCH_SLICE_BYTES it takes at the least and at the most. */
static const struct program {
	const char *key;
	bool is_header; /* the message has nothing but a header */
	uint32_t turns_min, turns_max;
} programs[] = {
	/* clang-format off */
	{ "NOT BODY zz",       false, 20, 60 },
	{ "NOT TEXT zz",       false, 20, 60 },
	{ "NOT HEADER X-A zz", true,  20, 60 },
	{ "NOT TO zz",         true,  20, 60 },
	{ "NOT SUBJECT zz",    true,  20, 60 },
	{ "NOT SUBJECT zz",    false, 1,  1 }, /* two lines of header are all it reads */
	/* clang-format on */
};

static struct str
message(struct arena *a, bool is_header)
{
	struct strbuf b = strbuf_arena(a, BODY_BYTES + 64);

	strbuf_lit(&b, "Subject: s\r\n");
	if (!is_header)
		strbuf_lit(&b, "\r\n");
	while (b.n < BODY_BYTES)
		strbuf_lit(&b, "X-A: some words of it\r\n");
	return strbuf_str(&b);
}

static uint32_t
count_turns(struct imap_session *s, const struct program *p, struct arena *a)
{
	struct imap_row row = { .entry = { .uid = 1 } };
	struct strbuf text = strbuf_arena(a, KEYS * 32);
	struct imap_program program;
	struct imap_args args;
	uint32_t turns = 1;
	enum imap_truth t;

	for (int i = 0; i < KEYS; i++)
		strbuf_printf(&text, "%s%s", i ? " " : "", p->key);
	args = imap_args_make(strbuf_str(&text), a);
	CHECK_TRUE(imap_program_parse(s, &args, STR(""), &program), p->key);
	row.body = message(a, p->is_header);
	while ((t = imap_program_ask(s, &program, LEVEL_BODY, &row)) == TRUTH_LATER &&
	       turns <= p->turns_max)
		turns++;
	CHECK_U64_EQ(t, TRUTH_YES, p->key);
	return turns;
}

/* Many texts are asked over many turns, so that nobody waits for all of them; and what
   one turn found is not asked again, so that it ends. */
static void
test_turns(void)
{
	static const struct imap_ops ops = { .now_ms = now_ms };
	struct imap_session s = { .ops = &ops };

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		const struct program *p = &programs[i];
		struct arena *a = arena_new(BUDGET);
		uint32_t turns = count_turns(&s, p, a);

		CHECK_TRUE(turns >= p->turns_min, p->key);
		CHECK_TRUE(turns <= p->turns_max, p->key);
		arena_free(&a);
	}
}

SUITE(imap_search, { "many texts take turns, and end", test_turns });
