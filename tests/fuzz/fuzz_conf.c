/* The configuration: any bytes give a configuration or errors, each with its place, and
 * what was accepted is within the ranges of the schema. */
#include "base/panic.h"
#include "conf/conf.h"
#include "conf/schema.h"
#include "conf/yaml.h"

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

/* What was accepted is shown, and accepted again as it is shown. */
static void
check_shown(const struct conf *c)
{
	struct strbuf text = strbuf_heap(256 << 10), again = strbuf_heap(256 << 10);

	for (size_t i = 0; i < conf_row_count(); i++) {
		const struct conf_row *row = conf_row_at(i);
		struct diag diag;

		strbuf_clear(&text);
		strbuf_clear(&again);
		conf_value_format(row, c, &text);
		CHECK(conf_value_eq(row, c, c) && !text.overflow);
		/* Nothing at all stands in no file. */
		if (text.n &&
		    conf_value_judge(row, strbuf_str(&text), &again, &diag) == OK)
			CHECK(str_eq(strbuf_str(&text), strbuf_str(&again)));
	}
	strbuf_release(&text);
	strbuf_release(&again);
}

/* The same bytes as a setting of the dashboard: it holds or is told, without a place. */
static void
on_setting(void *arg, const struct diag *diag)
{
	CHECK(diag->line == 0 && diag->text[0]);
	++*(unsigned *)arg;
}

static void
check_settings(struct str text)
{
	struct conf_setting rows[64];
	struct conf_settings over = { rows, 0 };
	struct conf *c = NULL;
	unsigned told = 0;

	for (size_t i = 0; i < conf_row_count() && over.n < ARRAY_LEN(rows); i++)
		rows[over.n++] = (struct conf_setting){ conf_row_at(i)->path, text };
	CHECK(conf_parse_over(STR("hostname: a.example"), "fuzz", &over, on_setting,
	                      &told, &c) == OK);
	check_ranges(c);
	conf_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf json = strbuf_heap(1 << 20);
	struct diag diag;
	struct conf *c = NULL;
	unsigned errors = 0;

	if (conf_parse(str_make(data, size), "fuzz", on_error, &errors, &c) == OK) {
		CHECK(c && !errors);
		check_ranges(c);
		check_shown(c);
	} else {
		CHECK(!c && errors);
	}
	conf_free(&c);
	check_settings(str_make(data, size));
	if (yaml_to_json(str_make(data, size), &json, &diag) == OK)
		CHECK(!json.overflow);
	strbuf_release(&json);
	return 0;
}
