/* The query language: never reads outside, and whatever parses can be asked. */
#include "api/filter.h"

#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct filter_field fields[] = {
	{ "id", FILTER_EXACT, true },         { "to", FILTER_ADDRESS, true },
	{ "subject", FILTER_TEXT, true },     { "age", FILTER_DURATION, false },
	{ "size", FILTER_SIZE, false },       { "time", FILTER_TIME, false },
	{ "attempts", FILTER_NUMBER, false },
};

static struct filter_value
get(const void *row, size_t field)
{
	(void)row;
	CHECK(field < ARRAY_LEN(fields));
	return (struct filter_value){ STR("ann@example.org b@c"), 4711 };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 22);
	struct filter *f;
	struct filter_error error = { 0 };
	struct str value;
	int64_t first, last;
	enum err e = filter_parse(str_make(data, size),
	                          &(struct filter_language){ fields, ARRAY_LEN(fields),
	                                                     INT64_C(1795435444120) },
	                          a, &f, &error);

	CHECK(e == OK ||
	      (error.position >= 1 && error.position <= size + 1 && error.code));
	if (e == OK) {
		(void)filter_matches(f, get, NULL);
		for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
			(void)filter_needs(f, i, &value);
			(void)filter_needs_range(f, i, &first, &last);
		}
		(void)filter_needs_word(f, &value);
	}
	arena_free(&a);
	return 0;
}
