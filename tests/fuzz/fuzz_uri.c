/* Request targets: what is decoded is text, and what is encoded decodes to the same
   bytes; the parameters of a query come to an end. */
#include "api/uri.h"

#include "base/panic.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		CHECK((unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f);
	CHECK(utf8_check(s));
}

static void
there_and_back(struct str s, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, 3 * s.n);
	struct str again;
	bool is_text = utf8_check(s);

	for (size_t i = 0; i < s.n; i++)
		is_text = is_text && (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f;
	uri_encode(&b, s);
	CHECK(!b.overflow);
	CHECK(uri_decode(strbuf_str(&b), true, a, &again) == is_text);
	CHECK(!is_text || str_eq(again, s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size), rest = s, name, value, out;
	struct arena *a = arena_new(1 << 20);
	bool is_bad = false;

	if (size > 8192)
		goto done;
	if (uri_decode(s, false, a, &out) && str_find(s, '%') != SIZE_MAX)
		check_text(out);
	while (uri_next_param(&rest, a, &name, &value, &is_bad)) {
		CHECK(!is_bad && rest.n < s.n);
		CHECK(name.n + value.n <= s.n);
	}
	CHECK(is_bad || rest.n == 0);
	there_and_back(s, a);
done:
	arena_free(&a);
	return 0;
}
