#include "base/pack.h"

#include "tests/unit/check.h"

static void
pack_all(struct strbuf *b)
{
	pack_u8(b, 0xfe);
	pack_u16(b, 0xfedc);
	pack_u32(b, 0xfedcba98);
	pack_u64(b, 0xfedcba9876543210);
	pack_i64(b, INT64_MIN);
	pack_str(b, STR("a\0b"));
	pack_str(b, (struct str){ NULL, 0 });
}

static void
test_bytes(void)
{
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);

	pack_all(&b);
	CHECK_STR_EQ(strbuf_str(&b),
	             STR("\xfe\xdc\xfe\x98\xba\xdc\xfe\x10\x32\x54\x76\x98\xba\xdc\xfe"
	                 "\0\0\0\0\0\0\0\x80\x03\0\0\0a\0b\0\0\0\0"),
	             "little-endian, lengths before bytes");
}

static void
test_round_trip(void)
{
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);
	struct unpack u;

	pack_all(&b);
	u = unpack_from(strbuf_str(&b));
	CHECK_U64_EQ(unpack_u8(&u), 0xfe, "u8");
	CHECK_U64_EQ(unpack_u16(&u), 0xfedc, "u16");
	CHECK_U64_EQ(unpack_u32(&u), 0xfedcba98, "u32");
	CHECK_U64_EQ(unpack_u64(&u), 0xfedcba9876543210, "u64");
	CHECK_TRUE(!unpack_done(&u), "there is more");
	CHECK_I64_EQ(unpack_i64(&u), INT64_MIN, "i64");
	CHECK_STR_EQ(unpack_str(&u), STR("a\0b"), "str");
	CHECK_STR_EQ(unpack_str(&u), STR(""), "empty str");
	CHECK_TRUE(unpack_done(&u), "all of it");
	CHECK_U64_EQ(unpack_u8(&u), 0, "one too many");
	CHECK_TRUE(u.bad && !unpack_done(&u), "is bad");
}

/* Cut off anywhere: never outside the bytes, and the end says so. */
static void
test_truncated(void)
{
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);

	pack_all(&b);
	for (size_t n = 0; n < b.n; n++) {
		char *exact = n ? memcpy((char[64]){ 0 }, bytes, n) : bytes;
		struct unpack u = unpack_from(str_make(exact, n));

		(void)unpack_u8(&u);
		(void)unpack_u16(&u);
		(void)unpack_u32(&u);
		(void)unpack_u64(&u);
		(void)unpack_i64(&u);
		(void)unpack_str(&u);
		CHECK_STR_EQ(unpack_str(&u), STR(""), "nothing where nothing is");
		CHECK_TRUE(u.bad && !unpack_done(&u), "cut off is bad");
	}
}

static void
test_hostile_length(void)
{
	static const struct str rows[] = {
		STR_INIT("\xff\xff\xff\xff"),
		STR_INIT("\xff\xff\xff\xff"
		         "abc"),
		STR_INIT("\x04\0\0\0"
		         "abc"),
		STR_INIT("\0\0\0\x80"
		         "abc"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct unpack u = unpack_from(rows[i]);

		CHECK_STR_EQ(unpack_str(&u), STR(""), "a length beyond the end");
		CHECK_TRUE(u.bad, "is bad");
		CHECK_U64_EQ(unpack_u8(&u), 0, "and all that follows is nothing");
	}
}

static void
test_overflow(void)
{
	char bytes[6];
	struct strbuf b = strbuf_on(bytes);

	pack_str(&b, STR("abc"));
	CHECK_TRUE(b.overflow, "does not fit");
}

SUITE(base_pack, { "bytes", test_bytes }, { "round trip", test_round_trip },
      { "truncated", test_truncated }, { "hostile length", test_hostile_length },
      { "overflow", test_overflow });
