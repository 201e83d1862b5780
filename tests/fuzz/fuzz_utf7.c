/* Mailbox names: what decodes, encodes to the same bytes again; what is UTF-8 survives
   the way there and back. */
#include "base/panic.h"
#include "base/utf8.h"
#include "imap/imap_utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_make(data, n);
	struct strbuf there = strbuf_heap(8 * n + 16), back = strbuf_heap(8 * n + 16);

	if (imap_utf7_parse(in, &there) == OK) {
		CHECK(utf8_check(strbuf_str(&there)));
		imap_utf7_format(&back, strbuf_str(&there));
		CHECK(str_eq(strbuf_str(&back), in));
	}
	strbuf_clear(&there);
	strbuf_clear(&back);
	if (utf8_check(in) && (n == 0 || !memchr(in.p, '\0', n))) {
		bool has_control = false;

		for (size_t i = 0; i < n; i++)
			has_control |= data[i] < 0x20 || data[i] == 0x7f;
		imap_utf7_format(&there, in);
		CHECK(imap_utf7_parse(strbuf_str(&there), &back) == OK);
		CHECK(has_control || str_eq(strbuf_str(&back), in));
	}
	/* A name that may be used is text without control characters. */
	if (imap_name_check(in) == OK)
		CHECK(utf8_check(in) && !(n && memchr(in.p, '\0', n)));
	strbuf_release(&there);
	strbuf_release(&back);
	return 0;
}
