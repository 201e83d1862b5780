#include "conf/conf.h"

#include "base/strbuf.h"
#include "conf/schema.h"
#include "tests/unit/check.h"

#include <stdio.h>

struct errors {
	struct strbuf text; /* "line:column key…|" */
};

static void
on_error(void *arg, const struct diag *diag)
{
	struct errors *e = arg;

	strbuf_printf(&e->text, "%d:%d %s|", diag->line, diag->column, diag->text);
}

/* One row is one file and all that is wrong with it. */
static const struct {
	const char *what, *file, *errors;
} files[] = {
	{ "the least", "hostname: a.example\n", "" },
	{ "nothing", "", "1:1 hostname: must be set|" },
	{ "an unknown key", "hostname: a.b\nfoo: 1\n", "2:1 foo: no such key|" },
	{ "an unknown key inside", "hostname: a.b\nlisten:\n  smpt: []\n",
	  "3:3 listen.smpt: no such key|" },
	{ "twice", "hostname: a.b\nhostname: c.d\n", "2:1 this key is there twice|" },
	{ "an alias", "hostname: &x a.b\nuser: *x\n",
	  "1:11 aliases, anchors and tags are not allowed|" },
	{ "two documents", "hostname: a.b\n---\nhostname: c.d\n",
	  "2:1 only one document is allowed|" },
	{ "a list of all", "- a\n", "1:1 file: must be a map of keys|" },
	{ "no name", "hostname: localhost\n",
	  "1:11 hostname: must be a full host name like mail.example.org|" },
	{ "an address", "hostname: a.b\nlisten: {smtp: [\"1.2.3.4:25\", \"x:25\"]}\n",
	  "2:31 listen.smtp: must be ADDRESS:PORT like 0.0.0.0:25 or [::]:25|" },
	{ "one address twice",
	  "hostname: a.b\nlisten:\n  smtp: [\"1.2.3.4:25\"]\n  imap: [\"1.2.3.4:25\"]\n",
	  "4:3 listen: this address is there twice|" },
	{ "a source with a port",
	  "hostname: a.b\ndelivery: {source: [\"192.0.2.1:25\"]}\n",
	  "2:21 delivery.source: must be an address like 192.0.2.1 or 2001:db8::1|" },
	{ "a network with host bits", "hostname: a.b\nproxies: [\"10.0.0.1/8\"]\n",
	  "2:11 proxies: must be a network like 10.0.0.0/8 or ::1/128, host bits 0|" },
	{ "a time without unit", "hostname: a.b\ndelivery: {lifetime: 5}\n",
	  "2:22 delivery.lifetime: must be a time like 500ms, 30s, 5m, 1h or 5d|" },
	{ "no pauses", "hostname: a.b\ndelivery: {retry: []}\n",
	  "2:19 delivery.retry: must be at least one pause|" },
	{ "a path", "hostname: a.b\ndata_dir: here\n",
	  "2:11 data_dir: must be an absolute path|" },
	{ "half a pair", "hostname: a.b\ntls: {key: /k}\n",
	  "2:1 tls: certificate and key go together|" },
	{ "a level", "hostname: a.b\nlog: {level: loud}\n",
	  "2:14 log.level: must be debug, info, warn or error|" },
	{ "who reports", "hostname: a.b\nreports: {contact: \"a b@c.d\"}\n",
	  "2:20 reports.contact: must be an address like reports@example.org|" },
	{ "several", "hostname: x\nlimits: {rcpt_max: 1, message_size: 1Q}\n",
	  "1:11 hostname: must be a full host name like mail.example.org|"
	  "2:20 limits.rcpt_max: must be between 100 and 100000|"
	  "2:37 limits.message_size: must be a size like 50M, 64K or 4096|" },
	{ "a number that is too large",
	  "hostname: a.b\nlimits: {message_size: 99999999999999999999G}\n",
	  "2:24 limits.message_size: must be a size like 50M, 64K or 4096|" },
	{ "a map for a value", "hostname: {a: b}\n",
	  "1:11 hostname: must be a single value|" },
	{ "empty keys", "hostname: a.b\ntls:\nuser:\nlimits:\n", "" },
};

static void
test_files(void)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct errors e = { .text = strbuf_heap(1 << 16) };
		struct conf *c = NULL;
		enum err got =
			conf_parse(str_from(files[i].file), "test", on_error, &e, &c);

		CHECK_STR_EQ(strbuf_str(&e.text), str_from(files[i].errors),
		             files[i].what);
		CHECK_ERR_EQ(got, files[i].errors[0] ? ERR_CONFIG : OK, files[i].what);
		CHECK_TRUE(!c == (got != OK), files[i].what);
		conf_free(&c);
		strbuf_release(&e.text);
	}
}

