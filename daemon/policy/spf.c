#include "policy/spf.h"

#include "base/utf8.h"
#include "ext/idn.h"
#include "policy/iprev.h"
#include "policy/spf_macro.h"
#include "policy/spf_reason.h"
#include "policy/spf_record.h"

/* check_host() (RFC 7208 4) over a stack of records. A frame is one record: the first is
 * the sender's, each further one an include, and redirect replaces the frame it stands
 * in. Both count as terms with a look-up, so there are never more frames than that limit
 * and one; nothing here calls itself. */

enum {
	TERMS_MAX = 10, /* RFC 7208 4.6.4 */
	VOIDS_MAX = 2,
	MX_MAX = 10,
	LABEL_MAX = 63,
	FRAMES_MAX = TERMS_MAX + 1,
	SENDER_BYTES = SPF_VALUE_MAX + LOOKUPS_NAME_MAX + 1,
	EXPLANATION_MAX = 500, /* bytes: it is to fit into a line of a reply */
};

struct frame {
	char bytes[LOOKUPS_NAME_MAX]; /* of domain, where it was made by a macro */
	struct str domain;
	struct spf_record record;
	struct str rest;      /* terms to come */
	struct spf_term term; /* the one that is looked at */
	bool is_loaded;
	bool is_redirected; /* so it has to have a record */
};

struct check {
	const struct spf_request *request;
	struct lookups *lookups;
	struct arena *arena;
	struct spf_verdict *verdict;
	struct spf_macro_values values;
	char sender_bytes[SENDER_BYTES], domain_bytes[LOOKUPS_NAME_MAX];
	struct frame *frame; /* the top one */
	struct frame frames[FRAMES_MAX];
	/* The mechanism that matched last, and whose it was. */
	struct str leaf, leaf_domain;
};

/* What to do after a step. */
enum next {
	NEXT_TERM, /* go on in the top frame */
	NEXT_NEED, /* an answer is missing */
	NEXT_DONE, /* the verdict is there */
};

/* What a mechanism says. */
enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_VOID, /* no, because there is nothing at all */
	MATCH_NEED,
	MATCH_TEMP,
	MATCH_PERM,    /* the verdict has the reason */
	MATCH_INCLUDE, /* a frame was pushed */
};

/* ── ends ── */

static enum next
finish(struct check *c, enum spf_result result, struct str reason)
{
	c->verdict->result = result;
	c->verdict->reason = reason;
	c->verdict->domain = spf_reason_clean(c->arena, c->values.domain);
	return NEXT_DONE;
}

static enum next
finish_temp(struct check *c, struct str name)
{
	return finish(c, SPF_TEMPERROR, spf_reason_temp(c->arena, name));
}

/* ── names ── */

/* The name that %{p} stands for.                                          RFC 7208 7.3 */
static enum match
find_validated(struct check *c, struct str domain)
{
	struct iprev_names names;
	size_t best = 0;

	if (iprev_names_find(&c->values.ip, (struct str){ 0 }, c->lookups, &names) ==
	    POLICY_NEED)
		return MATCH_NEED;
	c->values.validated = STR("unknown");
	for (size_t i = 0; i < names.count; i++) {
		size_t rank = str_eq_icase(names.names[i], domain)     ? 3
		              : iprev_is_below(names.names[i], domain) ? 2
		                                                       : 1;

		if (rank > best) {
			best = rank;
			c->values.validated = names.names[i];
		}
	}
	return MATCH_YES;
}

static enum match
prepare_macros(struct check *c, struct str spec)
{
	c->values.current = c->frame->domain;
	if (spf_macro_has(spec, STR("p")))
		return find_validated(c, c->frame->domain);
	return MATCH_YES;
}

/* Appends the name that a term means. MATCH_NO: it can match nothing. */
static enum match
find_target(struct check *c, const struct spf_term *t, struct strbuf *out)
{
	enum match m;

	if (!t->domain.n) {
		strbuf_add(out, c->frame->domain);
		return MATCH_YES;
	}
	/* RFC 8616 4: there is no name for a local part beyond ASCII. */
	if (!ascii_check(c->values.local) && spf_macro_has(t->domain, STR("sl")))
		return MATCH_NO;
	m = prepare_macros(c, t->domain);
	if (m == MATCH_YES)
		spf_macro_expand_name(t->domain, &c->values, out);
	return m;
}

/* ── mechanisms ── */

/* There is nothing: void, if anybody was asked. What can be no name only matches nothing
   (RFC 7208 4.3, 4.6.4). */
static enum match
match_nothing(const struct dns_answer *answer)
{
	return answer->status == DNS_BAD_NAME ? MATCH_NO : MATCH_VOID;
}

