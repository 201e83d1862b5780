#include "policy/dmarc_priv.h"

#include "base/panic.h"
#include "ext/psl.h"

/* The way through: who is it from, which record applies, which identifiers passed and
   belong to the same organisation, and if none does, what the record asks for. */

struct check {
	const struct dmarc_request *request;
	struct lookups *lookups;
	struct arena *arena;
	struct dmarc_verdict *verdict;
	struct str from; /* A-labels, lower case */
	struct dmarc_walk walk;
	const struct dmarc_stop *stop; /* whose record applies */
	struct str org;                /* of from */
};

static enum policy_step
finish(struct check *c, enum dmarc_result result, struct str reason)
{
	struct dmarc_verdict *v = c->verdict;

	v->result = result;
	v->reason = reason;
	v->from_domain = arena_str(c->arena, c->from);
	v->org_domain = arena_str(c->arena, c->org);
	if (c->stop) {
		v->policy_domain = arena_str(c->arena, c->stop->domain);
		v->record = c->stop->record;
	}
	return POLICY_DONE;
}

static enum dmarc_policy
milder(enum dmarc_policy p)
{
	return p == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

/* p, sp or np. RFC 9989 4.10.1. *is_temp_out: whether the domain exists could not be
   asked, and it would have mattered. */
static enum policy_step
choose_policy(struct str from, const struct dmarc_stop *stop, struct lookups *l,
              enum dmarc_policy *policy_out, bool *is_temp_out)
{
	const struct dmarc_record *r = &stop->record;
	const struct dns_answer *answer;

	*is_temp_out = false;
	*policy_out = r->p;
	if (str_eq(from, stop->domain))
		return POLICY_DONE;
	if (r->has_sp)
		*policy_out = r->sp;
	if (!r->has_np || r->np == *policy_out)
		return POLICY_DONE;
	/* Any answer but "no such domain" shows that it exists. RFC 9989 A.4 */
	answer = lookups_find(l, from, DNS_A);
	if (!answer)
		return POLICY_NEED;
	*is_temp_out = answer->status == DNS_TEMP;
	if (answer->status == DNS_NXDOMAIN)
		*policy_out = r->np;
	return POLICY_DONE;
}

/* Which record applies: that of the domain itself, of its organisation, of the public
   suffix above. RFC 9989 4.10.1. *is_temp_out: it cannot be told today. */
static const struct dmarc_stop *
find_record(const struct dmarc_walk *walk, bool *is_temp_out)
{
	struct str org = dmarc_walk_org(walk);
	const struct dmarc_stop *suffix = NULL;

	*is_temp_out = walk->count && walk->stops[0].is_temp;
	if (*is_temp_out || walk->stops[0].has_record)
		return *is_temp_out ? NULL : &walk->stops[0];
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_stop *stop = &walk->stops[i];

		*is_temp_out = *is_temp_out || stop->is_temp;
		if (stop->has_record && str_eq(stop->domain, org))
			return *is_temp_out ? NULL : stop;
		if (stop->has_record && stop->record.psd == 'y')
			suffix = stop;
	}
	return *is_temp_out ? NULL : suffix;
}

/* --- several authors ---------------------------------------------------------------- */

/* From is not what it must be: a fail, under the strictest policy of all that it names
   (RFC 9989 11.5); where it cannot be told whom it names, such a message is suspicious by
   itself, and two From fields are never meant well. */
