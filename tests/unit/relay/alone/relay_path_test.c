/* The way to a destination without a name server: what the largest and most hostile zone
 * can bring fits into what a connection may keep.
 *
 * Bound to relay_path.c alone: its neighbours are those below, a name server that the
 * test plays and others that count. */
#include "relay/relay_path.h"

#include "base/panic.h"
#include "mail/address.h"
#include "relay/relay_conn.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"
#include "relay/relay_secure.h"
#include "relay/relay_sts.h"
#include "relay/relay_talk.h"
#include "tests/unit/check.h"

enum {
	QUESTIONS = 2, /* out at one time: A and AAAA of one host */
	LABEL_BYTES = 63,
	NAME_BYTES = 253,      /* of a name that can be asked for */
	ALIAS_BYTES = 4 * 250, /* of one whose bytes are all written as \ddd */
	WORDS_BYTES = 500,     /* of a reply that are kept */
	ADDRESSES = 100,       /* the most that delivery_addresses may say */
};

struct question {
	dns_fn *fn;
	void *arg;
	enum dns_type type;
};

static struct {
	struct relay relay;
	struct conf conf;
	struct conf_limits limits;
	struct str name;
	struct relay_dest dest;
	struct relay_conn c;
	struct question questions[QUESTIONS];
	size_t asked, dials, exhausted;
	enum err cause; /* … why, */
	bool is_permanent;
	bool is_refused; /* no host is secure enough */
} t;

struct dns_query *
dns_ask(struct dns *d, struct str name, enum dns_type type, dns_fn *fn, void *arg)
{
	(void)d;
	(void)name;
	CHECK_TRUE(t.asked < QUESTIONS, "few at one time");
	t.questions[t.asked++] = (struct question){ fn, arg, type };
	return (struct dns_query *)&t.questions[t.asked - 1];
}

void
dns_cancel(struct dns_query **q)
{
	*q = NULL;
}

void
relay_conn_exhausted(struct relay_conn *c, enum err cause, bool is_permanent)
{
	(void)c;
	t.cause = cause;
	t.is_permanent = is_permanent;
	t.exhausted++;
}

static struct str
words(void)
{
	static char bytes[WORDS_BYTES];

	memset(bytes, 'w', sizeof(bytes));
	return str_make(bytes, sizeof(bytes));
}

/* It answers with as many words as are kept. */
void
relay_conn_dial(struct relay_conn *c, struct str host, const struct addr *addr)
{
	c->host = host;
	c->addr = *addr;
	t.dials++;
	relay_conn_remember(c, ERR_CONNECT, words());
}

void
relay_secure_host(struct relay_conn *c, struct str host)
{
	c->secure.level = t.is_refused ? SECURE_NEVER : SECURE_TRY;
	if (t.is_refused)
		relay_secure_refuse(c, host);
	relay_path_secured(c);
}

void
relay_secure_none(struct relay_conn *c)
{
	c->secure.level = SECURE_TRY;
}

void
relay_secure_refuse(struct relay_conn *c, struct str host)
{
	c->host = host;
	relay_conn_remember(c, ERR_TLS_UNAVAILABLE, words());
}

struct str
relay_dest_name(const struct relay_dest *d)
{
	(void)d;
	return t.name;
}

const struct conf_limits *
relay_limits(const struct relay *r)
{
	(void)r;
	return &t.limits;
}

int64_t
relay_mono(const struct relay *r)
{
	(void)r;
	return 1000;
}

void
relay_tell_route(const struct relay_conn *c)
{
	(void)c;
}

void
relay_sts_ask(struct relay_conn *c)
{
	relay_path_demanded(c);
}

void
relay_sts_leave(struct relay_conn *c)
{
	(void)c;
}

static void
begin_to(struct str name, bool is_refused)
{
	t.name = name;
	t.conf.hostname = STR("us.example");
	t.conf.delivery_port = 25;
	t.limits.delivery_addresses = ADDRESSES;
	t.limits.delivery_addresses_time = 1000;
	t.relay.conf = &t.conf;
	t.dest.relay = &t.relay;
	t.c = (struct relay_conn){ .magic = RELAY_CONN_MAGIC,
		                   .dest = &t.dest,
		                   .arena = arena_new(RELAY_CONN_BYTES) };
	t.asked = t.dials = t.exhausted = 0;
	t.is_refused = is_refused;
	relay_path_start(&t.c);
}

static void
begin(bool is_refused)
{
	t.conf.delivery_private_targets = true;
	begin_to(STR("peer.example"), is_refused);
}

static void
end(void)
{
	relay_path_cancel(&t.c);
	arena_free(&t.c.arena);
}

static void
answer(const struct dns_answer *answer)
{
	struct question q = t.questions[0];

	t.asked--;
	t.questions[0] = t.questions[1];
	q.fn(q.arg, answer);
}

