#include "conf/schema.h"

enum {
	WHEN_reload,
	WHEN_restart,
	WHEN_live,
};

static const struct conf_row rows[] = {
#define KEY(path_, type_, unit_, field_, min_, max_, def_, when_, help_)                 \
	{ .path = STR_INIT(path_),                                                       \
	  .type = CONF_TYPE_##type_,                                                     \
	  .unit = CONF_UNIT_##unit_,                                                     \
	  .offset = offsetof(struct conf, field_),                                       \
	  .min = min_,                                                                   \
	  .max = max_,                                                                   \
	  .def = STR_INIT(def_),                                                         \
	  .needs_restart = WHEN_##when_ == WHEN_restart,                                 \
	  .is_setting = WHEN_##when_ == WHEN_live,                                       \
	  .help = help_ },
#include "conf/keys.def"
#undef KEY
#define PROTOCOL(id, word, role, tls, alpn)                                              \
	{ .path = STR_INIT("listen." word),                                              \
	  .type = CONF_TYPE_addresses,                                                   \
	  .offset = offsetof(struct conf, listen[CONF_##id]),                            \
	  .def = STR_INIT(""),                                                           \
	  .needs_restart = true,                                                         \
	  .help = "Where " word                                                          \
		  " is spoken, each as ADDRESS:PORT. Left out: nowhere." },
#include "conf/protocols.def"
#undef PROTOCOL
};

static const struct conf_row limit_rows[] = {
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define SEC    INT64_C(1000)
#define MINUTE (60 * SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define LIMIT(name_, unit_, min_, max_, def_, when_, help_)                              \
	{ .path = STR_INIT("limits." #name_),                                            \
	  .type = CONF_TYPE_number,                                                      \
	  .unit = CONF_UNIT_##unit_,                                                     \
	  .offset = offsetof(struct conf, limits.name_),                                 \
	  .min = min_,                                                                   \
	  .max = max_,                                                                   \
	  .def_number = def_,                                                            \
	  .is_limit = true,                                                              \
	  .needs_restart = WHEN_##when_ == WHEN_restart,                                 \
	  .is_setting = WHEN_##when_ == WHEN_live,                                       \
	  .help = help_ },
#include "conf/limits.def"
#undef LIMIT
};

static const struct conf_retired retired[] = {
#define RETIRED(path_, since_, advice_)                                                  \
	{ .path = STR_INIT(path_), .since = since_, .advice = advice_ },
#include "conf/retired.def"
#undef RETIRED
};

static const char *const type_words[CONF_TYPE_COUNT] = {
	[CONF_TYPE_text] = "text",           [CONF_TYPE_hostname] = "hostname",
	[CONF_TYPE_path] = "path",           [CONF_TYPE_user] = "user",
	[CONF_TYPE_boolean] = "boolean",     [CONF_TYPE_number] = "number",
	[CONF_TYPE_durations] = "durations", [CONF_TYPE_addresses] = "addresses",
	[CONF_TYPE_networks] = "networks",   [CONF_TYPE_level] = "level",
	[CONF_TYPE_domains] = "domains",     [CONF_TYPE_ips] = "ips",
	[CONF_TYPE_mailbox] = "mailbox",
};

static const char *const unit_words[CONF_UNIT_COUNT] = {
	[CONF_UNIT_none] = "",           [CONF_UNIT_count] = "count",
	[CONF_UNIT_bytes] = "bytes",     [CONF_UNIT_ms] = "ms",
	[CONF_UNIT_percent] = "percent",
};

size_t
conf_row_count(void)
{
	return ARRAY_LEN(rows) + ARRAY_LEN(limit_rows);
}

const struct conf_row *
conf_row_at(size_t i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : &limit_rows[i - ARRAY_LEN(rows)];
}

const struct conf_row *
conf_row_find(struct str path)
{
	for (size_t i = 0; i < conf_row_count(); i++) {
		if (str_eq(conf_row_at(i)->path, path))
			return conf_row_at(i);
	}
	return NULL;
}

const struct conf_retired *
conf_retired_find(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(retired); i++) {
		if (str_eq(retired[i].path, path))
			return &retired[i];
	}
	return NULL;
}

bool
conf_row_is_group(struct str path)
{
	for (size_t i = 0; i < conf_row_count(); i++) {
		struct str s = conf_row_at(i)->path;

		if (str_skip(&s, path) && str_skip_byte(&s, '.'))
			return true;
	}
	return false;
}

const char *
conf_type_word(enum conf_type type)
{
	return type_words[type];
}

const char *
conf_unit_word(enum conf_unit unit)
{
	return unit_words[unit];
}

void
conf_default_format(const struct conf_row *row, struct strbuf *out)
{
	if (row->is_limit)
		conf_number_format(row->def_number, row->unit, out);
	else
		strbuf_add(out, row->def);
}

/* ── JSON ── written by hand: this folder stands below the JSON writer. */

static void
json_text(struct strbuf *out, const char *key, struct str s)
{
	strbuf_printf(out, "\"%s\":\"", key);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' || c == '\\')
			strbuf_byte(out, '\\');
		if ((unsigned char)c >= ' ')
			strbuf_byte(out, c);
		else
			strbuf_printf(out, "\\u%04x", (unsigned)c);
	}
	strbuf_byte(out, '"');
}

static void
json_row(const struct conf_row *row, const struct conf *c, struct strbuf *out)
{
	struct strbuf text = strbuf_heap(256 << 10);

	strbuf_byte(out, '{');
	json_text(out, "key", row->path);
	strbuf_byte(out, ',');
	json_text(out, "type", str_from(type_words[row->type]));
	if (row->unit != CONF_UNIT_none) {
		strbuf_byte(out, ',');
		json_text(out, "unit", str_from(unit_words[row->unit]));
		strbuf_lit(out, ",\"min\":");
		strbuf_i64(out, row->min);
		strbuf_lit(out, ",\"max\":");
		strbuf_i64(out, row->max);
	}
	strbuf_byte(out, ',');
	conf_default_format(row, &text);
	json_text(out, "default", strbuf_str(&text));
	strbuf_byte(out, ',');
	json_text(out, "apply", row->needs_restart ? STR("restart") : STR("reload"));
	strbuf_byte(out, ',');
	json_text(out, "help", str_from(row->help));
	if (c) {
		strbuf_byte(out, ',');
		strbuf_clear(&text);
		conf_value_format(row, c, &text);
		json_text(out, "value", strbuf_str(&text));
	}
	strbuf_byte(out, '}');
	strbuf_release(&text);
}

void
conf_schema_json(const struct conf *c, struct strbuf *out)
{
	strbuf_byte(out, '[');
	for (size_t i = 0; i < conf_row_count(); i++) {
		if (i)
			strbuf_byte(out, ',');
		json_row(conf_row_at(i), c, out);
	}
	strbuf_lit(out, "]\n");
}

/* ── roff ── */

static void
man_text(struct strbuf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			strbuf_lit(out, "\\e");
		else if (s.p[i] == '-')
			strbuf_lit(out, "\\-");
		else
			strbuf_byte(out, s.p[i]);
	}
}

