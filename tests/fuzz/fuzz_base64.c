/* base64: what parses strictly is what formatting gives back; lax parsing agrees. */
#include "base/base64.h"
#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);
	struct strbuf bytes = strbuf_heap(size), lax = strbuf_heap(size);
	struct strbuf text = strbuf_heap(2 * size + 4);

	base64_parse_lax(s, &lax);
	CHECK(!lax.overflow);
	if (base64_parse(s, &bytes) == OK) {
		base64_format(&text, strbuf_str(&bytes));
		CHECK(str_eq(strbuf_str(&text), s));
		CHECK(str_eq(strbuf_str(&lax), strbuf_str(&bytes)));
	}
	strbuf_clear(&bytes);
	strbuf_clear(&text);
	if (base64url_parse(s, &bytes) == OK) {
		base64url_format(&text, strbuf_str(&bytes));
		CHECK(str_eq(strbuf_str(&text), s));
	}
	strbuf_clear(&bytes);
	strbuf_clear(&text);
	base64_format(&text, s);
	CHECK(base64_parse(strbuf_str(&text), &bytes) == OK);
	CHECK(str_eq(strbuf_str(&bytes), s));
	strbuf_release(&bytes);
	strbuf_release(&lax);
	strbuf_release(&text);
	return 0;
}
