#include "io/dns_message.h"

#include "tests/unit/check.h"

enum {
	BYTES = 64 << 10,
};

static struct str
wire_of(const char *name, struct strbuf *out)
{
	strbuf_clear(out);
	CHECK_TRUE(dns_name_parse(str_from(name), out), name);
	return strbuf_str(out);
}

static const struct {
	const char *text;
	bool ok;
} names[] = {
	{ "example.org", true },
	{ "Example.ORG.", true },
	{ "_dmarc.example.org", true },
	{ "a", true },
	{ "", false },
	{ ".", false },
	{ "a..b", false },
	{ ".a", false },
	{ "a..", false },
	{ "a\\.b", false },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", true },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", false },
};

static void
test_names(void)
{
	char buffer[300], longest[256];
	struct strbuf b = strbuf_on(buffer);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		strbuf_clear(&b);
		CHECK_TRUE(dns_name_parse(str_from(names[i].text), &b) == names[i].ok,
		           names[i].text);
	}
	CHECK_STR_EQ(wire_of("Ab.c", &b), str_make("\2ab\1c\0", 6), "labels, lower case");
	/* 127 labels of one letter are 254 bytes and the root: as long as a name gets. */
	for (size_t i = 0; i < 253; i++)
		longest[i] = i % 2 ? '.' : 'x';
	strbuf_clear(&b);
	CHECK_TRUE(dns_name_parse(str_make(longest, 253), &b), "253 characters");
	longest[253] = 'x';
	longest[252] = 'x';
	strbuf_clear(&b);
	CHECK_TRUE(!dns_name_parse(str_make(longest, 254), &b), "254 characters");
	strbuf_clear(&b);
	CHECK_TRUE(!dns_name_parse(str_make("a\0b", 3), &b), "NUL");
}

struct fixture {
	struct strbuf query, message;
	struct arena *arena;
	struct dns_parsed parsed;
};

static void
add_u16(struct strbuf *b, unsigned v)
{
	strbuf_byte(b, (char)(v >> 8));
	strbuf_byte(b, (char)v);
}

/* A question, and the head of an answer to it: header and question. */
static void
begin(struct fixture *f, const char *name, enum dns_type type, unsigned flags,
      unsigned answers, unsigned authorities)
{
	char wire[300];
	struct strbuf wire_b = strbuf_on(wire);

	f->query = strbuf_heap(BYTES);
	f->message = strbuf_heap(BYTES);
	f->arena = arena_new(1 << 20);
	dns_message_format(&f->query, 0x1234, wire_of(name, &wire_b), type, 0);
	add_u16(&f->message, 0x1234);
	add_u16(&f->message, flags);
	add_u16(&f->message, 1);
	add_u16(&f->message, answers);
	add_u16(&f->message, authorities);
	add_u16(&f->message, 0);
	strbuf_add(&f->message, str_from_offset(strbuf_str(&f->query), 12));
}

static void
fini(struct fixture *f)
{
	strbuf_release(&f->query);
	strbuf_release(&f->message);
	arena_free(&f->arena);
}

/* A record whose owner is a pointer to the question. */
static void
record(struct fixture *f, const char *owner_bytes, size_t owner_n, unsigned type,
       uint32_t ttl, struct str data)
{
	strbuf_bytes(&f->message, owner_bytes, owner_n);
	add_u16(&f->message, type);
	add_u16(&f->message, 1);
	add_u16(&f->message, ttl >> 16);
	add_u16(&f->message, ttl & 0xffff);
	add_u16(&f->message, (unsigned)data.n);
	strbuf_add(&f->message, data);
}

static enum err
parse(struct fixture *f)
{
	return dns_message_parse(strbuf_str(&f->message), strbuf_str(&f->query), f->arena,
	                         &f->parsed);
}

#define POINTER "\xc0\x0c"

static void
test_reads_records(void)
{
	struct fixture f;

	begin(&f, "example.org", DNS_MX, 0x8180, 3, 0);
	record(&f, POINTER, 2, DNS_MX, 300, str_make("\0\12\3Mx1\xc0\x0c", 8));
	record(&f, POINTER, 2, DNS_MX, 200, str_make("\0\24\0", 3));
	record(&f, "\5other\0", 7, DNS_MX, 100, str_make("\0\1\0", 3));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.status, DNS_OK, "status");
	CHECK_U64_EQ(f.parsed.answer.count, 2, "of this name");
	CHECK_U64_EQ(f.parsed.answer.ttl_s, 200, "the least TTL of those that count");
	CHECK_STR_EQ(f.parsed.answer.records[0].name, STR("mx1.example.org"), "name");
	CHECK_U64_EQ(f.parsed.answer.records[0].preference, 10, "preference");
	CHECK_STR_EQ(f.parsed.answer.records[1].name, STR(""), "the root (null MX)");
	CHECK_TRUE(!f.parsed.answer.authentic, "no AD");
	fini(&f);

	begin(&f, "example.org", DNS_TXT, 0x81a0, 1, 0);
	record(&f, POINTER, 2, DNS_TXT, 300, STR("\3v=s\4pf1 "));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_STR_EQ(f.parsed.answer.records[0].text, STR("v=spf1 "),
	             "strings are joined");
	CHECK_TRUE(f.parsed.answer.authentic, "AD");
	fini(&f);

	begin(&f, "_25._tcp.mx", DNS_TLSA, 0x8180, 1, 0);
	record(&f, POINTER, 2, DNS_TLSA, 300, STR("\3\1\1hash"));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.records[0].usage, 3, "usage");
	CHECK_STR_EQ(f.parsed.answer.records[0].text, STR("hash"), "data");
	fini(&f);
}

