#include "policy/tag_list.h"

#include "base/lanes.h"
#include "base/strbuf.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* How many bytes at the front are no white space. */
static size_t
word_length(struct str s)
{
	size_t n = str_plain(s);

	while (n < s.n && !is_space(s.p[n]))
		n += 1 + str_plain(str_from_offset(s, n + 1));
	return n;
}

struct str
tag_squeeze(struct str value, struct arena *a)
{
	size_t n = word_length(value);
	struct strbuf b;

	if (n == value.n)
		return value;
	b = strbuf_arena(a, value.n);
	while (value.n) {
		strbuf_bytes(&b, value.p, n);
		while (n < value.n && is_space(value.p[n]))
			n++;
		value = str_from_offset(value, n);
		n = word_length(value);
	}
	return strbuf_str(&b);
}

bool
tag_next(struct str *rest, char separator, struct str *part_out)
{
	if (!str_next(rest, separator, part_out))
		return false;
	*part_out = str_trim(*part_out);
	return true;
}

static bool
is_name(struct str s)
{
	if (!s.n || !byte_is_alpha(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!byte_is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

static lanes
find_control(lanes v)
{
	return ((lanes)(v < ' ') & ~(lanes)((v == '\t') | (v == '\r') | (v == '\n'))) |
	       (lanes)(v == 0x7f);
}

/* Nothing but what can be printed and white space. */
static bool
is_text(struct str s)
{
	lanes found = { 0 }, last = found + ' ';
	size_t i = 0;

	for (; s.n - i >= LANES; i += LANES)
		found |= find_control(lanes_load(s.p + i));
	if (s.n)
		memcpy(&last, s.p + i, s.n - i);
	return !lanes_any(found | find_control(last));
}

/* Most names are one small letter. */
static bool
is_letter(struct str name)
{
	return name.n == 1 && name.p[0] >= 'a' && name.p[0] <= 'z';
}

static enum err
add(struct tag_list *list, struct str spec)
{
	size_t equals = str_find(spec, '=');
	struct tag tag;

	if (equals == SIZE_MAX)
		return ERR_SYNTAX;
	tag.name = str_trim(str_first(spec, equals));
	tag.raw = str_from_offset(spec, equals + 1);
	tag.value = str_trim(tag.raw);
	if (!is_name(tag.name))
		return ERR_SYNTAX;
	if (tag_list_find(list, tag.name))
		return ERR_EXISTS;
	if (list->count == TAG_LIST_MAX)
		return ERR_LIMIT;
	list->tags[list->count++] = tag;
	if (is_letter(tag.name))
		list->by_letter[tag.name.p[0] - 'a'] = (uint8_t)list->count;
	return OK;
}

_Static_assert(TAG_LIST_MAX <= UINT8_MAX, "by_letter");

enum err
tag_list_parse(struct str text, struct tag_list *list_out)
{
	struct str rest = text, spec;

	list_out->count = 0;
	memset(list_out->by_letter, 0, sizeof(list_out->by_letter));
	if (!is_text(text))
		return ERR_SYNTAX;
	while (str_next(&rest, ';', &spec)) {
		enum err e;

		/* Behind the last ";" nothing but white space may stand. */
		if (!rest.n && list_out->count && !str_trim(spec).n &&
		    text.p[text.n - 1] != ';')
			break;
		e = add(list_out, spec);
		if (e != OK)
			return e;
	}
	return list_out->count ? OK : ERR_SYNTAX;
}

const struct tag *
tag_list_find(const struct tag_list *list, struct str name)
{
	if (is_letter(name)) {
		size_t place = list->by_letter[name.p[0] - 'a'];

		return place ? &list->tags[place - 1] : NULL;
	}
	for (size_t i = 0; i < list->count; i++)
		if (str_eq(list->tags[i].name, name))
			return &list->tags[i];
	return NULL;
}
