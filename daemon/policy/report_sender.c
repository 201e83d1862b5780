#include "policy/report.h"

#include "mail/header.h"
#include "policy/auth_results.h"

static bool
is_below(struct str name, struct str domain)
{
	return domain.n && str_ends(name, domain) &&
	       (name.n == domain.n || name.p[name.n - domain.n - 1] == '.');
}

static bool
is_akin(struct str a, struct str b)
{
	return is_below(a, b) || is_below(b, a);
}

static bool
is_pass(const struct auth_result *r)
{
	return r && str_eq_icase(r->result, STR("pass"));
}

/* Without a DMARC record, or while nobody can say whether there is one: a signature or a
   permitted sender of the same domain says as much. */
static bool
is_aligned(const struct auth_results *all, struct str from)
{
	const struct auth_result *spf = auth_results_find(all, STR("spf"), 0);

	for (size_t i = 0; i < all->count; i++) {
		const struct auth_result *one = &all->results[i];

		if (str_eq_icase(one->method, STR("dkim")) && is_pass(one) &&
		    is_akin(auth_result_property(one, STR("header"), STR("d")), from))
			return true;
	}
	if (is_pass(spf)) {
		struct str sender =
			auth_result_property(spf, STR("smtp"), STR("mailfrom"));
		size_t at = str_find_last(sender, '@');

		return is_akin(at == SIZE_MAX ? sender : str_from_offset(sender, at + 1),
		               from);
	}
	return false;
}

bool
report_sender(struct str header, struct str authserv_id, struct arena *a,
              struct str *domain_out)
{
	struct auth_results all;
	const struct auth_result *dmarc;
	struct header_field field;

	*domain_out = STR("");
	/* Ours stands first, behind Return-Path; one further down may be anybody's. */
	do {
		if (!header_next(&header, &field))
			return false;
	} while (str_eq_icase(field.name, STR("return-path")));
	if (!auth_results_is_name(field.name) ||
	    auth_results_parse(field.value, a, &all) != OK ||
	    !str_eq_icase(all.authserv_id, authserv_id))
		return false;
	dmarc = auth_results_find(&all, STR("dmarc"), 0);
	if (!dmarc)
		return false;
	*domain_out = auth_result_property(dmarc, STR("header"), STR("from"));
	if (is_pass(dmarc))
		return domain_out->n > 0;
	return (str_eq_icase(dmarc->result, STR("none")) ||
	        str_eq_icase(dmarc->result, STR("temperror"))) &&
	       is_aligned(&all, *domain_out);
}
