/* Does a row match; and what a reader can be told of the rows that will, so that it
 * leaves out the others. */
#include "api/filter_priv.h"

/* --- matching --------------------------------------------------------------------- */

/* "*" stands for any bytes; without case; linear but for one way back. */
static bool
matches_glob(struct str text, struct str glob)
{
	size_t t = 0, g = 0, star = SIZE_MAX, mark = 0;

	while (t < text.n) {
		if (g < glob.n && glob.p[g] == '*') {
			star = g++;
			mark = t;
		} else if (g < glob.n && byte_lower(glob.p[g]) == byte_lower(text.p[t])) {
			g++;
			t++;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (g < glob.n && glob.p[g] == '*')
		g++;
	return g == glob.n;
}

static bool
matches_text(enum filter_op op, enum filter_type type, struct str have, struct str want)
{
	if (op == OP_HAS && str_find(want, '*') != SIZE_MAX)
		return matches_glob(have, want);
	if (op == OP_HAS && type == FILTER_TEXT)
		return str_find_icase(have, want) != SIZE_MAX;
	return str_eq_icase(have, want);
}

static bool
is_whole_address(struct str s)
{
	return str_find(s, '@') != SIZE_MAX && str_find(s, '*') == SIZE_MAX;
}

static bool
matches_address(enum filter_op op, struct str have, struct str want)
{
	struct str one;

	while (str_next(&have, ' ', &one)) {
		bool held;

		if (str_starts(want, STR("@")))
			held = str_ends_icase(one, want);
		else if (is_whole_address(want))
			held = str_eq_icase(one, want);
		else
			held = matches_text(op, FILTER_TEXT, one, want);
		if (held)
			return true;
	}
	return false;
}

static bool
matches_number(enum filter_op op, int64_t have, const struct one_value *v)
{
	switch (op) {
	case OP_HAS:
	case OP_IS:
	case OP_NOT:
		return have >= v->first && have <= v->last;
	case OP_MORE:
		return have > v->last;
	case OP_MORE_IS:
		return have >= v->first;
	case OP_LESS:
		return have < v->first;
	case OP_LESS_IS:
		return have <= v->last;
	}
	return false;
}

static bool
matches_field(const struct filter *f, enum filter_type type, struct filter_value have)
{
	for (const struct one_value *v = f->values; v; v = v->next) {
		bool held;

		if (type == FILTER_ADDRESS)
			held = matches_address(f->op, have.text, v->text);
		else if (filter_is_text(type))
			held = matches_text(f->op, type, have.text, v->text);
		else
			held = matches_number(f->op, have.number, v);
		if (held)
			return f->op != OP_NOT;
	}
	return f->op == OP_NOT;
}

static bool
matches_word(const struct filter *f, filter_get_fn *get, const void *row)
{
	for (size_t i = 0; i < f->fields_count; i++) {
		if (f->fields[i].is_any &&
		    matches_field(f, f->fields[i].type, get(row, i)))
			return true;
	}
	return false;
}

bool
filter_matches(const struct filter *f, filter_get_fn *get, const void *row)
{
	if (!f)
		return true;
	switch (f->kind) {
	case KIND_AND:
		return filter_matches(f->left, get, row) &&
		       filter_matches(f->right, get, row);
	case KIND_OR:
		return filter_matches(f->left, get, row) ||
		       filter_matches(f->right, get, row);
	case KIND_NOT:
		return !filter_matches(f->left, get, row);
	case KIND_TERM:
		return matches_field(f, f->type, get(row, f->field));
	case KIND_WORD:
		return matches_word(f, get, row);
	}
	return false;
}

/* --- what readers can be told ----------------------------------------------------- */

static bool
is_one_exact(const struct filter *f)
{
	const struct one_value *v = f->values;

	if (v->next)
		return false;
	if (f->op == OP_IS)
		return true;
	return f->op == OP_HAS && f->type == FILTER_EXACT &&
	       str_find(v->text, '*') == SIZE_MAX;
}

bool
filter_needs(const struct filter *f, size_t field, struct str *value_out)
{
	if (f && f->kind == KIND_AND)
		return filter_needs(f->left, field, value_out) ||
		       filter_needs(f->right, field, value_out);
	if (!f || f->kind != KIND_TERM || f->field != field || !is_one_exact(f))
		return false;
	*value_out = f->values->text;
	return true;
}

bool
filter_needs_part(const struct filter *f, size_t field, struct str *part_out)
{
	if (f && f->kind == KIND_AND)
		return filter_needs_part(f->left, field, part_out) ||
		       filter_needs_part(f->right, field, part_out);
	if (!f || f->kind != KIND_TERM || f->field != field || f->values->next ||
	    f->op == OP_NOT || str_find(f->values->text, '*') != SIZE_MAX)
		return false;
	*part_out = f->values->text;
	return true;
}

bool
filter_needs_word(const struct filter *f, struct str *word_out)
{
	if (f && f->kind == KIND_AND)
		return filter_needs_word(f->left, word_out) ||
		       filter_needs_word(f->right, word_out);
	if (!f || f->kind != KIND_WORD || f->values->next)
		return false;
	*word_out = f->values->text;
	return true;
}

static void
narrow(const struct filter *f, int64_t *first, int64_t *last)
{
	const struct one_value *v = f->values;
	bool is_low = f->op == OP_HAS || f->op == OP_IS || f->op == OP_MORE_IS;
	bool is_high = f->op == OP_HAS || f->op == OP_IS || f->op == OP_LESS_IS;

	if (is_low && v->first > *first)
		*first = v->first;
	if (f->op == OP_MORE && v->last >= *first && v->last < INT64_MAX)
		*first = v->last + 1;
	if (is_high && v->last < *last)
		*last = v->last;
	if (f->op == OP_LESS && v->first <= *last && v->first > INT64_MIN)
		*last = v->first - 1;
}

static bool
find_range(const struct filter *f, size_t field, int64_t *first, int64_t *last)
{
	bool is_left;

	if (f && f->kind == KIND_AND) {
		is_left = find_range(f->left, field, first, last);
		return find_range(f->right, field, first, last) || is_left;
	}
	if (!f || f->kind != KIND_TERM || f->field != field || f->values->next ||
	    f->op == OP_NOT)
		return false;
	narrow(f, first, last);
	return true;
}

bool
filter_needs_range(const struct filter *f, size_t field, int64_t *first_out,
                   int64_t *last_out)
{
	*first_out = INT64_MIN;
	*last_out = INT64_MAX;
	return find_range(f, field, first_out, last_out);
}

bool
filter_is_empty(const struct filter *f)
{
	return !f;
}
