/* The resolver against NSD where that is installed, and against a responder of our own
 * that misbehaves in ways no real server would on demand. */
#include "io/dns.h"

#include "base/clock.h"
#include "io/dns_frame.h"
#include "io/dns_share.h"
#include "io/socket.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TURNS_MAX = 5000,
	ANSWERS_MAX = 64,
};

/* How the responder treats what it gets. */
enum manner {
	SILENT,
	WRONG_QUESTION,
	GARBAGE,
	SERVFAIL,
	RIGHT, /* A 192.0.2.7, TTL 60 */
	LOWER_CASE,
};

struct responder {
	int fd;
	struct watch *watch;
	enum manner manner;
	unsigned asked;
	struct addr addr;
};

struct fixture {
	struct loop *loop;
	struct dns *dns;
	struct dns *far; /* whom dns asks, where it asks no servers itself */
	struct dns_share *share;
	char directory[32], path[48];
	struct responder responder;
	unsigned answers;
	enum dns_status status;
	size_t count;
	uint32_t ttl_s;
	bool authentic;
	char text[4096]; /* of all records, in words */
	struct timer tick;
};

static void
on_tick(void *arg)
{
	timer_set(arg, 2);
}

static void
on_question(void *arg, unsigned events)
{
	struct responder *r = arg;
	unsigned char m[1024];
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	ssize_t n = recvfrom(r->fd, m, 512, 0, (struct sockaddr *)&from, &from_n);

	(void)events;
	if (n < 17)
		return;
	r->asked++;
	if (r->manner == SILENT)
		return;
	m[2] |= 0x80;
	m[3] = 0x80;
	if (r->manner == SERVFAIL)
		m[3] |= 2;
	if (r->manner == GARBAGE)
		memset(m + 12, 0xff, (size_t)n - 12);
	if (r->manner == WRONG_QUESTION)
		m[13] ^= 1;
	if (r->manner == LOWER_CASE) {
		for (ssize_t i = 12; i < n; i++)
			m[i] = (unsigned char)byte_lower((char)m[i]);
	}
	if (r->manner == RIGHT || r->manner == LOWER_CASE) {
		m[7] = 1;
		memcpy(m + n, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\7", 16);
		n += 16;
	}
	(void)!sendto(r->fd, m, (size_t)n, 0, (struct sockaddr *)&from, from_n);
}

static void
init(struct fixture *f, const struct addr *server, int64_t timeout_ms)
{
	struct dns_conf conf = {
		.servers_count = 1,
		.trust_ad = true,
		.timeout_ms = timeout_ms,
		.cache_max = 4,
		.cache_max_bytes = 64 << 10,
		.ttl_max_ms = 3600 * 1000,
		.negative_max_ms = 60 * 1000,
		.failure_ms = 300,
		.failure_max_ms = 600,
		.in_flight_max = 3,
	};

	memset(f, 0, sizeof(*f));
	f->loop = loop_new();
	timer_init(&f->tick, f->loop, on_tick, &f->tick);
	timer_set(&f->tick, 1);
	f->responder.fd = -1;
	if (!server) {
		struct sockaddr_storage sa;
		struct addr a = { ADDR_V4, 0, { 127, 0, 0, 1 } };
		socklen_t n = socket_from_addr(&a, &sa);

		f->responder.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		CHECK_TRUE(bind(f->responder.fd, (struct sockaddr *)&sa, n) == 0, "bind");
		f->responder.addr = socket_local(f->responder.fd);
		f->responder.watch =
			watch_new(f->loop, f->responder.fd, on_question, &f->responder);
		watch_set(f->responder.watch, WATCH_READ);
		server = &f->responder.addr;
	}
	conf.servers = server;
	f->dns = dns_new(f->loop, &conf);
}

static void
share(struct fixture *f)
{
	struct diag diag;
	int fd;

	CHECK_ERR_EQ(socket_listen_unix(f->path, 0600, &fd, &diag), OK, "listens");
	f->share = dns_share_new(f->loop, fd, f->far, 4);
}

/* What was said to ask the servers is now asked over a socket. */
static void
init_remote(struct fixture *f, const struct addr *server, int64_t timeout_ms)
{
	struct dns_conf conf = { .trust_ad = true,
		                 .timeout_ms = timeout_ms,
		                 .cache_max = 4,
		                 .cache_max_bytes = 64 << 10,
		                 .ttl_max_ms = 3600 * 1000,
		                 .negative_max_ms = 60 * 1000,
		                 .failure_ms = 1000,
		                 .failure_max_ms = 1000,
		                 .in_flight_max = 10 };

	init(f, server, timeout_ms);
	f->far = f->dns;
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/mailstead-unit-XXXXXX");
	CHECK_TRUE(mkdtemp(f->directory), "a directory");
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->directory);
	share(f);
	f->dns = dns_new_remote(f->loop, f->path, &conf);
}

