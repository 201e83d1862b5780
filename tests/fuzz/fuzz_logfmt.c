/* logfmt: any bytes as a body of fields, and any value there and back. */
#include "base/event.h"
#include "base/panic.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_value(struct str value)
{
	struct strbuf text = strbuf_heap(5 * value.n + 16), back = strbuf_heap(value.n);
	struct str rest, key;

	strbuf_lit(&text, "k=");
	logfmt_value(&text, value);
	rest = strbuf_str(&text);
	CHECK(!text.overflow && utf8_check(rest) && str_find(rest, '\n') == SIZE_MAX);
	CHECK(logfmt_next(&rest, &key, &back) && rest.n == 0);
	CHECK(str_eq(key, STR("k")) && str_eq(strbuf_str(&back), value));
	strbuf_release(&text);
	strbuf_release(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = str_make(data, size), rest = body, key;
	struct strbuf value = strbuf_heap(size), text = strbuf_heap(1 << 20);
	struct event e;

	while (logfmt_next(&rest, &key, &value))
		CHECK(key.n > 0 && !value.overflow && str_find(key, '=') == SIZE_MAX);
	check_value(body);
	event_explain(size ? (enum event_id)(data[0] % EVENT_COUNT) : EV_NOTE, body,
	              &text);

	event_init(&e, EV_NOTE, STR(""), STR(""));
	event_str(&e, "detail", body);
	event_str(&e, "reason", body);
	event_i64(&e, "ms", (int64_t)size);
	CHECK(str_ends(strbuf_str(&e.body), STR(" truncated=1")) || !e.body.overflow);
	strbuf_release(&value);
	strbuf_release(&text);
	return 0;
}