static void
man_row(const struct conf_row *row, struct strbuf *out)
{
	struct strbuf text = strbuf_heap(4096);

	strbuf_lit(out, ".TP\n.B ");
	man_text(out, row->path);
	strbuf_byte(out, '\n');
	man_text(out, str_from(row->help));
	strbuf_byte(out, '\n');
	conf_default_format(row, &text);
	if (text.n) {
		strbuf_lit(out, "Default: ");
		man_text(out, strbuf_str(&text));
		strbuf_lit(out, ".\n");
	}
	if (row->unit != CONF_UNIT_none && row->max) {
		strbuf_lit(out, "Range: ");
		conf_number_format(row->min, row->unit, out);
		strbuf_lit(out, " to ");
		conf_number_format(row->max, row->unit, out);
		strbuf_lit(out, ".\n");
	}
	strbuf_add(out, row->needs_restart ? STR("Takes effect at a restart.\n")
	                                   : STR("Takes effect at a reload.\n"));
	if (row->is_setting)
		strbuf_lit(out, "Where it does not stand in the file, it may be set in "
		                "the dashboard, and takes effect at once.\n");
	strbuf_release(&text);
}

static void
man_retired(const struct conf_retired *r, struct strbuf *out)
{
	strbuf_lit(out, ".TP\n.B ");
	man_text(out, r->path);
	strbuf_printf(out, "\nUntil %s: ", r->since);
	man_text(out, str_from(r->advice));
	strbuf_lit(out, ".\n");
}

void
conf_schema_man(struct strbuf *out)
{
	strbuf_lit(out, ".SH KEYS\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		man_row(&rows[i], out);
	strbuf_lit(out, ".SH LIMITS\n");
	for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++)
		man_row(&limit_rows[i], out);
	strbuf_lit(out, ".SH KEYS OF OLDER VERSIONS\n"
	                "A file may still hold these. They mean nothing;\n"
	                ".B mailstead check\n"
	                "and the log warn of them with line and column.\n");
	for (size_t i = 0; i < ARRAY_LEN(retired); i++)
		man_retired(&retired[i], out);
}
