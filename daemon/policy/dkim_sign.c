#include "policy/dkim_sign.h"

#include "base/base64.h"
#include "policy/dkim_hash.h"
#include "policy/dkim_signature.h"
#include "policy/dkim_text.h"

struct dkim_signer {
	struct arena *arena;
	struct dkim_fields *fields;
	struct dkim_hashes *hashes;
	size_t hash;
};

struct dkim_signer *
dkim_signer_new(struct arena *a)
{
	struct dkim_signer *s = ARENA_NEW(a, struct dkim_signer);

	s->arena = a;
	s->hashes = dkim_hashes_new(a);
	s->hash = dkim_hashes_want(s->hashes, DKIM_RELAXED, DKIM_WHOLE);
	return s;
}

void
dkim_signer_header(struct dkim_signer *s, struct str header)
{
	s->fields = dkim_fields_new(s->arena, header);
}

void
dkim_signer_body(struct dkim_signer *s, struct str bytes)
{
	dkim_hashes_add(s->hashes, bytes);
}

struct times {
	int64_t now_s, expires_s;
};

/* One field for one key; all keys sign the same fields. */
static enum err
sign(struct dkim_signer *s, const struct dkim_signing_key *key, struct times times,
     struct str names, struct strbuf *out)
{
	struct strbuf body_hash = strbuf_arena(s->arena, 2 * SHA256_BYTES);
	struct sha256 body = dkim_hashes_result(s->hashes, s->hash), digest;
	struct dkim_signature own;
	struct dkim_text t;

	base64_format(&body_hash, sha256_str(&body));
	dkim_text_begin(&t, s->arena, STR("DKIM-Signature"));
	dkim_text_tag(&t, "v", STR("1"));
	dkim_text_tag(&t, "a", dkim_algorithm_of(key->key));
	dkim_text_tag(&t, "c", STR("relaxed/relaxed"));
	dkim_text_tag(&t, "d", key->domain);
	dkim_text_tag(&t, "s", key->selector);
	dkim_text_number(&t, "t", times.now_s);
	if (times.expires_s)
		dkim_text_number(&t, "x", times.now_s + times.expires_s);
	dkim_text_list(&t, "h", names);
	dkim_text_tag(&t, "bh", strbuf_str(&body_hash));
	dkim_text_signature(&t);
	own = (struct dkim_signature){
		.raw = strbuf_str(&t.b),
		.header = DKIM_RELAXED,
		.names = names,
	};
	digest = dkim_signature_hash(&own, s->fields);
	return dkim_text_end(&t, key->key, &digest, true, out);
}

enum err
dkim_signer_end(struct dkim_signer *s, const struct dkim_signing_key *keys, size_t count,
                int64_t now_ms, int64_t expires_s, struct strbuf *out)
{
	struct times times = { now_ms / 1000, expires_s };
	struct str names;

	dkim_hashes_end(s->hashes);
	if (!s->fields || dkim_fields_named(s->fields, STR("from")) != 1)
		return ERR_MESSAGE_SYNTAX;
	names = dkim_names_of(s->fields, false, s->arena);
	for (size_t i = 0; i < count; i++) {
		enum err e = sign(s, &keys[i], times, names, out);

		if (e != OK)
			return e;
	}
	return OK;
}

void
dkim_signer_free(struct dkim_signer **s)
{
	if (!*s)
		return;
	dkim_hashes_free(&(*s)->hashes);
	*s = NULL;
}
