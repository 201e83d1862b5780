/* The resolver against NSD, where that is installed. */
#include "io/dns.h"

#include "base/clock.h"
#include "io/socket.h"
#include "tests/unit/check.h"
#include "tests/unit/io/dns_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
	struct dns_rig f;

	if (is_remote)
		dns_rig_remote(&f, &s->addr, 3000);
	else
		dns_rig_init(&f, &s->addr, 3000);
	f.status = DNS_TEMP;
	for (int i = 0; i < 100 && f.status != DNS_OK; i++) {
		(void)usleep(50000);
		dns_rig_ask(&f, "ns.example", DNS_A);
	}
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		f.text[0] = '\0';
		dns_rig_ask(&f, questions[i].name, questions[i].type);
		CHECK_U64_EQ(f.status, questions[i].status, questions[i].name);
		CHECK_CSTR_EQ(f.text, questions[i].records, questions[i].name);
	}
	dns_rig_ask(&f, "big.example", DNS_TXT);
	CHECK_U64_EQ(f.count, 3, "too long for UDP: TCP");
	dns_rig_ask(&f, "_25._tcp.mx1.example", DNS_TLSA);
	CHECK_U64_EQ(f.count, 1, "TLSA");
	CHECK_TRUE(!f.authentic, "no AD from a server without DNSSEC");
	dns_rig_ask(&f, "nobody.example", DNS_A);
	CHECK_TRUE(f.ttl_s <= 30, "negative answers live as the SOA says");
	dns_rig_fini(&f);
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

SUITE(io_dns_server, { "a real server", test_a_real_server });
