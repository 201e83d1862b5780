#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "store/report_count.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

/* What was seen of others is summed up once, whatever happens to the store meanwhile. */

static const int64_t day_ms = INT64_C(86400000);

/* When it is seen: a day that midnight does not end during the tests. */
static int64_t
start_ms(void)
{
	static int64_t at_ms;

	if (!at_ms)
		at_ms = (clock_unix_ms() / day_ms + 1) * day_ms;
	return at_ms;
}

static void
tell_dmarc(struct rig *r, const char *domain, const char *ip, const char *rua)
{
	struct id trace = id_new("mtr_"), session = id_new("ses_");
	static int64_t at_ms;
	struct event e;

	event_init(&e, EV_DMARC, id_str(&trace), id_str(&session));
	e.at_ms = start_ms() + at_ms++; /* each at a time of its own */
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
	int64_t tomorrow = start_ms() / day_ms + 1;
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
	int64_t until_ms = clock_mono_ms() + 60000;
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

/* --- reports that were made --------------------------------------------------------- */

static bool
add_report(void *arg, const struct sent_report *s)
{
	struct strbuf *b = arg;

	strbuf_printf(b, "%.*s %s%s%.*s; ", STR_ARG(s->domain),
	              report_state_name(s->state), s->reason.n ? ": " : "",
	              STR_ARG(s->reason));
	return true;
}

static struct str
sent(struct rig *r, const struct sent_query *query)
{
	struct strbuf b = strbuf_arena(r->arena, 8192);

	CHECK_ERR_EQ(reader_sent_reports(r->reader, query, 100, add_report, &b), OK,
	             "reports");
	return strbuf_str(&b);
}

/* Claims the one row that waits, and says what came of it. */
static void
end_row(struct rig *r, enum queue_outcome outcome, const char *text)
{
	struct op_queue_claim claim = { .now_ms = clock_unix_ms() + 3600000,
		                        .limit = 10,
		                        .lease_ms = 60000,
		                        .is_attempt = true };
	struct queue_outcome_row row = { .outcome = outcome,
		                         .text = str_from(text),
		                         .is_report = true };
	struct op_queue_result result = { .now_ms = clock_unix_ms(),
		                          .rows = &row,
		                          .rows_count = 1 };
	struct answer_queue rows;
	struct answer_accept none;

	CHECK_ERR_EQ(rig_queue_claim(r, &claim, &rows), OK, "claim");
	CHECK_U64_EQ(rows.items_count, 1, "one row");
	if (rows.items_count)
		row.id = rows.items[0].id;
	CHECK_ERR_EQ(rig_queue_result(r, &result, &none), OK, "result");
}

static enum err
make_report(struct rig *r, const char *domain, const char *rcpts, bool has_mail)
{
	struct accept_rcpt rcpt = { .kind = RCPT_REMOTE,
		                    .rcpt = STR("d@a.example"),
		                    .domain = STR("a.example") };
	struct id trace = id_new("mtr_");
	struct op_accept mail = { .trace_id = id_str(&trace),
		                  .direction = TRACE_OWN,
		                  .expires_ms = INT64_C(1) << 50,
		                  .rcpts = &rcpt,
		                  .rcpts_count = 1 };
	struct op_report_made op = { .kind = SEEN_DMARC,
		                     .day = start_ms() / day_ms,
		                     .domain = str_from(domain),
		                     .name = STR("1"),
		                     .rcpts = str_from(rcpts),
		                     .reason = rcpts[0] ? STR("") : STR("nobody"),
		                     .packed = STR("packed"),
		                     .keep_ms = day_ms,
		                     .mails = &mail,
		                     .mails_count = has_mail };
	struct answer_id answer;

	CHECK_ERR_EQ(rig_body(r, STR("Subject: report\r\n\r\n")), OK, "body");
	mail.body = r->body;
	return rig_report_made(r, &op, &answer);
}

static void
test_made(void)
{
	static const struct sent_query all = { 0 };
	struct rig r;

	rig_open(&r);
	tell_dmarc(&r, "a.example", "192.0.2.1", "mailto:d@a.example");
	tell_dmarc(&r, "b.example", "192.0.2.1", "mailto:d@b.example");
	check_seen(&r,
	           "* 2/2/0: a.example 1/1/0: 1 x " ROW(
			   "192.0.2.1") "b.example 1/1/0: 1 x " ROW("192.0.2.1"),
	           "two domains");
	CHECK_ERR_EQ(make_report(&r, "a.example", "d@a.example", true), OK, "made");
	CHECK_STR_EQ(sent(&r, &all), STR("a.example queued; "), "it waits");
	CHECK_STR_EQ(seen(&r), STR("* 2/2/0: b.example 1/1/0: 1 x " ROW("192.0.2.1")),
	             "its rows are gone");
	CHECK_ERR_EQ(make_report(&r, "a.example", "d@a.example", true), ERR_EXISTS,
	             "once only");
	end_row(&r, OUTCOME_DELIVERED, "");
	CHECK_STR_EQ(sent(&r, &all), STR("a.example sent; "), "it came through");
	CHECK_ERR_EQ(make_report(&r, "b.example", "d@b.example", true), OK, "another");
	end_row(&r, OUTCOME_BOUNCED, "550 no");
	CHECK_ERR_EQ(make_report(&r, "c.example", "", false), OK, "for nobody");
	CHECK_STR_EQ(sent(&r, &all),
	             STR("c.example refused: nobody; b.example failed: 550 no;"
	                 " a.example sent; "),
	             "all three");
	CHECK_STR_EQ(sent(&r, &(struct sent_query){ .state = REPORT_FAILED }),
	             STR("b.example failed: 550 no; "), "by state");
	CHECK_STR_EQ(sent(&r, &(struct sent_query){ .kind = SEEN_TLS }), STR(""),
	             "by kind");
	CHECK_STR_EQ(sent(&r, &(struct sent_query){ .domain = STR("a.example") }),
	             STR("a.example sent; "), "by domain");
	rig_close(&r);
}

SUITE(store_seen, { "sums", test_sums }, { "limits", test_limits }, { "days", test_days },
      { "policy", test_policy }, { "made", test_made });
