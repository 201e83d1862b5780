/* Certificates: replaced while in use, and refused without harm. */
#include "io/tls.h"

#include "base/strbuf.h"
#include "io/socket.h"
#include "io/stream.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TURNS_MAX = 2000,
};

struct files {
	char directory[32];
	char certificate[2][64], key[2][64];
	struct tls_pair pairs[2];
};

static void
files_init(struct files *f)
{
	static const struct str names[] = { STR_INIT("one.example.org"),
		                            STR_INIT("two.example.org") };
	struct diag diag;
	bool made;

	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/mailstead-unit-XXXXXX");
	CHECK_TRUE(mkdtemp(f->directory), "a directory");
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(f->certificate[i], sizeof(f->certificate[i]), "%s/%zu.pem",
		               f->directory, i);
		(void)snprintf(f->key[i], sizeof(f->key[i]), "%s/%zu.key", f->directory,
		               i);
		CHECK_ERR_EQ(tls_make_self_signed(names[i], f->certificate[i], f->key[i],
		                                  &made, &diag),
		             OK, "self-signed");
		CHECK_TRUE(made, "made");
		f->pairs[i] = (struct tls_pair){ .certificate_path =
			                                 str_from(f->certificate[i]),
			                         .key_path = str_from(f->key[i]) };
	}
}

static void
files_fini(struct files *f)
{
	for (size_t i = 0; i < 2; i++) {
		(void)unlink(f->certificate[i]);
		(void)unlink(f->key[i]);
	}
	(void)rmdir(f->directory);
}

/* ── a session: server side a, client side b ── */

struct side {
	struct stream *stream;
	struct strbuf heard;
	unsigned secured, closed;
	enum stream_end why;
};

struct session {
	struct loop *loop;
	struct timer tick;
	struct side a, b;
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
on_data(void *arg)
{
	struct side *s = arg;

	strbuf_add(&s->heard, stream_input(s->stream));
	stream_consume(s->stream, stream_input(s->stream).n);
}

static void
on_secured(void *arg)
{
	((struct side *)arg)->secured++;
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct side *s = arg;

	(void)detail;
	s->closed++;
	s->why = why;
}

static const struct stream_ops ops = { .data = on_data,
	                               .secured = on_secured,
	                               .closed = on_closed };

static void
turn_until(struct session *s, const unsigned *counter, unsigned n)
{
	for (int i = 0; i < TURNS_MAX && *counter < n && !s->a.closed && !s->b.closed;
	     i++)
		(void)loop_turn(s->loop);
}

static void
session_with(struct session *s, struct tls_server *t, const struct tls_client *client)
{
	size_t dropped;
	int fds[2];

	*s = (struct session){ .loop = loop_new() };
	s->a.heard = s->b.heard = strbuf_heap(4096);
	timer_init(&s->tick, s->loop, on_tick, &s->tick);
	timer_set(&s->tick, 1);
	socket_pair(fds);
	s->a.stream = stream_new(s->loop, fds[0], &ops, NULL, &s->a);
	s->b.stream = stream_new(s->loop, fds[1], &ops, NULL, &s->b);
	stream_start_tls_server(s->a.stream, t, TLS_ALPN_IMAP, &dropped);
	stream_start_tls_client(s->b.stream, client, &dropped);
	turn_until(s, &s->a.secured, 1);
	turn_until(s, &s->b.secured, 1);
}

static void
session_init(struct session *s, struct tls_server *t, const char *name)
{
	struct tls_client client = { .name = str_from(name), .check = TLS_CHECK_NONE };

	session_with(s, t, &client);
}

static void
session_fini(struct session *s)
{
	timer_stop(&s->tick);
	stream_free(&s->a.stream);
	stream_free(&s->b.stream);
	strbuf_release(&s->a.heard);
	strbuf_release(&s->b.heard);
	loop_free(&s->loop);
}

static bool
talks(struct session *s)
{
	size_t before = s->a.heard.n;

	stream_write(s->b.stream, STR("NOOP\r\n"));
	for (int i = 0; i < TURNS_MAX && s->a.heard.n == before && !s->a.closed; i++)
		(void)loop_turn(s->loop);
	return s->a.heard.n == before + 6;
}

/* The certificate that a new session is shown; zeros: there was none. */
static void
shown(struct tls_server *t, const char *name, uint8_t (*leaf_out)[32])
{
	const struct tls_info *info;
	struct session s;

	session_init(&s, t, name);
	memset(*leaf_out, 0, sizeof(*leaf_out));
	info = stream_tls_info(s.b.stream);
	if (CHECK_TRUE(info, "a session"))
		memcpy(*leaf_out, info->leaf_sha256, sizeof(*leaf_out));
	session_fini(&s);
}

static bool
is_shown(struct tls_server *t, const char *name, const uint8_t (*leaf)[32])
{
	uint8_t now[32];

	shown(t, name, &now);
	return memcmp(now, *leaf, sizeof(now)) == 0;
}

static void
test_is_replaced_while_in_use(void)
{
	struct tls_server *t = tls_server_new();
	uint8_t one[32], two[32];
	struct session old;
	struct files f = { 0 };
	struct diag diag;

	files_init(&f);
	CHECK_TRUE(!tls_server_is_ready(t), "no certificate yet");
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[0], 1, &diag), OK, "the first");
	CHECK_TRUE(tls_server_is_ready(t), "ready");
	shown(t, "one.example.org", &one);
	session_init(&old, t, "one.example.org");
	CHECK_TRUE(talks(&old), "a session");
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[1], 1, &diag), OK, "the second");
	shown(t, "one.example.org", &two);
	CHECK_TRUE(memcmp(one, two, sizeof(one)) != 0, "new sessions use it");
	CHECK_TRUE(talks(&old), "old ones live");
	session_fini(&old);
	/* Each name its own; who names none of them gets the first. */
	CHECK_ERR_EQ(tls_server_load(t, f.pairs, 2, &diag), OK, "both");
	CHECK_TRUE(is_shown(t, "one.example.org", (const uint8_t(*)[32]) & one), "one");
	CHECK_TRUE(is_shown(t, "TWO.example.org", (const uint8_t(*)[32]) & two), "two");
	CHECK_TRUE(is_shown(t, "other.example.org", (const uint8_t(*)[32]) & one),
	           "another");
	tls_server_free(&t);
	files_fini(&f);
}

