/* What other domains demand of the way to them, as it is kept. */
#include "store/reader.h"

#include "base/duration.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#define START_MS (1000 * DAY_MS)

static void
put(struct rig *r, const char *domain, const char *body, int64_t at_ms)
{
	struct op_sts_put op = { .domain = str_from(domain),
		                 .policy_id = STR("1"),
		                 .body = str_from(body),
		                 .fetched_ms = at_ms,
		                 .expires_ms = at_ms + DAY_MS };

	CHECK_ERR_EQ(rig_sts_put(r, &op, NULL), OK, domain);
}

static void
fail(struct rig *r, const char *domain, const char *fault, int64_t at_ms)
{
	struct op_sts_failed op = { .domain = str_from(domain),
		                    .fault = str_from(fault),
		                    .at_ms = at_ms };

	CHECK_ERR_EQ(rig_sts_failed(r, &op, NULL), OK, domain);
}

static enum err
ask(struct rig *r, const char *domain)
{
	return rig_sts_ask(r, &(struct op_sts_ask){ .domain = str_from(domain) }, NULL);
}

static bool
take_name(void *arg, const struct sts_row *row)
{
	struct strbuf *names = arg;

	strbuf_printf(names, "%s%.*s", names->n ? " " : "", STR_ARG(row->domain));
	return true;
}

static void
check_names(struct rig *r, bool is_down, const char *after, const char *names)
{
	char bytes[256];
	struct strbuf b = strbuf_on(bytes);

	CHECK_ERR_EQ(reader_sts_list(r->reader,
	                             (struct names_from){ str_from(after), is_down }, 10,
	                             take_name, &b),
	             OK, names);
	CHECK_STR_EQ(strbuf_str(&b), str_from(names), names);
}

static void
check_asked(struct rig *r, const char *names)
{
	char bytes[256];
	struct strbuf b = strbuf_on(bytes);

	CHECK_ERR_EQ(reader_sts_asked(r->reader, 10, take_name, &b), OK, names);
	CHECK_STR_EQ(strbuf_str(&b), str_from(names), names);
}

static void
test_life(void)
{
	struct sts_row row;
	struct rig r;

	rig_open(&r);
	put(&r, "b.example", "one", 1000);
	fail(&r, "b.example", "status 500", 2000);
	CHECK_ERR_EQ(reader_sts(r.reader, STR("b.example"), r.arena, &row), OK, "b");
	CHECK_STR_EQ(row.body, STR("one"), "it stays beside a failure");
	CHECK_STR_EQ(row.fault, STR("status 500"), "which is kept");
	CHECK_I64_EQ(row.failed_ms, 2000, "with its time");
	put(&r, "b.example", "two", 3000);
	CHECK_ERR_EQ(reader_sts(r.reader, STR("b.example"), r.arena, &row), OK, "b");
	CHECK_STR_EQ(row.body, STR("two"), "the next one");
	CHECK_I64_EQ(row.failed_ms, 0, "ends the failure");
	CHECK_STR_EQ(row.fault, STR(""), "and its words");
	fail(&r, "a.example", "status 404", 3000);
	CHECK_ERR_EQ(reader_sts(r.reader, STR("a.example"), r.arena, &row), OK, "a");
	CHECK_STR_EQ(row.body, STR(""), "one that was never had");
	CHECK_I64_EQ(row.expires_ms, 0, "holds at no time");
	check_names(&r, false, "", "a.example b.example");
	check_names(&r, false, "a.example", "b.example");
	check_names(&r, true, "b.example", "a.example");
	CHECK_ERR_EQ(rig_sts_put(&r, &(struct op_sts_put){ .body = STR("x") }, NULL),
	             ERR_INVALID, "of nobody");
	CHECK_ERR_EQ(rig_sts_failed(&r, &(struct op_sts_failed){ .at_ms = 1 }, NULL),
	             ERR_INVALID, "of nobody");
	rig_close(&r);
}

/* Who asks is remembered until there is an answer, good or bad. */
static void
test_asked(void)
{
	struct rig r;

	rig_open(&r);
	put(&r, "a.example", "one", 1000);
	put(&r, "b.example", "one", 1000);
	check_asked(&r, "");
	CHECK_ERR_EQ(ask(&r, "c.example"), ERR_NOT_FOUND, "nothing is known of it");
	CHECK_ERR_EQ(ask(&r, "a.example"), OK, "a");
	CHECK_ERR_EQ(ask(&r, "b.example"), OK, "b");
	check_asked(&r, "a.example b.example");
	put(&r, "a.example", "two", 2000);
	check_asked(&r, "b.example");
	fail(&r, "b.example", "gone", 2000);
	check_asked(&r, "");
	rig_close(&r);
}

/* What has expired goes; a failure is there for a week more. */
static void
test_sweep(void)
{
	struct rig r;

	rig_open(&r);
	put(&r, "a.example", "one", START_MS);
	put(&r, "b.example", "one", START_MS);
	fail(&r, "b.example", "gone", START_MS + 2 * DAY_MS);
	put(&r, "c.example", "one", START_MS + 2 * DAY_MS + 1000);
	check_names(&r, false, "", "b.example c.example");
	fail(&r, "d.example", "gone", START_MS + 10 * DAY_MS);
	check_names(&r, false, "", "d.example");
	rig_close(&r);
}

SUITE(store_sts, { "the life of a policy", test_life }, { "asked for", test_asked },
      { "what has expired", test_sweep });
