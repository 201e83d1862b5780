#include "policy/arc_set.h"

#include "mail/header.h"
#include "policy/dkim_fields.h"
#include "policy/dkim_signature.h"
#include "policy/tag_list.h"

enum {
	FIELDS_MAX = 3 * ARC_SETS_MAX,
	BYTES_MAX = 512 << 10, /* of all fields: each seal signs them all again */
};

static unsigned
parse_instance(struct str s)
{
	uint64_t n;

	if (!str_parse_u64(s, &n) || n < 1 || n > ARC_SETS_MAX || s.p[0] == '0')
		return 0;
	return (unsigned)n;
}

unsigned
arc_take_instance(struct str *value)
{
	size_t end = str_find(*value, ';');
	struct str tag = str_first(*value, end);
	size_t equals = str_find(tag, '=');
	unsigned instance;

	if (end == SIZE_MAX || equals == SIZE_MAX ||
	    !str_eq(str_trim(str_first(tag, equals)), STR("i")))
		return 0;
	instance = parse_instance(str_trim(str_from_offset(tag, equals + 1)));
	if (instance)
		*value = str_from_offset(*value, end + 1);
	return instance;
}

static unsigned
instance_of_tags(struct str value)
{
	struct tag_list list;
	const struct tag *i;

	if (value.n > DKIM_FIELD_MAX || tag_list_parse(value, &list) != OK)
		return 0;
	i = tag_list_find(&list, STR("i"));
	return i ? parse_instance(i->value) : 0;
}

/* Which field of a set it is, in a set; NULL: none of ARC's. */
static struct str *
place(struct str name, struct arc_fields *set)
{
	if (str_eq_icase(name, STR("arc-authentication-results")))
		return &set->results;
	if (str_eq_icase(name, STR("arc-message-signature")))
		return &set->message;
	if (str_eq_icase(name, STR("arc-seal")))
		return &set->seal;
	return NULL;
}

static const char *
add(struct arc_chain *chain, const struct header_field *field)
{
	struct arc_fields any = { 0 };
	struct str value = field->value, *at = place(field->name, &any);
	unsigned instance =
		at == &any.results ? arc_take_instance(&value) : instance_of_tags(value);

	if (!instance)
		return "a field of the chain has no number, or cannot be read";
	if (instance > chain->count)
		chain->count = instance;
	at = place(field->name, &chain->sets[instance - 1]);
	if (at->n)
		return "a field of the chain stands twice";
	*at = field->raw;
	return NULL;
}

static const char *
find_gap(const struct arc_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		const struct arc_fields *set = &chain->sets[i];

		if (!set->results.n || !set->message.n || !set->seal.n)
			return "a field of the chain is missing";
	}
	return NULL;
}

void
arc_chain_gather(struct str header, struct arc_chain *chain_out)
{
	struct str rest = header;
	struct header_field field;
	struct arc_fields any;
	size_t fields = 0, bytes = 0;

	*chain_out = (struct arc_chain){ 0 };
	while (header_next(&rest, &field)) {
		const char *problem;

		if (!place(field.name, &any))
			continue;
		bytes += field.raw.n;
		if (++fields > FIELDS_MAX || bytes > BYTES_MAX) {
			chain_out->problem = "the chain is too long";
			return;
		}
		problem = add(chain_out, &field);
		if (!chain_out->problem)
			chain_out->problem = problem;
	}
	if (!chain_out->problem)
		chain_out->problem = find_gap(chain_out);
}

void
arc_chain_canon(const struct arc_fields *set, bool is_own, struct str b_value,
                dkim_sink_fn *sink, void *arg)
{
	dkim_canon_field(DKIM_RELAXED, set->results, STR(""), false, sink, arg);
	dkim_canon_field(DKIM_RELAXED, set->message, STR(""), false, sink, arg);
	dkim_canon_field(DKIM_RELAXED, set->seal, b_value, is_own, sink, arg);
}
