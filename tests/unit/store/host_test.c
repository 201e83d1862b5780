/* What is looked at of the host, as it is kept: who asks, what came of it, what is told. */
#include "store/reader.h"

#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#define START_MS INT64_C(86400000)

static enum err
put(struct rig *r, const char *state, int64_t at_ms)
{
	struct op_host_result op = { .name = STR("ptr"),
		                     .state = str_from(state),
		                     .cause = STR("ptr_missing"),
		                     .text = STR("no record"),
		                     .body = STR("{}"),
		                     .runs = STR("of"),
		                     .basis = at_ms + 1,
		                     .checked_ms = at_ms,
		                     .next_ms = at_ms + 1000 };

	return rig_host_result(r, &op, NULL);
}

static struct host_row
get(struct rig *r)
{
	struct host_row row = { 0 };

	CHECK_ERR_EQ(reader_host(r->reader, STR("ptr"), r->arena, &row), OK, "the row");
	return row;
}

static void
test_life(void)
{
	struct host_row row;
	struct rig r;

	rig_open(&r);
	CHECK_ERR_EQ(reader_host(r.reader, STR("ptr"), r.arena, &row), ERR_NOT_FOUND,
	             "never run");
	CHECK_ERR_EQ(put(&r, "ok", START_MS), OK, "first");
	CHECK_ERR_EQ(put(&r, "ok", START_MS + 5000), OK, "the same");
	row = get(&r);
	CHECK_STR_EQ(row.state, STR("ok"), "state");
	CHECK_I64_EQ(row.since_ms, START_MS, "since the first");
	CHECK_I64_EQ(row.checked_ms, START_MS + 5000, "the last run");
	CHECK_I64_EQ(row.next_ms, START_MS + 6000, "the next one");
	CHECK_ERR_EQ(put(&r, "fail", START_MS + 9000), OK, "another state");
	row = get(&r);
	CHECK_I64_EQ(row.since_ms, START_MS + 9000, "since now");
	CHECK_STR_EQ(row.text, STR("no record"), "what was found");
	CHECK_I64_EQ(row.basis, START_MS + 9001, "what it went by");
	CHECK_STR_EQ(row.runs, STR("of"), "runs");
	rig_close(&r);
}

/* Whoever asks is seen until a run that began after it has ended. */
static void
test_asked(void)
{
	static const struct op_host_ask ask = { .name = STR_INIT("ptr") };
	static const struct op_host_ask none = { .name = { NULL, 0 } };
	struct host_row row;
	struct rig r;

	rig_open(&r);
	CHECK_ERR_EQ(rig_host_ask(&r, &none, NULL), ERR_INVALID, "which?");
	CHECK_ERR_EQ(rig_host_ask(&r, &ask, NULL), OK, "before the first run");
	row = get(&r);
	CHECK_TRUE(row.asked_ms > row.checked_ms && !row.checked_ms, "somebody waits");
	CHECK_ERR_EQ(put(&r, "ok", row.asked_ms), OK, "a run");
	row = get(&r);
	CHECK_TRUE(row.asked_ms <= row.checked_ms, "nobody waits");
	/* The clock was set back since: the next question counts all the same. */
	CHECK_ERR_EQ(put(&r, "ok", row.checked_ms + 1000000), OK, "from the future");
	CHECK_ERR_EQ(rig_host_ask(&r, &ask, NULL), OK, "again");
	row = get(&r);
	CHECK_TRUE(row.asked_ms > row.checked_ms, "somebody waits again");
	/* Else it would be run over and over until the clock is there again. */
	CHECK_ERR_EQ(put(&r, "ok", clock_unix_ms()), OK, "a run by the right clock");
	row = get(&r);
	CHECK_TRUE(row.asked_ms <= row.checked_ms, "nobody waits for the future");
	rig_close(&r);
}

static void
test_limits(void)
{
	static const char long_name[] = "a name that is longer than any check's";
	struct op_host_result op = { .name = str_from(long_name) };
	struct rig r;

	rig_open(&r);
	CHECK_ERR_EQ(rig_host_result(&r, &op, NULL), ERR_INVALID, "name");
	CHECK_ERR_EQ(put(&r,
	                 "a state of which nobody knows why it should be that long, if "
	                 "it is one",
	                 1),
	             ERR_INVALID, "state");
	rig_close(&r);
}

static bool
take_mute(void *arg, const struct dns_mute *mute)
{
	struct dns_mute *found = arg;

	CHECK_STR_EQ(mute->name, STR("ptr"), "which");
	CHECK_STR_EQ(mute->by, STR("admin:ann"), "by whom");
	found->at_ms = mute->at_ms;
	return true;
}

static int64_t
muted_since(struct rig *r)
{
	struct dns_mute found = { .at_ms = 0 };

	CHECK_ERR_EQ(reader_dns_mutes(r->reader, HOST_MUTES, take_mute, &found), OK,
	             "mutes");
	return found.at_ms;
}

static void
test_muted(void)
{
	struct op_host_mute op = { .actor.name = STR("admin:ann"), .is_muted = true };
	int64_t since_ms;
	struct rig r;

	rig_open(&r);
	CHECK_ERR_EQ(rig_host_mute(&r, &op, NULL), ERR_INVALID, "which?");
	op.name = STR("ptr");
	CHECK_ERR_EQ(rig_host_mute(&r, &op, NULL), OK, "muted");
	since_ms = muted_since(&r);
	CHECK_TRUE(since_ms > 0, "since when");
	op.actor.name = STR("admin:bob");
	CHECK_ERR_EQ(rig_host_mute(&r, &op, NULL), OK, "again");
	CHECK_I64_EQ(muted_since(&r), since_ms, "the first one did it");
	op.is_muted = false;
	CHECK_ERR_EQ(rig_host_mute(&r, &op, NULL), OK, "looked after again");
	CHECK_I64_EQ(muted_since(&r), 0, "no longer");
	rig_close(&r);
}

SUITE(store_host, { "muted", test_muted }, { "the life of a check", test_life },
      { "asked for", test_asked }, { "limits", test_limits });
