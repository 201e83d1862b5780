/* How many connections, in all and from one client. */
#include "io/limiter.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

static struct addr
ip(const char *text)
{
	struct addr a = { 0 };

	CHECK_TRUE(addr_parse_ip(str_from(text), &a), text);
	return a;
}

enum {
	MEMBERS_MAX = 200,
	TOTAL_MAX = 400,
};

/* A connection. */
struct member {
	struct limiter_place place;
	bool is_busy, is_gone;
};

static bool
may_go(void *arg)
{
	const struct member *m = arg;

	return !m->is_busy;
}

static void
go(void *arg)
{
	struct member *m = arg;

	CHECK_TRUE(!m->is_gone && !m->place.limiter, "told once, without a place");
	m->is_gone = true;
}

static const struct limiter_ops ops = { .may_go = may_go, .go = go };

static struct limiter *
limits(size_t total, size_t per_ip, size_t per_account)
{
	struct limiter *l = limiter_new();

	limiter_set(l, &(struct limiter_max){ total, per_ip, per_account });
	return l;
}

static enum err
enter(struct limiter *l, struct member *m, const char *text)
{
	struct addr a = ip(text);
	enum err e = limiter_take(l, &a);

	memset(m, 0, sizeof(*m));
	if (e == OK)
		limiter_hold(l, &m->place, &a, &ops, m);
	return e;
}

/* n of them, of one address each, or of one together. */
static void
enter_many(struct limiter *l, struct member *m, size_t n, const char *of_all)
{
	char text[32];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "198.51.100.%d", (int)i);
		CHECK_ERR_EQ(enter(l, &m[i], of_all ? of_all : text), OK, text);
	}
}

static size_t
gone_of(const struct member *m, size_t n)
{
	size_t gone = 0;

	for (size_t i = 0; i < n; i++)
		gone += m[i].is_gone;
	return gone;
}

static void
leave_all(struct limiter **l, struct member *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		limiter_leave(&m[i].place);
	CHECK_U64_EQ(limiter_count(*l), 0, "all counted");
	limiter_free(l);
	CHECK_TRUE(!*l, "cleared");
}

static void
test_per_address(void)
{
	static const struct {
		const char *what, *address;
		enum err e;
	} rows[] = {
		{ "first", "192.0.2.1", OK },
		{ "second, the same client mapped", "::ffff:192.0.2.1", OK },
		{ "third", "192.0.2.1", ERR_LIMIT },
		{ "another client", "192.0.2.2", OK },
		{ "first of a net", "2001:db8:1:2::1", OK },
		{ "second", "2001:db8:1:2:ffff:ffff:ffff:ffff", OK },
		{ "third of the same /64", "2001:db8:1:2:abcd::", ERR_LIMIT },
		{ "the next /64", "2001:db8:1:3::1", OK },
	};
	struct limiter *l = limits(0, 2, 0);
	struct member m[ARRAY_LEN(rows) + 1];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ERR_EQ(enter(l, &m[i], rows[i].address), rows[i].e, rows[i].what);
	CHECK_U64_EQ(limiter_count(l), 6, "a refused one does not count");
	limiter_leave(&m[0].place);
	limiter_leave(&m[0].place);
	CHECK_ERR_EQ(enter(l, &m[0], "192.0.2.1"), OK, "one has gone");
	CHECK_ERR_EQ(enter(l, &m[ARRAY_LEN(rows)], "192.0.2.1"), ERR_LIMIT, "only one");
	leave_all(&l, m, ARRAY_LEN(m));
}

static void
test_total(void)
{
	struct limiter *l = limits(3, 0, 0);
	struct member m[5];
	struct addr none = { 0 };

	for (int i = 0; i < 3; i++) {
		CHECK_ERR_EQ(enter(l, &m[i], "192.0.2.1"), OK, "up to the limit");
		m[i].is_busy = true;
	}
	CHECK_ERR_EQ(limiter_take(l, &none), ERR_BUSY,
	             "full, with an address or without");
	limiter_leave(&m[0].place);
	CHECK_ERR_EQ(limiter_take(l, &none), OK, "room again");
	limiter_hold(l, &m[0].place, &none, &ops, &m[0]);
	limiter_set(l, &(struct limiter_max){ 1, 1, 1 });
	CHECK_U64_EQ(limiter_count(l), 3, "nobody is thrown out");
	CHECK_ERR_EQ(enter(l, &m[3], "192.0.2.9"), ERR_BUSY, "the new limit");
	limiter_set(l, &(struct limiter_max){ 0, 0, 0 });
	CHECK_ERR_EQ(enter(l, &m[3], "192.0.2.1"), OK, "0: no limit");
	limiter_hold(NULL, &m[4].place, &none, &ops, &m[4]);
	CHECK_ERR_EQ(limiter_know(&m[4].place, 7), OK, "one that nobody counts");
	leave_all(&l, m, 5);
}

