#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "store/report_count.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

/* What was seen of others is summed up once, whatever happens to the store meanwhile. */

static const int64_t day_ms = INT64_C(86400000);

static void
tell_dmarc(struct rig *r, const char *domain, const char *ip, const char *rua)
{
	struct id trace = id_new("mtr_"), session = id_new("ses_");
	static int64_t at_ms;
	struct event e;

	event_init(&e, EV_DMARC, id_str(&trace), id_str(&session));
	e.at_ms += at_ms++; /* each at a time of its own */
	event_str(&e, "result", STR("fail"));
	event_str(&e, "domain", STR("news.example.net"));
	event_str(&e, "policy_domain", str_from(domain));
	event_str(&e, "disposition", STR("reject"));
	event_str(&e, "ip", str_from(ip));
	if (rua) {
		event_str(&e, "record", STR("p=reject sp=none"));
		event_str(&e, "rua", str_from(rua));
	}
	event_str(&e, "reason", STR("not a part of any report"));
	store_tell(r->client, &e);
}

static bool
add_row(void *arg, const struct seen_row *row)
{
	struct strbuf *b = arg;

	strbuf_printf(b, "%llu x %.*s; ", (unsigned long long)row->count,
	              STR_ARG(row->body));
	return true;
}

/* "domain rows/messages/left out: N x body; …" of all domains. */
static struct str
seen(struct rig *r)
{
	struct strbuf b = strbuf_arena(r->arena, 8192);
	int64_t tomorrow = clock_unix_ms() / day_ms + 1;
	struct seen_domain d = { 0 };

	while (reader_seen_next(r->reader, tomorrow, &d, r->arena, &d) == OK) {
		strbuf_printf(&b, "%.*s %llu/%llu/%llu: ",
		              STR_ARG(d.domain.n ? d.domain : STR("*")),
		              (unsigned long long)d.row_count,
		              (unsigned long long)d.count,
		              (unsigned long long)d.left_out);
		CHECK_ERR_EQ(reader_seen_rows(r->reader, &d, add_row, &b), OK, "rows");
	}
	return strbuf_str(&b);
}

static void
check_seen(struct rig *r, const char *want, const char *what)
{
	int64_t until_ms = clock_mono_ms() + 5000;
	struct str got = seen(r);

	while (!str_eq(got, str_from(want)) && clock_mono_ms() < until_ms) {
		rig_turn(r, 50);
		got = seen(r);
	}
	CHECK_STR_EQ(got, str_from(want), what);
}

#define ROW(ip) "ip=" ip " disposition=reject domain=news.example.net; "

static void
test_sums(void)
{
	struct rig r;

	rig_open(&r);
	tell_dmarc(&r, "example.net", "192.0.2.1", "mailto:d@example.net");
	tell_dmarc(&r, "example.net", "192.0.2.1", "mailto:d@example.net");
	tell_dmarc(&r, "example.net", "192.0.2.2", "mailto:d@example.net");
	tell_dmarc(&r, "example.org", "192.0.2.2", NULL);
	check_seen(&r,
	           "* 2/1/0: example.net 2/3/0: 2 x " ROW("192.0.2.1") "1 x " ROW(
			   "192.0.2.2"),
	           "alike ones share a row, who asks for nothing has none");
	rig_stop_store(&r);
	rig_start_store(&r);
	tell_dmarc(&r, "example.net", "192.0.2.1", "mailto:other@example.net");
	check_seen(&r,
	           "* 2/1/0: example.net 2/4/0: 3 x " ROW("192.0.2.1") "1 x " ROW(
			   "192.0.2.2"),
	           "after a restart");
	rig_close(&r);
}