static enum match
match_answer(const struct dns_answer *answer, const struct addr *ip,
             const struct spf_term *t)
{
	if (!answer)
		return MATCH_NEED;
	if (answer->status == DNS_TEMP)
		return MATCH_TEMP;
	for (size_t i = 0; i < answer->count; i++)
		if (spf_term_covers(t, &answer->records[i].addr, ip))
			return MATCH_YES;
	return answer->count ? MATCH_NO : match_nothing(answer);
}

static enum match
match_a(struct check *c, const struct spf_term *t, struct str target)
{
	enum dns_type type = c->values.ip.family == ADDR_V6 ? DNS_AAAA : DNS_A;

	return match_answer(lookups_find(c->lookups, target, type), &c->values.ip, t);
}

static enum match
match_mx(struct check *c, const struct spf_term *t, struct str target)
{
	const struct dns_answer *mx = lookups_find(c->lookups, target, DNS_MX);
	bool seen[MATCH_INCLUDE + 1] = { false };

	if (!mx)
		return MATCH_NEED;
	if (mx->status == DNS_TEMP)
		return MATCH_TEMP;
	if (mx->count > MX_MAX) {
		c->verdict->reason = spf_reason_mx(c->arena, target);
		return MATCH_PERM;
	}
	/* All hosts are asked for at once. One that matches outweighs what is wrong with
	   others, whichever answer comes first. */
	for (size_t i = 0; i < mx->count; i++)
		if (mx->records[i].name.n)
			seen[match_a(c, t, mx->records[i].name)] = true;
	if (seen[MATCH_YES])
		return MATCH_YES;
	if (seen[MATCH_NEED])
		return MATCH_NEED;
	if (seen[MATCH_TEMP])
		return MATCH_TEMP;
	if (!mx->count)
		return match_nothing(mx);
	return seen[MATCH_VOID] ? MATCH_VOID : MATCH_NO;
}

static enum match
match_ptr(struct check *c, struct str target)
{
	struct iprev_names names;

	if (!target.n) /* no name can be below it; to iprev.h it would mean all */
		return MATCH_NO;
	if (iprev_names_find(&c->values.ip, target, c->lookups, &names) == POLICY_NEED)
		return MATCH_NEED;
	if (names.count)
		return MATCH_YES;
	/* RFC 7208 5.5: a name service that fails is no error here. */
	return names.seen || names.is_ptr_temp ? MATCH_NO : MATCH_VOID;
}

static enum match
match_exists(struct check *c, struct str target)
{
	const struct dns_answer *answer = lookups_find(c->lookups, target, DNS_A);

	if (!answer)
		return MATCH_NEED;
	if (answer->status == DNS_TEMP)
		return MATCH_TEMP;
	return answer->count ? MATCH_YES : match_nothing(answer);
}

static void
enter(struct check *c, struct frame *f, struct str domain)
{
	struct strbuf copy = strbuf_on(f->bytes);

	strbuf_add(&copy, domain);
	f->domain = strbuf_str(&copy);
	f->is_loaded = false;
	f->is_redirected = false;
	c->frame = f;
}

static enum match
match_target(struct check *c, const struct spf_term *t, struct str target)
{
	switch (t->kind) {
	case SPF_TERM_A:
		return match_a(c, t, target);
	case SPF_TERM_MX:
		return match_mx(c, t, target);
	case SPF_TERM_PTR:
		return match_ptr(c, target);
	case SPF_TERM_EXISTS:
		return match_exists(c, target);
	default:
		enter(c, c->frame + 1, target);
		return MATCH_INCLUDE;
	}
}

static bool
count_term(struct check *c, const struct spf_term *t)
{
	if (++c->verdict->terms <= TERMS_MAX)
		return true;
	c->verdict->reason = spf_reason_terms(c->arena, t->text);
	return false;
}

static enum match
match_term(struct check *c, const struct spf_term *t)
{
	char bytes[LOOKUPS_NAME_MAX];
	struct strbuf target = strbuf_on(bytes);
	enum match m;

	switch (t->kind) {
	case SPF_TERM_ALL:
		return MATCH_YES;
	case SPF_TERM_IP4:
	case SPF_TERM_IP6:
		return spf_term_has(t, &c->values.ip) ? MATCH_YES : MATCH_NO;
	case SPF_TERM_REDIRECT:
	case SPF_TERM_EXP:
	case SPF_TERM_UNKNOWN:
		return MATCH_NO;
	default:
		break;
	}
	if (!count_term(c, t))
		return MATCH_PERM;
	m = find_target(c, t, &target);
	if (m != MATCH_YES)
		return m;
	m = match_target(c, t, strbuf_str(&target));
	if (m == MATCH_TEMP)
		c->verdict->reason = spf_reason_temp(c->arena, strbuf_str(&target));
	if (m != MATCH_VOID)
		return m;
	if (++c->verdict->voids <= VOIDS_MAX)
		return MATCH_NO;
	c->verdict->reason = spf_reason_voids(c->arena, t->text);
	return MATCH_PERM;
}

