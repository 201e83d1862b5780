#include "policy/arc_set.h"

#include "policy/dkim_key.h"
#include "policy/dkim_signature.h"
#include "policy/tag_list.h"

struct signed_set {
	struct dkim_signature message, seal;
	struct dkim_problem message_problem;
	size_t hash; /* of the body, as the message signature wants it */
	struct arc_set told;
};

struct arc_validator {
	struct arena *arena;
	struct arc_chain chain;
	struct dkim_fields *fields;
	struct dkim_hashes *hashes;
	bool has_ended; /* a seal says cv=fail */
	const char *problem;
	struct signed_set *sets; /* chain.count of them, where there is no problem */
};

struct arc_validator *
arc_validator_new(struct arena *a)
{
	struct arc_validator *v = ARENA_NEW(a, struct arc_validator);

	v->arena = a;
	v->hashes = dkim_hashes_new(a);
	return v;
}

/* Whatever else is wrong: a seal with cv=fail ends the chain. */
static bool
has_ended(const struct arc_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		struct tag_list list;
		const struct tag *cv;

		if (!chain->sets[i].seal.n ||
		    tag_list_parse(dkim_field_value(chain->sets[i].seal), &list) != OK)
			continue;
		cv = tag_list_find(&list, STR("cv"));
		if (cv && str_eq(cv->value, STR("fail")))
			return true;
	}
	return false;
}

/* One set by itself, and what it tells. */
static const char *
read_set(struct arc_validator *v, size_t i)
{
	const struct arc_fields *f = &v->chain.sets[i];
	struct signed_set *set = &v->sets[i];
	struct str value = dkim_field_value(f->results);
	struct dkim_problem p =
		dkim_signature_parse(DKIM_FORM_SEAL, f->seal, v->arena, &set->seal);

	if (p.result != DKIM_NONE)
		return p.reason;
	if (!str_eq(set->seal.chain, i ? STR("pass") : STR("none")))
		return "a seal says of the chain before it what cannot be";
	set->message_problem = dkim_signature_parse(DKIM_FORM_MESSAGE, f->message,
	                                            v->arena, &set->message);
	if (set->message_problem.result == DKIM_NONE)
		set->hash = dkim_hashes_want(v->hashes, set->message.body, DKIM_WHOLE);
	else if (i + 1 == v->chain.count)
		return set->message_problem.reason;
	if (!arc_take_instance(&value))
		return "the results of a set cannot be read";
	set->told = (struct arc_set){
		.seal_domain = set->seal.domain,
		.seal_selector = set->seal.selector,
		.signature_domain = set->message.domain,
		.results = str_trim(value),
	};
	return NULL;
}

void
arc_validator_header(struct arc_validator *v, struct str header)
{
	arc_chain_gather(header, &v->chain);
	v->problem = v->chain.problem;
	v->has_ended = has_ended(&v->chain);
	if (!v->chain.count || v->problem || v->has_ended)
		return;
	v->fields = dkim_fields_new(v->arena, header);
	v->sets = arena_try(v->arena, v->chain.count * sizeof(*v->sets));
	if (!v->fields || !v->sets)
		v->problem = "the message has too many header fields";
	for (size_t i = 0; i < v->chain.count && !v->problem; i++)
		v->problem = read_set(v, i);
}

void
arc_validator_body(struct arc_validator *v, struct str bytes)
{
	dkim_hashes_add(v->hashes, bytes);
}

void
arc_validator_end(struct arc_validator *v)
{
	dkim_hashes_end(v->hashes);
}

/* Whether a message signature holds; its key has been answered. */
static struct dkim_problem
check_message(struct arc_validator *v, struct signed_set *set, struct lookups *l)
{
	const struct dkim_signature *s = &set->message;
	struct sha256 body, digest;
	struct dkim_key_check check;

	if (set->message_problem.result != DKIM_NONE)
		return set->message_problem;
	body = dkim_hashes_result(v->hashes, set->hash);
	if ((s->limit != DKIM_WHOLE &&
	     s->limit != dkim_hashes_length(v->hashes, set->hash)) ||
	    !str_eq(sha256_str(&body), sha256_str(&s->body_hash)))
		return (struct dkim_problem){
			DKIM_FAIL, "the text was changed after the last seal"
		};
	digest = dkim_signature_hash(s, v->fields);
	if (dkim_key_check(s, &digest, l, v->arena, &check) == POLICY_NEED)
		return (struct dkim_problem){ DKIM_TEMPERROR,
			                      "the key was not asked for" };
	return check.problem;
}

