/* What is packed must be a gzip file that other programs unpack
 * (tests/system/61-api-http); here: when it is worth it, and its bounds. */
#include "ext/gzip.h"

#include "base/ids.h"
#include "tests/unit/check.h"

#include <string.h>

static char bytes[200 * 1024];

static void
test_pays(void)
{
	struct strbuf out = strbuf_heap(2 * sizeof(bytes));

	memset(bytes, 'a', sizeof(bytes));
	strbuf_lit(&out, "before");
	CHECK_TRUE(gzip_pack(str_make(bytes, sizeof(bytes)), &out),
	           "the same again and again");
	CHECK_TRUE(out.n > 6 && out.n < 2000, "gets small");
	CHECK_STR_EQ(str_first(strbuf_str(&out), 8), STR("before\x1f\x8b"), "appended");
	strbuf_release(&out);
}

static void
test_does_not_pay(void)
{
	struct strbuf out = strbuf_heap(2 * sizeof(bytes)), little = strbuf_heap(100);

	for (size_t i = 0; i + 4096 <= sizeof(bytes); i += 4096)
		random_bytes(bytes + i, 4096);
	CHECK_TRUE(!gzip_pack(str_make(bytes, sizeof(bytes)), &out), "noise");
	CHECK_TRUE(!gzip_pack(STR("x"), &out), "one byte");
	CHECK_TRUE(!gzip_pack(STR(""), &out), "nothing");
	CHECK_U64_EQ(out.n, 0, "as it was");
	memset(bytes, 'a', sizeof(bytes));
	CHECK_TRUE(!gzip_pack(str_make(bytes, 1000), &little), "no room");
	CHECK_TRUE(little.n == 0 && !little.overflow, "as it was");
	strbuf_release(&out);
	strbuf_release(&little);
}

SUITE(ext_gzip, { "pays", test_pays }, { "does not pay", test_does_not_pay });
