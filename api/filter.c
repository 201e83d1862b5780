/* A query as its tree of terms; filter_match.c tries rows on it. */
#include "api/filter_priv.h"

#include "base/duration.h"
#include "base/err.h"
#include "base/rfc3339.h"

struct parser {
	struct str q, rest;
	const struct filter_field *fields;
	size_t fields_count;
	int64_t now_ms;
	struct arena *arena;
	struct filter_error *error;
	unsigned terms, depth;
	bool is_bad;
};

static struct filter *parse_or(struct parser *p);

static struct filter *
fail(struct parser *p, size_t at, const char *code, const char *text, struct str what)
{
	if (!p->is_bad)
		*p->error = (struct filter_error){
			.position = at + 1,
			.code = code,
			.text = arena_printf(p->arena, "%s '%.*s'", text, STR_ARG(what)),
		};
	p->is_bad = true;
	return NULL;
}

static size_t
position(const struct parser *p)
{
	return p->q.n - p->rest.n;
}

static void
skip_spaces(struct parser *p)
{
	while (str_skip_byte(&p->rest, ' ') || str_skip_byte(&p->rest, '\t'))
		continue;
}

static struct filter *
node(struct parser *p, enum filter_kind kind, struct filter *left, struct filter *right)
{
	struct filter *f = ARENA_NEW(p->arena, struct filter);

	f->kind = kind;
	f->left = left;
	f->right = right;
	f->fields = p->fields;
	f->fields_count = p->fields_count;
	return f;
}

/* --- values ----------------------------------------------------------------------- */

/* Up to a space, a bracket or a comma; "quoted" takes all but the quotes. */
static bool
take_plain(struct parser *p, struct str *out)
{
	size_t at = position(p), n = 0;

	if (str_skip_byte(&p->rest, '"')) {
		n = str_find(p->rest, '"');
		if (n == SIZE_MAX) {
			(void)fail(p, at, "open_quote", "no closing quote behind",
			           STR("\""));
			return false;
		}
		*out = str_first(p->rest, n);
		p->rest = str_from_offset(p->rest, n + 1);
		return true;
	}
	while (n < p->rest.n && str_find(STR(" \t(),\""), p->rest.p[n]) == SIZE_MAX)
		n++;
	*out = str_first(p->rest, n);
	p->rest = str_from_offset(p->rest, n);
	return true;
}

static bool
scale(uint64_t value, uint64_t unit, int64_t *out)
{
	if (value > (uint64_t)INT64_MAX / unit)
		return false;
	*out = (int64_t)(value * unit);
	return true;
}

/* "90", "2h", "10M": digits and one letter of `units`, each worth the next of `worth`. */
static bool
parse_scaled(struct str s, const char *units, const uint64_t *worth, int64_t *out)
{
	uint64_t value, unit = 1;

	for (size_t i = 0; s.n && units[i]; i++) {
		if (byte_lower(s.p[s.n - 1]) == units[i]) {
			unit = worth[i];
			s.n--;
			break;
		}
	}
	return str_parse_u64(s, &value) && scale(value, unit, out);
}

/* A day or a moment. */
static bool
parse_time(const struct parser *p, struct str s, int64_t *first_out, int64_t *last_out)
{
	int64_t today = p->now_ms - p->now_ms % DAY_MS;
	bool is_day = true;

	if (str_eq_icase(s, STR("today")))
		*first_out = today;
	else if (str_eq_icase(s, STR("yesterday")))
		*first_out = today - DAY_MS;
	else if (rfc3339_parse(s, first_out))
		is_day = s.n == 10;
	else
		return false;
	*last_out = is_day ? *first_out + DAY_MS - 1 : *first_out;
	return true;
}

