#include "policy/mta_sts.h"

enum {
	AGE_DIGITS_MAX = 10, /* RFC 8461 3.2 */
	NAME_MAX_BYTES = 253,
};

static const struct str modes[] = {
	[MTA_STS_MODE_NONE] = STR_INIT("none"),
	[MTA_STS_MODE_TESTING] = STR_INIT("testing"),
	[MTA_STS_MODE_ENFORCE] = STR_INIT("enforce"),
};

/* ── the record ── */

/* "v=STSv1" and nothing else before the first ";".                       RFC 8461 3.1 */
static bool
is_record(struct str text)
{
	return str_skip(&text, STR("v=STSv1")) && str_starts(str_trim(text), STR(";"));
}

static bool
is_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!byte_is_alnum(s.p[i]))
			return false;
	return s.n && s.n <= MTA_STS_ID_MAX;
}

static enum err
record_id(struct str text, struct str *id_out)
{
	struct str field;
	bool has_id = false;

	while (str_next(&text, ';', &field)) {
		field = str_trim(field);
		if (has_id || !str_skip(&field, STR("id=")))
			continue;
		if (!is_id(field))
			return ERR_SYNTAX;
		*id_out = field;
		has_id = true;
	}
	return has_id ? OK : ERR_SYNTAX;
}

enum err
mta_sts_record_find(const struct dns_answer *txt, struct str *id_out)
{
	const struct dns_record *found = NULL;

	for (size_t i = 0; i < txt->count; i++) {
		if (!is_record(txt->records[i].text))
			continue;
		if (found)
			return ERR_NOT_FOUND;
		found = &txt->records[i];
	}
	return found ? record_id(found->text, id_out) : ERR_NOT_FOUND;
}

/* ── the policy ── */

/* A name, or "*." and a name.                                            RFC 8461 3.2 */
static bool
is_pattern(struct str s)
{
	struct str label;

	(void)str_skip(&s, STR("*."));
	if (!s.n || s.n > NAME_MAX_BYTES || s.p[s.n - 1] == '.')
		return false;
	while (str_next(&s, '.', &label)) {
		if (!label.n || label.n > 63)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!byte_is_alnum(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
	}
	return true;
}

struct reading {
	struct mta_sts_policy *policy;
	bool has_version, has_mode, has_age;
};

static const char *
take_mode(struct reading *r, struct str value)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (!str_eq(value, modes[i]))
			continue;
		r->policy->mode = (enum mta_sts_mode)i;
		r->has_mode = true;
		return NULL;
	}
	return "its mode is none that there is";
}

static const char *
take_age(struct reading *r, struct str value)
{
	uint64_t age;

	if (value.n > AGE_DIGITS_MAX || !str_parse_u64(value, &age))
		return "its max_age is no number";
	r->has_age = true;
	r->policy->max_age_s = age < MTA_STS_AGE_MAX_S ? (int64_t)age : MTA_STS_AGE_MAX_S;
	return NULL;
}

static const char *
take_mx(struct reading *r, struct str value)
{
	if (!is_pattern(value))
		return "it names an mx that is no host";
	if (r->policy->mx_count == MTA_STS_MX_MAX)
		return "it names too many mx";
	r->policy->mx[r->policy->mx_count++] = value;
	return NULL;
}

/* One "key: value". Where a key other than mx stands twice the first one counts, and
   keys that nobody knows are passed over (RFC 8461 3.2). */
static const char *
take_line(struct reading *r, struct str line)
{
	size_t colon = str_find(line, ':');
	struct str key = str_trim(str_first(line, colon)), value;

	if (colon == SIZE_MAX)
		return line.n ? "a line has no colon" : NULL;
	value = str_trim(str_from_offset(line, colon + 1));
	if (str_eq(key, STR("version"))) {
		if (!r->has_version && !str_eq(value, STR("STSv1")))
			return "its version is not STSv1";
		r->has_version = true;
	} else if (str_eq(key, STR("mode")) && !r->has_mode) {
		return take_mode(r, value);
	} else if (str_eq(key, STR("max_age")) && !r->has_age) {
		return take_age(r, value);
	} else if (str_eq(key, STR("mx"))) {
		return take_mx(r, value);
	}
	return NULL;
}

static const char *
what_is_missing(const struct reading *r)
{
	if (!r->has_version)
		return "it has no version";
	if (!r->has_mode)
		return "it has no mode";
	if (!r->has_age)
		return "it has no max_age";
	if (r->policy->mode != MTA_STS_MODE_NONE && !r->policy->mx_count)
		return "it names no mx";
	return NULL;
}

enum err
mta_sts_policy_parse(struct str body, struct mta_sts_policy *policy_out,
                     const char **fault_out)
{
	struct reading r = { .policy = policy_out };
	struct str line;

	*policy_out = (struct mta_sts_policy){ 0 };
	*fault_out = body.n > MTA_STS_BODY_MAX ? "it is too long" : NULL;
	while (!*fault_out && str_next(&body, '\n', &line))
		*fault_out = take_line(&r, str_trim(line));
	if (!*fault_out)
		*fault_out = what_is_missing(&r);
	return *fault_out ? ERR_SYNTAX : OK;
}

bool
mta_sts_has_mx(const struct mta_sts_policy *policy, struct str host)
{
	for (size_t i = 0; i < policy->mx_count; i++) {
		struct str pattern = policy->mx[i];

		if (str_skip(&pattern, STR("*."))) {
			/* A star is one label, never none or two. */
			size_t dot = str_find(host, '.');

			if (dot != SIZE_MAX && dot &&
			    str_eq_icase(str_from_offset(host, dot + 1), pattern))
				return true;
		} else if (str_eq_icase(host, pattern)) {
			return true;
		}
	}
	return false;
}

const char *
mta_sts_mode_word(enum mta_sts_mode mode)
{
	return modes[mode].p;
}