static struct dkim_problem
check_seal(struct arc_validator *v, size_t i, struct lookups *l)
{
	const struct dkim_signature *s = &v->sets[i].seal;
	struct sha256_state *state = sha256_new();
	struct dkim_key_check check;
	struct sha256 digest;

	for (size_t k = 0; k <= i; k++)
		arc_chain_canon(&v->chain.sets[k], k == i, k == i ? s->b_value : STR(""),
		                dkim_hash_sink, state);
	digest = sha256_result(state);
	sha256_free(&state);
	if (dkim_key_check(s, &digest, l, v->arena, &check) == POLICY_NEED)
		return (struct dkim_problem){ DKIM_TEMPERROR,
			                      "the key was not asked for" };
	return check.problem;
}

/* All keys at once: those of the seals, and of the newest message signature. Older ones
   are looked at where their key is that of their seal, so one set costs one question. */
static enum policy_step
ask(struct arc_validator *v, struct lookups *l)
{
	enum policy_step step = dkim_key_ask(&v->sets[v->chain.count - 1].message, l);

	for (size_t i = 0; i < v->chain.count; i++)
		if (dkim_key_ask(&v->sets[i].seal, l) == POLICY_NEED)
			step = POLICY_NEED;
	return step;
}

static bool
has_same_key(const struct signed_set *set)
{
	return str_eq(set->message.domain, set->seal.domain) &&
	       str_eq(set->message.selector, set->seal.selector);
}

/* RFC 8617 5.2: the lowest instance up from which all message signatures hold. */
static size_t
find_oldest_pass(struct arc_validator *v, struct lookups *l)
{
	size_t i = v->chain.count - 1; /* that one holds */

	while (i && has_same_key(&v->sets[i - 1]) &&
	       check_message(v, &v->sets[i - 1], l).result == DKIM_NONE)
		i--;
	return i ? i + 1 : 0;
}

static void
fail(struct dkim_problem p, struct arc_verdict *out)
{
	out->result = ARC_FAIL;
	out->is_temporary = p.result == DKIM_TEMPERROR;
	out->reason = str_from(p.reason);
}

static void
pass(struct arc_validator *v, struct lookups *l, struct arc_verdict *out)
{
	struct arc_set *told = ARENA_ARRAY(v->arena, struct arc_set, v->chain.count);

	for (size_t i = 0; i < v->chain.count; i++)
		told[i] = v->sets[i].told;
	out->result = ARC_PASS;
	out->sets = told;
	out->oldest_pass = find_oldest_pass(v, l);
	out->reason = STR("every forwarder's seal is whole");
}

enum policy_step
arc_validator_check(struct arc_validator *v, int64_t now_ms, struct lookups *l,
                    struct arc_verdict *verdict_out)
{
	struct dkim_problem p = { DKIM_NONE, "" };

	(void)now_ms; /* a chain has no time at which it ends */
	*verdict_out = (struct arc_verdict){
		.result = ARC_NONE,
		.count = v->chain.count,
		.reason =
			v->has_ended
				? STR("a forwarder has sealed that the chain was broken")
				: STR("no forwarder has sealed the message"),
	};
	if (v->has_ended || (!v->chain.count && !v->problem))
		return POLICY_DONE;
	if (v->problem) {
		fail((struct dkim_problem){ DKIM_PERMERROR, v->problem }, verdict_out);
		return POLICY_DONE;
	}
	if (ask(v, l) == POLICY_NEED)
		return POLICY_NEED;
	p = check_message(v, &v->sets[v->chain.count - 1], l);
	for (size_t i = v->chain.count; i && p.result == DKIM_NONE; i--)
		p = check_seal(v, i - 1, l);
	if (p.result == DKIM_NONE)
		pass(v, l, verdict_out);
	else
		fail(p, verdict_out);
	return POLICY_DONE;
}

void
arc_validator_free(struct arc_validator **v)
{
	if (!*v)
		return;
	dkim_hashes_free(&(*v)->hashes);
	*v = NULL;
}
