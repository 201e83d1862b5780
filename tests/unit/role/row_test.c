/* roles.def as a table, and what a process is told at its start. */
#include "role/row.h"

#include "io/sandbox.h"
#include "tests/unit/check.h"

#include <stdio.h>

static struct role_start
example(void)
{
	struct role_start s = {
		.conf_path = STR("/etc/mailstead/mailstead.yaml"),
		.conf_text = STR("hostname: mail.example.org\n"),
		.certificate_pem = STR("certificate"),
		.key_pem = STR("key\0with a zero"),
		.roots_pem = STR("roots"),
		.unix_fd = -1,
		.listener_count = 3,
	};

	CHECK_TRUE(addr_parse(STR("192.0.2.1:25"), &s.listeners[0].addr), "IPv4");
	CHECK_TRUE(addr_parse(STR("[2001:db8::1]:993"), &s.listeners[1].addr), "IPv6");
	s.listeners[0].protocol = (enum conf_protocol)0;
	s.listeners[1].protocol = (enum conf_protocol)(CONF_PROTOCOL_COUNT - 1);
	s.listeners[0].fd = 4;
	s.listeners[1].fd = 5;
	s.listeners[2].fd = 6;
	return s;
}

static void
test_start_comes_back(void)
{
	struct strbuf b = strbuf_heap(64 << 10);
	struct role_start s = example(), got;

	role_start_pack(&s, &b);
	if (CHECK_TRUE(role_start_unpack(strbuf_str(&b), &got), "unpacks")) {
		CHECK_STR_EQ(got.conf_path, s.conf_path, "path");
		CHECK_STR_EQ(got.conf_text, s.conf_text, "text");
		CHECK_STR_EQ(got.certificate_pem, s.certificate_pem, "certificate");
		CHECK_STR_EQ(got.key_pem, s.key_pem, "key");
		CHECK_STR_EQ(got.roots_pem, s.roots_pem, "roots");
		CHECK_I64_EQ(got.unix_fd, -1, "no unix socket");
		CHECK_U64_EQ(got.listener_count, 3, "listeners");
		for (size_t i = 0; i < 3; i++) {
			const struct role_listener *l = &got.listeners[i];

			CHECK_I64_EQ(l->fd, s.listeners[i].fd, "descriptor");
			CHECK_U64_EQ(l->protocol, s.listeners[i].protocol, "protocol");
			CHECK_U64_EQ(l->addr.port, s.listeners[i].addr.port, "port");
			CHECK_TRUE(addr_eq_ip(&l->addr, &s.listeners[i].addr), "address");
		}
	}
	strbuf_release(&b);
}

static void
test_damaged_start_is_refused(void)
{
	struct strbuf b = strbuf_heap(64 << 10);
	struct role_start s = example(), got;

	role_start_pack(&s, &b);
	for (size_t n = 0; n < b.n; n++)
		CHECK_TRUE(!role_start_unpack(str_make(b.p, n), &got), "cut short");
	strbuf_byte(&b, 0);
	CHECK_TRUE(!role_start_unpack(strbuf_str(&b), &got), "one byte too many");
	strbuf_clear(&b);
	s.listeners[1].protocol = CONF_PROTOCOL_COUNT;
	role_start_pack(&s, &b);
	CHECK_TRUE(!role_start_unpack(strbuf_str(&b), &got), "no such protocol");
	strbuf_clear(&b);
	s = example();
	s.listeners[0].addr.family = (enum addr_family)9;
	role_start_pack(&s, &b);
	CHECK_TRUE(!role_start_unpack(strbuf_str(&b), &got), "no such family");
	strbuf_clear(&b);
	s = example();
	s.listener_count = ARRAY_LEN(s.listeners);
	role_start_pack(&s, &b);
	CHECK_TRUE(role_start_unpack(strbuf_str(&b), &got), "as many as there may be");
	strbuf_release(&b);
}

static void
test_rows(void)
{
	CHECK_TRUE(role_row_count() >= 5, "rows");
	CHECK_CSTR_EQ(role_row_at(0)->name, "store",
	              "the store is started first and stopped last");
	for (size_t i = 0; i < role_row_count(); i++) {
		const struct role_row *row = role_row_at(i);

		CHECK_TRUE(role_row_find(str_from(row->name)) == row, row->name);
	}
	CHECK_TRUE(!role_row_find(STR("")), "no name");
	CHECK_TRUE(!role_row_find(STR("stor")), "half a name");
	CHECK_TRUE(!role_row_find(STR("store ")), "more than a name");
}

