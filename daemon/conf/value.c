#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "conf/schema.h"

#include <stdio.h>

enum {
	LIST_MAX = 1024,
	TEXT_MAX = 4096,
	HOSTNAME_MAX = 253,
	LABEL_MAX = 63,
	USER_MAX = 32,
	JUDGE_BYTES = 1 << 20,
};

/* ── numbers with units ── */

struct suffix {
	struct str word;
	int64_t factor;
};

/* The largest first: the shortest way to write a number is found from the front. */
static const struct suffix byte_suffixes[] = {
	{ STR_INIT("G"), INT64_C(1) << 30 },
	{ STR_INIT("M"), INT64_C(1) << 20 },
	{ STR_INIT("K"), INT64_C(1) << 10 },
	{ STR_INIT(""), 1 },
};
static const struct suffix time_suffixes[] = {
	{ STR_INIT("d"), DAY_MS },
	{ STR_INIT("h"), HOUR_MS },
	{ STR_INIT("m"), INT64_C(60000) },
	{ STR_INIT("s"), INT64_C(1000) },
	{ STR_INIT("ms"), 1 },
};
static const struct suffix plain_suffixes[] = { { STR_INIT(""), 1 } };

static const struct suffix *
suffixes_of(enum conf_unit unit, size_t *n_out)
{
	if (unit == CONF_UNIT_bytes) {
		*n_out = ARRAY_LEN(byte_suffixes);
		return byte_suffixes;
	}
	if (unit == CONF_UNIT_ms) {
		*n_out = ARRAY_LEN(time_suffixes);
		return time_suffixes;
	}
	*n_out = ARRAY_LEN(plain_suffixes);
	return plain_suffixes;
}

bool
conf_number_parse(struct str s, enum conf_unit unit, int64_t *n_out)
{
	size_t n, digits = 0;
	const struct suffix *suffixes = suffixes_of(unit, &n);
	struct str word;
	uint64_t value;

	while (digits < s.n && byte_is_digit(s.p[digits]))
		digits++;
	word = str_from_offset(s, digits);
	if (!str_parse_u64(str_first(s, digits), &value))
		return false;
	if (value == 0 && !word.n) {
		*n_out = 0;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(word, suffixes[i].word))
			continue;
		if (value > (uint64_t)(INT64_MAX / suffixes[i].factor))
			return false;
		*n_out = (int64_t)value * suffixes[i].factor;
		return true;
	}
	return false;
}

void
conf_number_format(int64_t number, enum conf_unit unit, struct strbuf *out)
{
	size_t n, i = 0;
	const struct suffix *suffixes = suffixes_of(unit, &n);

	while (i + 1 < n && (number == 0 || number % suffixes[i].factor != 0))
		i++;
	strbuf_i64(out, number / suffixes[i].factor);
	if (number)
		strbuf_add(out, suffixes[i].word);
}

static const char *
number_hint(enum conf_unit unit)
{
	return unit == CONF_UNIT_bytes ? "a size like 50M, 64K or 4096"
	       : unit == CONF_UNIT_ms  ? "a time like 500ms, 30s, 5m, 1h or 5d"
	                               : "a whole number";
}

/* ── reading ── */

struct reading {
	const struct conf_row *row;
	struct arena *arena;
	struct diag *diag;
};

static enum err
wrong(struct reading *r, const struct yaml_node *node, const char *wanted)
{
	r->diag->line = node->line;
	r->diag->column = node->column;
	return diag_set(r->diag, ERR_CONFIG, "%.*s: must be %s", STR_ARG(r->row->path),
	                wanted);
}

static enum err
read_number(struct reading *r, const struct yaml_node *node, struct str text,
            int64_t *out)
{
	const struct conf_row *row = r->row;
	char min[32], max[32], words[96];
	struct strbuf min_b = strbuf_on(min), max_b = strbuf_on(max);

	if (!conf_number_parse(text, row->unit, out))
		return wrong(r, node, number_hint(row->unit));
	if (*out >= row->min && *out <= row->max)
		return OK;
	conf_number_format(row->min, row->unit, &min_b);
	conf_number_format(row->max, row->unit, &max_b);
	(void)snprintf(words, sizeof(words), "between %s and %s", strbuf_cstr(&min_b),
	               strbuf_cstr(&max_b));
	return wrong(r, node, words);
}

static bool
check_hostname(struct str s)
{
	struct str label;
	bool has_dot = str_find(s, '.') != SIZE_MAX;

	if (!s.n || s.n > HOSTNAME_MAX || s.p[s.n - 1] == '.')
		return false;
	while (str_next(&s, '.', &label)) {
		if (!label.n || label.n > LABEL_MAX || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++) {
			if (!byte_is_alnum(label.p[i]) && label.p[i] != '-')
				return false;
		}
	}
	return has_dot;
}

static bool
check_user(struct str s)
{
	if (!s.n || s.n > USER_MAX || byte_is_digit(s.p[0]) || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!byte_is_alnum(s.p[i]) && !memchr("_-.", s.p[i], 3))
			return false;
	}
	return true;
}