/* Usage 3 asks for this certificate and for nothing else; what OpenSSL cannot use asks
   for nothing (RFC 7672 2.2, 3.1). */
static void
test_tlsa_records(void)
{
	static const struct {
		const char *what;
		struct dns_tlsa record;
		bool is_leaf, is_secured;
	} cases[] = {
		{ "its digest", { 3, 0, 1, { 0 } }, true, true },
		{ "another digest",
		  { 3, 0, 1, STR_INIT("0123456789abcdef0123456789abcdef") },
		  false,
		  false },
		{ "a key that is not its own",
		  { 3, 1, 1, STR_INIT("0123456789abcdef0123456789abcdef") },
		  false,
		  false },
		{ "an issuer that it has not",
		  { 2, 0, 1, STR_INIT("0123456789abcdef0123456789abcdef") },
		  false,
		  false },
		{ "no certificate at all",
		  { 3, 0, 0, STR_INIT("not DER") },
		  false,
		  true },
	};
	struct tls_server *t = tls_server_new();
	uint8_t leaf[32];
	struct files f = { 0 };
	struct diag diag;

	files_init(&f);
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[0], 1, &diag), OK, "a pair");
	shown(t, "one.example.org", &leaf);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_tlsa record = cases[i].record;
		/* The name is not the certificate's, and its issuer is nobody's. */
		struct tls_client client = { .name = STR("other.example"),
			                     .check = TLS_CHECK_DANE,
			                     .tlsa = &record,
			                     .tlsa_count = 1 };
		struct session s;

		if (cases[i].is_leaf)
			record.data = str_make(leaf, sizeof(leaf));
		session_with(&s, t, &client);
		CHECK_U64_EQ(s.b.secured, cases[i].is_secured, cases[i].what);
		if (!cases[i].is_secured)
			CHECK_TRUE(s.b.why == STREAM_TLS_VERIFY, cases[i].what);
		session_fini(&s);
	}
	tls_server_free(&t);
	files_fini(&f);
}

