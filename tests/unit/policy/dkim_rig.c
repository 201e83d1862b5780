#include "tests/unit/policy/dkim_rig.h"

#include "base/base64.h"
#include "mail/header.h"
#include "policy/dkim_hash.h"
#include "policy/dkim_signature.h"
#include "policy/tag_list.h"
#include "tests/unit/check.h"

enum {
	ARENA_BYTES = 64 << 20,
	FIELD_MAX = 1 << 20,
};

static const char key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";

void
rig_init(struct rig *r)
{
	*r = (struct rig){ .arena = arena_new(ARENA_BYTES) };
	CHECK_ERR_EQ(crypto_key_parse_private(str_from(key_pem), &r->key), OK, "the key");
	rig_record(r, "k._domainkey.a.example", RIG_KEY, DNS_OK);
}

void
rig_fini(struct rig *r)
{
	crypto_key_free(&r->key);
	arena_free(&r->arena);
}

void
rig_record(struct rig *r, const char *name, const char *text, enum dns_status status)
{
	CHECK_TRUE(r->record_count < RIG_RECORDS_MAX, "room for a record");
	r->records[r->record_count++] = (struct rig_record){ name, text, status };
}

void
rig_answer(struct rig *r, struct lookups *l)
{
	struct lookup *q;

	while ((q = lookups_next(l))) {
		struct dns_record found[RIG_RECORDS_MAX];
		struct dns_answer a = { .status = DNS_NXDOMAIN, .records = found };

		for (size_t i = 0; i < r->record_count; i++) {
			if (!str_eq_icase(str_from(r->records[i].name), q->name))
				continue;
			a.status = r->records[i].status;
			if (r->records[i].text)
				found[a.count++] = (struct dns_record){
					.type = DNS_TXT,
					.text = str_from(r->records[i].text),
				};
		}
		lookups_answer(q, &a);
		r->questions++;
	}
}

struct str
rig_crlf(struct rig *r, const char *text)
{
	struct strbuf b = strbuf_arena(r->arena, FIELD_MAX);

	for (; *text; text++) {
		if (*text == '\n')
			strbuf_byte(&b, '\r');
		strbuf_byte(&b, *text);
	}
	return strbuf_str(&b);
}

struct str
rig_replace(struct rig *r, struct str s, const char *from, const char *to)
{
	size_t at = str_find_str(s, str_from(from));

	CHECK_TRUE(at != SIZE_MAX, from);
	return arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(str_first(s, at)), to,
	                    STR_ARG(str_from_offset(s, at + strlen(from))));
}

void
rig_split(struct str message, struct str *header_out, struct str *body_out)
{
	size_t n = header_size(message);

	*header_out = str_first(message, n);
	*body_out = str_from_offset(message, n);
	if (str_ends(*header_out, STR("\r\n\r\n")) || str_eq(*header_out, STR("\r\n")))
		header_out->n -= 2;
}

static void
add_body_hash(struct rig *r, struct strbuf *b, enum dkim_canon canon, struct str body,
              uint64_t limit)
{
	struct dkim_hashes *h = dkim_hashes_new(r->arena);
	struct sha256 digest;

	(void)dkim_hashes_want(h, canon, limit);
	dkim_hashes_add(h, body);
	dkim_hashes_end(h);
	digest = dkim_hashes_result(h, 0);
	base64_format(b, sha256_str(&digest));
	dkim_hashes_free(&h);
}

struct str
rig_sign(struct rig *r, const char *tags, struct str header, struct str body,
         uint64_t limit)
{
	struct str text = str_from(tags);
	size_t at = str_find_str(text, STR("@bh"));
	bool is_simple_header = str_find_str(text, STR("c=simple")) != SIZE_MAX;
	bool is_simple_body = str_find_str(text, STR("/simple")) != SIZE_MAX;
	struct strbuf b = strbuf_arena(r->arena, FIELD_MAX), sig;
	struct dkim_fields *fields = dkim_fields_new(r->arena, header);
	struct dkim_signature own = { 0 };
	struct sha256 digest;
	struct tag_list list;

	strbuf_lit(&b, "DKIM-Signature: ");
	strbuf_add(&b, str_first(text, at));
	if (at != SIZE_MAX) {
		add_body_hash(r, &b, is_simple_body ? DKIM_SIMPLE : DKIM_RELAXED, body,
		              limit);
		strbuf_add(&b, str_from_offset(text, at + 3));
	}
	strbuf_lit(&b, "; b=");
	if (tag_list_parse(text, &list) == OK && tag_list_find(&list, STR("h")))
		own.names = tag_list_find(&list, STR("h"))->value;
	own.raw = strbuf_str(&b);
	own.header = is_simple_header ? DKIM_SIMPLE : DKIM_RELAXED;
	digest = dkim_signature_hash(&own, fields);
	sig = strbuf_arena(r->arena, CRYPTO_SIGNATURE_MAX);
	CHECK_ERR_EQ(crypto_key_sign(r->key, &digest, &sig), OK, "signs");
	base64_format(&b, strbuf_str(&sig));
	strbuf_lit(&b, "\r\n");
	return strbuf_str(&b);
}

static void
judge(struct rig *r, struct str message, bool is_trickled)
{
	struct dkim_verifier *v = dkim_verifier_new(r->arena);
	struct lookups *l = lookups_new(r->arena, LOOKUPS_MAX);
	struct str header, body;

	rig_split(message, &header, &body);
	dkim_verifier_header(v, header);
	if (is_trickled)
		for (size_t i = 0; i < body.n; i++)
			dkim_verifier_body(v, str_make(body.p + i, 1));
	else
		dkim_verifier_body(v, body);
	dkim_verifier_end(v);
	while (dkim_verifier_check(v, RIG_NOW_MS, l) == POLICY_NEED)
		rig_answer(r, l);
	r->count = dkim_verifier_count(v);
	for (size_t i = 0; i < r->count && i < RIG_VERDICTS_MAX; i++)
		r->verdicts[i] = *dkim_verifier_verdict(v, i);
	dkim_verifier_free(&v);
}

static struct str
words(const struct rig *r)
{
	const struct dkim_verdict *v = r->verdicts;

	if (!r->count)
		return STR("none");
	return arena_printf(r->arena, "%s: %.*s", dkim_result_word(v->result),
	                    STR_ARG(v->reason));
}

struct str
rig_verify(struct rig *r, struct str message)
{
	struct str trickled;

	judge(r, message, true);
	trickled = words(r);
	r->questions = 0;
	judge(r, message, false);
	CHECK_STR_EQ(trickled, words(r), "byte by byte and whole");
	return trickled;
}

struct arc_verdict
rig_arc(struct rig *r, struct str message)
{
	struct arc_validator *v = arc_validator_new(r->arena);
	struct lookups *l = lookups_new(r->arena, LOOKUPS_MAX);
	struct str header, body;
	struct arc_verdict verdict;

	rig_split(message, &header, &body);
	arc_validator_header(v, header);
	for (size_t i = 0; i < body.n; i++)
		arc_validator_body(v, str_make(body.p + i, 1));
	arc_validator_end(v);
	while (arc_validator_check(v, RIG_NOW_MS, l, &verdict) == POLICY_NEED)
		rig_answer(r, l);
	arc_validator_free(&v);
	return verdict;
}
