#include "policy/dkim_verify.h"

#include "base/duration.h"
#include "mail/header.h"
#include "policy/dkim_key.h"
#include "policy/dkim_signature.h"

enum {
	SIGNATURES_TOLD = 20, /* verdicts there are at most */
	CLOCK_SLACK_S = DAY_S /* clocks may differ by so much */
};

struct one {
	struct dkim_signature signature;
	struct dkim_problem problem; /* of the field alone */
	size_t hash;
	struct dkim_verdict verdict;
};

struct dkim_verifier {
	struct arena *arena;
	struct dkim_fields *fields; /* NULL: no signature, or too many fields */
	struct dkim_hashes *hashes;
	size_t count;
	struct one *ones[SIGNATURES_TOLD];
};

struct dkim_verifier *
dkim_verifier_new(struct arena *a)
{
	struct dkim_verifier *v = ARENA_NEW(a, struct dkim_verifier);

	v->arena = a;
	v->hashes = dkim_hashes_new(a);
	return v;
}

static const char *
algorithm_word(enum dkim_algorithm a)
{
	static const char *const words[] = {
		[DKIM_RSA_SHA256] = "rsa-sha256",
		[DKIM_ED25519_SHA256] = "ed25519-sha256",
		[DKIM_RSA_SHA1] = "rsa-sha1",
		[DKIM_NO_ALGORITHM] = "",
	};

	return words[a];
}

static void
add_signature(struct dkim_verifier *v, struct str raw)
{
	struct one *o = ARENA_NEW(v->arena, struct one);
	const struct dkim_signature *s = &o->signature;

	v->ones[v->count] = o;
	if (v->count++ >= DKIM_SIGNATURES_MAX) {
		o->problem = (struct dkim_problem){
			DKIM_POLICY, "not looked at: the message has too many signatures"
		};
		return;
	}
	o->problem =
		dkim_signature_parse(DKIM_FORM_SIGNATURE, raw, v->arena, &o->signature);
	if (o->problem.result == DKIM_NONE && !v->fields)
		o->problem =
			(struct dkim_problem){ DKIM_PERMERROR,
			                       "the message has too many header fields" };
	if (o->problem.result == DKIM_NONE)
		o->hash = dkim_hashes_want(v->hashes, s->body, s->limit);
}

static void
set_verdict(struct dkim_verifier *v, struct one *o, struct dkim_problem p)
{
	struct strbuf reason = strbuf_arena(v->arena, LOOKUPS_NAME_MAX + 32);

	o->verdict = (struct dkim_verdict){
		.result = p.result,
		.domain = o->signature.domain,
		.selector = o->signature.selector,
		.identity = o->signature.identity,
		.algorithm = algorithm_word(o->signature.algorithm),
		.key_bits = o->verdict.key_bits,
		.is_testing = o->verdict.is_testing,
		.signature = o->signature.b_text,
		.reason = str_from(p.reason),
	};
	if (p.result != DKIM_NONE)
		return;
	o->verdict.result = DKIM_PASS;
	strbuf_lit(&reason, "signed by ");
	strbuf_add(&reason, o->signature.domain);
	strbuf_lit(&reason, " and unchanged");
	o->verdict.reason = strbuf_str(&reason);
}

/* A header with too many fields to keep. */
static void
add_unsorted(struct dkim_verifier *v, struct str header)
{
	struct header_field field;

	while (v->count < SIGNATURES_TOLD && header_next(&header, &field))
		if (str_eq_icase(field.name, STR("dkim-signature")))
			add_signature(v, field.raw);
}

void
dkim_verifier_header(struct dkim_verifier *v, struct str header)
{
	struct header_field first;
	struct str raw;

	if (!header_find(header, STR("dkim-signature"), &first))
		return;
	v->fields = dkim_fields_new(v->arena, header);
	if (!v->fields) {
		add_unsorted(v, header);
		return;
	}
	while (v->count < SIGNATURES_TOLD) {
		raw = dkim_fields_at(v->fields, STR("dkim-signature"), v->count);
		if (!raw.n)
			return;
		add_signature(v, raw);
	}
}