static void
test_follows_cnames(void)
{
	struct fixture f;

	begin(&f, "a.x", DNS_A, 0x8180, 3, 0);
	record(&f, POINTER, 2, DNS_CNAME, 50, str_make("\1b\1x\0", 5));
	record(&f, "\1B\1x\0", 5, DNS_CNAME, 60, str_make("\1c\1x\0", 5));
	record(&f, "\1c\1x\0", 5, DNS_A, 70, STR("\300\0\2\1"));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.count, 1, "found at the end");
	CHECK_STR_EQ(f.parsed.answer.name, STR("c.x"), "the end");
	CHECK_U64_EQ(f.parsed.answer.ttl_s, 50, "the least of the chain");
	CHECK_U64_EQ(f.parsed.answer.records[0].addr.family, ADDR_V4, "address");
	fini(&f);

	begin(&f, "a.x", DNS_A, 0x8180, 2, 0);
	record(&f, POINTER, 2, DNS_CNAME, 50, str_make("\1b\1x\0", 5));
	record(&f, "\1b\1x\0", 5, DNS_CNAME, 50, str_make("\1a\1x\0", 5));
	CHECK_ERR_EQ(parse(&f), OK, "a circle ends");
	CHECK_U64_EQ(f.parsed.answer.count, 0, "with nothing");
	fini(&f);

	begin(&f, "a.x", DNS_A, 0x8180, 1, 0);
	record(&f, POINTER, 2, DNS_CNAME, 50, str_make("\1b\1y\0", 5));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_TRUE(f.parsed.is_open, "goes on elsewhere");
	CHECK_STR_EQ(f.parsed.answer.name, STR("b.y"), "there");
	fini(&f);
}

static void
test_negative_answers(void)
{
	static const char soa[] = "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x1e";
	struct fixture f;

	begin(&f, "a.x", DNS_A, 0x8183, 0, 1);
	record(&f, POINTER, 2, DNS_SOA, 900, str_make(soa, 22));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.status, DNS_NXDOMAIN, "no such name");
	CHECK_U64_EQ(f.parsed.answer.ttl_s, 30, "the last field of the SOA");
	fini(&f);

	begin(&f, "a.x", DNS_A, 0x8180, 0, 0);
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.status, DNS_NODATA, "no such record");
	CHECK_U64_EQ(f.parsed.answer.ttl_s, 0, "not to be kept");
	fini(&f);

	begin(&f, "a.x", DNS_A, 0x8182, 0, 0);
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.status, DNS_TEMP, "SERVFAIL");
	fini(&f);
}

static void
test_refuses_what_does_not_belong(void)
{
	struct fixture f;

	begin(&f, "a.x", DNS_A, 0x0180, 0, 0);
	CHECK_ERR_EQ(parse(&f), ERR_MALFORMED, "a question is no answer");
	fini(&f);
	begin(&f, "a.x", DNS_A, 0x8180, 0, 0);
	f.message.p[13] = 'b';
	CHECK_ERR_EQ(parse(&f), ERR_MALFORMED, "an answer to another question");
	f.message.p[13] = 'A';
	CHECK_ERR_EQ(parse(&f), OK, "other case");
	CHECK_TRUE(f.parsed.is_other_case, "is noticed");
	fini(&f);
	/* A name that points to itself, and one that points forward. */
	begin(&f, "a.x", DNS_A, 0x8180, 1, 0);
	record(&f, "\xc0\x15", 2, DNS_A, 1, STR("\1\2\3\4"));
	CHECK_ERR_EQ(parse(&f), ERR_MALFORMED, "a pointer to itself");
	fini(&f);
	begin(&f, "a.x", DNS_MX, 0x8180, 1, 0);
	record(&f, POINTER, 2, DNS_MX, 1, STR("\0\1\3abc\xc0\x0c junk"));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_U64_EQ(f.parsed.answer.count, 1, "bytes behind a name do no harm");
	fini(&f);
	begin(&f, "a.x", DNS_MX, 0x8180, 1, 0);
	record(&f, POINTER, 2, DNS_MX, 1, STR("\0\1\3a.c\2\x01\xff\xc0\x0c"));
	CHECK_ERR_EQ(parse(&f), OK, "parses");
	CHECK_STR_EQ(f.parsed.answer.records[0].name, STR("a\\046c.\\001\\255.a.x"),
	             "odd bytes are written as numbers");
	fini(&f);
}

/* Cut anywhere and with any byte changed: no crash, and never more than was there. */
static void
test_damage(void)
{
	struct fixture f;
	size_t n;

	begin(&f, "example.org", DNS_MX, 0x8180, 2, 0);
	record(&f, POINTER, 2, DNS_MX, 300, str_make("\0\12\3mx1\xc0\x0c", 8));
	record(&f, POINTER, 2, DNS_MX, 200, str_make("\0\24\3mx2\xc0\x2b", 8));
	n = f.message.n;
	for (size_t i = 0; i < n; i++) {
		f.message.n = i;
		CHECK_TRUE(parse(&f) != OK, "cut");
		arena_reset(f.arena);
	}
	f.message.n = n;
	for (size_t i = 12; i < n; i++) {
		char saved = f.message.p[i];

		for (int c = 0; c < 256; c += 5) {
			f.message.p[i] = (char)c;
			if (parse(&f) == OK)
				CHECK_TRUE(f.parsed.answer.count <= 2,
				           "no more than sent");
			arena_reset(f.arena);
		}
		f.message.p[i] = saved;
	}
	fini(&f);
}

SUITE(io_dns_message, { "names", test_names }, { "reads records", test_reads_records },
      { "follows CNAMEs", test_follows_cnames },
      { "negative answers", test_negative_answers },
      { "refuses what does not belong", test_refuses_what_does_not_belong },
      { "damage", test_damage });