/* A file of an older version is good, and what it has too much is told with its place. */
static void
test_retired_keys(void)
{
	struct errors e = { .text = strbuf_heap(4096) };
	struct conf *c = NULL;

	CHECK_ERR_EQ(conf_parse(STR("hostname: a.b\nlimits:\n  rcpt_max: 300\n"
	                            "  commit_wait: 5ms\n  mime_parts: [1, 2]\n"),
	                        "test", on_error, &e, &c),
	             OK, "it starts");
	CHECK_STR_EQ(strbuf_str(&e.text), STR(""), "no error");
	if (c) {
		CHECK_I64_EQ(c->limits.rcpt_max, 300, "what stands beside it holds");
		conf_tell_retired(c, on_error, &e);
	}
	CHECK_STR_EQ(
		strbuf_str(&e.text),
		STR("4:3 limits.commit_wait: no longer a key since 0.1.0: what waits "
	            "for the store is written together anyway; remove the line|"
	            "5:3 limits.mime_parts: no longer a key since 0.1.0: the parts of "
	            "a message are told apart within fixed bounds; remove the line|"),
		"told");
	conf_free(&c);
	strbuf_clear(&e.text);
	c = NULL;
	CHECK_ERR_EQ(conf_parse(STR("hostname: a.b\ncommit_wait: 5ms\n"), "test",
	                        on_error, &e, &c),
	             ERR_CONFIG, "only where it stood");
	strbuf_release(&e.text);
}

static struct conf *
parse(const char *text)
{
	struct errors e = { .text = strbuf_heap(1 << 16) };
	struct conf *c = NULL;

	CHECK_ERR_EQ(conf_parse(str_from(text), "test", on_error, &e, &c), OK, text);
	strbuf_release(&e.text);
	return c;
}

static void
test_values(void)
{
	struct conf *c = parse("hostname: mail.example.org\n"
	                       "data_dir: /d\n"
	                       "listen:\n  smtp: [\"0.0.0.0:25\", \"[::]:25\"]\n"
	                       "delivery: {port: 2525, retry: \"5m 1h\", lifetime: 2d, "
	                       "source: [\"192.0.2.1\", \"2001:db8::1\"]}\n"
	                       "proxies: [\"127.0.0.0/8\", \"::1\"]\n"
	                       "processes: {smtp: 3}\n"
	                       "log: {level: debug}\n"
	                       "limits: {message_size: 10M, proxy_wait: 0}\n");
	char text[64];
	struct strbuf b = strbuf_on(text);
	struct addr a;

	CHECK_STR_EQ(c->hostname, STR("mail.example.org"), "hostname");
	CHECK_CSTR_EQ(c->data_dir.p, "/d", "ends in NUL");
	CHECK_U64_EQ(c->listen[CONF_SMTP].n, 2, "listeners");
	CHECK_U64_EQ(c->listen[CONF_SMTP].p[1].family, ADDR_V6, "the second");
	CHECK_U64_EQ(c->listen[CONF_IMAP].n, 0, "off");
	CHECK_I64_EQ(c->delivery_port, 2525, "port");
	CHECK_U64_EQ(c->delivery_retry_ms.n, 2, "pauses");
	CHECK_I64_EQ(c->delivery_retry_ms.p[1], 3600000, "the second");
	CHECK_I64_EQ(c->delivery_lifetime_ms, 172800000, "lifetime");
	CHECK_TRUE(addr_parse_ip(STR("127.1.2.3"), &a) &&
	                   nets_have(c->proxies.p, c->proxies.n, &a),
	           "a proxy");
	CHECK_TRUE(addr_parse_ip(STR("::2"), &a) &&
	                   !nets_have(c->proxies.p, c->proxies.n, &a),
	           "not a proxy");
	CHECK_U64_EQ(c->delivery_source.n, 2, "sources");
	CHECK_U64_EQ(c->delivery_source.p[1].family, ADDR_V6, "the second");
	CHECK_I64_EQ(c->processes_smtp, 3, "processes");
	CHECK_TRUE(c->processes_imap >= 1, "worked out");
	CHECK_U64_EQ(c->log_level, LEVEL_DEBUG, "level");
	CHECK_I64_EQ(c->limits.message_size, 10 << 20, "a limit");
	CHECK_I64_EQ(c->limits.proxy_wait, 0, "zero needs no unit");
	CHECK_I64_EQ(c->limits.rcpt_max, 1000, "a default");
	CHECK_CSTR_EQ(conf_data_path(c, "keys/tls.pem", &b), "/d/keys/tls.pem", "a path");
	conf_free(&c);
}