static void
test_a_bad_pair_changes_nothing(void)
{
	static const char not_pem[] = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END "
				      "CERTIFICATE-----\n";
	struct tls_server *t = tls_server_new();
	uint8_t one[32];
	int64_t expires_ms;
	struct files f = { 0 };
	struct diag diag = { 0 };
	struct tls_pair bad[5];

	files_init(&f);
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[0], 1, &diag), OK, "a good one");
	shown(t, "one.example.org", &one);
	expires_ms = tls_server_expires_ms(t);
	CHECK_TRUE(expires_ms > 0, "ends some day");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = f.pairs[1];
	bad[0].key_path = f.pairs[0].key_path;
	bad[1].certificate_path = STR("/nonexistent/tls.pem");
	bad[2].key_path = f.pairs[1].certificate_path;
	bad[3].certificate_pem = str_from(not_pem);
	bad[4].key_pem = STR("no key at all");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		diag = (struct diag){ 0 };
		CHECK_ERR_EQ(tls_server_load(t, &bad[i], 1, &diag), ERR_CONFIG,
		             "refused");
		CHECK_TRUE(diag.text[0], "with the cause");
		CHECK_I64_EQ(tls_server_expires_ms(t), expires_ms, "the old one stays");
		CHECK_TRUE(is_shown(t, "one.example.org", (const uint8_t(*)[32]) & one),
		           "and is used");
	}
	/* One bad among good ones: none is taken. */
	bad[1] = f.pairs[1];
	CHECK_ERR_EQ(
		tls_server_load(t, (const struct tls_pair[]){ bad[1], bad[0] }, 2, &diag),
		ERR_CONFIG, "the second is bad");
	CHECK_TRUE(is_shown(t, "two.example.org", (const uint8_t(*)[32]) & one),
	           "all or none");
	tls_server_free(&t);
	files_fini(&f);
}

static struct str
content(struct arena *a, struct str path)
{
	char *p = arena_alloc(a, 64 * 1024);
	FILE *file = fopen(arena_cstr(a, path), "r");
	size_t n = file ? fread(p, 1, 64 * 1024, file) : 0;

	if (file)
		(void)fclose(file);
	return str_make(p, n);
}

/* A pair that waits is there for whoever asks, and read then. */
static void
test_a_pair_that_waits(void)
{
	struct arena *a = arena_new(1 << 20);
	struct tls_server *t = tls_server_new();
	struct tls_certificate certificate;
	struct tls_pair pairs[2], bad;
	struct files f = { 0 };
	struct diag diag = { 0 };

	files_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		pairs[i] = f.pairs[i];
		pairs[i].certificate_pem = content(a, f.pairs[i].certificate_path);
		pairs[i].key_pem = content(a, f.pairs[i].key_path);
	}
	bad = pairs[0];
	bad.key_pem = pairs[1].key_pem;
	CHECK_ERR_EQ(tls_server_load_later(t, &bad, &diag), OK, "nobody has looked");
	CHECK_TRUE(tls_server_is_ready(t), "it is offered");
	CHECK_TRUE(!tls_server_certificate(t, a, &certificate), "and found bad");
	CHECK_TRUE(!tls_server_is_ready(t), "then it is forgotten");
	CHECK_ERR_EQ(tls_server_load_later(t, &pairs[0], &diag), OK, "the first");
	CHECK_ERR_EQ(tls_server_load_later(t, &pairs[1], &diag), OK,
	             "another before use");
	CHECK_TRUE(tls_server_is_ready(t), "ready");
	CHECK_TRUE(tls_server_certificate(t, a, &certificate), "asked for");
	CHECK_STR_EQ(certificate.names[0], STR("two.example.org"), "the last one given");
	CHECK_TRUE(tls_server_expires_ms(t) > 0, "ends some day");
	CHECK_ERR_EQ(tls_server_load_later(t, &bad, &diag), ERR_CONFIG,
	             "one in use is replaced at once, by a good one");
	CHECK_ERR_EQ(tls_server_load_later(t, &pairs[0], &diag), OK, "the first again");
	CHECK_TRUE(tls_server_certificate(t, a, &certificate), "asked for");
	CHECK_STR_EQ(certificate.names[0], STR("one.example.org"), "in its place");
	tls_server_free(&t);
	t = tls_server_new();
	CHECK_ERR_EQ(tls_server_load_later(t, &pairs[0], &diag), OK, "never asked for");
	tls_server_free(&t);
	arena_free(&a);
	files_fini(&f);
}

