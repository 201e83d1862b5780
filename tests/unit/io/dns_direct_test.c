/* Asking one server, against a responder of our own that answers as it is told. */
#include "io/dns_direct.h"

#include "io/socket.h"
#include "tests/unit/check.h"

#include <string.h>
#include <unistd.h>

enum {
	TURNS_MAX = 3000,
	SILENT_MS = 400,        /* until silence is an answer */
	PATIENT_MS = 60 * 1000, /* for who waits for a processor */
	QUESTION_AT = 12,
};

enum manner {
	SILENT,
	RIGHT,    /* authoritative, one A record */
	LAME,     /* the same without AA */
	CUT,      /* TC over UDP, right over TCP */
	OTHER_ID, /* somebody else's datagram, then the right one */
	REFUSED,
	TLSA, /* authoritative, bytes that are told as they stand in the message */
};

struct rig {
	struct loop *loop;
	int udp, tcp, conn;
	struct watch *watch_udp, *watch_tcp, *watch_conn;
	enum manner manner;
	struct addr addr;
	unsigned answers, asked;
	enum dns_status status;
	size_t count;
	char text[16]; /* of the first record */
	size_t text_n;
	bool recursion;
	struct timer tick;
};

/* What a TLSA record says behind its three numbers. */
static const unsigned char association[] = { 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4 };

static size_t
make_answer(const struct rig *r, unsigned char *m, size_t n, bool is_tcp)
{
	static const unsigned char record[] = { 0xc0, 12, 0, 1, 0,   1, 0, 0,
		                                0,    60, 0, 4, 192, 0, 2, 7 };
	static const unsigned char tlsa[] = { 0xc0, 12, 0, DNS_TLSA,
		                              0,    1,  0, 0,
		                              0,    60, 0, 3 + sizeof(association),
		                              3,    1,  1 };

	m[2] = (unsigned char)(0x80 | (r->manner == LAME ? 0 : 4));
	m[3] = r->manner == REFUSED ? 5 : 0;
	if (r->manner == CUT && !is_tcp) {
		m[2] |= 2;
		return n;
	}
	if (r->manner == REFUSED)
		return n;
	m[7] = 1;
	if (r->manner == TLSA) {
		memcpy(m + n, tlsa, sizeof(tlsa));
		memcpy(m + n + sizeof(tlsa), association, sizeof(association));
		return n + sizeof(tlsa) + sizeof(association);
	}
	memcpy(m + n, record, sizeof(record));
	return n + sizeof(record);
}

static void
on_udp(void *arg, unsigned events)
{
	struct rig *r = arg;
	unsigned char m[600];
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	ssize_t n = recvfrom(r->udp, m, 512, 0, (struct sockaddr *)&from, &from_n);

	(void)events;
	if (n < QUESTION_AT)
		return;
	r->asked++;
	r->recursion = r->recursion || (m[2] & 1);
	if (r->manner == SILENT)
		return;
	n = (ssize_t)make_answer(r, m, (size_t)n, false);
	if (r->manner == OTHER_ID) {
		m[0] ^= 1;
		(void)sendto(r->udp, m, (size_t)n, 0, (struct sockaddr *)&from, from_n);
		m[0] ^= 1;
	}
	(void)sendto(r->udp, m, (size_t)n, 0, (struct sockaddr *)&from, from_n);
}

/* The question has come over TCP: the answer goes out in two pieces. */
static void
on_tcp_question(void *arg, unsigned events)
{
	struct rig *r = arg;
	unsigned char m[600];
	ssize_t n = read(r->conn, m, 512);
	size_t length;

	(void)events;
	if (n > 2 + QUESTION_AT) {
		length = make_answer(r, m + 2, (size_t)n - 2, true);
		m[0] = (unsigned char)(length >> 8);
		m[1] = (unsigned char)length;
		CHECK_TRUE(write(r->conn, m, 5) == 5, "a piece");
		(void)usleep(2000);
		CHECK_TRUE(write(r->conn, m + 5, length + 2 - 5) > 0, "the rest");
	}
	watch_free(&r->watch_conn);
	(void)close(r->conn);
}

static void
on_tcp(void *arg, unsigned events)
{
	struct rig *r = arg;

	(void)events;
	r->conn = accept(r->tcp, NULL, NULL);
	if (r->conn < 0)
		return;
	r->watch_conn = watch_new(r->loop, r->conn, on_tcp_question, r);
	watch_set(r->watch_conn, WATCH_READ);
}

static void
on_tick(void *arg)
{
	timer_set(arg, 2);
}