/* What is set in the dashboard; the file has the last word. */
static void
test_settings_over_file(void)
{
	static const struct conf_setting over[] = {
		{ STR_INIT("incoming.trusted_sealers"), STR_INIT("a.example b.example") },
		{ STR_INIT("limits.rcpt_max"), STR_INIT("400") },
		{ STR_INIT("limits.auth_tries"), STR_INIT("nonsense") },
		{ STR_INIT("hostname"), STR_INIT("evil.example") },
		{ STR_INIT("dns.servers"), STR_INIT("192.0.2.1:53") },
		{ STR_INIT("no.such_key"), STR_INIT("1") },
		{ STR_INIT("reports.contact"), STR_INIT("nobody") },
	};
	static const struct {
		const char *key;
		enum conf_source source;
		int line;
	} sources[] = {
		{ "hostname", CONF_SOURCE_FILE, 1 },
		{ "limits.rcpt_max", CONF_SOURCE_FILE, 2 },
		{ "incoming.trusted_sealers", CONF_SOURCE_SETTING, 0 },
		{ "limits.auth_tries", CONF_SOURCE_DEFAULT, 0 },
		{ "dns.servers", CONF_SOURCE_DEFAULT, 0 },
	};
	struct errors e = { .text = strbuf_heap(4096) };
	struct conf *c = NULL;
	int line;

	CHECK_ERR_EQ(conf_parse_over(STR("hostname: a.b\nlimits: {rcpt_max: 300}\n"),
	                             "test",
	                             &(struct conf_settings){ over, ARRAY_LEN(over) },
	                             on_error, &e, &c),
	             OK, "old settings keep nobody from starting");
	CHECK_STR_EQ(strbuf_str(&e.text),
	             STR("0:0 limits.auth_tries: must be a whole number|"
	                 "0:0 reports.contact: must be an address like "
	                 "reports@example.org|"),
	             "told");
	CHECK_STR_EQ(c->hostname, STR("a.b"), "not for the dashboard");
	CHECK_STR_EQ(c->incoming_sealers, STR("a.example b.example"), "set");
	CHECK_I64_EQ(c->limits.rcpt_max, 300, "the file has the last word");
	CHECK_I64_EQ(c->limits.auth_tries, 3, "the default");
	CHECK_U64_EQ(c->dns_servers.n, 0, "not for the dashboard either");
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct conf_row *row = conf_row_find(str_from(sources[i].key));

		CHECK_U64_EQ(conf_source(c, row, &line), sources[i].source,
		             sources[i].key);
		CHECK_I64_EQ(line, sources[i].line, sources[i].key);
	}
	conf_free(&c);
	strbuf_release(&e.text);
}

static const struct {
	const char *key, *text, *want; /* want: the canonical form, or what is wrong */
	bool is_good;
} judged[] = {
	{ "incoming.trusted_sealers", "A.example,b.example", "a.example b.example",
	  true },
	{ "incoming.trusted_sealers", "", "", true },
	{ "incoming.trusted_sealers", "a b", "must be a list of domains like example.org",
	  false },
	{ "incoming.refuse_spf_fail", "yes", "must be true or false", false },
	{ "incoming.trusted_networks", "10.0.0.0/8 ::1", "10.0.0.0/8 ::1/128", true },
	{ "delivery.retry", "60s 1h", "1m 1h", true },
	{ "delivery.retry", "", "must be at least one pause", false },
	{ "limits.message_size", "102400K", "100M", true },
	{ "limits.message_size", "1", "must be between 64K and 2147483647", false },
	{ "reports.contact", "r@a.example", "r@a.example", true },
	{ "reports.contact", "", "", true },
	{ "reports.contact", "nobody", "must be an address like reports@example.org",
	  false },
};