/* What it is in full is judged where it is used; a slip of the pen is seen here. */
static bool
check_mailbox(struct str s)
{
	size_t at = str_find(s, '@');

	if (!s.n)
		return true;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || (s.p[i] == '@' && i != at))
			return false;
	}
	return at != SIZE_MAX && at > 0 &&
	       str_find(str_from_offset(s, at), '.') != SIZE_MAX;
}

static enum err
read_text(struct reading *r, const struct yaml_node *node, struct str *out)
{
	struct str text = node->text;

	if (text.n > TEXT_MAX || (text.n && memchr(text.p, '\0', text.n)))
		return wrong(r, node, "a text of at most 4096 bytes without NUL");
	if (r->row->type == CONF_TYPE_hostname && !check_hostname(text))
		return wrong(r, node, "a full host name like mail.example.org");
	if (r->row->type == CONF_TYPE_path && (!text.n || text.p[0] != '/'))
		return wrong(r, node, "an absolute path");
	if (r->row->type == CONF_TYPE_user && !check_user(text))
		return wrong(r, node, "a user name of the system");
	if (r->row->type == CONF_TYPE_mailbox && !check_mailbox(text))
		return wrong(r, node, "an address like reports@example.org");
	*out = str_from(arena_cstr(r->arena, text));
	return OK;
}

/* The next element: of a list its nodes, of a scalar its words. */
struct elements {
	const struct yaml_node *node; /* of the current element */
	const struct yaml_node *next;
	struct str words;
};

static bool
next_word(struct str *rest, struct str *word_out)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',')
		n++;
	*word_out = str_first(*rest, n);
	*rest = str_from_offset(*rest, n < rest->n ? n + 1 : n);
	return word_out->n > 0;
}

static bool
next_element(struct elements *e, struct str *text_out)
{
	if (e->next) {
		e->node = e->next;
		e->next = e->node->next;
		*text_out = e->node->text;
		return true;
	}
	return next_word(&e->words, text_out);
}

static struct elements
elements_of(const struct yaml_node *node)
{
	struct elements e = { .node = node };

	if (node->kind == YAML_LIST)
		e.next = node->first;
	else
		e.words = node->text;
	return e;
}

static enum err
read_element(struct reading *r, const struct yaml_node *node, struct str text, void *at,
             size_t i)
{
	if (node->kind != YAML_SCALAR)
		return wrong(r, node, "a list of plain values");
	switch (r->row->type) {
	case CONF_TYPE_addresses:
		if (!addr_parse(text, (struct addr *)at + i))
			return wrong(r, node, "ADDRESS:PORT like 0.0.0.0:25 or [::]:25");
		return OK;
	case CONF_TYPE_ips:
		if (!addr_parse_ip(text, (struct addr *)at + i))
			return wrong(r, node, "an address like 192.0.2.1 or 2001:db8::1");
		return OK;
	case CONF_TYPE_networks:
		if (!net_parse(text, (struct net *)at + i))
			return wrong(r, node,
			             "a network like 10.0.0.0/8 or ::1/128, host bits 0");
		return OK;
	default:
		return read_number(r, node, text, (int64_t *)at + i);
	}
}

static enum err
read_list(struct reading *r, const struct yaml_node *node, void *field)
{
	static const size_t sizes[CONF_TYPE_COUNT] = {
		[CONF_TYPE_addresses] = sizeof(struct addr),
		[CONF_TYPE_ips] = sizeof(struct addr),
		[CONF_TYPE_networks] = sizeof(struct net),
		[CONF_TYPE_durations] = sizeof(int64_t),
	};
	struct elements e = elements_of(node);
	size_t n = 0;
	struct str text;
	void *at;

	while (next_element(&e, &text))
		n++;
	if (n > LIST_MAX)
		return wrong(r, node, "a list of at most 1024");
	if (!n && r->row->type == CONF_TYPE_durations)
		return wrong(r, node, "at least one pause");
	at = arena_alloc(r->arena, size_mul(n + 1, sizes[r->row->type]));
	e = elements_of(node);
	for (size_t i = 0; next_element(&e, &text); i++) {
		enum err err = read_element(r, e.node, text, at, i);

		if (err != OK)
			return err;
	}
	/* The three list structs have one shape: a pointer and a count. */
	*(struct conf_numbers *)field = (struct conf_numbers){ at, n };
	return OK;
}
/* Of domains. */
static enum err
read_domains(struct reading *r, const struct yaml_node *node, struct str *out)
{
	struct strbuf all = strbuf_arena(r->arena, LIST_MAX * (HOSTNAME_MAX + 1));
	struct elements e = elements_of(node);
	struct str text;

	for (size_t i = 0; next_element(&e, &text); i++) {
		if (e.node->kind != YAML_SCALAR || !check_hostname(text))
			return wrong(r, e.node, "a list of domains like example.org");
		if (i == LIST_MAX)
			return wrong(r, node, "a list of at most 1024");
		if (i)
			strbuf_byte(&all, ' ');
		for (size_t k = 0; k < text.n; k++)
			strbuf_byte(&all, byte_lower(text.p[k]));
	}
	*out = str_from(arena_cstr(r->arena, strbuf_str(&all)));
	return OK;
}