static void
fini(struct fixture *f)
{
	dns_share_free(&f->share);
	dns_free(&f->far);
	if (f->path[0]) {
		(void)unlink(f->path);
		(void)rmdir(f->directory);
	}
	dns_free(&f->dns);
	watch_free(&f->responder.watch);
	if (f->responder.fd >= 0)
		(void)close(f->responder.fd);
	timer_stop(&f->tick);
	loop_free(&f->loop);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct fixture *f = arg;
	struct strbuf out = strbuf_on(f->text);

	f->answers++;
	f->status = a->status;
	f->count = a->count;
	f->ttl_s = a->ttl_s;
	f->authentic = a->authentic;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];

		if (i)
			strbuf_byte(&out, '|');
		if (r->type == DNS_MX)
			strbuf_printf(&out, "%u ", (unsigned)r->preference);
		if (r->addr.family != ADDR_NONE)
			addr_format_ip(&out, &r->addr);
		strbuf_add(&out, r->name);
		strbuf_add(&out, str_first(r->text, 80));
	}
	(void)strbuf_cstr(&out);
}

static void
wait_for(struct fixture *f, unsigned answers)
{
	for (int i = 0; i < TURNS_MAX && f->answers < answers; i++)
		(void)loop_turn(f->loop);
	CHECK_U64_EQ(f->answers, answers, "answers");
}

static void
ask(struct fixture *f, const char *name, enum dns_type type)
{
	unsigned before = f->answers;

	(void)dns_ask(f->dns, str_from(name), type, on_answer, f);
	wait_for(f, before + 1);
}

static void
test_bad_manners(void)
{
	static const enum manner bad[] = { SILENT, WRONG_QUESTION, GARBAGE, SERVFAIL };
	struct fixture f;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t start_ms = clock_mono_ms();

		init(&f, NULL, 200);
		f.responder.manner = bad[i];
		ask(&f, "a.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_TEMP, "try again later");
		CHECK_TRUE(clock_mono_ms() - start_ms < 1500, "in time");
		fini(&f);
	}
}

static void
test_cache_and_coalescing(void)
{
	struct fixture f;
	unsigned asked;

	init(&f, NULL, 2000);
	f.responder.manner = RIGHT;
	(void)dns_ask(f.dns, STR("a.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("A.Example."), DNS_A, on_answer, &f);
	CHECK_U64_EQ(f.answers, 0, "never inside the call");
	wait_for(&f, 2);
	CHECK_CSTR_EQ(f.text, "192.0.2.7", "the answer");
	CHECK_U64_EQ(f.responder.asked, 1, "two equal questions are one");
	ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, 1, "then it comes from the cache");
	CHECK_TRUE(f.ttl_s > 0 && f.ttl_s <= 60, "with what is left of its TTL");
	for (int i = 0; i < 6; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		ask(&f, name, DNS_A);
	}
	asked = f.responder.asked;
	ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, asked + 1, "the cache is bounded");
	fini(&f);
}

static void
wait_ms(struct fixture *f, int64_t ms)
{
	int64_t began = clock_mono_ms();

	while (clock_mono_ms() - began < ms)
		(void)loop_turn(f->loop);
}

/* What could not be resolved is not asked for again at once (RFC 9520 3.2), whether the
   server is broken or silent. */
