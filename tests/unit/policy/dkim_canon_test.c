/* The examples of RFC 6376 3.4.5, and bodies in every split. */
#include "policy/dkim_canon.h"

#include "tests/unit/check.h"

#include "base/strbuf.h"

enum {
	ROOM = 256 << 10,
};

static void
to_buffer(void *arg, struct str bytes)
{
	strbuf_add(arg, bytes);
}

static const struct field {
	const char *what, *raw, *without, *relaxed, *simple;
	bool is_last;
} fields[] = {
	{ "RFC 6376 3.4.5 A", "A: X\r\n", "", "a:X\r\n", "A: X\r\n", false },
	{ "RFC 6376 3.4.5 B", "B : Y\t\r\n\tZ  \r\n", "", "b:Y Z\r\n",
	  "B : Y\t\r\n\tZ  \r\n", false },
	{ "empty", "X:\r\n", "", "x:\r\n", "X:\r\n", false },
	{ "spaces alone", "X:  \r\n \t\r\n", "", "x:\r\n", "X:  \r\n \t\r\n", false },
	{ "the last one", "X: a \r\n", "", "x:a", "X: a ", true },
	{ "without a line end", "X: a", "", "x:a\r\n", "X: a\r\n", false },
	{ "a colon inside", "X: a:b\r\n", "", "x:a:b\r\n", "X: a:b\r\n", false },
	{ "bytes over 127", "X: \xc3\xa4\r\n", "", "x:\xc3\xa4\r\n", "X: \xc3\xa4\r\n",
	  false },
	{ "cut out of the middle", "X: b= 1\r\n\t2 ; c=3\r\n", " 1\r\n\t2 ",
	  "x:b=; c=3\r\n", "X: b=; c=3\r\n", false },
	{ "cut out at the end", "X: a; b=1 2\r\n 3\r\n", "1 2\r\n 3",
	  "x:a; b=", "X: a; b=", true },
	{ "cut out with the line end", "X: a; b=1 2\r\n 3\r\n", "1 2\r\n 3\r\n",
	  "x:a; b=", "X: a; b=", true },
};

static void
test_fields(void)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		struct str raw = str_from(f->raw), without = str_from(f->without);
		char room[ROOM];
		struct strbuf out = strbuf_on(room);

		without.p = raw.p + str_find_str(raw, without);
		dkim_canon_field(DKIM_RELAXED, raw, without, f->is_last, to_buffer, &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(f->relaxed), f->what);
		strbuf_clear(&out);
		dkim_canon_field(DKIM_SIMPLE, raw, without, f->is_last, to_buffer, &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(f->simple), f->what);
	}
}

/* As RFC 6376 3.4.2 says it, byte by byte: unfold, white space to one space, none behind
   the colon and at the end. */
static void
relax_slowly(struct str value, struct strbuf *out)
{
	size_t begin = out->n;
	bool has_space = false;

	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\n' || (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n'))
			continue;
		if (c == ' ' || c == '\t') {
			has_space = true;
			continue;
		}
		if (has_space && out->n > begin)
			strbuf_byte(out, ' ');
		has_space = false;
		strbuf_byte(out, c);
	}
}

/* Values of all lengths, some of them with much to change. */
static void
test_long_fields(void)
{
	static const char *const letters[] = { "abcdefgh  \t\r\n\r\n ",
		                               "abcdefghijklmnopqrstuvwxyz ",
		                               "abcdefghijklmnopqrstuvwxyz\t" };
	uint64_t x = 1;

	for (size_t round = 0; round < 3000; round++) {
		const char *of = letters[round % ARRAY_LEN(letters)];
		char room[1024], got_room[1024], want_room[1024];
		struct strbuf raw = strbuf_on(room), got = strbuf_on(got_room),
			      want = strbuf_on(want_room);

		strbuf_lit(&raw, "Subject:");
		strbuf_lit(&want, "subject:");
		for (size_t i = 0; i < round / 4; i++) {
			x = x * 6364136223846793005U + 1442695040888963407U;
			strbuf_byte(&raw, of[(x >> 33) % strlen(of)]);
		}
		strbuf_byte(&raw, 'x');
		relax_slowly(str_from_offset(strbuf_str(&raw), 8), &want);
		dkim_canon_field(DKIM_RELAXED, strbuf_str(&raw), STR(""), true, to_buffer,
		                 &got);
		CHECK_STR_EQ(strbuf_str(&got), strbuf_str(&want), "as byte by byte");
	}
}

