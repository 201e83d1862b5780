#include "policy/dmarc_priv.h"

#include "ext/psl.h"
#include "mail/address.h"

#define PREFIX "_dmarc."

static size_t
count_labels(struct str domain)
{
	size_t n = 1;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

static struct str
parent(struct str domain)
{
	size_t at = str_find(domain, '.');

	return at == SIZE_MAX ? STR("") : str_from_offset(domain, at + 1);
}

/* Exactly one record of DMARC counts; several are none. RFC 9989 4.10, step 2 */
static void
read_answer(const struct dns_answer *answer, struct dmarc_stop *stop)
{
	struct dmarc_record record;
	size_t count = 0;

	stop->is_temp = answer->status == DNS_TEMP;
	for (size_t i = 0; i < answer->count; i++) {
		enum err e = dmarc_record_parse(answer->records[i].text, &record);

		if (e == ERR_NOT_FOUND)
			continue;
		count++;
		stop->record = record;
		stop->is_broken = e != OK;
	}
	stop->has_record = count == 1;
}

static const struct dns_answer *
ask(struct str domain, struct lookups *l)
{
	char bytes[sizeof(PREFIX) + DMARC_DOMAIN_MAX];
	struct strbuf name = strbuf_on(bytes);

	strbuf_lit(&name, PREFIX);
	strbuf_add(&name, domain);
	return lookups_find(l, strbuf_str(&name), DNS_TXT);
}

enum policy_step
dmarc_walk(struct str domain, struct lookups *l, struct dmarc_walk *walk_out)
{
	const struct dns_answer *answers[DMARC_WALK_MAX];
	size_t count = 0, labels = count_labels(domain);
	bool is_missing = false;

	*walk_out = (struct dmarc_walk){ 0 };
	/* All names at once: a walk is never longer than eight, and usually three. */
	while (domain.n && count < DMARC_WALK_MAX) {
		walk_out->stops[count].domain = domain;
		answers[count] = ask(domain, l);
		is_missing = is_missing || !answers[count];
		count++;
		/* From eight labels on the middle is left out. RFC 9989 4.10, step 4 */
		do {
			domain = parent(domain);
			labels--;
		} while (count == 1 && labels >= DMARC_WALK_MAX);
	}
	if (is_missing)
		return POLICY_NEED;
	for (size_t i = 0; i < count; i++) {
		struct dmarc_stop *stop = &walk_out->stops[i];

		read_answer(answers[i], stop);
		walk_out->count = i + 1;
		if (stop->has_record && stop->record.psd != 'u')
			break;
	}
	return POLICY_DONE;
}

/* RFC 9989 4.10.2 */
struct str
dmarc_walk_org(const struct dmarc_walk *walk)
{
	struct str org = STR("");

	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_stop *stop = &walk->stops[i];
		struct str first = walk->stops[0].domain, below;

		if (!stop->has_record)
			continue;
		org = stop->domain;
		if (stop->record.psd != 'y' || i == 0)
			continue;
		/* One label below, which the walk may have left out. */
		below = str_first(first, first.n - stop->domain.n - 1);
		return str_from_offset(first, str_find_last(below, '.') == SIZE_MAX
		                                      ? 0
		                                      : str_find_last(below, '.') + 1);
	}
	return org;
}

enum policy_step
dmarc_walk_org_or_listed(struct str domain, struct lookups *l, struct str *org_out,
                         bool *is_temp_out)
{
	struct dmarc_walk walk;

	if (dmarc_walk(domain, l, &walk) == POLICY_NEED)
		return POLICY_NEED;
	*is_temp_out = false;
	*org_out = dmarc_walk_org(&walk);
	/* A silent name above the one that was found stops nobody: there are few records
	   so high up, and they say psd=y. */
	for (size_t i = 0; i < walk.count && walk.stops[i].domain.n >= org_out->n; i++)
		*is_temp_out = *is_temp_out || walk.stops[i].is_temp;
	if (!org_out->n)
		*org_out = psl_registered_domain(domain);
	if (!org_out->n)
		*org_out = domain;
	return POLICY_DONE;
}

enum policy_step
dmarc_org_domain(struct str domain, struct lookups *l, struct arena *a,
                 struct str *org_out)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct dmarc_walk walk;
	struct str name, org;

	*org_out = STR("");
	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (domain_normalize(domain, &b) != OK)
		return POLICY_DONE;
	name = strbuf_str(&b);
	if (dmarc_walk(name, l, &walk) == POLICY_NEED)
		return POLICY_NEED;
	org = dmarc_walk_org(&walk);
	if (!org.n)
		org = psl_registered_domain(name);
	*org_out = arena_str(a, org);
	return POLICY_DONE;
}
