/* Which events show that somebody came from the Internet, and what is written of them. */
#include "store/outside.h"

#include "base/event.h"
#include "tests/unit/check.h"

#define START_MS INT64_C(86400000)

static void
see(struct outside *o, enum event_id id, const char *body, int64_t at_ms)
{
	struct trace_event event = { .id = id, .body = str_from(body), .at_ms = at_ms };

	outside_add(o, &event);
}

static void
check_list(struct outside *o, const char *want)
{
	char bytes[300];
	struct strbuf b = strbuf_on(bytes);
	size_t count;
	const struct outside_seen *list = outside_list(o, &count);

	for (size_t i = 0; i < count; i++)
		strbuf_printf(&b, "%s%.*s=%.*s", i ? " " : "", STR_ARG(list[i].service),
		              STR_ARG(list[i].ip));
	CHECK_STR_EQ(strbuf_str(&b), str_from(want), want);
}

static const struct {
	enum event_id id;
	const char *body, *want;
} cases[] = {
	/* clang-format off */
	{ EV_CONNECT, "ip=203.0.114.5 port=1 service=smtp", "smtp=203.0.114.5" },
	{ EV_CONNECT, "ip=2a00:1::5 port=1 service=submission", "submission=2a00:1::5" },
	{ EV_CONNECT, "ip=::ffff:203.0.114.5 service=smtp", "smtp=203.0.114.5" },
	{ EV_CONNECT, "ip=127.0.0.1 service=smtp", "" },
	{ EV_CONNECT, "ip=10.0.0.1 service=smtp", "" },
	{ EV_CONNECT, "ip=- service=smtp", "" },
	{ EV_CONNECT, "ip=203.0.114.5 service=\"a long word that is none of a service, and longer than any\"", "" },
	{ EV_CONNECT, "service=smtp", "" },
	{ EV_CONNECT, "", "" },
	{ EV_AUTH_OK, "user=ann protocol=imap ip=203.0.114.5", "imap=203.0.114.5" },
	{ EV_AUTH_OK, "user=ann protocol=http ip=203.0.114.5", "http=203.0.114.5" },
	{ EV_AUTH_OK, "user=ann protocol=smtp ip=203.0.114.5", "" },
	{ EV_AUTH_FAILED, "user=ann protocol=imap ip=203.0.114.5", "" },
	/* clang-format on */
};

static void
test_events(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outside o = { .list = { { .at_ms = 0 } } };

		see(&o, cases[i].id, cases[i].body, START_MS);
		check_list(&o, cases[i].want);
	}
}

/* The index is not written for every connection. */
static void
test_now_and_then(void)
{
	struct outside o = { .list = { { .at_ms = 0 } } };

	see(&o, EV_CONNECT, "ip=203.0.114.5 service=smtp", START_MS);
	see(&o, EV_CONNECT, "ip=203.0.114.4 service=smtp", START_MS - 1);
	check_list(&o, "smtp=203.0.114.5");
	check_list(&o, "smtp=203.0.114.5"); /* the store was away */
	outside_told(&o);
	see(&o, EV_CONNECT, "ip=203.0.114.6 service=smtp",
	    START_MS + OUTSIDE_EVERY_MS - 1);
	check_list(&o, "");
	outside_told(&o);
	see(&o, EV_CONNECT, "ip=203.0.114.7 service=smtp", START_MS + OUTSIDE_EVERY_MS);
	check_list(&o, "smtp=203.0.114.7");
}

SUITE(store_outside, { "events", test_events }, { "now and then", test_now_and_then });