static void
no_error(void *arg, const struct diag *diag)
{
	(void)arg;
	CHECK_CSTR_EQ(diag->text, "", "configuration");
}

static void
test_no_row_opens_keys(void)
{
	struct conf *conf;

	if (!CHECK_ERR_EQ(conf_parse(STR("hostname: mail.example.org\n"
	                                 "data_dir: /d\nrun_dir: /r\n"),
	                             "x.yaml", no_error, NULL, &conf),
	                  OK, "configuration"))
		return;
	for (size_t i = 0; i < role_row_count(); i++) {
		const struct role_row *row = role_row_at(i);
		struct str rest = str_from(row->paths);
		char bytes[4096];
		struct strbuf path = strbuf_on(bytes);
		unsigned right = 0;
		size_t n = 0;

		for (; role_row_path(&rest, conf, &path, &right); n++) {
			struct str p = strbuf_str(&path);

			CHECK_TRUE(str_starts(p, STR("/d")) || str_eq(p, STR("/r")),
			           "below our directories");
			CHECK_TRUE(i == 0 || !str_eq(p, STR("/d")),
			           "all of data is for the store alone");
			CHECK_TRUE(!str_starts(p, STR("/d/keys")) ||
			                   (str_eq(p, STR("/d/keys/dkim")) &&
			                    str_eq(str_from(row->name), STR("queue")) &&
			                    right == SANDBOX_READ),
			           "no keys, but for who signs");
			CHECK_TRUE(!str_eq(p, STR("/d/index.db")) ||
			                   right == SANDBOX_READ,
			           "the store alone writes");
			strbuf_clear(&path);
		}
		/* The resolver needs no file. */
		CHECK_TRUE((n > 0) == (strcmp(row->name, "dns") != 0), row->name);
	}
	conf_free(&conf);
}

static struct role_reach
reach_of(const char *role, const char *text)
{
	struct conf *conf = NULL;
	struct role_reach reach = { 0 };

	CHECK_ERR_EQ(conf_parse(str_from(text), "test.yaml", no_error, NULL, &conf), OK,
	             text);
	role_row_reach(role_row_find(str_from(role)), conf, &reach);
	conf_free(&conf);
	return reach;
}

/* Which changes of the configuration a process cannot follow in its sandbox. */
static void
test_reach(void)
{
	static const struct {
		const char *role, *a, *b;
		bool is_eq;
	} rows[] = {
		{ "queue", "", "log: {level: debug}\n", true },
		{ "queue", "", "delivery: {port: 2525}\n", false },
		{ "queue", "", "delivery: {port: 587}\n", true },
		{ "queue", "", "delivery: {source: [192.0.2.1]}\n", false },
		{ "queue", "delivery: {source: [192.0.2.2]}\n",
		  "delivery: {source: [192.0.2.1]}\n", true },
		{ "queue", "", "dns: {servers: [\"192.0.2.1:53\"]}\n", true },
		{ "queue", "", "dns: {servers: [\"192.0.2.1:5353\"]}\n", false },
		{ "dns", "", "dns: {servers: [\"192.0.2.1:5353\"]}\n", false },
		{ "dns", "dns: {servers: [\"192.0.2.1:5353\"]}\n", "", false },
		{ "dns", "", "delivery: {port: 2525}\n", true },
		{ "smtp", "", "dns: {servers: [\"192.0.2.1:5353\"]}\n", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char a[200], b[200];
		struct role_reach ra, rb;

		(void)snprintf(a, sizeof(a), "hostname: a.b\n%s", rows[i].a);
		(void)snprintf(b, sizeof(b), "hostname: a.b\n%s", rows[i].b);
		ra = reach_of(rows[i].role, a);
		rb = reach_of(rows[i].role, b);
		CHECK_TRUE(role_reach_eq(&ra, &rb) == rows[i].is_eq, rows[i].b);
		CHECK_TRUE(role_reach_eq(&rb, &ra) == rows[i].is_eq, rows[i].b);
	}
}

SUITE(role_row, { "start comes back", test_start_comes_back },
      { "a damaged start is refused", test_damaged_start_is_refused },
      { "rows", test_rows }, { "reach", test_reach },
      { "no row opens keys", test_no_row_opens_keys });