/* Silent strangers of many addresses keep nobody out: the longest go. */
static void
test_strangers_go_for_strangers(void)
{
	struct limiter *l = limits(64, 0, 0);
	struct member m[MEMBERS_MAX];

	enter_many(l, m, MEMBERS_MAX, NULL);
	CHECK_U64_EQ(gone_of(m, MEMBERS_MAX), MEMBERS_MAX - 64, "but for the places");
	CHECK_TRUE(m[0].is_gone && !m[MEMBERS_MAX - 1].is_gone, "the longest first");
	leave_all(&l, m, MEMBERS_MAX);
}

static void
test_who_has_most_goes_first(void)
{
	struct limiter *l = limits(64, 0, 0);
	struct member one, other, flood[MEMBERS_MAX];

	CHECK_ERR_EQ(enter(l, &one, "192.0.2.1"), OK, "somebody slow");
	enter_many(l, flood, MEMBERS_MAX, "203.0.113.1");
	CHECK_ERR_EQ(enter(l, &other, "192.0.2.2"), OK, "somebody else");
	CHECK_TRUE(!one.is_gone && !other.is_gone, "they stay");
	limiter_leave(&one.place);
	limiter_leave(&other.place);
	leave_all(&l, flood, MEMBERS_MAX);
}

/* Those that may not go do not hide those that may. */
static void
test_busy_ones_stay(void)
{
	struct limiter *l = limits(150, 0, 0);
	struct member m[MEMBERS_MAX];

	enter_many(l, m, 140, NULL);
	for (size_t i = 0; i < 139; i++)
		m[i].is_busy = true;
	enter_many(l, m + 140, 60, "203.0.113.1");
	CHECK_U64_EQ(gone_of(m, 139), 0, "busy");
	CHECK_U64_EQ(limiter_count(l), 150, "there was room");
	leave_all(&l, m, MEMBERS_MAX);
}

static void
log_in(struct limiter *l, struct member *m, uint64_t account, enum err wanted)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "192.0.2.%d", (int)(account % 256));
	if (!m->place.limiter)
		CHECK_ERR_EQ(enter(l, m, text), OK, "can try");
	CHECK_ERR_EQ(limiter_know(&m->place, account), wanted, "login");
}

/* When people have taken all that they may, whoever comes can still try, and is let in
   where somebody has more than one. */
static void
test_logins(void)
{
	struct limiter *l = limits(64, 0, 0);
	struct member m[64] = { 0 }, newcomer, flood[MEMBERS_MAX];

	for (size_t i = 0; i < 61; i++)
		log_in(l, &m[i], i < 10 ? 1 : i, OK);
	CHECK_ERR_EQ(enter(l, &newcomer, "192.0.2.1"), OK, "can try");
	enter_many(l, flood, MEMBERS_MAX, "203.0.113.1");
	CHECK_U64_EQ(gone_of(m, 61), 0, "strangers are in nobody's way");
	CHECK_TRUE(!newcomer.is_gone, "nor in that of who is about to log in");
	log_in(l, &m[61], 61, OK);
	m[0].is_busy = true;
	log_in(l, &newcomer, 1000, OK);
	log_in(l, &newcomer, 1000, OK);
	CHECK_TRUE(gone_of(m, 64) == 1 && m[1].is_gone, "at rest, of who has most");
	log_in(l, &m[62], 1, ERR_BUSY);
	log_in(l, &m[62], 2000, OK);
	CHECK_TRUE(gone_of(m, 64) == 2 && m[2].is_gone, "nobody with one has lost it");
	limiter_leave(&newcomer.place);
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		limiter_leave(&flood[i].place);
	leave_all(&l, m, 64);
}

static void
test_all_have_one(void)
{
	struct limiter *l = limits(64, 0, 0);
	struct member m[64] = { 0 };

	for (size_t i = 0; i < 62; i++)
		log_in(l, &m[i], i + 1, OK);
	log_in(l, &m[62], 900, ERR_BUSY);
	CHECK_ERR_EQ(limiter_know(&m[62].place, 0), ERR_BUSY, "nor as a host");
	limiter_forget(&m[3].place);
	log_in(l, &m[62], 900, OK);
	log_in(l, &m[3], 4, ERR_BUSY);
	limiter_leave(&m[5].place);
	log_in(l, &m[3], 4, OK);
	CHECK_U64_EQ(gone_of(m, 64), 0, "nobody went for it");
	leave_all(&l, m, 64);
}

