#include "policy/auth_results.h"

#include "mail/address.h"

/* One reader of folded white space, comments and words serves both the border and the
   parser. It tells the end of the bytes from a wrong one, for values that still come. */

enum step {
	STEP_OK,
	STEP_END, /* the bytes are over in the middle of it */
	STEP_BAD,
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes a comment, nested ones and all, off *s. RFC 5322 3.2.2 */
static enum step
skip_comment(struct str *s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];

		if (c == '\\') {
			i++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			*s = str_from_offset(*s, i + 1);
			return STEP_OK;
		}
	}
	s->n = 0;
	return STEP_END;
}

/* Takes white space and comments off *s: STEP_OK where something else stands there. */
static enum step
skip_cfws(struct str *s)
{
	while (s->n) {
		if (is_space(s->p[0]))
			*s = str_from_offset(*s, 1);
		else if (s->p[0] != '(')
			return STEP_OK;
		else if (skip_comment(s) != STEP_OK)
			return STEP_BAD; /* an open comment, whether more comes or not */
	}
	return STEP_END;
}

/* Takes a quoted string off *s and adds what it says. */
static enum step
take_quoted(struct str *s, struct strbuf *out)
{
	for (size_t i = 1; i < s->n; i++) {
		char c = s->p[i];

		if (c == '"') {
			*s = str_from_offset(*s, i + 1);
			return STEP_OK;
		}
		if (c == '\r' || c == '\n') /* a fold */
			continue;
		if (c == '\\' && i + 1 < s->n)
			c = s->p[++i];
		strbuf_byte(out, c);
	}
	s->n = 0;
	return STEP_END;
}

static bool
ends_word(char c, struct str stops)
{
	return is_space(c) || c == ';' || c == '(' || str_find(stops, c) != SIZE_MAX;
}

/* Takes what stands up to a space, ";", a comment or one of `stops` off *s; quoted
   strings in it as they are meant. */
static enum step
take_word(struct str *s, struct str stops, struct strbuf *out)
{
	while (s->n) {
		char c = s->p[0];

		if (c == '"') {
			if (take_quoted(s, out) != STEP_OK)
				return STEP_BAD;
			continue;
		}
		if (ends_word(c, stops))
			return STEP_OK;
		strbuf_byte(out, c);
		*s = str_from_offset(*s, 1);
	}
	return STEP_END;
}

/* --- recognising -------------------------------------------------------------------- */

bool
auth_results_is_name(struct str name)
{
	return str_eq_icase(str_trim(name), STR("Authentication-Results"));
}

/* Lower case, A-labels, no final dot; what is no name stays as it is. */
static struct str
canonical(struct str name, struct strbuf *room)
{
	while (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (domain_normalize(name, room) == OK)
		return strbuf_str(room);
	return name;
}

static bool
is_host_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!byte_is_alnum(name.p[i]) &&
		    str_find(STR("-._"), name.p[i]) == SIZE_MAX)
			return false;
	return name.n > 0;
}

static enum auth_results_owner
owner_by_name(struct str name, struct str authserv_id)
{
	char bytes[ADDRESS_KEY_MAX], own_bytes[ADDRESS_KEY_MAX];
	struct strbuf room = strbuf_on(bytes), own_room = strbuf_on(own_bytes);
	struct str own = canonical(authserv_id, &own_room);
	struct str other = canonical(str_trim(name), &room);

	if (str_eq_icase(own, other))
		return AUTH_RESULTS_OURS;
	/* A host's name that is not ours, however like it, is not ours. Anything else
	   that has our name in it may be read as ours by somebody. */
	if (!is_host_name(other) && (str_find_icase(name, authserv_id) != SIZE_MAX ||
	                             str_find_icase(other, own) != SIZE_MAX))
		return AUTH_RESULTS_OURS;
	return AUTH_RESULTS_OTHER;
}

enum auth_results_owner
auth_results_owner(struct str value, bool is_whole, struct str authserv_id)
{
	struct arena *a;
	struct strbuf name;
	struct str rest;
	enum auth_results_owner owner;
	enum step step;
	bool is_last = is_whole || value.n >= AUTH_RESULTS_ID_MAX;
	bool is_read, is_named;

	value = str_first(value, AUTH_RESULTS_ID_MAX);
	rest = value;
	step = skip_cfws(&rest);
	if (step != STEP_OK && !is_last)
		return AUTH_RESULTS_MORE;
	if (step != STEP_OK && !is_whole)
		return AUTH_RESULTS_OURS;
	a = arena_new(AUTH_RESULTS_ID_MAX * 4);
	name = strbuf_arena(a, AUTH_RESULTS_ID_MAX);
	is_read = step == STEP_OK && take_word(&rest, STR("="), &name) == STEP_OK;
	/* A word before "=" is a method: the server is not named. */
	is_named = is_read ? rest.p[0] != '=' : is_last && is_whole && rest.n == 0;
	if (is_named && name.n)
		owner = owner_by_name(strbuf_str(&name), authserv_id);
	else if (!is_last)
		owner = AUTH_RESULTS_MORE;
	else if (str_find_icase(value, authserv_id) != SIZE_MAX)
		owner = AUTH_RESULTS_OURS;
	else
		owner = is_whole || is_read ? AUTH_RESULTS_OTHER : AUTH_RESULTS_OURS;
	arena_free(&a);
	return owner;
}

/* --- reading ------------------------------------------------------------------------ */

struct reader {
	struct str rest;
	struct arena *arena;
	bool is_full; /* the arena, or a bound */
	bool is_open; /* a comment never ends */
};