static void
test_limits(void)
{
	struct rig r;

	rig_open(&r);
	rig_stop_store(&r);
	r.conf->limits.report_domains = 2;
	r.conf->limits.report_rows_domain = 2;
	r.conf->limits.report_rows = 3;
	rig_start_store(&r);
	tell_dmarc(&r, "a.example", "192.0.2.1", "mailto:d@a.example");
	tell_dmarc(&r, "a.example", "192.0.2.2", "mailto:d@a.example");
	tell_dmarc(&r, "a.example", "192.0.2.3", "mailto:d@a.example");
	tell_dmarc(&r, "b.example", "192.0.2.1", "mailto:d@b.example");
	tell_dmarc(&r, "b.example", "192.0.2.2", "mailto:d@b.example");
	tell_dmarc(&r, "b.example", "192.0.2.1", "mailto:d@b.example");
	tell_dmarc(&r, "c.example", "192.0.2.1", "mailto:d@c.example");
	check_seen(&r,
	           "* 3/2/1: a.example 2/3/1: 1 x " ROW("192.0.2.1") "1 x " ROW(
			   "192.0.2.2") "b.example 1/3/2: 1 x " ROW("192.0.2.2"),
	           "what finds no room is counted");
	rig_close(&r);
}

/* --- the collection alone ----------------------------------------------------------- */

static struct trace_event
event_at(int64_t at_ms, const char *body)
{
	return (struct trace_event){ .id = EV_DMARC,
		                     .at_ms = at_ms,
		                     .name = STR("message.dmarc"),
		                     .body = str_from(body) };
}

static void
test_days(void)
{
	static const struct {
		const char *what;
		int64_t at_ms, now_ms, day;
	} rows[] = {
		{ "now", 100 * 86400000LL + 5, 100 * 86400000LL + 6, 100 },
		{ "yesterday's last", 100 * 86400000LL - 5, 100 * 86400000LL + 6, 99 },
		{ "five minutes late", 100 * 86400000LL - 5,
		  100 * 86400000LL + 5 * 60000LL, 99 },
		{ "too late for its day", 100 * 86400000LL - 5,
		  100 * 86400000LL + 5 * 60000LL + 1, 100 },
		{ "a clock that was ahead", 101 * 86400000LL, 100 * 86400000LL, 101 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report_counts *c = report_counts_new();
		struct trace_event e = event_at(
			rows[i].at_ms,
			"policy_domain=a.example rua=mailto:d@a.example ip=192.0.2.1");
		const struct report_count *list;
		size_t n;

		report_counts_add(c, &e, rows[i].now_ms);
		list = report_counts_list(c, &n);
		CHECK_U64_EQ(n, 1, rows[i].what);
		CHECK_I64_EQ(n ? list[0].day : 0, rows[i].day, rows[i].what);
		report_counts_free(&c);
	}
}

/* The last record of the day is the one that is told; one that changes with every message
   costs no memory without end. */
static void
test_policy(void)
{
	struct report_counts *c = report_counts_new();
	char bytes[2048];
	struct strbuf b = strbuf_on(bytes);
	const struct report_count *list;
	struct trace_event e;
	size_t n;

	for (unsigned i = 0; i < 20000; i++) {
		strbuf_clear(&b);
		strbuf_printf(&b,
		              "policy_domain=a.example ip=192.0.2.%u record=p=none"
		              " rua=\"mailto:%0400u@a.example\"",
		              i % 2, i);
		e = event_at((int64_t)i, strbuf_cstr(&b));
		report_counts_add(c, &e, 0);
	}
	list = report_counts_list(c, &n);
	CHECK_U64_EQ(n, 2, "rows");
	CHECK_U64_EQ(list[0].count + list[1].count, 20000, "messages");
	CHECK_I64_EQ(list[1].at_ms, 19999, "the last one is last");
	report_counts_clear(c);
	list = report_counts_list(c, &n);
	CHECK_U64_EQ(n, 0, "nothing left");
	CHECK_TRUE(!list, "and no list");
	report_counts_free(&c);
}

SUITE(store_seen, { "sums", test_sums }, { "limits", test_limits }, { "days", test_days },
      { "policy", test_policy });
