#include "ext/unpack.h"

#include "base/base64.h"
#include "tests/unit/check.h"

/* Made with gzip and zip; base64. */
static const struct {
	const char *what, *packed, *text; /* text NULL: the error */
	enum err e;
} rows[] = {
	{ "plain", "aGVsbG8=", "hello", OK },
	{ "gzip", "H4sIAAAAAAACA8tIzcnJV0ivyixQyMDKBAAiwR8KIQAAAA==",
	  "hello gzip hello gzip hello gzip ", OK },
	{ "gzip, two members",
	  "H4sIAAAAAAACA8vPS1UAAElhrCMEAAAAH4sIAAAAAAACAyspzwcAZorKEQMAAAA=", "one two",
	  OK },
	{ "zip",
	  "UEsDBBQAAAAIAAAAIVxgHUUkDwAAAB4AAAAFAAAAYS54bWzLSM3JyVeoyixQyMDC"
	  "AgBQSwECFAMUAAAACAAAACFcYB1FJA8AAAAeAAAABQAAAAAAAAAAAAAAgAEAAAAA"
	  "YS54bWxQSwUGAAAAAAEAAQAzAAAAMgAAAAAA",
	  "hello zip hello zip hello zip ", OK },
	{ "zip, stored, with a comment",
	  "UEsDBBQAAAAAAAAAIVyGphA2BQAAAAUAAAAFAAAAYS54bWxoZWxsb1BLAQIUAxQA"
	  "AAAAAAAAIVyGphA2BQAAAAUAAAAFAAAAAAAAAAAAAACAAQAAAABhLnhtbFBLBQYA"
	  "AAAAAQABADMAAAAoAAAACQBhIGNvbW1lbnQ=",
	  "hello", OK },
	{ "zip of two",
	  "UEsDBBQAAAAIAAAAIVyDFtyMAwAAAAEAAAABAAAAYasAAFBLAwQUAAAACAAAACFc"
	  "FSbb+wMAAAABAAAAAQAAAGKrBABQSwECFAMUAAAACAAAACFcgxbcjAMAAAABAAAA"
	  "AQAAAAAAAAAAAAAAgAEAAAAAYVBLAQIUAxQAAAAIAAAAIVwVJtv7AwAAAAEAAAAB"
	  "AAAAAAAAAAAAAACAASIAAABiUEsFBgAAAAACAAIAXgAAAEQAAAAAAA==",
	  NULL, ERR_UNSUPPORTED },
	{ "zip by bzip2",
	  "UEsDBC4AAAAMAAAAIVzwcRrEJwAAACgAAAABAAAAYUJaaDkxQVkmU1mM97IpAAAC"
	  "EIAEAABAIAAhAIILF3JFOFCQjPeyKVBLAQIuAy4AAAAMAAAAIVzwcRrEJwAAACgA"
	  "AAABAAAAAAAAAAAAAACAAQAAAABhUEsFBgAAAAABAAEALwAAAEYAAAAAAA==",
	  NULL, ERR_UNSUPPORTED },
	{ "gzip's first bytes", "H4s=", NULL, ERR_MALFORMED },
	{ "zip's first bytes", "UEsDBA==", NULL, ERR_MALFORMED },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[2048], out_bytes[4096];
		struct strbuf packed = strbuf_on(bytes), out = strbuf_on(out_bytes);

		CHECK_ERR_EQ(base64_parse(str_from(rows[i].packed), &packed), OK,
		             rows[i].what);
		CHECK_ERR_EQ(unpack(strbuf_str(&packed), &out), rows[i].e, rows[i].what);
		if (rows[i].e == OK)
			CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].text),
			             rows[i].what);
	}
}

/* Cut anywhere, it is broken; with any byte changed, it is never too much. */
static void
test_damaged(void)
{
	for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
		char bytes[2048], out_bytes[4096];
		struct strbuf packed = strbuf_on(bytes), out = strbuf_on(out_bytes);

		/* Of two members the first is whole by itself. */
		if (rows[i].e != OK ||
		    str_eq(str_from(rows[i].what), STR("gzip, two members")))
			continue;
		CHECK_ERR_EQ(base64_parse(str_from(rows[i].packed), &packed), OK,
		             rows[i].what);
		for (size_t n = 4; n < packed.n; n++) {
			strbuf_clear(&out);
			CHECK_TRUE(unpack(str_first(strbuf_str(&packed), n), &out) != OK,
			           rows[i].what);
			packed.p[n] ^= 0x55;
			strbuf_clear(&out);
			if (unpack(strbuf_str(&packed), &out) == OK)
				CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].text),
				             rows[i].what);
			packed.p[n] ^= 0x55;
		}
	}
}

/* A bomb ends by its ratio, long before the buffer does. */
static void
test_bomb(void)
{
	char bytes[2048];
	struct strbuf packed = strbuf_on(bytes), out = strbuf_heap(10 << 20);

	CHECK_ERR_EQ(base64_parse(STR("H4sIAAAAAAACA+3BAQEAAACCIP+"
	                              "vbkhAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAA"
	                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAArwaey3"
	                              "kSQEIPAA=="),
	                          &packed),
	             OK, "bomb");
	CHECK_ERR_EQ(unpack(strbuf_str(&packed), &out), ERR_LIMIT, "ratio");
	CHECK_TRUE(out.n < (1 << 20), "ended early");
	strbuf_release(&out);
}

SUITE(ext_unpack, { "rows", test_rows }, { "damaged", test_damaged },
      { "bomb", test_bomb });