static enum policy_step
judge_strange(struct check *c, const struct dmarc_from *from)
{
	enum dmarc_policy strictest =
		from->count ? DMARC_POLICY_NONE : DMARC_POLICY_QUARANTINE;
	bool is_missing = false, is_temp;

	if (c->request->from_fields > 1)
		strictest = DMARC_POLICY_REJECT;
	for (size_t i = 0; i < from->count && strictest < DMARC_POLICY_REJECT; i++) {
		struct dmarc_walk walk;
		const struct dmarc_stop *stop = NULL;
		enum dmarc_policy policy;

		if (dmarc_walk(from->domains[i], c->lookups, &walk) == POLICY_NEED) {
			is_missing = true;
			continue;
		}
		stop = find_record(&walk, &is_temp);
		if (!stop || stop->is_broken)
			continue;
		if (choose_policy(from->domains[i], stop, c->lookups, &policy,
		                  &is_temp) == POLICY_NEED) {
			is_missing = true;
			continue;
		}
		if (stop->record.is_testing)
			policy = milder(policy);
		if (policy > strictest)
			strictest = policy;
	}
	if (is_missing)
		return POLICY_NEED;
	c->verdict->policy = c->verdict->published = strictest;
	c->stop = NULL;
	return finish(c, DMARC_FAIL,
	              c->request->from_fields > 1 ? STR("there are several From fields")
	                                          : str_from(from->problem));
}

/* --- alignment ---------------------------------------------------------------------- */

enum alignment {
	ALIGN_NO,
	ALIGN_YES,
	ALIGN_TEMP, /* the name service did not say */
	ALIGN_NEED,
};

static bool
is_below(struct str name, struct str top)
{
	return str_eq(name, top) || (name.n > top.n && str_ends(name, top) &&
	                             name.p[name.n - top.n - 1] == '.');
}

/* The author's organisation has drawn its border itself, by psd=. */
static bool
has_border(const struct dmarc_walk *walk)
{
	const struct dmarc_stop *last = &walk->stops[walk->count - 1];

	return last->has_record && last->record.psd != 'u';
}

static bool
is_registered_together(struct str a, struct str b)
{
	struct str registered = psl_registered_domain(a);

	return registered.n && str_eq(registered, psl_registered_domain(b));
}

/* Is a name of the author's organisation? RFC 9989 4.10.2, by the records of both. Where
   the name has none, nobody has said where its organisation begins: then the public
   suffix list says it of both, as it did before there was a tree to walk. */
static enum alignment
compare(const struct check *c, struct str name)
{
	bool is_together = !has_border(&c->walk) && is_registered_together(name, c->from);
	struct dmarc_walk walk;
	struct str org;

	if (!is_together && !is_below(name, c->org))
		return ALIGN_NO;
	if (dmarc_walk(name, c->lookups, &walk) == POLICY_NEED)
		return ALIGN_NEED;
	org = dmarc_walk_org(&walk);
	for (size_t i = 0; i < walk.count && walk.stops[i].domain.n >= org.n; i++)
		if (walk.stops[i].is_temp)
			return ALIGN_TEMP;
	if (org.n)
		return str_eq(org, c->org) ? ALIGN_YES : ALIGN_NO;
	return is_together ? ALIGN_YES : ALIGN_NO;
}

/* Is the authenticated domain the author's, or of the same organisation? 4.4 */
static enum alignment
align(const struct check *c, struct str domain, bool is_strict)
{
	char bytes[DMARC_DOMAIN_MAX * 2];
	struct strbuf b = strbuf_on(bytes);
	struct str name;

	for (size_t i = 0; i < domain.n; i++)
		strbuf_byte(&b, byte_lower(domain.p[i]));
	name = strbuf_str(&b);
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (b.overflow || name.n == 0)
		return ALIGN_NO;
	if (str_eq(name, c->from))
		return ALIGN_YES;
	return is_strict ? ALIGN_NO : compare(c, name);
}

/* What all identifiers come to. */
struct sum {
	bool is_missing, is_temp;
	struct str domain; /* that is aligned */
	const char *by;    /* "SPF" or "DKIM" */
};

/* is_temp: that it passed is not known. */
static bool
add_identifier(const struct check *c, struct sum *sum, struct str domain, bool is_strict,
               bool is_temp, const char *by)
{
	enum alignment how = align(c, domain, is_strict);

	if (how == ALIGN_NEED)
		sum->is_missing = true;
	if (how == ALIGN_TEMP || (how == ALIGN_YES && is_temp))
		sum->is_temp = true;
	if (how != ALIGN_YES || is_temp)
		return false;
	sum->domain = domain;
	sum->by = by;
	return true;
}

