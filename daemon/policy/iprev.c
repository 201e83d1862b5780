#include "policy/iprev.h"

bool
iprev_is_below(struct str name, struct str domain)
{
	if (name.n == domain.n)
		return str_eq_icase(name, domain);
	return name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
	       str_ends_icase(name, domain);
}

static bool
has_address(const struct dns_answer *answer, const struct addr *ip)
{
	for (size_t i = 0; i < answer->count; i++)
		if (addr_eq_ip(&answer->records[i].addr, ip))
			return true;
	return false;
}

enum policy_step
iprev_names_find(const struct addr *ip, struct str below, struct lookups *l,
                 struct iprev_names *names_out)
{
	const struct dns_answer *ptr = lookups_find_ptr(l, ip);
	enum dns_type type = ip->family == ADDR_V4 ? DNS_A : DNS_AAAA;
	enum policy_step step = POLICY_DONE;

	*names_out = (struct iprev_names){ 0 };
	if (!ptr)
		return POLICY_NEED;
	names_out->is_ptr_temp = ptr->status == DNS_TEMP;
	/* All addresses are asked for at once. */
	for (size_t i = 0; i < ptr->count && i < IPREV_NAMES_MAX; i++) {
		struct str name = ptr->records[i].name;
		const struct dns_answer *back;

		names_out->seen++;
		if (i == 0)
			names_out->first = name;
		if (below.n && !iprev_is_below(name, below))
			continue;
		back = lookups_find(l, name, type);
		if (!back)
			step = POLICY_NEED;
		else if (back->status == DNS_TEMP)
			names_out->is_address_temp = true;
		else if (has_address(back, ip))
			names_out->names[names_out->count++] = name;
	}
	return step;
}

static enum iprev_result
judge(const struct iprev_names *names)
{
	if (names->count)
		return IPREV_PASS;
	if (names->is_ptr_temp || names->is_address_temp)
		return IPREV_TEMPERROR;
	return names->seen ? IPREV_FAIL : IPREV_PERMERROR;
}

static struct str
explain(struct arena *a, enum iprev_result r, const struct addr *ip, struct str name)
{
	char text[ADDR_TEXT_MAX];
	struct str shown = addr_ip_text(ip, &text);

	switch (r) {
	case IPREV_PASS:
		return arena_printf(a, "%.*s has the name %.*s, which leads back to it",
		                    STR_ARG(shown), STR_ARG(name));
	case IPREV_FAIL:
		return arena_printf(
			a, "%.*s has the name %.*s, which does not lead back to it",
			STR_ARG(shown), STR_ARG(name));
	case IPREV_TEMPERROR:
		return arena_printf(a, "the name of %.*s could not be looked up",
		                    STR_ARG(shown));
	case IPREV_PERMERROR:
		break;
	}
	return arena_printf(a, "%.*s has no name", STR_ARG(shown));
}

enum policy_step
iprev_check(const struct addr *ip, struct lookups *l, struct arena *a,
            struct iprev_verdict *verdict_out)
{
	struct iprev_names names;
	struct str name;

	*verdict_out = (struct iprev_verdict){ .result = IPREV_PERMERROR };
	if (ip->family == ADDR_NONE) {
		verdict_out->reason = STR("the client has no network address");
		return POLICY_DONE;
	}
	if (iprev_names_find(ip, (struct str){ 0 }, l, &names) == POLICY_NEED)
		return POLICY_NEED;
	if (names.count)
		verdict_out->host = names.names[0];
	name = names.count ? names.names[0] : names.first;
	verdict_out->result = judge(&names);
	verdict_out->reason = explain(a, verdict_out->result, ip, name);
	return POLICY_DONE;
}
