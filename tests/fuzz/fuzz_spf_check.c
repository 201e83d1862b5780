/* check_host() against a name service that says anything. The first byte chooses the
   client and the order of answers, the second the sender; each further line is an answer:
   one byte for its kind, then its records, "|" between them. Lines are used round and
   round, so whatever is asked gets something. */
#include "base/panic.h"
#include "policy/spf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
	RECORDS_MAX = 16,
	ROUNDS_MAX = 200,
};

struct world {
	struct str all, rest;
};

static const struct str senders[] = {
	STR_INIT("user@a.example"),
	STR_INIT(""),
	STR_INIT("\"a b\"@a.example"),
	STR_INIT("\xc3\xbc@\xc3\xbc.example"),
};

static void
answer(struct world *w, struct lookup *q)
{
	static const enum dns_status statuses[] = { DNS_NODATA, DNS_NXDOMAIN, DNS_TEMP,
		                                    DNS_BAD_NAME };
	struct dns_record records[RECORDS_MAX] = { { 0 } };
	struct dns_answer a = { .status = DNS_OK, .name = q->name, .records = records };
	struct str line = { 0 }, data;

	if (!str_next(&w->rest, '\n', &line)) {
		w->rest = w->all;
		(void)str_next(&w->rest, '\n', &line);
	}
	if (line.n && line.p[0] >= '0' && line.p[0] <= '3') {
		a.status = statuses[line.p[0] - '0'];
		lookups_answer(q, &a);
		return;
	}
	while (a.count < RECORDS_MAX && str_next(&line, '|', &data)) {
		struct dns_record *r = &records[a.count++];

		r->type = q->type;
		r->text = r->name = data;
		r->addr.family = q->type == DNS_AAAA ? ADDR_V6 : ADDR_V4;
		if (q->type == DNS_A || q->type == DNS_AAAA)
			(void)addr_parse_ip(data, &r->addr);
	}
	if (!a.count)
		a.status = DNS_NODATA;
	lookups_answer(q, &a);
}

static void
check_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		CHECK(s.p[i] >= ' ' && s.p[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spf_request r = { .helo = STR("helo.example"), .receiver = STR("me") };
	struct spf_verdict v, again;
	struct world w;
	struct lookups *l;
	struct lookup *q;
	struct arena *a;
	int rounds = 0;

	if (n < 2)
		return 0;
	a = arena_new((size_t)64 << 20);
	l = lookups_new(a, LOOKUPS_MAX);
	w.all = w.rest = str_make(data + 2, n - 2);
	CHECK(addr_parse_ip(data[0] & 1 ? STR("2001:db8::1") : STR("192.0.2.1"), &r.ip));
	r.sender = senders[data[1] % ARRAY_LEN(senders)];
	while (spf_check(&r, l, a, &v) == POLICY_NEED) {
		CHECK(rounds++ < ROUNDS_MAX && v.terms <= 11 && v.voids <= 3);
		q = lookups_next(l);
		CHECK(q);
		do
			answer(&w, q);
		while (!(data[0] & 2) && (q = lookups_next(l)));
	}
	CHECK(v.reason.n);
	check_plain(v.reason);
	check_plain(v.domain);
	check_plain(v.mechanism);
	check_plain(v.explanation);
	/* One for each term and its hosts, the names of the client, two for exp=. */
	CHECK(lookups_count(l) <= 1 + 10 * 11 + 11 + 2);
	CHECK(spf_check(&r, l, a, &again) == POLICY_DONE && again.result == v.result);
	arena_free(&a);
	return 0;
}