static void
test_judge(void)
{
	for (size_t i = 0; i < ARRAY_LEN(judged); i++) {
		const struct conf_row *row = conf_row_find(str_from(judged[i].key));
		struct strbuf out = strbuf_heap(4096);
		struct diag d = { 0 };
		enum err e = conf_value_judge(row, str_from(judged[i].text), &out, &d);

		CHECK_ERR_EQ(e, judged[i].is_good ? OK : ERR_CONFIG, judged[i].text);
		if (e == OK)
			CHECK_STR_EQ(strbuf_str(&out), str_from(judged[i].want), "form");
		else
			CHECK_TRUE(str_ends(str_from(d.text), str_from(judged[i].want)),
			           d.text);
		strbuf_release(&out);
	}
}

static void
test_restart_or_reload(void)
{
	struct conf *a = parse("hostname: a.b\nlimits: {rcpt_max: 200}\n");
	struct conf *b = parse("hostname: a.b\nlimits: {rcpt_max: 300}\n");
	struct conf *c = parse("hostname: c.d\n");
	const char *key = NULL;

	CHECK_TRUE(!conf_needs_restart(a, b, &key), "a limit can be reloaded");
	CHECK_TRUE(conf_needs_restart(a, c, &key), "the name cannot");
	CHECK_CSTR_EQ(key, "hostname", "which");
	conf_free(&a);
	conf_free(&b);
	conf_free(&c);
}

/* Where a value stands, for those who find out later that it is wrong. */
static void
test_place(void)
{
	struct conf *c = parse("hostname: a.b\ntls:\n  ca_file: \"/x\"\n");
	struct conf_place at = conf_place(c, "tls.ca_file");

	CHECK_I64_EQ(at.line, 3, "line");
	CHECK_I64_EQ(at.column, 12, "column");
	at = conf_place(c, "tls.key");
	CHECK_I64_EQ(at.line, 1, "what is not there");
	CHECK_I64_EQ(at.column, 1, "is at the beginning");
	conf_free(&c);
}

static const struct {
	const char *text;
	enum conf_unit unit;
	int64_t value;
} numbers[] = {
	{ "50M", CONF_UNIT_bytes, 50 << 20 }, { "1G", CONF_UNIT_bytes, 1 << 30 },
	{ "1000", CONF_UNIT_bytes, 1000 },    { "64K", CONF_UNIT_bytes, 65536 },
	{ "500ms", CONF_UNIT_ms, 500 },       { "90s", CONF_UNIT_ms, 90000 },
	{ "5d", CONF_UNIT_ms, 432000000 },    { "0", CONF_UNIT_ms, 0 },
	{ "7", CONF_UNIT_count, 7 },
};

static void
test_numbers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char text[32];
		struct strbuf b = strbuf_on(text);
		int64_t value = -1;

		CHECK_TRUE(conf_number_parse(str_from(numbers[i].text), numbers[i].unit,
		                             &value),
		           numbers[i].text);
		CHECK_I64_EQ(value, numbers[i].value, numbers[i].text);
		conf_number_format(value, numbers[i].unit, &b);
		CHECK_STR_EQ(strbuf_str(&b), str_from(numbers[i].text), "and back");
	}
}

/* Every key says what it is for, and its default is within its range. */
static void
test_schema(void)
{
	struct strbuf out = strbuf_heap(1 << 20);
	struct conf *c = parse("hostname: a.b\n");

	for (size_t i = 0; i < conf_row_count(); i++) {
		const struct conf_row *row = conf_row_at(i);
		size_t n = str_from(row->help).n;

		CHECK_TRUE(n > 20 && row->help[n - 1] == '.', row->path.p);
		CHECK_TRUE(conf_row_find(row->path) == row, "paths are unique");
		if (row->is_limit)
			CHECK_TRUE(row->def_number >= row->min &&
			                   row->def_number <= row->max,
			           row->path.p);
	}
	conf_schema_json(c, &out);
	CHECK_TRUE(str_find_str(strbuf_str(&out), STR("\"value\":\"a.b\"")) != SIZE_MAX,
	           "JSON");
	strbuf_clear(&out);
	conf_schema_man(&out);
	CHECK_TRUE(str_find_str(strbuf_str(&out), STR(".B limits.rcpt_max\n")) !=
	                   SIZE_MAX,
	           "manual");
	strbuf_release(&out);
	conf_free(&c);
}

SUITE(conf_conf, { "files", test_files }, { "retired keys", test_retired_keys },
      { "values", test_values }, { "restart or reload", test_restart_or_reload },
      { "place of a value", test_place }, { "numbers", test_numbers },
      { "settings over the file", test_settings_over_file }, { "judge", test_judge },
      { "schema", test_schema });
