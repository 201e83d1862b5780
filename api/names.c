#include "api/names.h"

#include "api/fields.h"
#include "mail/address.h"

struct str
names_id(struct api_request *r, const char *prefix, uint64_t id)
{
	return arena_printf(r->arena, "%s_%llu", prefix, (unsigned long long)id);
}

uint64_t
names_parse_id(struct str s, const char *prefix)
{
	uint64_t id;

	if (!str_skip(&s, str_from(prefix)) || !str_skip_byte(&s, '_') ||
	    !str_parse_u64(s, &id))
		return 0;
	return id;
}

static bool
invalid(struct api_request *r, struct str pointer, const char *code, const char *detail)
{
	api_fault(r, pointer, code, "%s", detail);
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

static bool
not_found(struct api_request *r)
{
	api_problem(r, PROBLEM_NOT_FOUND, NULL);
	return false;
}

/* --- normal forms ----------------------------------------------------------------- */

static bool
normal_domain(struct api_request *r, struct str s, struct str *out)
{
	struct strbuf b = strbuf_arena(r->arena, ADDRESS_KEY_MAX);

	if (domain_normalize(s, &b) != OK || b.n > ADDRESS_DOMAIN_MAX - 1)
		return false;
	*out = strbuf_str(&b);
	return domain_check(*out, false) && str_find(*out, '.') != SIZE_MAX;
}

static bool
normal_address(struct api_request *r, struct str s, struct str *out)
{
	struct strbuf b = strbuf_arena(r->arena, ADDRESS_KEY_MAX);
	struct address address;

	if (address_parse(s, ADDRESS_UTF8, r->arena, &address) != OK ||
	    address_normalize(&address, &b) != OK)
		return false;
	*out = strbuf_str(&b);
	return !address.is_literal;
}

/* "*@domain" and "@domain" are the catch-all. */
static bool
normal_alias(struct api_request *r, struct str s, struct str *out)
{
	struct str domain;

	(void)(str_starts(s, STR("*@")) && str_skip_byte(&s, '*'));
	if (!str_skip_byte(&s, '@'))
		return normal_address(r, s, out);
	if (!normal_domain(r, s, &domain))
		return false;
	*out = arena_printf(r->arena, "@%.*s", STR_ARG(domain));
	return true;
}

bool
names_check_domain(struct api_request *r, struct str pointer, struct str s,
                   struct str *name_out)
{
	return normal_domain(r, s, name_out) ||
	       invalid(r, pointer, "not_a_domain",
	               "must be a domain name like example.com");
}

bool
names_any_domain(struct api_request *r, struct str param, struct str *name_out)
{
	return normal_domain(r, param, name_out) || not_found(r);
}

bool
names_check_login(struct api_request *r, struct str pointer, struct str s,
                  struct str *address_out)
{
	return (normal_address(r, s, address_out) && address_is_login(*address_out)) ||
	       invalid(r, pointer, "not_an_address",
	               "must be NAME@DOMAIN with letters, digits and . _ + - in NAME");
}

bool
names_check_alias(struct api_request *r, struct str pointer, struct str s,
                  struct str *address_out)
{
	return normal_alias(r, s, address_out) ||
	       invalid(r, pointer, "not_an_address", "must be an address, or *@DOMAIN");
}

bool
names_check_target(struct api_request *r, struct str pointer, struct str s,
                   struct str *address_out)
{
	/* A list of addresses is kept with spaces between them. */
	return (normal_address(r, s, address_out) &&
	        str_find(*address_out, ' ') == SIZE_MAX) ||
	       invalid(r, pointer, "not_an_address", "must be an address");
}

/* --- what a path names ------------------------------------------------------------ */

struct domain_by_id {
	struct api_request *r;
	uint64_t id;
	struct str name;
};

static bool
is_that_domain(void *arg, const struct domain *d)
{
	struct domain_by_id *find = arg;

	if (d->id != find->id)
		return true;
	find->name = arena_str(find->r->arena, d->name);
	return false;
}

bool
names_domain(struct api_request *r, struct str param, struct str *name_out)
{
	struct domain_by_id find = { .r = r, .id = names_parse_id(param, "dom") };

	if (find.id) {
		if (reader_domains(r->api->reader,
		                   (struct names_from){ .is_down = false },
		                   NAMES_SCAN_MAX, is_that_domain, &find) != OK ||
		    !find.name.n)
			return not_found(r);
		*name_out = find.name;
	} else if (!normal_domain(r, param, name_out)) {
		return not_found(r);
	}
	return api_may_domain(r, *name_out) || not_found(r);
}

bool
names_find_domain(struct api_request *r, struct str param, struct domain *domain_out)
{
	struct str name;
	enum err e;

	if (!names_domain(r, param, &name))
		return false;
	e = reader_domain(r->api->reader, name, r->arena, domain_out);
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

bool
names_account(struct api_request *r, struct str param, struct str *address_out)
{
	uint64_t id = names_parse_id(param, "acc");
	struct account account;

	if (id) {
		if (reader_account_by_id(r->api->reader, id, r->arena, &account) != OK)
			return not_found(r);
		*address_out = account.address;
	} else if (!normal_address(r, param, address_out)) {
		return not_found(r);
	}
	return api_may_domain(r, api_domain_of(*address_out)) || not_found(r);
}

static bool
is_that_alias(void *arg, const struct alias *alias)
{
	struct domain_by_id *find = arg;

	if (alias->id != find->id)
		return true;
	find->name = arena_str(find->r->arena, alias->address);
	return false;
}

bool
names_alias(struct api_request *r, struct str param, struct str *address_out)
{
	struct domain_by_id find = { .r = r, .id = names_parse_id(param, "als") };

	if (find.id) {
		if (reader_aliases(r->api->reader, 0,
		                   (struct names_from){ .is_down = false },
		                   NAMES_SCAN_MAX, is_that_alias, &find) != OK ||
		    !find.name.n)
			return not_found(r);
		*address_out = find.name;
	} else if (!normal_alias(r, param, address_out)) {
		return not_found(r);
	}
	return api_may_domain(r, api_domain_of(*address_out)) || not_found(r);
}

/* The id of the domain; 0: none is named; UINT64_MAX: it is none of ours. */
static uint64_t
domain_filter(struct api_request *r, struct str name)
{
	struct domain d;
	struct str normal;

	if (!name.n)
		return 0;
	if (normal_domain(r, name, &normal) &&
	    reader_domain(r->api->reader, normal, r->arena, &d) == OK)
		return d.id;
	return UINT64_MAX;
}

bool
names_list_begin(struct names_list *l, struct api_request *r, const char *list)
{
	enum { SEARCH, DOMAIN, COUNT };
	static const struct field_spec query[COUNT] = {
		[SEARCH] = { .name = "search", .kind = FIELD_STR, .max = 254 },
		[DOMAIN] = { .name = "domain", .kind = FIELD_STR, .max = 254 },
	};
	struct field f[COUNT];
	struct str filter;

	if (!fields_query(r, query, COUNT, f))
		return false;
	filter = arena_printf(r->arena, "%.*s %.*s", STR_ARG(f[DOMAIN].s),
	                      STR_ARG(f[SEARCH].s));
	if (!page_begin_both(&l->page, r, list, filter, "address", false))
		return false;
	l->search = f[SEARCH].s;
	l->domain_id = domain_filter(r, f[DOMAIN].s);
	return true;
}

bool
names_list_has(const struct names_list *l, struct str address, struct str text)
{
	return api_may_domain(l->page.r, api_domain_of(address)) &&
	       (str_find_icase(address, l->search) != SIZE_MAX ||
	        str_find_icase(text, l->search) != SIZE_MAX);
}

/* --- answers ---------------------------------------------------------------------- */

bool
names_has_domain(struct api_request *r, struct str address)
{
	struct domain d;
	enum err e = reader_domain(r->api->reader, api_domain_of(address), r->arena, &d);

	if (e == ERR_NOT_FOUND) {
		api_fault(r, STR("/address"), "no_such_domain", "add its domain first");
		api_problem(r, PROBLEM_INVALID, NULL);
	} else if (e != OK) {
		api_problem_err(r, e);
	}
	return e == OK;
}

void
names_exists(struct api_request *r, const char *prefix, uint64_t id)
{
	r->problem_key = "id";
	r->problem_value = names_id(r, prefix, id);
	api_problem(r, PROBLEM_EXISTS, NULL);
}

void
names_write_words(struct json_out *j, const char *key, struct str words, bool or_null)
{
	struct str word;

	if (!words.n && or_null) {
		json_out_null(j, key);
		return;
	}
	json_open_array(j, key);
	while (str_next(&words, ' ', &word)) {
		if (word.n)
			json_str(j, NULL, word);
	}
	json_close_array(j);
}

struct str
names_show_alias(struct api_request *r, struct str address)
{
	return str_starts(address, STR("@"))
	               ? arena_printf(r->arena, "*%.*s", STR_ARG(address))
	               : address;
}
