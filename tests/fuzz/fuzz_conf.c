/* The configuration: any bytes give a configuration or errors, each with its place, and
 * what was accepted is within the ranges of the schema. */
#include "base/panic.h"
#include "conf/conf.h"
#include "conf/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_error(void *arg, const struct diag *diag)
{
	CHECK(diag->line > 0 && diag->column > 0 && diag->text[0]);
	++*(unsigned *)arg;
}

static void
check_ranges(const struct conf *c)
{
	for (size_t i = 0; i < conf_row_count(); i++) {
		const struct conf_row *row = conf_row_at(i);
		int64_t value;

		if (row->type != CONF_TYPE_number)
			continue;
		value = *(const int64_t *)(const void *)((const char *)c + row->offset);
		CHECK(value >= row->min && value <= row->max);
	}
	CHECK(c->hostname.n && c->data_dir.p[0] == '/' && c->delivery_retry_ms.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *c = NULL;
	unsigned errors = 0;

	if (conf_parse(str_make(data, size), "fuzz", on_error, &errors, &c) == OK) {
		CHECK(c && !errors);
		check_ranges(c);
	} else {
		CHECK(!c && errors);
	}
	conf_free(&c);
	return 0;
}