/* As many hosts as an answer is read of, with names as long as they may be. */
static void
answer_mx(struct arena *a)
{
	struct dns_record *records = ARENA_ARRAY(a, struct dns_record, RELAY_MX_MAX);

	for (size_t i = 0; i < RELAY_MX_MAX; i++) {
		char *name = ARENA_ARRAY(a, char, NAME_BYTES);

		for (size_t k = 0; k < NAME_BYTES; k++)
			name[k] = k % (LABEL_BYTES + 1) == LABEL_BYTES ? '.' : 'a';
		name[0] = (char)('0' + i % 10);
		name[1] = (char)('0' + i / 10);
		records[i].name = str_make(name, NAME_BYTES);
		records[i].preference = (uint16_t)i;
	}
	answer(&(struct dns_answer){
		.status = DNS_OK, .records = records, .count = RELAY_MX_MAX });
}

/* Each host is an alias of a name that has no printable byte. */
static void
answer_addresses(size_t count)
{
	static char alias[ALIAS_BYTES];
	struct dns_record records[RELAY_HOST_ADDRS] = { 0 };

	memset(alias, '\\', sizeof(alias));
	for (size_t i = 0; i < count; i++) {
		records[i].addr.family = t.questions[0].type == DNS_A ? ADDR_V4 : ADDR_V6;
		memset(records[i].addr.ip, 0xfd, sizeof(records[i].addr.ip));
	}
	answer(&(struct dns_answer){ .status = DNS_OK,
	                             .name = str_make(alias, sizeof(alias)),
	                             .records = records,
	                             .count = count });
}

/* None of the hosts may be used, or none takes anything and each is tried. */
static void
test_largest_zone(void)
{
	struct arena *a = arena_new(64 * 1024);

	for (int is_refused = 0; is_refused < 2; is_refused++) {
		begin(is_refused);
		answer_mx(a);
		while (!t.exhausted) {
			if (t.asked)
				answer_addresses(2);
			else
				relay_path_next(&t.c);
		}
		CHECK_U64_EQ(t.c.path.route.count, RELAY_MX_MAX, "hosts");
		CHECK_TRUE(arena_used(t.c.arena) < RELAY_CONN_BYTES / 2, "room");
		CHECK_U64_EQ(t.dials, is_refused ? 0 : ADDRESSES, "tried");
		end();
	}
	arena_free(&a);
}

/* Of the host that is asked for: IPv4 alone, where there is one. */
static void
answer_host(enum dns_status status, struct dns_record *record)
{
	for (int i = 0; i < QUESTIONS; i++) {
		bool has_it = status == DNS_OK && t.questions[0].type == DNS_A;

		answer(&(struct dns_answer){
			.status = status == DNS_OK && !has_it ? DNS_NODATA : status,
			.records = record,
			.count = has_it });
	}
}

/* Two hosts, of which the first has these addresses and the second none. */
static void
answer_two_hosts(const char *const *ips, size_t count)
{
	static const struct dns_record hosts[] = {
		{ .name = STR_INIT("one.example"), .preference = 1 },
		{ .name = STR_INIT("two.example"), .preference = 2 },
	};
	struct dns_record records[RELAY_HOST_ADDRS] = { 0 };

	answer(&(struct dns_answer){
		.status = DNS_OK, .records = (struct dns_record *)hosts, .count = 2 });
	for (size_t i = 0; i < count; i++)
		CHECK_TRUE(addr_parse_ip(str_from(ips[i]), &records[i].addr), ips[i]);
	for (int i = 0; i < QUESTIONS; i++) {
		bool is_v4 = t.questions[0].type == DNS_A;

		answer(&(struct dns_answer){ .status = is_v4 ? DNS_OK : DNS_NODATA,
		                             .records = records,
		                             .count = is_v4 ? count : 0 });
	}
	for (size_t i = 0; i < ADDRESSES && !t.exhausted; i++) {
		if (t.asked)
			answer(&(struct dns_answer){ .status = DNS_NODATA });
		else
			relay_path_next(&t.c);
	}
}

/* Whoever owns a domain says where it leads, but not into our own network. */
static void
test_private_addresses(void)
{
	static const struct {
		const char *what, *ips[2];
		bool may_be_private;
		size_t dials;
		enum err cause;
		bool is_permanent;
	} rows[] = {
		{ "both of the Internet",
		  { "198.20.0.1", "198.20.0.2" },
		  false,
		  2,
		  ERR_DNS_NODATA,
		  true },
		{ "one of them",
		  { "10.0.0.1", "198.20.0.2" },
		  false,
		  1,
		  ERR_FORBIDDEN,
		  false },
		{ "neither",
		  { "127.0.0.1", "192.168.1.1" },
		  false,
		  0,
		  ERR_FORBIDDEN,
		  false },
		{ "the owner allows it",
		  { "127.0.0.1", "192.168.1.1" },
		  true,
		  2,
		  ERR_DNS_NODATA,
		  true },
		{ "ours", { "10.9.9.9", "198.20.0.1" }, false, 0, ERR_LOOP, true },
	};
	struct addr own;

	CHECK_TRUE(addr_parse_ip(STR("10.9.9.9"), &own), "own");
	t.relay.own[0] = own;
	t.relay.own_count = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(false);
		t.conf.delivery_private_targets = rows[i].may_be_private;
		answer_two_hosts(rows[i].ips, 2);
		CHECK_U64_EQ(t.dials, rows[i].dials, rows[i].what);
		CHECK_ERR_EQ(t.cause, rows[i].cause, rows[i].what);
		CHECK_I64_EQ(t.is_permanent, rows[i].is_permanent, rows[i].what);
		end();
	}
	t.relay.own_count = 0;
}

