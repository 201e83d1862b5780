/* JSON of strangers: what is taken is small enough, without a NUL, in UTF-8, and whole. */
#include "base/panic.h"
#include "base/utf8.h"
#include "ext/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct json_value *v, unsigned depth)
{
	struct json_member m = { 0 };
	struct str text;

	CHECK(depth <= JSON_DEPTH_MAX);
	if (json_get_str(v, &text))
		CHECK(utf8_check(text) && str_find(text, '\0') == SIZE_MAX);
	for (size_t i = 0; json_kind(v) == JSON_KIND_ARRAY && i < json_count(v); i++)
		walk(json_at(v, i), depth + 1);
	while (json_next(v, &m))
		walk(m.value, depth + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *doc = NULL;
	struct diag diag;

	if (json_parse(str_make(data, size), &doc, &diag) == OK)
		walk(json_root(doc), 0);
	json_free(&doc);
	return 0;
}
