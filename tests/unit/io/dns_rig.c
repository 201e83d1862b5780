#include "tests/unit/io/dns_rig.h"

#include "base/clock.h"
#include "io/socket.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TURNS_MAX = 5000,
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
	if (r->manner == SILENT || (r->deaf && strchr(r->deaf, byte_lower((char)m[13]))))
		return;
	r->heard++;
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
init_with(struct dns_rig *f, const struct addr *server, const struct dns_conf *bounds)
{
	struct dns_conf conf = {
		.servers_count = 1,
		.trust_ad = true,
		.timeout_ms = bounds->timeout_ms,
		.cache_max = 4,
		.cache_max_bytes = 64 << 10,
		.ttl_max_ms = 3600 * 1000,
		.negative_max_ms = 60 * 1000,
		.failure_ms = 300,
		.failure_max_ms = 600,
		.in_flight_max = bounds->in_flight_max,
		.group_max = bounds->group_max,
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

void
dns_rig_init(struct dns_rig *f, const struct addr *server, int64_t timeout_ms)
{
	init_with(f, server,
	          &(struct dns_conf){ .timeout_ms = timeout_ms, .in_flight_max = 3 });
}

void
dns_rig_bounds(struct dns_rig *f, int64_t timeout_ms, size_t in_flight_max,
               size_t group_max)
{
	init_with(f, NULL,
	          &(struct dns_conf){ .timeout_ms = timeout_ms,
	                              .in_flight_max = in_flight_max,
	                              .group_max = group_max });
}

void
dns_rig_share(struct dns_rig *f)
{
	struct diag diag;
	int fd;

	CHECK_ERR_EQ(socket_listen_unix(f->path, 0600, &fd, &diag), OK, "listens");
	f->share = dns_share_new(f->loop, fd, f->far, 4);
}

/* What was said to ask the servers is now asked over a socket. */
void
dns_rig_remote(struct dns_rig *f, const struct addr *server, int64_t timeout_ms)
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

	dns_rig_init(f, server, timeout_ms);
	f->far = f->dns;
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/mailstead-unit-XXXXXX");
	CHECK_TRUE(mkdtemp(f->directory), "a directory");
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->directory);
	dns_rig_share(f);
	f->dns = dns_new_remote(f->loop, f->path, &conf);
}

void
dns_rig_fini(struct dns_rig *f)
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

void
dns_rig_answer(void *arg, const struct dns_answer *a)
{
	struct dns_rig *f = arg;
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

void
dns_rig_wait(struct dns_rig *f, unsigned answers)
{
	for (int i = 0; i < TURNS_MAX && f->answers < answers; i++)
		(void)loop_turn(f->loop);
	CHECK_U64_EQ(f->answers, answers, "answers");
}

void
dns_rig_ask(struct dns_rig *f, const char *name, enum dns_type type)
{
	unsigned before = f->answers;

	(void)dns_ask(f->dns, str_from(name), type, dns_rig_answer, f);
	dns_rig_wait(f, before + 1);
}

void
dns_rig_pause(struct dns_rig *f, int64_t ms)
{
	int64_t began = clock_mono_ms();

	while (clock_mono_ms() - began < ms)
		(void)loop_turn(f->loop);
}
