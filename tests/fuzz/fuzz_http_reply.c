/* A server's reply, cut anywhere: in two pieces it is what it is in one, and the body
   keeps its bound. */
#include "base/panic.h"
#include "policy/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char bytes[2048], bytes_again[2048];
	struct strbuf body = strbuf_on(bytes), again = strbuf_on(bytes_again);
	struct http_reply r = { 0 }, r_again = { 0 };
	enum http_reply_state part, all;
	struct str whole;
	size_t cut;

	if (n < 2)
		return 0;
	cut = (size_t)(data[0] * 256 + data[1]) % n;
	whole = str_make(data + 2, n - 2);
	part = http_reply_parse(&r, str_first(whole, cut), false, &body);
	CHECK(body.n <= sizeof(bytes));
	if (part == HTTP_REPLY_MORE)
		part = http_reply_parse(&r, whole, true, &body);
	all = http_reply_parse(&r_again, whole, true, &again);
	CHECK(all != HTTP_REPLY_MORE && part == all && body.n <= sizeof(bytes));
	if (all == HTTP_REPLY_DONE) {
		CHECK(r.status >= 200 && r.status <= 999 && !body.overflow);
		CHECK(str_eq(strbuf_str(&body), strbuf_str(&again)));
	}
	return 0;
}
