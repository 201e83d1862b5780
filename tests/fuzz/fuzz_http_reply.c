/* A server's reply, cut anywhere: what is done stays done with more bytes of the same,
   what is bad stays bad, and the body keeps its bound. */
#include "base/panic.h"
#include "policy/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char bytes[2048];
	struct strbuf body = strbuf_on(bytes);
	struct str whole;
	struct http_reply r;
	enum http_reply_state part, all;
	size_t cut;

	if (n < 2)
		return 0;
	cut = (size_t)(data[0] * 256 + data[1]) % n;
	whole = str_make(data + 2, n - 2);
	part = http_reply_parse(str_first(whole, cut), false, &r, &body);
	CHECK(body.n <= sizeof(bytes));
	all = http_reply_parse(whole, true, &r, &body);
	CHECK(all != HTTP_REPLY_MORE && body.n <= sizeof(bytes));
	if (part != HTTP_REPLY_MORE)
		CHECK(part == all);
	if (all == HTTP_REPLY_DONE)
		CHECK(r.status >= 200 && r.status <= 999 && !body.overflow);
	return 0;
}
