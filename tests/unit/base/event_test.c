#include "base/event.h"

#include "base/ids.h"
#include "base/utf8.h"
#include "tests/unit/check.h"

static const struct {
	struct str value;
	const char *text;
} values[] = {
	{ STR_INIT("plain"), "plain" },
	{ STR_INIT("a@b.example"), "a@b.example" },
	{ STR_INIT(""), "\"\"" },
	{ STR_INIT("two words"), "\"two words\"" },
	{ STR_INIT("a=b"), "\"a=b\"" },
	{ STR_INIT("say \"x\""), "\"say \\\"x\\\"\"" },
	{ STR_INIT("back\\slash"), "\"back\\\\slash\"" },
	{ STR_INIT("a\r\nwarn forged x=1"), "\"a\\r\\nwarn forged x=1\"" },
	{ STR_INIT("\t\0\x1b[2J"), "\"\\t\\x00\\x1b[2J\"" },
	{ STR_INIT("\x7f"), "\"\\x7f\"" },
	{ STR_INIT("m\xc3\xbcller"), "\"m\xc3\xbcller\"" },
	{ STR_INIT("\xff\xc3"), "\"\\xff\\xc3\"" },
	{ STR_INIT("\xc2\x85"), "\"\\xc2\\x85\"" },
	{ STR_INIT("a\xe2\x80\x8b"
	           "b"),
	  "\"a\\xe2\\x80\\x8bb\"" },
};

static void
test_values(void)
{
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char bytes[100], back[100];
		struct strbuf b = strbuf_on(bytes), scratch = strbuf_on(back);
		struct str rest, key;

		strbuf_lit(&b, "k=");
		logfmt_value(&b, values[i].value);
		CHECK_STR_EQ(str_from_offset(strbuf_str(&b), 2), str_from(values[i].text),
		             values[i].text);
		rest = strbuf_str(&b);
		CHECK_TRUE(logfmt_next(&rest, &key, &scratch), values[i].text);
		CHECK_STR_EQ(key, STR("k"), values[i].text);
		CHECK_STR_EQ(strbuf_str(&scratch), values[i].value, values[i].text);
		CHECK_TRUE(!logfmt_next(&rest, &key, &scratch), "and no second pair");
	}
}

/* Whatever a peer sends: one line, valid UTF-8, and the same bytes back. */
static void
test_random_values(void)
{
	for (int n = 0; n < 3000; n++) {
		char raw[24], bytes[200], back[100];
		struct str value = str_make(raw, (size_t)n % sizeof(raw)), rest, key;
		struct strbuf b = strbuf_on(bytes), scratch = strbuf_on(back);

		random_bytes(raw, sizeof(raw));
		strbuf_lit(&b, "k=");
		logfmt_value(&b, value);
		strbuf_lit(&b, " last=1");
		rest = strbuf_str(&b);
		CHECK_TRUE(str_find(rest, '\n') == SIZE_MAX, "one line");
		CHECK_TRUE(utf8_check(rest), "UTF-8");
		CHECK_TRUE(logfmt_next(&rest, &key, &scratch), "a pair");
		CHECK_STR_EQ(strbuf_str(&scratch), value, "round trip");
		CHECK_TRUE(logfmt_next(&rest, &key, &scratch), "the next pair");
		CHECK_STR_EQ(key, STR("last"), "the next pair");
	}
}