void
dkim_verifier_body(struct dkim_verifier *v, struct str bytes)
{
	dkim_hashes_add(v->hashes, bytes);
}

void
dkim_verifier_end(struct dkim_verifier *v)
{
	dkim_hashes_end(v->hashes);
}

/* Whether the body is what was signed, and all of it. */
static struct dkim_problem
check_body(struct dkim_verifier *v, const struct one *o)
{
	const struct dkim_signature *s = &o->signature;
	struct sha256 digest = dkim_hashes_result(v->hashes, o->hash);
	uint64_t length = dkim_hashes_length(v->hashes, o->hash);

	if (s->limit != DKIM_WHOLE && s->limit > length)
		return (struct dkim_problem){ DKIM_FAIL, "the text was cut on the way" };
	if (!str_eq(sha256_str(&digest), sha256_str(&s->body_hash)))
		return (struct dkim_problem){ DKIM_FAIL,
			                      "the text was changed on the way" };
	if (s->limit < length)
		return (struct dkim_problem){
			DKIM_POLICY, "the signature covers a part of the text only (l=)"
		};
	return (struct dkim_problem){ DKIM_NONE, "" };
}

static struct dkim_problem
check_time(const struct dkim_signature *s, int64_t now_ms)
{
	int64_t now_s = now_ms / 1000;

	if (s->expires_s && (int64_t)s->expires_s < now_s)
		return (struct dkim_problem){ DKIM_POLICY, "the signature has expired" };
	if ((int64_t)s->made_s > now_s + CLOCK_SLACK_S)
		return (struct dkim_problem){ DKIM_POLICY,
			                      "the signature is dated in the future" };
	return (struct dkim_problem){ DKIM_NONE, "" };
}

/* The worse of two: what does not fit before what is not accepted. */
static struct dkim_problem
worse(struct dkim_problem a, struct dkim_problem b)
{
	if (b.result == DKIM_NONE)
		return a;
	return a.result == DKIM_NONE || (a.result == DKIM_POLICY && b.result == DKIM_FAIL)
	               ? b
	               : a;
}

static void
check_one(struct dkim_verifier *v, struct one *o, int64_t now_ms, struct lookups *l)
{
	const struct dkim_signature *s = &o->signature;
	struct sha256 digest = dkim_signature_hash(s, v->fields);
	struct dkim_key_check check;

	if (dkim_key_check(s, &digest, l, v->arena, &check) != POLICY_DONE)
		return; /* cannot be: it was asked for */
	o->verdict.key_bits = check.bits;
	o->verdict.is_testing = check.is_testing;
	if (s->algorithm == DKIM_RSA_SHA1) {
		set_verdict(v, o, check.problem); /* nothing else is looked at */
		return;
	}
	set_verdict(v, o,
	            worse(worse(check.problem, check_body(v, o)), check_time(s, now_ms)));
}

enum policy_step
dkim_verifier_check(struct dkim_verifier *v, int64_t now_ms, struct lookups *l)
{
	enum policy_step step = POLICY_DONE;

	for (size_t i = 0; i < v->count; i++)
		if (v->ones[i]->problem.result == DKIM_NONE &&
		    dkim_key_ask(&v->ones[i]->signature, l) == POLICY_NEED)
			step = POLICY_NEED;
	if (step == POLICY_NEED)
		return step;
	for (size_t i = 0; i < v->count; i++) {
		struct one *o = v->ones[i];

		if (o->problem.result == DKIM_NONE)
			check_one(v, o, now_ms, l);
		else
			set_verdict(v, o, o->problem);
	}
	return POLICY_DONE;
}

size_t
dkim_verifier_count(const struct dkim_verifier *v)
{
	return v->count;
}

const struct dkim_verdict *
dkim_verifier_verdict(const struct dkim_verifier *v, size_t i)
{
	return &v->ones[i]->verdict;
}

void
dkim_verifier_free(struct dkim_verifier **v)
{
	if (!*v)
		return;
	dkim_hashes_free(&(*v)->hashes);
	*v = NULL;
}