static const struct body {
	const char *what, *body, *relaxed, *simple;
} bodies[] = {
	{ "RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n",
	  " C \r\nD \t E\r\n" },
	{ "empty", "", "", "\r\n" },
	{ "one line end", "\r\n", "", "\r\n" },
	{ "line ends alone", "\r\n\r\n\r\n", "", "\r\n" },
	{ "spaces alone", "  \t", "", "  \t\r\n" },
	{ "empty lines with spaces", " \r\n\t\r\n", "", " \r\n\t\r\n" },
	{ "no last line end", "a", "a\r\n", "a\r\n" },
	{ "spaces at the end", "a \t", "a\r\n", "a \t\r\n" },
	{ "empty lines inside", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n",
	  "a\r\n\r\n\r\nb\r\n" },
	{ "spaces in an empty line inside", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n",
	  "a\r\n \r\nb\r\n" },
	{ "empty lines before", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "a tab is a space", "a\tb\r\n", "a b\r\n", "a\tb\r\n" },
	{ "spaces begin a line", "  a\r\n", " a\r\n", "  a\r\n" },
	{ "CR alone", "a\rb \r\r\n", "a\rb \r\r\n", "a\rb \r\r\n" },
	{ "CR at the end", "a\r", "a\r\r\n", "a\r\r\n" },
	{ "LF alone", "a \nb\n", "a \nb\n\r\n", "a \nb\n\r\n" },
	{ "CR CR LF", "a\r\r\n\r\r\n", "a\r\r\n\r\r\n", "a\r\r\n\r\r\n" },
	{ "bytes of all kinds", "\x01\xff\x7f\x80 \r\n", "\x01\xff\x7f\x80\r\n",
	  "\x01\xff\x7f\x80 \r\n" },
};

static void
run_body(enum dkim_canon canon, struct str body, size_t first, size_t step,
         struct strbuf *out)
{
	struct dkim_body b;

	strbuf_clear(out);
	dkim_body_init(&b, canon, to_buffer, out);
	dkim_body_add(&b, str_first(body, first));
	for (size_t i = first; i < body.n; i += step)
		dkim_body_add(&b, str_first(str_from_offset(body, i), step));
	dkim_body_end(&b);
	CHECK_U64_EQ(b.length, out->n, "its length");
}

static void
test_bodies(void)
{
	char room[ROOM];
	struct strbuf out = strbuf_on(room);

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str body = str_from(bodies[i].body);

		for (size_t first = 0; first <= body.n; first++) {
			run_body(DKIM_RELAXED, body, first, 1, &out);
			CHECK_STR_EQ(strbuf_str(&out), str_from(bodies[i].relaxed),
			             bodies[i].what);
			run_body(DKIM_SIMPLE, body, first, body.n + 1, &out);
			CHECK_STR_EQ(strbuf_str(&out), str_from(bodies[i].simple),
			             bodies[i].what);
		}
	}
}

/* A long body of what matters, from a small generator, in blocks of all sizes. */
static void
test_long(void)
{
	static const char letters[] = "ab   \t\r\n\r\n\r\n.";
	char room[ROOM], whole_room[ROOM], out_room[ROOM];
	struct strbuf body = strbuf_on(room), whole = strbuf_on(whole_room),
		      out = strbuf_on(out_room);
	uint64_t x = 1;

	while (body.n < ROOM / 2) {
		x = x * 6364136223846793005U + 1442695040888963407U;
		/* Long runs without a change as well, which take another way. */
		if ((x >> 60) == 0)
			for (size_t i = 0; i < (x >> 40) % 40000 && body.n < ROOM / 2;
			     i++)
				strbuf_byte(&body, i % 70 == 69   ? '\n'
				                   : i % 70 == 68 ? '\r'
				                                  : 'x');
		strbuf_byte(&body, letters[(x >> 33) % (sizeof(letters) - 1)]);
	}
	for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
		run_body(canon, strbuf_str(&body), 0, 1, &whole);
		for (size_t step = 2; step < 40000; step += step < 1200 ? 37 : 3001) {
			run_body(canon, strbuf_str(&body), step / 3, step, &out);
			CHECK_STR_EQ(strbuf_str(&out), strbuf_str(&whole), "in blocks");
		}
		run_body(canon, strbuf_str(&body), 0, body.n, &out);
		CHECK_STR_EQ(strbuf_str(&out), strbuf_str(&whole), "at once");
	}
}

SUITE(policy_dkim_canon, { "fields", test_fields }, { "long fields", test_long_fields },
      { "bodies", test_bodies }, { "long bodies", test_long });