static void
test_failures_are_kept(void)
{
	static const enum manner bad[] = { SERVFAIL, SILENT, GARBAGE };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture f;
		unsigned asked;

		init(&f, NULL, 150);
		f.responder.manner = bad[i];
		ask(&f, "a.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_TEMP, "failed");
		asked = f.responder.asked;
		CHECK_TRUE(asked > 0, "asked");
		f.responder.manner = RIGHT;
		ask(&f, "A.example.", DNS_A);
		CHECK_U64_EQ(f.status, DNS_TEMP, "still failed");
		ask(&f, "a.example", DNS_AAAA);
		CHECK_U64_EQ(f.responder.asked, asked + 1, "only another type is asked");
		wait_ms(&f, 320);
		ask(&f, "a.example", DNS_A);
		CHECK_U64_EQ(f.status, DNS_OK, "after its time it is asked again");
		fini(&f);
	}
}

static void
test_fresh(void)
{
	struct fixture f;
	unsigned asked;

	init(&f, NULL, 150);
	f.responder.manner = SERVFAIL;
	ask(&f, "a.example", DNS_A);
	f.responder.manner = RIGHT;
	asked = f.responder.asked;
	dns_query_fresh(dns_ask(f.dns, STR("a.example"), DNS_A, on_answer, &f));
	wait_for(&f, 2);
	CHECK_U64_EQ(f.status, DNS_OK, "what it says now");
	CHECK_U64_EQ(f.responder.asked, asked + 1, "it was asked");
	ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "and that is kept");
	CHECK_U64_EQ(f.responder.asked, asked + 1, "for the next");
	fini(&f);
}