static void
open_rig(struct rig *r, enum manner manner)
{
	struct sockaddr_storage sa;
	socklen_t n;

	*r = (struct rig){ .manner = manner, .loop = loop_new() };
	(void)addr_parse(STR("127.0.0.1:0"), &r->addr);
	CHECK_ERR_EQ(socket_listen(&r->addr, &r->tcp, NULL), OK, "a port");
	r->addr = socket_local(r->tcp);
	n = socket_from_addr(&r->addr, &sa);
	r->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK_TRUE(bind(r->udp, (struct sockaddr *)&sa, n) == 0, "the same port for UDP");
	r->watch_udp = watch_new(r->loop, r->udp, on_udp, r);
	r->watch_tcp = watch_new(r->loop, r->tcp, on_tcp, r);
	watch_set(r->watch_udp, WATCH_READ);
	watch_set(r->watch_tcp, WATCH_READ);
	timer_init(&r->tick, r->loop, on_tick, &r->tick);
	timer_set(&r->tick, 2);
}

static void
close_rig(struct rig *r)
{
	timer_stop(&r->tick);
	watch_free(&r->watch_udp);
	watch_free(&r->watch_tcp);
	(void)close(r->udp);
	(void)close(r->tcp);
	loop_free(&r->loop);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct rig *r = arg;

	r->answers++;
	r->status = a->status;
	r->count = a->count;
	for (size_t i = 0; i < a->count && i < 1; i++) {
		r->text_n = a->records[i].text.n;
		if (r->text_n && r->text_n <= sizeof(r->text))
			memcpy(r->text, a->records[i].text.p, r->text_n);
	}
}

static struct dns_direct *
ask(struct rig *r, struct str name, enum dns_type type)
{
	int64_t timeout_ms = r->manner == SILENT ? SILENT_MS : PATIENT_MS;

	return dns_direct_ask(r->loop, &r->addr,
	                      &(struct dns_direct_question){ name, type, timeout_ms },
	                      on_answer, r);
}

static void
test_manners(void)
{
	static const struct {
		enum manner manner;
		const char *name;
		enum dns_status status;
		size_t count;
		const char *what;
	} rows[] = {
		{ RIGHT, "a.example", DNS_OK, 1, "an answer" },
		{ LAME, "a.example", DNS_TEMP, 0, "who does not speak for the zone" },
		{ CUT, "a.example", DNS_OK, 1, "over TCP" },
		{ OTHER_ID, "a.example", DNS_OK, 1, "a stranger first" },
		{ REFUSED, "a.example", DNS_TEMP, 0, "refused" },
		{ RIGHT, "a..example", DNS_BAD_NAME, 0, "no name" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		open_rig(&r, rows[i].manner);
		(void)ask(&r, str_from(rows[i].name), DNS_A);
		CHECK_U64_EQ(r.answers, 0, "never inside the call");
		for (int t = 0; t < TURNS_MAX && !r.answers; t++)
			(void)loop_turn(r.loop);
		CHECK_U64_EQ(r.answers, 1, rows[i].what);
		CHECK_U64_EQ(r.status, rows[i].status, rows[i].what);
		CHECK_U64_EQ(r.count, rows[i].count, rows[i].what);
		CHECK_TRUE(!r.recursion, "recursion is not asked for");
		close_rig(&r);
	}
}

/* Once more if the process had no processor for all of that time. */
static void
test_silence(void)
{
	unsigned asked = 0;

	for (int i = 0; i < 20 && asked < 2; i++) {
		struct rig r;

		open_rig(&r, SILENT);
		(void)ask(&r, STR("a.example"), DNS_A);
		for (int t = 0; t < TURNS_MAX && !r.answers; t++)
			(void)loop_turn(r.loop);
		CHECK_U64_EQ(r.answers, 1, "it ends");
		CHECK_U64_EQ(r.status, DNS_TEMP, "without an answer");
		asked = r.asked;
		close_rig(&r);
	}
	CHECK_TRUE(asked >= 2, "a lost datagram is sent again");
}

static void
test_cancel(void)
{
	struct rig r;
	struct dns_direct *q;

	open_rig(&r, RIGHT);
	q = ask(&r, STR("a.example"), DNS_A);
	dns_direct_cancel(&q);
	CHECK_TRUE(!q, "the handle is gone");
	for (int t = 0; t < 50; t++)
		(void)loop_turn(r.loop);
	CHECK_U64_EQ(r.answers, 0, "nobody is called");
	close_rig(&r);
}

/* What an answer points to is there while it is told. */
static void
test_bytes(void)
{
	struct rig r;

	open_rig(&r, TLSA);
	(void)ask(&r, STR("_25._tcp.a.example"), DNS_TLSA);
	for (int t = 0; t < TURNS_MAX && !r.answers; t++)
		(void)loop_turn(r.loop);
	CHECK_U64_EQ(r.count, 1, "a record");
	CHECK_STR_EQ(str_make(r.text, r.text_n),
	             str_make((const char *)association, sizeof(association)),
	             "its bytes");
	close_rig(&r);
}

SUITE(io_dns_direct, { "bytes of a record", test_bytes },
      { "manners of servers", test_manners }, { "silence", test_silence },
      { "cancel", test_cancel });