/* The second host is ourselves by its address, and nothing was tried of the first: the
   mail would come back only where that one is not there at all. */
static void
test_behind_a_host(void)
{
	static const struct dns_record hosts[] = {
		{ .name = STR_INIT("one.example"), .preference = 1 },
		{ .name = STR_INIT("two.example"), .preference = 2 },
	};
	static const struct {
		const char *what;
		enum dns_status status;
		const char *ip; /* of the first host */
		enum err cause;
		bool is_permanent;
	} rows[] = {
		{ "is not there", DNS_NXDOMAIN, NULL, ERR_LOOP, true },
		{ "has no address", DNS_NODATA, NULL, ERR_LOOP, true },
		{ "could not be looked up", DNS_TEMP, NULL, ERR_DNS_TEMP, false },
		{ "has a private address", DNS_OK, "10.0.0.1", ERR_FORBIDDEN, false },
	};
	struct dns_record first = { 0 }, ours = { 0 };

	CHECK_TRUE(addr_parse_ip(STR("10.9.9.9"), &ours.addr), "own");
	t.relay.own[0] = ours.addr;
	t.relay.own_count = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(false);
		t.conf.delivery_private_targets = false;
		answer(&(struct dns_answer){ .status = DNS_OK,
		                             .records = (struct dns_record *)hosts,
		                             .count = 2 });
		if (rows[i].ip)
			CHECK_TRUE(addr_parse_ip(str_from(rows[i].ip), &first.addr),
			           rows[i].ip);
		answer_host(rows[i].status, &first);
		answer_host(DNS_OK, &ours);
		CHECK_U64_EQ(t.exhausted, 1, rows[i].what);
		CHECK_U64_EQ(t.dials, 0, rows[i].what);
		CHECK_ERR_EQ(t.cause, rows[i].cause, rows[i].what);
		CHECK_I64_EQ(t.is_permanent, rows[i].is_permanent, rows[i].what);
		end();
	}
	t.relay.own_count = 0;
}

/* A domain that is an address: what a setting forbids waits, what is none never will be. */
static void
test_literals(void)
{
	static const struct {
		const char *name;
		bool may_be_private;
		size_t dials;
		enum err cause;
		bool is_permanent;
	} rows[] = {
		{ "[198.20.0.1]", false, 1, OK, false },
		{ "[10.0.0.1]", false, 0, ERR_FORBIDDEN, false },
		{ "[10.0.0.1]", true, 1, OK, false },
		{ "[10.0.0]", false, 0, ERR_ADDRESS, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t.cause = OK;
		t.is_permanent = false;
		t.conf.delivery_private_targets = rows[i].may_be_private;
		begin_to(str_from(rows[i].name), false);
		CHECK_U64_EQ(t.dials, rows[i].dials, rows[i].name);
		CHECK_ERR_EQ(t.cause, rows[i].cause, rows[i].name);
		CHECK_I64_EQ(t.is_permanent, rows[i].is_permanent, rows[i].name);
		end();
	}
}

/* What the limits leave untried may be good: the mail waits, whatever the others said. */
static void
test_untried_hosts(void)
{
	static const char *const ips[] = { "198.20.0.1", "198.20.0.2", "198.20.0.3" };
	static const struct {
		const char *what;
		int64_t addresses;
		size_t dials;
		bool is_permanent;
	} rows[] = {
		{ "all are tried", 4, 3, true },
		{ "as many as there are, but a host", 3, 3, false },
		{ "one less", 2, 2, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(false);
		t.limits.delivery_addresses = rows[i].addresses;
		answer_two_hosts(ips, ARRAY_LEN(ips));
		CHECK_U64_EQ(t.exhausted, 1, rows[i].what);
		CHECK_U64_EQ(t.dials, rows[i].dials, rows[i].what);
		CHECK_I64_EQ(t.is_permanent, rows[i].is_permanent, rows[i].what);
		end();
	}
}

SUITE(relay_path, { "private addresses", test_private_addresses },
      { "behind a host", test_behind_a_host }, { "literals", test_literals },
      { "untried hosts", test_untried_hosts }, { "the largest zone", test_largest_zone });
