/* Encoded words and parameters give clean text from any bytes; what is written is read
   back. */
#include "base/panic.h"
#include "base/utf8.h"
#include "ext/charset.h"
#include "mail/encoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct str text)
{
	CHECK(utf8_check(text));
	for (size_t i = 0; i < text.n; i++)
		CHECK((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f);
}

/* Whole or in two pieces, a charset gives the same. */
static void
check_pieces(struct str name, struct str bytes, size_t cut)
{
	const struct charset *c = charset_find(name);
	struct strbuf whole = strbuf_heap(8 * bytes.n + 64),
		      pieces = strbuf_heap(8 * bytes.n + 64);
	struct charset_stream *cs = charset_open(c);

	charset_convert(c, bytes, &whole);
	charset_feed(cs, str_first(bytes, cut), &pieces);
	charset_feed(cs, str_from_offset(bytes, cut), &pieces);
	charset_finish(cs, &pieces);
	CHECK(utf8_check(strbuf_str(&whole)) && utf8_check(strbuf_str(&pieces)));
	if (!c || charset_is_utf8(c))
		CHECK(str_eq(strbuf_str(&whole), strbuf_str(&pieces)));
	charset_close(&cs);
	strbuf_release(&whole);
	strbuf_release(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size), text;
	struct arena *a = arena_new((size_t)4 << 20);
	struct strbuf out = strbuf_heap(16 * size + 64),
		      back = strbuf_heap(64 * size + 64);

	encoded_decode(s, &out);
	check_text(strbuf_str(&out));
	if (size < 10000) {
		struct strbuf coded = strbuf_heap(16 * size + 64);

		quoted_printable_format(s, &coded);
		CHECK(!coded.overflow && ascii_check(strbuf_str(&coded)));
		quoted_printable_decode(strbuf_str(&coded), &back);
		CHECK(str_eq(strbuf_str(&back), s));
		strbuf_clear(&coded);
		encoded_format_address(s, &coded);
		CHECK(!coded.overflow && ascii_check(strbuf_str(&coded)));
		strbuf_clear(&back);
		encoded_parse_address(s, &back);
		CHECK(back.n <= size);
		strbuf_release(&coded);
	}
	if (encoded_param(s, STR("filename"), a, &text))
		check_text(text);
	strbuf_clear(&out);
	quoted_printable_decode(s, &out);
	CHECK(out.n <= size);
	if (size > 16)
		check_pieces(str_first(s, str_find(str_first(s, 16), ';')),
		             str_from_offset(s, 16), data[0]);
	strbuf_release(&out);
	strbuf_release(&back);
	arena_free(&a);
	return 0;
}
