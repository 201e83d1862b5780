#include "policy/arc_set.h"

#include "base/base64.h"
#include "mail/header.h"
#include "policy/auth_results.h"
#include "policy/dkim_hash.h"
#include "policy/dkim_signature.h"
#include "policy/dkim_text.h"
#include "policy/tag_list.h"

enum {
	RESULTS_MAX = AUTH_RESULTS_MAX + 4096, /* bytes of what is told */
	FIELD_ROOM = 2 * DKIM_TEXT_MAX,
};

struct arc_sealer {
	struct arena *arena;
	struct str header;
	struct dkim_hashes *hashes;
	size_t hash;
	/* At the end: */
	const struct arc_seal *seal;
	unsigned instance;
	struct strbuf results, message, field; /* the three new fields, with line ends */
};

struct arc_sealer *
arc_sealer_new(struct arena *a)
{
	struct arc_sealer *s = ARENA_NEW(a, struct arc_sealer);

	s->arena = a;
	s->hashes = dkim_hashes_new(a);
	s->hash = dkim_hashes_want(s->hashes, DKIM_RELAXED, DKIM_WHOLE);
	s->results = strbuf_arena(a, RESULTS_MAX);
	s->message = strbuf_arena(a, FIELD_ROOM);
	s->field = strbuf_arena(a, FIELD_ROOM);
	return s;
}

void
arc_sealer_header(struct arc_sealer *s, struct str header)
{
	s->header = header;
}

void
arc_sealer_body(struct arc_sealer *s, struct str bytes)
{
	dkim_hashes_add(s->hashes, bytes);
}

static enum err
put_results(struct arc_sealer *s)
{
	strbuf_printf(&s->results, "ARC-Authentication-Results: i=%u; ", s->instance);
	strbuf_add(&s->results, s->seal->authserv_id);
	strbuf_lit(&s->results, ";\r\n\t");
	strbuf_add(&s->results, s->seal->results.n ? s->seal->results : STR("none"));
	strbuf_lit(&s->results, "\r\n");
	return s->results.overflow ? ERR_LIMIT : OK;
}

static struct str
body_hash(struct arc_sealer *s)
{
	struct strbuf text = strbuf_arena(s->arena, (size_t)2 * SHA256_BYTES);
	struct sha256 digest = dkim_hashes_result(s->hashes, s->hash);

	base64_format(&text, sha256_str(&digest));
	return strbuf_str(&text);
}

/* ARC-Message-Signature, over the message as it is sent on (RFC 8617 4.1.2). */
static enum err
put_message(struct arc_sealer *s)
{
	struct dkim_fields *fields = dkim_fields_new(s->arena, s->header);
	struct dkim_signature own;
	struct sha256 digest;
	struct dkim_text t;

	if (!fields)
		return ERR_MESSAGE_SYNTAX;
	own = (struct dkim_signature){
		.header = DKIM_RELAXED,
		.names = s->seal->headers.n ? s->seal->headers
		                            : dkim_names_of(fields, true, s->arena),
	};
	dkim_text_begin(&t, s->arena, STR("ARC-Message-Signature"));
	dkim_text_tag(&t, "a", dkim_algorithm_of(s->seal->key));
	dkim_text_signature(&t);
	dkim_text_tag(&t, "bh", body_hash(s));
	dkim_text_tag(&t, "c", STR("relaxed/relaxed"));
	dkim_text_tag(&t, "d", s->seal->domain);
	dkim_text_list(&t, "h", own.names);
	dkim_text_number(&t, "i", s->instance);
	dkim_text_tag(&t, "s", s->seal->selector);
	dkim_text_number(&t, "t", s->seal->now_ms / 1000);
	own.raw = strbuf_str(&t.b);
	digest = dkim_signature_hash(&own, fields);
	return dkim_text_end(&t, s->seal->key, &digest, false, &s->message);
}

/* ARC-Seal, over the whole chain, or over its own set alone where the chain was broken
   (RFC 8617 5.1.1, 5.1.2). */
static enum err
put_seal(struct arc_sealer *s, const struct arc_verdict *verdict)
{
	struct str word = str_from(arc_result_word(verdict->result));
	struct sha256_state *state = sha256_new();
	struct arc_chain chain;
	struct arc_fields own;
	struct sha256 digest;
	struct dkim_text t;

	dkim_text_begin(&t, s->arena, STR("ARC-Seal"));
	dkim_text_tag(&t, "a", dkim_algorithm_of(s->seal->key));
	dkim_text_signature(&t);
	dkim_text_tag(&t, "cv", word);
	dkim_text_tag(&t, "d", s->seal->domain);
	dkim_text_number(&t, "i", s->instance);
	dkim_text_tag(&t, "s", s->seal->selector);
	dkim_text_number(&t, "t", s->seal->now_ms / 1000);
	own = (struct arc_fields){ strbuf_str(&s->results), strbuf_str(&s->message),
		                   strbuf_str(&t.b) };
	arc_chain_gather(s->header, &chain);
	for (size_t i = 0; verdict->result == ARC_PASS && i < chain.count; i++)
		arc_chain_canon(&chain.sets[i], false, STR(""), dkim_hash_sink, state);
	arc_chain_canon(&own, true, STR(""), dkim_hash_sink, state);
	digest = sha256_result(state);
	sha256_free(&state);
	return dkim_text_end(&t, s->seal->key, &digest, false, &s->field);
}