static bool
parse_number(const struct parser *p, enum filter_type type, struct str s,
             int64_t *first_out, int64_t *last_out)
{
	static const uint64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	static const uint64_t bytes[] = { 1 << 10, 1 << 20, 1 << 30, UINT64_C(1) << 40 };
	bool is_good;

	if (type == FILTER_TIME)
		return parse_time(p, s, first_out, last_out);
	if (type == FILTER_DURATION)
		is_good = parse_scaled(s, "smhdw", seconds, first_out);
	else if (type == FILTER_SIZE)
		is_good = parse_scaled(s, "kmgt", bytes, first_out);
	else
		is_good = parse_scaled(s, "", NULL, first_out);
	if (is_good)
		*last_out = *first_out;
	return is_good;
}

/* One value, with its place in the text for errors. */
static bool
read_one(struct parser *p, enum filter_type type, struct one_value *v)
{
	size_t at = position(p), dots;
	struct str text, low;
	int64_t ignored;

	if (!take_plain(p, &text))
		return false;
	v->text = text;
	if (filter_is_text(type)) {
		if (text.n)
			return true;
		(void)fail(p, at, "bad_value", "a value is missing at",
		           str_first(p->rest, 8));
		return false;
	}
	dots = str_find_str(text, STR(".."));
	low = str_first(text, dots);
	if (!parse_number(p, type, low, &v->first, &v->last) ||
	    (dots != SIZE_MAX && !parse_number(p, type, str_from_offset(text, dots + 2),
	                                       &ignored, &v->last))) {
		(void)fail(p, at, "bad_value", "not a value of this field:", text);
		return false;
	}
	return true;
}

static struct one_value *
read_values(struct parser *p, enum filter_type type)
{
	struct one_value *first = NULL, **last = &first;

	do {
		struct one_value *v = ARENA_NEW(p->arena, struct one_value);

		if (++p->terms > FILTER_TERMS_MAX) {
			(void)fail(p, position(p), "too_long", "too many terms at",
			           str_first(p->rest, 8));
			return NULL;
		}
		if (!read_one(p, type, v))
			return NULL;
		*last = v;
		last = &v->next;
	} while (str_skip_byte(&p->rest, ','));
	return first;
}

/* --- terms ------------------------------------------------------------------------ */

/* The field that a mistyped one may have meant: the one with the longest common start. */
static const char *
nearest(const struct parser *p, struct str name)
{
	const char *best = NULL;
	size_t best_n = 0;

	for (size_t i = 0; i < p->fields_count; i++) {
		struct str have = str_from(p->fields[i].name);
		size_t n = 0;

		while (n < have.n && n < name.n && have.p[n] == byte_lower(name.p[n]))
			n++;
		if (n > best_n) {
			best = p->fields[i].name;
			best_n = n;
		}
	}
	return best;
}

static struct filter *
unknown_field(struct parser *p, size_t at, struct str name)
{
	const char *best = nearest(p, name);

	name = str_first(name, 40);
	(void)fail(p, at, "unknown_field", "unknown field", name);
	if (best)
		p->error->text =
			arena_printf(p->arena, "unknown field '%.*s'; did you mean '%s'?",
		                     STR_ARG(name), best);
	return NULL;
}

static bool
take_op(struct parser *p, enum filter_op *op_out)
{
	static const struct {
		struct str text;
		enum filter_op op;
	} ops[] = {
		{ STR_INIT("!="), OP_NOT },     { STR_INIT(">="), OP_MORE_IS },
		{ STR_INIT("<="), OP_LESS_IS }, { STR_INIT(">"), OP_MORE },
		{ STR_INIT("<"), OP_LESS },     { STR_INIT("="), OP_IS },
		{ STR_INIT(":"), OP_HAS },
	};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (str_skip(&p->rest, ops[i].text)) {
			*op_out = ops[i].op;
			return true;
		}
	}
	return false;
}

/* A name is letters and "_" right before an operator; "a:b" without that is a word. */
static size_t
name_bytes(struct str s)
{
	size_t n = 0;

	while (n < s.n && (byte_is_alpha(s.p[n]) || s.p[n] == '_'))
		n++;
	if (!n || n == s.n || str_find(STR(":=!<>"), s.p[n]) == SIZE_MAX)
		return 0;
	return n;
}