/* What only waited in line is no failure of its name. */
static void
test_line_is_no_failure(void)
{
	struct fixture f;

	init(&f, NULL, 150);
	f.responder.manner = SILENT;
	(void)dns_ask(f.dns, STR("x.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("y.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("z.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("w.example"), DNS_A, on_answer, &f);
	wait_for(&f, 4);
	f.responder.manner = RIGHT;
	ask(&f, "w.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "it was never asked");
	fini(&f);
}

static void
test_cancel_and_free(void)
{
	struct fixture f;
	struct dns_query *q[ANSWERS_MAX];

	init(&f, NULL, 2000);
	f.responder.manner = RIGHT;
	for (int i = 0; i < 10; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		q[i] = dns_ask(f.dns, str_from(name), DNS_A, on_answer, &f);
	}
	dns_cancel(&q[3]);
	CHECK_TRUE(!q[3], "cleared");
	wait_for(&f, 9);
	f.responder.manner = SILENT;
	(void)dns_ask(f.dns, STR("x.example"), DNS_A, on_answer, &f);
	(void)loop_turn(f.loop);
	(void)loop_turn(f.loop);
	fini(&f); /* with a question out: no answer, no leak */
	CHECK_U64_EQ(f.answers, 9, "no more");
}

/* What stands in line, and nobody waits for any more, does not keep others waiting. */
static void
test_forgotten_in_line(void)
{
	struct fixture f;
	struct dns_query *q[5];
	int64_t began;
	unsigned asked;

	init(&f, NULL, 400);
	f.responder.manner = SILENT;
	(void)dns_ask(f.dns, STR("x.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("y.example"), DNS_A, on_answer, &f);
	(void)dns_ask(f.dns, STR("z.example"), DNS_A, on_answer, &f);
	for (began = clock_mono_ms(); clock_mono_ms() - began < 250;)
		(void)loop_turn(f.loop);
	for (size_t i = 0; i < ARRAY_LEN(q); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%zu.example", i);
		q[i] = dns_ask(f.dns, str_from(name), DNS_A, on_answer, &f);
	}
	(void)loop_turn(f.loop);
	(void)dns_ask(f.dns, STR("last.example"), DNS_A, on_answer, &f);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		dns_cancel(&q[i]);
	wait_for(&f, 3);
	asked = f.responder.asked;
	f.responder.manner = RIGHT;
	wait_for(&f, 4);
	CHECK_U64_EQ(f.status, DNS_OK, "the one that is waited for");
	CHECK_U64_EQ(f.responder.asked - asked, 1, "only that one is asked for");
	fini(&f);
}

static void
test_bad_names(void)
{
	struct fixture f;

	init(&f, NULL, 500);
	f.responder.manner = RIGHT;
	ask(&f, "", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "empty");
	ask(&f, "a..b", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "empty label");
	CHECK_U64_EQ(f.responder.asked, 0, "nobody was asked");
	fini(&f);
}

/* One that changes the case is asked again over TCP, which ours does not speak. */
static void
test_other_case_is_not_believed(void)
{
	struct fixture f;

	init(&f, NULL, 400);
	f.responder.manner = LOWER_CASE;
	ask(&f, "abcdefghijklmnopqrstuvwxyz.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "not believed");
	fini(&f);
}

static void
test_remote(void)
{
	struct fixture f;
	unsigned asked;

	init_remote(&f, NULL, 2000);
	f.responder.manner = RIGHT;
	ask(&f, "a.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "answered");
	CHECK_CSTR_EQ(f.text, "192.0.2.7", "by the server");
	ask(&f, "A.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, 1, "then by our own cache");
	ask(&f, "a..b", DNS_A);
	CHECK_U64_EQ(f.status, DNS_BAD_NAME, "no name");
	for (int i = 0; i < 4; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		ask(&f, name, DNS_A);
	}
	asked = f.responder.asked;
	ask(&f, "n0.example", DNS_A);
	CHECK_U64_EQ(f.responder.asked, asked, "or by that of the other side");
	f.responder.manner = SERVFAIL;
	ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "no answer");
	asked = f.responder.asked;
	dns_share_free(&f.share);
	ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "nor again");
	CHECK_U64_EQ(f.responder.asked, asked, "as is known here");
	share(&f);
	wait_ms(&f, 350);
	f.responder.manner = RIGHT;
	ask(&f, "b.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "for no longer than over there");
	fini(&f);
}

static void
test_remote_comes_back(void)
{
	struct fixture f;
	int64_t start_ms;

	init_remote(&f, NULL, 10000);
	f.responder.manner = RIGHT;
	ask(&f, "a.example", DNS_A);
	dns_share_free(&f.share);
	(void)dns_ask(f.dns, STR("b.example"), DNS_A, on_answer, &f);
	for (int i = 0; i < 10; i++)
		(void)loop_turn(f.loop);
	CHECK_U64_EQ(f.answers, 1, "nobody there to answer");
	share(&f);
	wait_for(&f, 2);
	CHECK_U64_EQ(f.status, DNS_OK, "asked again when it was back");
	dns_share_free(&f.share);
	start_ms = clock_mono_ms();
	ask(&f, "c.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "away for too long");
	CHECK_TRUE(clock_mono_ms() - start_ms < 4000, "long before the time limit");
	start_ms = clock_mono_ms();
	ask(&f, "d.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_TEMP, "still away");
	CHECK_TRUE(clock_mono_ms() - start_ms < 500, "told at once");
	share(&f);
	start_ms = clock_mono_ms();
	while (f.status != DNS_OK && clock_mono_ms() - start_ms < 3000)
		ask(&f, "e.example", DNS_A);
	CHECK_U64_EQ(f.status, DNS_OK, "and back");
	fini(&f);
}

/* A worker that somebody has broken into can ask for much, and gets TEMP for most. */
static void
test_remote_is_bounded(void)
{
	struct fixture f;
	unsigned answers;

	init_remote(&f, NULL, 500);
	f.responder.manner = SILENT;
	for (int i = 0; i < 10; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%d.example", i);
		(void)dns_ask(f.dns, str_from(name), DNS_A, on_answer, &f);
	}
	for (int i = 0; i < 20; i++)
		(void)loop_turn(f.loop);
	answers = f.answers;
	CHECK_U64_EQ(answers, 6, "four may be out");
	wait_for(&f, 10);
	fini(&f);
}

static void
test_keys(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool is_good;
	} rows[] = {
		{ "\0\1\1a\0", 5, true },      { "\0\1\1a\2bc\0", 8, true },
		{ "\0\1\1a", 4, false },       { "\0\1\0", 3, false },
		{ "\0\1", 2, false },          { "", 0, false },
		{ "\0\1\1A\0", 5, false },     { "\0\1\1.\0", 5, false },
		{ "\0\1\1\0\0", 5, false },    { "\0\1\1a\0\0", 6, false },
		{ "\0\1\300\14\0", 5, false }, { "\0\1\100a\0", 5, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_U64_EQ(dns_key_check(str_make(rows[i].bytes, rows[i].n)),
		             rows[i].is_good, rows[i].bytes);
}

static void
test_answer_frames(void)
{
	struct dns_raw raw = { DNS_OK, true, 77, STR("question"), STR("message") }, again;
	char bytes[128];
	struct strbuf b = strbuf_on(bytes);

	dns_answer_pack(&raw, &b);
	if (CHECK_TRUE(dns_answer_unpack(strbuf_str(&b), &again), "whole")) {
		CHECK_U64_EQ(again.status, DNS_OK, "status");
		CHECK_TRUE(again.is_authentic && again.ttl_ms == 77, "the rest");
		CHECK_STR_EQ(again.query, STR("question"), "query");
		CHECK_STR_EQ(again.message, STR("message"), "message");
	}
	for (size_t n = 0; n < b.n; n++)
		CHECK_TRUE(!dns_answer_unpack(str_make(b.p, n), &again), "cut off");
	b.p[0] = 9;
	CHECK_TRUE(!dns_answer_unpack(strbuf_str(&b), &again), "no status");
	strbuf_clear(&b);
	raw.ttl_ms = -1;
	dns_answer_pack(&raw, &b);
	CHECK_TRUE(!dns_answer_unpack(strbuf_str(&b), &again), "no time");
}

/* ── a real server ── */

static const char zone[] =
	"$ORIGIN example.\n$TTL 300\n"
	"@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns\nns A 127.0.0.1\n"
	"@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\nmx2 A "
	"192.0.2.2\n"
	"@ TXT \"v=spf1 \" \"-all\"\nalias CNAME mx1\nnull MX 0 .\n"
	"_25._tcp.mx1 TLSA 3 1 1 "
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	"1 PTR mx1\n"
	"big TXT "
	"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n"
	"big TXT "
	"\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"\n"
	"big TXT "
	"\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	"ccccccc"
	"cccccccccccccccccccccccccccccccccccccccccccccccccccc\"\n";

struct server {
	pid_t pid;
	struct addr addr;
	char directory[64];
};

static void
write_text(const char *directory, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (CHECK_TRUE(file, path)) {
		(void)fputs(text, file);
		(void)fclose(file);
	}
}

static struct addr
free_port(void)
{
	struct addr a = { ADDR_V4, 0, { 127, 0, 0, 1 } };
	struct sockaddr_storage sa;
	socklen_t n = socket_from_addr(&a, &sa);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_TRUE(bind(fd, (struct sockaddr *)&sa, n) == 0, "bind");
	a = socket_local(fd);
	(void)close(fd);
	return a;
}

static void
server_start(struct server *s)
{
	char conf[1024], path[128];

	(void)snprintf(s->directory, sizeof(s->directory), "/tmp/mailstead-dns-XXXXXX");
	CHECK_TRUE(mkdtemp(s->directory), "a directory");
	s->addr = free_port();
	(void)snprintf(
		conf, sizeof(conf),
		"server:\n  ip-address: 127.0.0.1@%u\n  server-count: 1\n  database: "
		"\"\"\n"
		"  username: \"\"\n  zonesdir: \"%s\"\n  pidfile: \"%s/pid\"\n"
		"  xfrdfile: \"%s/xfrd\"\n  zonelistfile: \"%s/list\"\n  xfrdir: \"%s\"\n"
		"  logfile: \"%s/log\"\n  cookie-secret-file: \"%s/cookie\"\n"
		"remote-control:\n  control-enable: no\n"
		"zone:\n  name: example\n  zonefile: zone\n",
		(unsigned)s->addr.port, s->directory, s->directory, s->directory,
		s->directory, s->directory, s->directory, s->directory);
	write_text(s->directory, "zone", zone);
	write_text(s->directory, "conf", conf);
	(void)snprintf(path, sizeof(path), "%s/conf", s->directory);
	s->pid = fork();
	if (s->pid == 0) {
		(void)execl("/usr/sbin/nsd", "nsd", "-d", "-c", path, (char *)NULL);
		_exit(127);
	}
}

static void
server_stop(struct server *s)
{
	static const char *const files[] = { "zone", "conf", "pid",   "xfrd",
		                             "list", "log",  "cookie" };
	char path[128];

	(void)kill(s->pid, SIGTERM);
	(void)waitpid(s->pid, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->directory, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(s->directory);
}

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	const char *records;
} questions[] = {
	{ "example", DNS_MX, DNS_OK, "10 mx1.example|20 mx2.example" },
	{ "EXAMPLE.", DNS_TXT, DNS_OK, "v=spf1 -all" },
	{ "mx1.example", DNS_A, DNS_OK, "192.0.2.1" },
	{ "mx1.example", DNS_AAAA, DNS_OK, "2001:db8::1" },
	{ "alias.example", DNS_A, DNS_OK, "192.0.2.1" },
	{ "alias.example", DNS_CNAME, DNS_OK, "mx1.example" },
	{ "null.example", DNS_MX, DNS_OK, "0 " },
	{ "example", DNS_NS, DNS_OK, "ns.example" },
	{ "example", DNS_SOA, DNS_OK, "ns.example" },
	{ "1.example", DNS_PTR, DNS_OK, "mx1.example" },
	{ "mx2.example", DNS_AAAA, DNS_NODATA, "" },
	{ "nobody.example", DNS_A, DNS_NXDOMAIN, "" },
	{ "elsewhere.test", DNS_A, DNS_TEMP, "" }, /* REFUSED */
};

static void
ask_a_real_server(const struct server *s, bool is_remote)
{
	struct fixture f;

	if (is_remote)
		init_remote(&f, &s->addr, 3000);
	else
		init(&f, &s->addr, 3000);
	f.status = DNS_TEMP;
	for (int i = 0; i < 100 && f.status != DNS_OK; i++) {
		(void)usleep(50000);
		ask(&f, "ns.example", DNS_A);
	}
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		f.text[0] = '\0';
		ask(&f, questions[i].name, questions[i].type);
		CHECK_U64_EQ(f.status, questions[i].status, questions[i].name);
		CHECK_CSTR_EQ(f.text, questions[i].records, questions[i].name);
	}
	ask(&f, "big.example", DNS_TXT);
	CHECK_U64_EQ(f.count, 3, "too long for UDP: TCP");
	ask(&f, "_25._tcp.mx1.example", DNS_TLSA);
	CHECK_U64_EQ(f.count, 1, "TLSA");
	CHECK_TRUE(!f.authentic, "no AD from a server without DNSSEC");
	ask(&f, "nobody.example", DNS_A);
	CHECK_TRUE(f.ttl_s <= 30, "negative answers live as the SOA says");
	fini(&f);
}

static void
test_a_real_server(void)
{
	struct server s = { 0 };

	if (access("/usr/sbin/nsd", X_OK) != 0) {
		printf("(no NSD here: skipped) ");
		return;
	}
	server_start(&s);
	ask_a_real_server(&s, false);
	ask_a_real_server(&s, true);
	server_stop(&s);
}

SUITE(io_dns, { "bad manners", test_bad_manners },
      { "cache and coalescing", test_cache_and_coalescing },
      { "failures are kept", test_failures_are_kept }, { "fresh", test_fresh },
      { "a line is no failure", test_line_is_no_failure },
      { "cancel and free", test_cancel_and_free },
      { "forgotten in line", test_forgotten_in_line }, { "bad names", test_bad_names },
      { "other case is not believed", test_other_case_is_not_believed },
      { "remote", test_remote }, { "remote comes back", test_remote_comes_back },
      { "remote is bounded", test_remote_is_bounded }, { "keys", test_keys },
      { "answer frames", test_answer_frames }, { "a real server", test_a_real_server });
