/* Canonical bodies and fields. The first byte chooses sizes of pieces: whole and in
 * pieces are the same, and what is canonical stays as it is. */
#include "base/panic.h"
#include "base/strbuf.h"
#include "policy/dkim_canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
to_buffer(void *arg, struct str bytes)
{
	strbuf_add(arg, bytes);
}

static void
run(enum dkim_canon canon, struct str body, size_t step, struct strbuf *out)
{
	struct dkim_body b;

	strbuf_clear(out);
	dkim_body_init(&b, canon, to_buffer, out);
	for (size_t i = 0; i < body.n; i += step)
		dkim_body_add(&b, str_first(str_from_offset(body, i), step));
	dkim_body_end(&b);
	CHECK(b.length == out->n && !out->overflow);
}

static void
check_bodies(struct str body, size_t step)
{
	struct strbuf a = strbuf_heap(body.n + 16), b = strbuf_heap(body.n + 16);

	for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
		run(canon, body, body.n + 1, &a);
		run(canon, body, 1, &b);
		CHECK(str_eq(strbuf_str(&a), strbuf_str(&b)));
		run(canon, body, step, &b);
		CHECK(str_eq(strbuf_str(&a), strbuf_str(&b)));
		run(canon, strbuf_str(&a), step, &b);
		CHECK(str_eq(strbuf_str(&a), strbuf_str(&b)));
		CHECK(!a.n || str_ends(strbuf_str(&a), STR("\r\n")));
	}
	strbuf_release(&a);
	strbuf_release(&b);
}

static void
check_field(struct str raw, struct str without)
{
	struct strbuf a = strbuf_heap(raw.n + 16), b = strbuf_heap(raw.n + 16);

	dkim_canon_field(DKIM_RELAXED, raw, without, false, to_buffer, &a);
	dkim_canon_field(DKIM_RELAXED, strbuf_str(&a), STR(""), false, to_buffer, &b);
	CHECK(!a.overflow && !b.overflow);
	CHECK(str_eq(strbuf_str(&a), strbuf_str(&b)));
	strbuf_release(&a);
	strbuf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? data[0] + 1U : 1;
	struct str text = str_from_offset(str_make(data, size), 1);
	size_t colon = str_find(text, ':');

	check_bodies(text, step);
	if (colon != SIZE_MAX && text.n > colon + step)
		check_field(text,
		            str_first(str_from_offset(text, colon + step), step / 2));
	return 0;
}