static struct filter *
read_field_term(struct parser *p, size_t name_size)
{
	size_t at = position(p), field = 0;
	struct str name = str_first(p->rest, name_size);
	struct filter *f;

	while (field < p->fields_count &&
	       !str_eq_icase(name, str_from(p->fields[field].name)))
		field++;
	if (field == p->fields_count)
		return unknown_field(p, at, name);
	f = node(p, KIND_TERM, NULL, NULL);
	f->field = field;
	f->type = p->fields[field].type;
	p->rest = str_from_offset(p->rest, name_size);
	at = position(p);
	if (!take_op(p, &f->op))
		return fail(p, at, "bad_operator", "no operator at",
		            str_first(p->rest, 4));
	if (f->op > OP_NOT && filter_is_text(f->type))
		return fail(p, at, "bad_operator", "this field has no order:", name);
	f->values = read_values(p, f->type);
	return f->values ? f : NULL;
}

static struct filter *
parse_term(struct parser *p)
{
	size_t at = position(p), name_size;
	struct filter *f;

	if (str_skip_byte(&p->rest, '-')) {
		if (++p->depth > FILTER_DEPTH_MAX)
			return fail(p, at, "too_deep", "nested too deep at", STR("-"));
		f = parse_term(p);
		p->depth--;
		return f ? node(p, KIND_NOT, f, NULL) : NULL;
	}
	if (str_skip_byte(&p->rest, '(')) {
		if (++p->depth > FILTER_DEPTH_MAX)
			return fail(p, at, "too_deep", "nested too deep at", STR("("));
		f = parse_or(p);
		p->depth--;
		skip_spaces(p);
		if (f && !str_skip_byte(&p->rest, ')'))
			return fail(p, at, "open_bracket", "no closing bracket for",
			            STR("("));
		return f;
	}
	name_size = name_bytes(p->rest);
	if (name_size)
		return read_field_term(p, name_size);
	f = node(p, KIND_WORD, NULL, NULL);
	f->type = FILTER_TEXT;
	f->values = read_values(p, FILTER_TEXT);
	return f->values ? f : NULL;
}

static bool
at_or(const struct parser *p)
{
	return str_starts(p->rest, STR("OR")) &&
	       (p->rest.n == 2 || str_find(STR(" \t("), p->rest.p[2]) != SIZE_MAX);
}

static struct filter *
parse_and(struct parser *p)
{
	struct filter *all = NULL, *f;

	for (;;) {
		skip_spaces(p);
		if (!p->rest.n || p->rest.p[0] == ')' || (all && at_or(p)))
			break;
		f = parse_term(p);
		if (!f)
			return NULL;
		all = all ? node(p, KIND_AND, all, f) : f;
	}
	if (!all)
		return fail(p, position(p), "bad_value", "something is missing at",
		            str_first(p->rest, 8));
	return all;
}

static struct filter *
parse_or(struct parser *p)
{
	struct filter *any = parse_and(p), *f;

	while (any && at_or(p)) {
		p->rest = str_from_offset(p->rest, 2);
		f = parse_and(p);
		if (!f)
			return NULL;
		any = node(p, KIND_OR, any, f);
	}
	return any;
}

enum err
filter_parse(struct str q, const struct filter_language *language, struct arena *a,
             struct filter **filter_out, struct filter_error *error_out)
{
	struct parser p = { .q = q,
		            .rest = q,
		            .fields = language->fields,
		            .fields_count = language->count,
		            .now_ms = language->now_ms,
		            .arena = a,
		            .error = error_out };

	*filter_out = NULL;
	if (q.n > FILTER_BYTES_MAX) {
		(void)fail(&p, FILTER_BYTES_MAX, "too_long", "longer than",
		           STR("1000 bytes"));
		return ERR_INVALID;
	}
	skip_spaces(&p);
	if (!p.rest.n)
		return OK;
	*filter_out = parse_or(&p);
	skip_spaces(&p);
	if (*filter_out && p.rest.n)
		*filter_out = fail(&p, position(&p), "bad_value",
		                   "cannot be read:", str_first(p.rest, 8));
	return *filter_out ? OK : ERR_INVALID;
}