enum {
	WORD_MAX = 2048,
};

/* The next word behind white space; false where none stands there. Only one with quotes
   is copied. */
static bool
next_word(struct reader *r, struct str stops, struct str *word_out)
{
	struct strbuf b = strbuf_arena(r->arena, WORD_MAX);
	struct str start;
	size_t n = 0;

	if (skip_cfws(&r->rest) != STEP_OK)
		return false;
	start = r->rest;
	while (n < start.n && !ends_word(start.p[n], stops) && start.p[n] != '"')
		n++;
	*word_out = str_first(start, n);
	r->rest = str_from_offset(start, n);
	if (r->rest.n == 0 || r->rest.p[0] != '"')
		return n > 0;
	r->rest = start;
	if (take_word(&r->rest, stops, &b) == STEP_BAD)
		return false;
	if (b.overflow)
		r->is_full = true;
	*word_out = strbuf_str(&b);
	return true; /* "" is a word as well */
}

/* The next byte behind white space; 0 at the end, and where a comment is open. */
static char
peek(struct reader *r)
{
	enum step step = skip_cfws(&r->rest);

	r->is_open = r->is_open || step == STEP_BAD;
	return step == STEP_OK ? r->rest.p[0] : '\0';
}

static bool
skip_byte(struct reader *r, char c)
{
	return peek(r) == c && str_skip_byte(&r->rest, c);
}

static bool
read_version(struct reader *r, uint32_t *version_out)
{
	struct str digits;

	return next_word(r, STR("="), &digits) && str_parse_u32(digits, version_out);
}

/* ptype.property=value, and what some write: name=value without ptype. */
static bool
read_property(struct reader *r, struct auth_property *p, bool *is_reason_out)
{
	struct str first;

	*is_reason_out = false;
	if (!next_word(r, STR("=."), &first) || first.n == 0)
		return false;
	if (skip_byte(r, '.')) {
		p->ptype = first;
		if (!next_word(r, STR("="), &p->name) || p->name.n == 0)
			return false;
	} else {
		p->ptype = STR("");
		p->name = first;
		*is_reason_out = str_eq_icase(first, STR("reason"));
	}
	if (!skip_byte(r, '='))
		return false;
	p->value = STR("");
	/* Nothing at all may stand there: "smtp.mailfrom=". */
	if (peek(r) && peek(r) != ';' && !next_word(r, STR(""), &p->value))
		return false;
	return true;
}

static bool
read_result(struct reader *r, struct auth_result *result)
{
	struct auth_property found[AUTH_RESULTS_PROPERTY_MAX];
	struct auth_property *copy;
	struct auth_property one;
	bool is_reason;

	result->version = 1;
	result->reason = STR("");
	result->property_count = 0;
	if (!next_word(r, STR("=/"), &result->method) || result->method.n == 0)
		return false;
	if (skip_byte(r, '/') && !read_version(r, &result->version))
		return false;
	if (!skip_byte(r, '=') || !next_word(r, STR("="), &result->result))
		return false;
	while (peek(r) && peek(r) != ';') {
		if (!read_property(r, &one, &is_reason))
			return false;
		if (is_reason && result->reason.n == 0) {
			result->reason = one.value;
		} else if (result->property_count == ARRAY_LEN(found)) {
			r->is_full = true;
			return false;
		} else {
			found[result->property_count++] = one;
		}
	}
	copy = arena_try(r->arena, result->property_count * sizeof(one));
	if (!copy) {
		r->is_full = true;
		return false;
	}
	if (result->property_count)
		memcpy(copy, found, result->property_count * sizeof(one));
	result->properties = copy;
	return true;
}

static bool
read_results(struct reader *r, struct auth_result *results, size_t *count_out)
{
	size_t count = 0;

	while (skip_byte(r, ';')) {
		struct str before = r->rest, none;

		if (!peek(r))
			break; /* many write a semicolon at the end */
		if (count == 0 && next_word(r, STR("=/"), &none) &&
		    str_eq_icase(none, STR("none")) && !peek(r))
			break;
		r->rest = before;
		if (count == AUTH_RESULTS_COUNT_MAX) {
			r->is_full = true;
			return false;
		}
		if (!read_result(r, &results[count++]))
			return false;
	}
	*count_out = count;
	return peek(r) == '\0' && !r->is_open && r->rest.n == 0;
}

enum err
auth_results_parse(struct str value, struct arena *a, struct auth_results *results_out)
{
	struct reader r = { .rest = value, .arena = a };
	struct auth_result *results =
		arena_try(a, AUTH_RESULTS_COUNT_MAX * sizeof(*results));
	bool is_good;

	*results_out = (struct auth_results){ .version = 1, .results = results };
	if (!results)
		return ERR_LIMIT;
	is_good = next_word(&r, STR("="), &results_out->authserv_id) &&
	          results_out->authserv_id.n &&
	          (!byte_is_digit(peek(&r)) || read_version(&r, &results_out->version)) &&
	          read_results(&r, results, &results_out->count);
	if (r.is_full)
		return ERR_LIMIT;
	return is_good ? OK : ERR_SYNTAX;
}

const struct auth_result *
auth_results_find(const struct auth_results *results, struct str method, size_t from)
{
	for (size_t i = from; i < results->count; i++)
		if (str_eq_icase(results->results[i].method, method))
			return &results->results[i];
	return NULL;
}

struct str
auth_result_property(const struct auth_result *result, struct str ptype, struct str name)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (str_eq_icase(result->properties[i].ptype, ptype) &&
		    str_eq_icase(result->properties[i].name, name))
			return result->properties[i].value;
	return STR("");
}