static void
test_per_account(void)
{
	struct limiter *l = limits(0, 0, 2);
	struct member m[5];

	enter_many(l, m, 5, NULL);
	CHECK_ERR_EQ(limiter_know(&m[0].place, 7), OK, "first");
	CHECK_ERR_EQ(limiter_know(&m[1].place, 7), OK, "second");
	CHECK_ERR_EQ(limiter_know(&m[2].place, 7), ERR_LIMIT, "third");
	CHECK_ERR_EQ(limiter_know(&m[2].place, 8), OK, "another account");
	limiter_forget(&m[0].place);
	limiter_forget(&m[0].place);
	CHECK_ERR_EQ(limiter_know(&m[3].place, 7), OK, "one has logged out");
	CHECK_ERR_EQ(limiter_know(&m[4].place, 0), OK, "hosts have no such limit");
	leave_all(&l, m, 5);
}

/* Who has all that one address may have pushes nobody out by asking for more. */
static void
test_refused_takes_nothing(void)
{
	struct limiter *l = limits(64, 40, 0);
	struct member flood[40], m[24], more;

	enter_many(l, flood, 40, "203.0.113.1");
	for (size_t i = 0; i < 40; i++)
		flood[i].is_busy = true;
	enter_many(l, m, 24, NULL);
	for (int i = 0; i < 10; i++)
		CHECK_ERR_EQ(enter(l, &more, "203.0.113.1"), ERR_LIMIT, "one more");
	CHECK_U64_EQ(gone_of(m, 24), 0, "nobody went for it");
	for (size_t i = 0; i < 24; i++)
		limiter_leave(&m[i].place);
	leave_all(&l, flood, 40);
}

/* A host that is known logs in, and cannot be: it is known as before. */
static void
test_stays_who_it_was(void)
{
	struct limiter *l = limits(64, 0, 2);
	struct member m[64] = { 0 };

	for (size_t i = 0; i < 62; i++)
		log_in(l, &m[i], i / 2 + 1, OK);
	limiter_forget(&m[61].place);
	CHECK_ERR_EQ(limiter_know(&m[61].place, 0), OK, "a host");
	CHECK_ERR_EQ(limiter_know(&m[61].place, 1), ERR_LIMIT, "that account has two");
	CHECK_TRUE(m[61].place.is_known && !m[61].place.account, "still that host");
	CHECK_ERR_EQ(limiter_know(&m[61].place, 900), OK, "another account");
	CHECK_U64_EQ(gone_of(m, 64), 0, "in its own place");
	leave_all(&l, m, 64);
}

/* ---- every limit ------------------------------------------------------------------ */

/* What a limit of `total` leaves to those who are known. */
static size_t
part_of(size_t total)
{
	size_t kept = total / 32 ? total / 32 : 1;

	return total < 2 ? total : total - kept;
}

static enum err
come(struct limiter *l, struct member *m, size_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "10.%d.%d.1", (int)(n / 256), (int)(n % 256));
	return enter(l, m, text);
}

/* As many hosts as there are places brought a message each: every login finds room, up
   to the part, and so does whoever comes to try. */
static void
hosts_and_logins(size_t total)
{
	static struct member hosts[TOTAL_MAX], people[TOTAL_MAX + 1];
	struct limiter *l = limits(total, 0, 0);
	size_t part = part_of(total), refused = 0;

	memset(people, 0, sizeof(people));
	for (size_t i = 0; i < total; i++) {
		CHECK_ERR_EQ(come(l, &hosts[i], i), OK, "a host");
		refused += limiter_know(&hosts[i].place, 0) != OK;
	}
	CHECK_U64_EQ(refused, total - part, "hosts take what nobody else wants");
	for (size_t i = 0; i < part; i++) {
		CHECK_ERR_EQ(come(l, &people[i], 1000 + i), OK, "somebody can try");
		CHECK_ERR_EQ(limiter_know(&people[i].place, i + 1), OK, "and log in");
	}
	CHECK_ERR_EQ(come(l, &people[part], 5000), OK, "one too many can try");
	CHECK_ERR_EQ(limiter_know(&people[part].place, 5000), ERR_BUSY, "no more");
	CHECK_ERR_EQ(limiter_know(&people[part].place, 0), ERR_BUSY, "nor as a host");
	CHECK_U64_EQ(gone_of(people, part + 1), 0, "people stay");
	CHECK_U64_EQ(gone_of(hosts, total), part + 1, "hosts went, one for each");
	CHECK_U64_EQ(limiter_count(l), total, "all is taken");
	for (size_t i = 0; i < total; i++)
		limiter_leave(&hosts[i].place);
	leave_all(&l, people, part + 1);
}

static void
test_every_limit(void)
{
	/* Of one place there is nothing to keep. */
	for (size_t total = 2; total <= TOTAL_MAX; total++)
		hosts_and_logins(total);
}