/* Whether anything may be added to the chain. */
static enum err
check_chain(const struct arc_verdict *verdict)
{
	if (verdict->result == ARC_NONE && verdict->count)
		return ERR_CONFLICT;
	if (verdict->count >= ARC_SETS_MAX)
		return ERR_LIMIT;
	if (verdict->result == ARC_FAIL && verdict->is_temporary)
		return ERR_DNS_TEMP;
	return OK;
}

enum err
arc_sealer_end(struct arc_sealer *s, const struct arc_seal *seal,
               const struct arc_verdict *verdict, struct strbuf *out)
{
	enum err e = check_chain(verdict);

	dkim_hashes_end(s->hashes);
	s->seal = seal;
	s->instance = (unsigned)verdict->count + 1;
	if (e == OK)
		e = put_results(s);
	if (e == OK)
		e = put_message(s);
	if (e == OK)
		e = put_seal(s, verdict);
	if (e != OK)
		return e;
	strbuf_add(out, strbuf_str(&s->field));
	strbuf_add(out, strbuf_str(&s->message));
	strbuf_add(out, strbuf_str(&s->results));
	return out->overflow ? ERR_LIMIT : OK;
}

void
arc_sealer_free(struct arc_sealer **s)
{
	if (!*s)
		return;
	dkim_hashes_free(&(*s)->hashes);
	*s = NULL;
}

enum err
arc_seal(struct arena *a, const struct arc_seal *seal, const struct arc_verdict *verdict,
         struct str header, struct str body, struct strbuf *out)
{
	struct arc_sealer *s = arc_sealer_new(a);
	enum err e;

	arc_sealer_header(s, header);
	arc_sealer_body(s, body);
	e = arc_sealer_end(s, seal, verdict, out);
	arc_sealer_free(&s);
	return e;
}

struct str
arc_results_of(struct str header, struct str authserv_id, struct arena *a)
{
	struct strbuf all = strbuf_arena(a, AUTH_RESULTS_MAX);
	struct str rest = header;
	struct header_field field;

	while (header_next(&rest, &field)) {
		size_t end = str_find(field.value, ';');
		struct str id = str_trim(str_first(field.value, end)), word, results;

		if (!str_eq_icase(field.name, STR("authentication-results")) ||
		    end == SIZE_MAX)
			continue;
		/* A version may stand behind the name (RFC 8601 2.2). */
		word = str_first(id, str_find(id, ' '));
		results = str_trim(str_from_offset(field.value, end + 1));
		if (!str_eq_icase(word, authserv_id) || !results.n)
			continue;
		if (all.n)
			strbuf_lit(&all, ";\r\n\t");
		strbuf_add(&all, results);
	}
	return strbuf_str(&all);
}

/* Of a chain that failed when the message came in: for good, for a while, or nobody said
   (earlier versions of ours). */
static enum err
failed_verdict(const struct auth_result *arc, struct arc_verdict *verdict_out)
{
	struct str fault = auth_result_property(arc, STR("policy"), STR("arc-fault"));

	verdict_out->result = ARC_FAIL;
	verdict_out->is_temporary = str_eq_icase(fault, AUTH_RESULTS_TEMPORARY);
	return verdict_out->is_temporary || str_eq_icase(fault, AUTH_RESULTS_PERMANENT)
	               ? OK
	               : ERR_CONFLICT;
}

enum err
arc_verdict_of(struct str header, struct str results, struct arena *a,
               struct arc_verdict *verdict_out)
{
	struct str value = arena_printf(a, "x; %.*s", STR_ARG(results));
	const struct auth_result *arc;
	struct auth_results all;
	struct arc_chain chain;
	enum err e;

	*verdict_out = (struct arc_verdict){ 0 };
	if (!results.n)
		return ERR_NOT_FOUND;
	e = auth_results_parse(value, a, &all);
	if (e != OK)
		return e == ERR_LIMIT ? e : ERR_MESSAGE_SYNTAX;
	arc = auth_results_find(&all, STR("arc"), 0);
	if (!arc)
		return ERR_NOT_FOUND;
	arc_chain_gather(header, &chain);
	verdict_out->count = chain.count;
	if (str_eq_icase(arc->result, STR("none")))
		return OK;
	if (str_eq_icase(arc->result, STR("fail")))
		return failed_verdict(arc, verdict_out);
	if (!str_eq_icase(arc->result, STR("pass")))
		return ERR_MESSAGE_SYNTAX;
	if (!chain.count || chain.problem)
		return ERR_MESSAGE_SYNTAX;
	verdict_out->result = ARC_PASS;
	return OK;
}