/* A client that is given the hash as a TLSA record must accept that key and no other. */
static void
test_what_the_certificate_says(void)
{
	struct arena *a = arena_new(1 << 20);
	struct tls_server *t = tls_server_new();
	struct tls_certificate first, second;
	struct files f = { 0 };
	struct diag diag = { 0 };
	struct dns_tlsa record = { .usage = 3, .selector = 1, .matching = 1 };
	struct tls_client client = { .name = STR("one.example.org"),
		                     .check = TLS_CHECK_DANE,
		                     .tlsa = &record,
		                     .tlsa_count = 1 };
	struct session s;

	files_init(&f);
	CHECK_TRUE(!tls_server_certificate(t, a, &first), "none is loaded");
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[0], 1, &diag), OK, "one");
	CHECK_TRUE(tls_server_certificate(t, a, &first), "is there");
	CHECK_U64_EQ(first.name_count, 2, "its names");
	CHECK_STR_EQ(first.names[0], STR("one.example.org"), "the host's");
	CHECK_STR_EQ(first.names[1], STR("localhost"), "and what tests call it");
	CHECK_U64_EQ(first.spki_sha256.n, 32, "SHA-256");
	record.data = first.spki_sha256;
	session_with(&s, t, &client);
	CHECK_TRUE(s.b.secured == 1, "the client finds that key");
	session_fini(&s);
	CHECK_U64_EQ(first.tlsa_count, 6, "all records that fit");
	for (size_t i = 0; i < first.tlsa_count; i++) {
		struct dns_tlsa before = record;

		record = first.tlsa[i];
		session_with(&s, t, &client);
		CHECK_TRUE(s.b.secured == 1, "the client takes it, too");
		session_fini(&s);
		record = before;
	}
	CHECK_ERR_EQ(tls_server_load(t, &f.pairs[1], 1, &diag), OK, "another");
	CHECK_TRUE(tls_server_certificate(t, a, &second), "is there");
	CHECK_STR_EQ(second.names[0], STR("two.example.org"), "its name");
	CHECK_TRUE(!str_eq(first.spki_sha256, second.spki_sha256), "its key");
	CHECK_STR_EQ(first.names[0], STR("one.example.org"), "what was read stays");
	session_with(&s, t, &client);
	CHECK_TRUE(s.b.why == STREAM_TLS_VERIFY, "and no other");
	session_fini(&s);
	tls_server_free(&t);
	arena_free(&a);
	files_fini(&f);
}

static void
test_self_signed_is_made_once(void)
{
	struct files f = { 0 };
	struct stat st;
	struct diag diag;
	bool made = true;

	files_init(&f);
	CHECK_TRUE(stat(f.key[0], &st) == 0 && (st.st_mode & 0777) == 0600,
	           "the key is ours alone");
	CHECK_ERR_EQ(tls_make_self_signed(STR("other.example.org"), f.certificate[0],
	                                  f.key[0], &made, &diag),
	             OK, "again");
	CHECK_TRUE(!made, "what is there is used");
	files_fini(&f);
}

SUITE(io_tls, { "is replaced while in use", test_is_replaced_while_in_use },
      { "TLSA records", test_tlsa_records },
      { "a bad pair changes nothing", test_a_bad_pair_changes_nothing },
      { "a pair that waits", test_a_pair_that_waits },
      { "what the certificate says", test_what_the_certificate_says },
      { "self-signed is made once", test_self_signed_is_made_once });