struct crowd {
	struct member m[TOTAL_MAX + 8];
	size_t accounts[64]; /* connections of each */
	uint32_t random;
};

static uint32_t
next_random(struct crowd *c)
{
	c->random = c->random * 1664525U + 1013904223U;
	return c->random >> 8;
}

static size_t
count_accounts(struct crowd *c, size_t n)
{
	size_t others = 0;

	memset(c->accounts, 0, sizeof(c->accounts));
	for (size_t i = 0; i < n; i++) {
		if (c->m[i].place.account)
			c->accounts[c->m[i].place.account % 64]++;
	}
	for (size_t i = 0; i < 64; i++)
		others += c->accounts[i] > 0;
	return others;
}

/* One comes, and logs in, brings a message, or is silent. */
static void
do_one(struct limiter *l, struct crowd *c, size_t n, size_t part)
{
	struct member *m = &c->m[next_random(c) % n];
	uint64_t account = 1 + next_random(c) % 63;
	size_t before[64], others;
	enum err e;

	limiter_leave(&m->place);
	CHECK_ERR_EQ(come(l, m, next_random(c) % 1000), OK, "there is a way in");
	others = count_accounts(c, n);
	memcpy(before, c->accounts, sizeof(before));
	if (next_random(c) % 3 == 0)
		return;
	if (next_random(c) % 2)
		account = 0;
	e = limiter_know(&m->place, account);
	if (account && others < part && !before[account])
		CHECK_ERR_EQ(e, OK, "one's first login, and not all are people with one");
	(void)count_accounts(c, n);
	for (size_t i = 1; i < 64; i++) {
		CHECK_TRUE(c->accounts[i] || !before[i], "a last one is not lost");
		if (!account)
			CHECK_U64_EQ(c->accounts[i], before[i], "hosts push no people");
	}
}

static void
test_any_order(void)
{
	static struct crowd c;

	for (size_t total = 2; total <= TOTAL_MAX; total += 1 + total / 8) {
		struct limiter *l = limits(total, 0, 0);
		size_t n = total + 8;

		memset(&c, 0, sizeof(c));
		c.random = (uint32_t)total;
		for (int i = 0; i < 2000; i++) {
			do_one(l, &c, n, part_of(total));
			CHECK_TRUE(limiter_count(l) <= total, "no more than all");
		}
		leave_all(&l, c.m, n);
	}
}

static void
test_another_address(void)
{
	struct limiter *l = limits(8, 2, 0);
	struct member m[5];
	struct addr to = ip("192.0.2.7");

	CHECK_ERR_EQ(enter(l, &m[0], "192.0.2.1"), OK, "a proxy");
	CHECK_ERR_EQ(enter(l, &m[1], "192.0.2.1"), OK, "again");
	CHECK_ERR_EQ(enter(l, &m[2], "192.0.2.1"), ERR_LIMIT, "all that it may have");
	CHECK_ERR_EQ(limiter_know(&m[0].place, 7), OK, "a login over it");
	CHECK_ERR_EQ(limiter_move(&m[0].place, &to), OK, "somebody else's");
	CHECK_TRUE(!m[0].place.is_known, "a stranger");
	CHECK_ERR_EQ(limiter_move(&m[0].place, &to), OK, "the same once more");
	CHECK_ERR_EQ(enter(l, &m[2], "192.0.2.1"), OK, "room for the proxy");
	CHECK_ERR_EQ(enter(l, &m[3], "192.0.2.7"), OK, "second of that client");
	CHECK_ERR_EQ(limiter_move(&m[1].place, &to), ERR_LIMIT, "third of it");
	CHECK_ERR_EQ(enter(l, &m[4], "192.0.2.1"), ERR_LIMIT, "it is still the proxy's");
	CHECK_ERR_EQ(enter(l, &m[4], "192.0.2.7"), ERR_LIMIT, "nor the client's");
	leave_all(&l, m, 5);
	limiter_hold(NULL, &m[0].place, &to, &ops, &m[0]);
	CHECK_ERR_EQ(limiter_move(&m[0].place, &to), OK, "one that nobody counts");
}

SUITE(io_limiter, { "per address", test_per_address }, { "total", test_total },
      { "strangers go for strangers", test_strangers_go_for_strangers },
      { "who has most goes first", test_who_has_most_goes_first },
      { "busy ones stay", test_busy_ones_stay }, { "logins", test_logins },
      { "all have one", test_all_have_one }, { "per account", test_per_account },
      { "refused takes nothing", test_refused_takes_nothing },
      { "stays who it was", test_stays_who_it_was }, { "every limit", test_every_limit },
      { "any order", test_any_order }, { "another address", test_another_address });