/* ── frames ── */

static enum spf_result
qualifier_result(char qualifier)
{
	switch (qualifier) {
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	case '?':
		return SPF_NEUTRAL;
	default:
		return SPF_PASS;
	}
}

/* The TXT record that exp= names, expanded. What is wrong with it is passed over.
                                                                           RFC 7208 6.2 */
static enum next
find_explanation(struct check *c)
{
	const struct spf_term *exp = &c->frame->record.exp;
	char bytes[EXPLANATION_MAX], name[LOOKUPS_NAME_MAX];
	struct strbuf text = strbuf_on(bytes), target = strbuf_on(name);
	const struct dns_answer *answer;
	enum match m;

	if (!c->frame->record.has_exp)
		return NEXT_DONE;
	m = find_target(c, exp, &target);
	if (m != MATCH_YES)
		return m == MATCH_NEED ? NEXT_NEED : NEXT_DONE;
	answer = lookups_find(c->lookups, strbuf_str(&target), DNS_TXT);
	if (!answer)
		return NEXT_NEED;
	if (answer->count != 1 || !spf_explanation_check(answer->records[0].text))
		return NEXT_DONE;
	if (prepare_macros(c, answer->records[0].text) == MATCH_NEED)
		return NEXT_NEED;
	spf_macro_expand(answer->records[0].text, &c->values, &text);
	if (!text.overflow && spf_is_plain(strbuf_str(&text)))
		c->verdict->explanation = arena_str(c->arena, strbuf_str(&text));
	return NEXT_DONE;
}

/* The first frame's record has spoken. */
static enum next
finish_match(struct check *c, enum spf_result result)
{
	struct str term = c->frame->term.text;

	if (result == SPF_FAIL && find_explanation(c) == NEXT_NEED)
		return NEXT_NEED;
	c->verdict->mechanism = arena_str(c->arena, term);
	return finish(
		c, result,
		spf_reason_match(c->arena, result,
	                         &(struct spf_match){ .ip = c->values.ip,
	                                              .domain = c->values.domain,
	                                              .term = term,
	                                              .leaf = c->leaf,
	                                              .leaf_domain = c->leaf_domain }));
}

/* The top frame says result, none of the errors. Frames below take it as RFC 7208 5.2
   wants, which may be their own result at once. */
static enum next
frame_ends(struct check *c, enum spf_result result)
{
	while (c->frame != c->frames) {
		c->frame--;
		if (result != SPF_PASS)
			return NEXT_TERM;
		result = qualifier_result(c->frame->term.qualifier);
	}
	return finish_match(c, result);
}

static enum next
no_record(struct check *c)
{
	if (c->frame == c->frames && !c->frame->is_redirected)
		return finish(c, SPF_NONE, spf_reason_none(c->arena, c->frame->domain));
	return finish(c, SPF_PERMERROR, spf_reason_missing(c->arena, c->frame->domain));
}

/* Finds the one record of the top frame's domain.                    RFC 7208 4.4, 4.5 */
static enum next
frame_load(struct check *c)
{
	struct frame *f = c->frame;
	const struct dns_answer *answer = lookups_find(c->lookups, f->domain, DNS_TXT);
	const struct dns_record *found = NULL;
	struct str bad;
	const char *fault;

	if (!answer)
		return NEXT_NEED;
	if (answer->status == DNS_TEMP)
		return finish_temp(c, f->domain);
	for (size_t i = 0; i < answer->count; i++) {
		if (!spf_record_is(answer->records[i].text))
			continue;
		if (found)
			return finish(c, SPF_PERMERROR,
			              spf_reason_several(c->arena, f->domain));
		found = &answer->records[i];
	}
	if (!found)
		return no_record(c);
	if (spf_record_parse(found->text, &c->values.ip, &f->record, &bad, &fault) != OK)
		return finish(c, SPF_PERMERROR,
		              spf_reason_syntax(c->arena, f->domain, bad, fault));
	f->is_loaded = true;
	f->rest = f->record.terms;
	return NEXT_TERM;
}