_Static_assert(sizeof(struct conf_numbers) == sizeof(struct conf_addrs) &&
                       sizeof(struct conf_numbers) == sizeof(struct conf_nets),
               "read_list fills them alike");

enum err
conf_value_read(const struct conf_row *row, const struct yaml_node *node, struct conf *c,
                struct arena *a, struct diag *diag)
{
	struct reading r = { row, a, diag };
	void *field = (char *)c + row->offset;
	bool is_list = row->type == CONF_TYPE_addresses || row->type == CONF_TYPE_ips ||
	               row->type == CONF_TYPE_networks ||
	               row->type == CONF_TYPE_durations || row->type == CONF_TYPE_domains;

	if (node->kind == YAML_MAP || (node->kind == YAML_LIST && !is_list))
		return wrong(&r, node, is_list ? "a list" : "a single value");
	switch (row->type) {
	case CONF_TYPE_number:
		return read_number(&r, node, node->text, field);
	case CONF_TYPE_boolean:
		if (!str_eq(node->text, STR("true")) && !str_eq(node->text, STR("false")))
			return wrong(&r, node, "true or false");
		*(bool *)field = str_eq(node->text, STR("true"));
		return OK;
	case CONF_TYPE_level:
		if (!event_level_parse(node->text, field))
			return wrong(&r, node, "debug, info, warn or error");
		return OK;
	case CONF_TYPE_addresses:
	case CONF_TYPE_ips:
	case CONF_TYPE_networks:
	case CONF_TYPE_durations:
		return read_list(&r, node, field);
	case CONF_TYPE_domains:
		return read_domains(&r, node, field);
	default:
		return read_text(&r, node, field);
	}
}

enum err
conf_value_judge(const struct conf_row *row, struct str text, struct strbuf *out,
                 struct diag *diag)
{
	const struct yaml_node node = { .kind = YAML_SCALAR, .text = text };
	struct arena *a = arena_new(JUDGE_BYTES);
	struct conf c = { 0 };
	enum err e = conf_value_read(row, &node, &c, a, diag);

	if (e == OK)
		conf_value_format(row, &c, out);
	arena_free(&a);
	return e;
}

void
conf_value_default(const struct conf_row *row, struct conf *c, struct arena *a)
{
	struct yaml_node node = { .kind = YAML_SCALAR, .text = row->def };
	void *field = (char *)c + row->offset;
	struct diag diag = { 0 };

	if (row->is_limit)
		*(int64_t *)field = row->def_number;
	else if (row->def.n)
		CHECK(conf_value_read(row, &node, c, a, &diag) == OK);
	else if (row->type <= CONF_TYPE_domains)
		*(struct str *)field = STR("");
}

/* ── writing ── */

static void
format_list(const struct conf_row *row, const void *field, struct strbuf *out)
{
	const struct conf_numbers *list = field;

	for (size_t i = 0; i < list->n; i++) {
		if (i)
			strbuf_byte(out, ' ');
		if (row->type == CONF_TYPE_addresses) {
			addr_format(out, &((const struct conf_addrs *)field)->p[i]);
		} else if (row->type == CONF_TYPE_ips) {
			addr_format_ip(out, &((const struct conf_addrs *)field)->p[i]);
		} else if (row->type == CONF_TYPE_networks) {
			const struct net *net = &((const struct conf_nets *)field)->p[i];

			addr_format_ip(out, &net->addr);
			strbuf_printf(out, "/%u", net->bits);
		} else {
			conf_number_format(list->p[i], row->unit, out);
		}
	}
}

void
conf_value_format(const struct conf_row *row, const struct conf *c, struct strbuf *out)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	const void *field = (const char *)c + row->offset;

	switch (row->type) {
	case CONF_TYPE_number:
		conf_number_format(*(const int64_t *)field, row->unit, out);
		break;
	case CONF_TYPE_boolean:
		strbuf_add(out, str_from(*(const bool *)field ? "true" : "false"));
		break;
	case CONF_TYPE_level:
		strbuf_add(out, str_from(levels[*(const enum event_level *)field]));
		break;
	case CONF_TYPE_addresses:
	case CONF_TYPE_ips:
	case CONF_TYPE_networks:
	case CONF_TYPE_durations:
		format_list(row, field, out);
		break;
	default:
		strbuf_add(out, *(const struct str *)field);
		break;
	}
}

bool
conf_value_eq(const struct conf_row *row, const struct conf *a, const struct conf *b)
{
	struct strbuf text_a = strbuf_heap(256 << 10), text_b = strbuf_heap(256 << 10);
	bool is_eq;

	conf_value_format(row, a, &text_a);
	conf_value_format(row, b, &text_b);
	is_eq = str_eq(strbuf_str(&text_a), strbuf_str(&text_b));
	strbuf_release(&text_a);
	strbuf_release(&text_b);
	return is_eq;
}
