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
	struct relay_dest dest;
	struct relay_conn c;
	struct question questions[QUESTIONS];
	size_t asked, dials, exhausted;
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
	(void)cause;
	(void)is_permanent;
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
	return STR("peer.example");
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
begin(bool is_refused)
{
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

SUITE(relay_path, { "the largest zone", test_largest_zone });