/* All terms are passed, and none has matched.                            RFC 7208 4.7 */
static enum next
frame_default(struct check *c)
{
	struct frame *f = c->frame;
	char bytes[LOOKUPS_NAME_MAX];
	struct strbuf target = strbuf_on(bytes);
	enum match m;

	if (!f->record.has_redirect) {
		f->term = (struct spf_term){ 0 };
		if (c->frame == c->frames)
			c->leaf = (struct str){ 0 };
		return frame_ends(c, SPF_NEUTRAL);
	}
	if (!count_term(c, &f->record.redirect))
		return finish(c, SPF_PERMERROR, c->verdict->reason);
	m = find_target(c, &f->record.redirect, &target);
	if (m == MATCH_NEED)
		return NEXT_NEED;
	enter(c, f, strbuf_str(&target));
	f->is_redirected = true;
	return NEXT_TERM;
}

static enum next
frame_step(struct check *c)
{
	struct frame *f = c->frame;
	const char *fault;

	if (!f->is_loaded)
		return frame_load(c);
	/* It was parsed before, so what does not parse now is its end. */
	if (spf_term_next(&f->rest, &f->term, &fault) != OK)
		return frame_default(c);
	switch (match_term(c, &f->term)) {
	case MATCH_YES:
		c->leaf = f->term.text;
		c->leaf_domain = f->domain;
		return frame_ends(c, qualifier_result(f->term.qualifier));
	case MATCH_NEED:
		return NEXT_NEED;
	case MATCH_TEMP:
		return finish(c, SPF_TEMPERROR, c->verdict->reason);
	case MATCH_PERM:
		return finish(c, SPF_PERMERROR, c->verdict->reason);
	case MATCH_NO:
	case MATCH_VOID:
	case MATCH_INCLUDE:
		break;
	}
	return NEXT_TERM;
}

/* ── the beginning ── */

/* Two labels or more, of letters, digits, "-" and "_".                   RFC 7208 4.3 */
static bool
is_domain(struct str s)
{
	struct str label;
	size_t labels = 0;

	if (!s.n || s.n > LOOKUPS_NAME_MAX || s.p[s.n - 1] == '.')
		return false;
	while (str_next(&s, '.', &label)) {
		if (!label.n || label.n > LABEL_MAX)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!byte_is_alnum(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
		labels++;
	}
	return labels > 1;
}

/* What the macros and the first record begin with. False: there is no such domain. */
static bool
set_values(struct check *c, const struct spf_request *r)
{
	struct spf_macro_values *v = &c->values;
	struct strbuf sender = strbuf_on(c->sender_bytes);
	struct strbuf domain = strbuf_on(c->domain_bytes);
	size_t at = str_find_last(r->sender, '@');
	struct str given = r->sender.n ? r->sender : r->helo;

	*v = (struct spf_macro_values){ .helo = r->helo,
		                        .receiver = r->receiver,
		                        .ip = r->ip,
		                        .now_ms = r->now_ms,
		                        .local = STR("postmaster") };
	addr_unmap(&v->ip);
	if (r->sender.n && at != SIZE_MAX) {
		given = str_from_offset(r->sender, at + 1);
		if (at)
			v->local = str_first(r->sender, at);
	}
	if (given.n && given.p[given.n - 1] == '.')
		given.n--;
	v->domain = given;
	/* The case is kept: %{o} may be shown to people. */
	if (!ascii_check(given)) {
		if (idn_to_ascii(given, &domain) != OK)
			return false;
		v->domain = strbuf_str(&domain);
	}
	if (!is_domain(v->domain))
		return false;
	if (v->local.n > SPF_VALUE_MAX)
		v->local = str_from_offset(v->local, v->local.n - SPF_VALUE_MAX);
	strbuf_add(&sender, v->local);
	strbuf_byte(&sender, '@');
	strbuf_add(&sender, v->domain);
	v->sender = strbuf_str(&sender);
	return true;
}

enum policy_step
spf_check(const struct spf_request *request, struct lookups *l, struct arena *a,
          struct spf_verdict *verdict_out)
{
	struct check c;
	enum next next = NEXT_TERM;

	*verdict_out = (struct spf_verdict){ .result = SPF_NONE };
	c.request = request;
	c.lookups = l;
	c.arena = a;
	c.verdict = verdict_out;
	c.leaf = c.leaf_domain = (struct str){ 0 };
	if (!set_values(&c, request)) {
		(void)finish(
			&c, SPF_NONE,
			spf_reason_no_domain(a, c.values.domain, request->sender.n == 0));
		return POLICY_DONE;
	}
	enter(&c, c.frames, c.values.domain);
	while (next == NEXT_TERM)
		next = frame_step(&c);
	return next == NEXT_NEED ? POLICY_NEED : POLICY_DONE;
}