static void
align_all(const struct check *c, struct sum *sum)
{
	const struct dmarc_request *q = c->request;
	struct dmarc_verdict *v = c->verdict;
	const struct dmarc_record *r = &c->stop->record;

	if (q->spf && (q->spf->result == SPF_PASS || q->spf->result == SPF_TEMPERROR))
		v->is_aligned_spf =
			add_identifier(c, sum, q->spf->domain, r->is_strict_spf,
		                       q->spf->result != SPF_PASS, "SPF");
	for (size_t i = 0; i < q->dkim_count; i++) {
		const struct dkim_verdict *d = q->dkim[i];

		if (d->result != DKIM_PASS && d->result != DKIM_TEMPERROR)
			continue;
		if (add_identifier(c, sum, d->domain, r->is_strict_dkim,
		                   d->result != DKIM_PASS, "DKIM"))
			v->is_aligned_dkim = true;
	}
}

/* --- one author --------------------------------------------------------------------- */

static struct str
fail_reason(const struct check *c)
{
	bool is_testing = c->verdict->policy != c->verdict->published;

	return arena_printf(
		c->arena, "nothing that passed is aligned with %.*s; %.*s asks for %s%s",
		STR_ARG(c->from), STR_ARG(c->stop->domain),
		dmarc_policy_word(c->verdict->published),
		is_testing ? ", and is testing" : "");
}

static enum policy_step
judge_record(struct check *c)
{
	struct dmarc_verdict *v = c->verdict;
	struct sum sum = { 0 };
	bool is_temp;

	if (c->stop->is_broken)
		return finish(c, DMARC_PERMERROR, STR("the record has no policy"));
	align_all(c, &sum);
	if (choose_policy(c->from, c->stop, c->lookups, &v->published, &is_temp) ==
	    POLICY_NEED)
		sum.is_missing = true;
	if (sum.is_missing)
		return POLICY_NEED;
	v->policy = c->stop->record.is_testing ? milder(v->published) : v->published;
	if (v->is_aligned_spf || v->is_aligned_dkim)
		return finish(c, DMARC_PASS,
		              arena_printf(c->arena, "%s of %.*s is aligned", sum.by,
		                           STR_ARG(sum.domain)));
	if (sum.is_temp || is_temp)
		return finish(c, DMARC_TEMPERROR, STR("the name service did not answer"));
	return finish(c, DMARC_FAIL, fail_reason(c));
}

static enum policy_step
judge_single(struct check *c)
{
	bool is_temp;

	if (dmarc_walk(c->from, c->lookups, &c->walk) == POLICY_NEED)
		return POLICY_NEED;
	if (dmarc_walk_org_or_listed(c->from, c->lookups, &c->org, &is_temp) ==
	    POLICY_NEED)
		return POLICY_NEED;
	c->stop = find_record(&c->walk, &is_temp);
	if (!c->stop && is_temp)
		return finish(c, DMARC_TEMPERROR, STR("the name service did not answer"));
	if (!c->stop)
		return finish(c, DMARC_NONE, STR("no record"));
	return judge_record(c);
}

enum policy_step
dmarc_check(const struct dmarc_request *request, struct lookups *l, struct arena *a,
            struct dmarc_verdict *verdict_out)
{
	struct dmarc_from from;
	struct check c = {
		.request = request, .lookups = l, .arena = a, .verdict = verdict_out
	};

	*verdict_out = (struct dmarc_verdict){ 0 };
	if (request->from_fields == 0)
		return finish(&c, DMARC_NONE, STR("there is no From field"));
	dmarc_from_read(request->header_from, &from);
	if (from.count)
		c.from = from.domains[0];
	if (!from.is_single || request->from_fields > 1)
		return judge_strange(&c, &from);
	return judge_single(&c);
}