static void
test_next(void)
{
	static const struct {
		const char *text,
			*want; /* key:value; up to the end or the first bad pair */
	} rows[] = {
		{ "", "" },
		{ "a=1", "a:1;" },
		{ "a=1 b=2", "a:1;b:2;" },
		{ "  a=1   b=2  ", "a:1;b:2;" },
		{ "a= b=2", "a:;b:2;" },
		{ "a=\"x y\" b=2", "a:x y;b:2;" },
		{ "a", "" },
		{ "=1", "" },
		{ "word a=1", "" },
		{ "a=1 word b=2", "a:1;" },
		{ "\"a\"=1", "" },
		{ "a=\"x", "" },
		{ "a=\"x\"b=1", "" },
		{ "a=\"\\q\"", "" },
		{ "a=\"\\x4\"", "" },
		{ "a=\"\\x4g\"", "" },
		{ "a=\"\\x41\"", "a:A;" },
		{ "a=b=c", "a:b=c;" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[64], heard_bytes[64];
		struct strbuf scratch = strbuf_on(bytes), heard = strbuf_on(heard_bytes);
		struct str rest = str_from(rows[i].text), key;

		while (logfmt_next(&rest, &key, &scratch))
			strbuf_printf(&heard, "%.*s:%.*s;", STR_ARG(key),
			              STR_ARG(strbuf_str(&scratch)));
		CHECK_STR_EQ(strbuf_str(&heard), str_from(rows[i].want), rows[i].text);
	}
}

static void
test_fields(void)
{
	struct event e;

	event_init(&e, EV_RCPT_REJECTED, STR("mtr_1"), STR(""));
	event_str(&e, "rcpt", STR("x y"));
	event_i64(&e, "code", -5);
	CHECK_STR_EQ(strbuf_str(&e.body), STR("rcpt=\"x y\" code=-5"), "fields");
}

/* A peer fills one value with what takes most room: the others are still there. */
static void
test_hostile_field(void)
{
	char bytes[5000];
	struct event e;

	for (int kind = 0; kind < 3; kind++) {
		memset(bytes, "\x01\"x"[kind], sizeof(bytes));
		event_init(&e, EV_RCPT_REJECTED, STR(""), STR(""));
		event_str(&e, "rcpt", str_make(bytes, sizeof(bytes)));
		event_str(&e, "reply", STR("550 no"));
		CHECK_TRUE(str_ends(strbuf_str(&e.body), STR(" reply=\"550 no\"")),
		           "the reason stays");
		CHECK_TRUE(e.body.n > 500 && e.body.n < 600, "the value is cut");
	}
}

static void
test_truncated(void)
{
	char bytes[500];
	struct event e;
	struct str rest, key;
	char scratch_bytes[600];
	struct strbuf scratch = strbuf_on(scratch_bytes);
	unsigned pairs = 0;

	memset(bytes, 'x', sizeof(bytes));
	event_init(&e, EV_NOTE, STR(""), STR(""));
	for (int i = 0; i < 10; i++)
		event_str(&e, "detail", str_make(bytes, sizeof(bytes)));
	CHECK_TRUE(str_ends(strbuf_str(&e.body), STR(" truncated=1")), "says so");
	rest = strbuf_str(&e.body);
	while (logfmt_next(&rest, &key, &scratch)) {
		bool is_mark = str_eq(key, STR("truncated"));

		CHECK_U64_EQ(scratch.n, is_mark ? 1 : 500, "no field is cut in two");
		pairs++;
	}
	CHECK_U64_EQ(rest.n, 0, "all of it can be read");
	CHECK_U64_EQ(pairs, 5, "four fields and the mark");
}

static void
on_event(void *arg, const struct event *e)
{
	struct strbuf *heard = arg;

	strbuf_printf(heard, "%s %.*s %.*s;", event_name(e->id), STR_ARG(e->trace_id),
	              STR_ARG(strbuf_str(&e->body)));
}

static void
test_sink(void)
{
	char bytes[100];
	struct strbuf heard = strbuf_on(bytes);
	struct event e;

	event_set_log(LEVEL_ERROR, "test");
	event_set_sink(on_event, &heard);
	event_init(&e, EV_RCPT, STR("mtr_1"), STR("ses_1"));
	event_str(&e, "rcpt", STR("a@b"));
	event_tell(&e);
	event_set_sink(NULL, NULL);
	event_tell(&e);
	CHECK_STR_EQ(strbuf_str(&heard), STR("smtp.rcpt mtr_1 rcpt=a@b;"), "told once");
}

static void
test_explain(void)
{
	static const struct {
		enum event_id id;
		const char *body, *want;
	} rows[] = {
		{ EV_RCPT, "rcpt=a@b", "Recipient a@b" },
		{ EV_RCPT, "", "Recipient " },
		{ EV_RCPT, "rcpt=\"{rcpt} {x}\"", "Recipient {rcpt} {x}" },
		{ EV_STORED, "uid=7 rcpt=a@b mailbox=\"In box\"",
		  "Stored for a@b in In box as UID 7" },
		{ EV_MAIL, "from=a@b", "Sender is a@b" },
		{ EV_MAIL, "from=\"\"", "Sender is <>" },
		{ EV_DSN_ABOUT, "address=a@b action=failed about=mtr_1",
		  "It tells about a@b (failed), a recipient of mtr_1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[100];
		struct strbuf b = strbuf_on(bytes);

		event_explain(rows[i].id, str_from(rows[i].body), &b);
		CHECK_STR_EQ(strbuf_str(&b), str_from(rows[i].want), rows[i].want);
	}
}

static void
test_tables(void)
{
	enum event_level level = LEVEL_ERROR;

	for (unsigned id = 0; id < EVENT_COUNT; id++) {
		struct str name = str_from(event_name((enum event_id)id));

		CHECK_U64_EQ(event_find(name), id, name.p);
	}
	CHECK_U64_EQ(event_find(STR("no.such")), EVENT_COUNT, "no such event");
	CHECK_TRUE(event_level_parse(STR("debug"), &level) && level == LEVEL_DEBUG,
	           "debug");
	CHECK_TRUE(!event_level_parse(STR("Debug"), &level), "case counts");
}

SUITE(base_event, { "values", test_values }, { "random values", test_random_values },
      { "next", test_next }, { "fields", test_fields },
      { "hostile field", test_hostile_field }, { "truncated", test_truncated },
      { "sink", test_sink }, { "explain", test_explain }, { "tables", test_tables });
