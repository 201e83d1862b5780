#include "policy/dkim_key.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "policy/tag_list.h"

enum {
	KEY_TEXT_MAX = 8192, /* bytes of p= and of a record */
};

#define FAIL(reason)      ((struct dkim_problem){ DKIM_FAIL, (reason) })
#define POLICY(reason)    ((struct dkim_problem){ DKIM_POLICY, (reason) })
#define PERMERROR(reason) ((struct dkim_problem){ DKIM_PERMERROR, (reason) })

/* Whether a list like "a:b" names it; a list that is not there names all. */
static bool
names(const struct tag_list *list, struct str tag_name, struct str word)
{
	const struct tag *tag = tag_list_find(list, tag_name);
	struct str rest, one;

	if (!tag)
		return true;
	rest = tag->value;
	while (tag_next(&rest, ':', &one))
		if (str_eq(one, word))
			return true;
	return false;
}

static unsigned
parse_use(const struct tag_list *list)
{
	unsigned use = 0;

	if (names(list, STR("s"), STR("*")) || names(list, STR("s"), STR("email")))
		use |= DKIM_KEY_FOR_MAIL;
	if (names(list, STR("h"), STR("sha256")))
		use |= DKIM_KEY_SHA256;
	if (names(list, STR("h"), STR("sha1")))
		use |= DKIM_KEY_SHA1;
	if (!tag_list_find(list, STR("t")))
		return use;
	if (names(list, STR("t"), STR("y")))
		use |= DKIM_KEY_TESTING;
	if (names(list, STR("t"), STR("s")))
		use |= DKIM_KEY_STRICT;
	return use;
}

static enum err
parse_kind(const struct tag_list *list, enum crypto_key_kind *kind_out)
{
	const struct tag *k = tag_list_find(list, STR("k"));

	if (!k || str_eq(k->value, STR("rsa")))
		*kind_out = CRYPTO_RSA;
	else if (str_eq(k->value, STR("ed25519")))
		*kind_out = CRYPTO_ED25519;
	else
		return ERR_UNSUPPORTED;
	return OK;
}

static enum err
parse_key(const struct tag_list *list, struct arena *a, struct str *key_out)
{
	const struct tag *p = tag_list_find(list, STR("p"));
	struct strbuf bytes;

	if (!p || p->value.n > KEY_TEXT_MAX)
		return ERR_SYNTAX;
	bytes = strbuf_arena(a, p->value.n);
	if (base64_parse(tag_squeeze(p->value, a), &bytes) != OK)
		return ERR_SYNTAX;
	*key_out = strbuf_str(&bytes);
	return OK;
}

enum err
dkim_key_record_parse(struct str text, struct arena *a,
                      struct dkim_key_record *record_out)
{
	struct tag_list list;
	const struct tag *v;
	enum err e;

	if (text.n > KEY_TEXT_MAX || tag_list_parse(text, &list) != OK)
		return ERR_SYNTAX;
	/* RFC 6376 3.6.1: v= is the first tag, and DKIM1, or is not there. */
	v = tag_list_find(&list, STR("v"));
	if (v && (v != list.tags || !str_eq(v->value, STR("DKIM1"))))
		return ERR_NOT_FOUND;
	*record_out = (struct dkim_key_record){ .use = parse_use(&list) };
	e = parse_kind(&list, &record_out->kind);
	if (e == OK)
		e = parse_key(&list, a, &record_out->key);
	if (e == OK && !record_out->key.n)
		record_out->use |= DKIM_KEY_REVOKED;
	return e;
}

/* selector._domainkey.domain, with A-labels; what is too long, or no name, is empty. */
static struct str
key_name(const struct dkim_signature *s, struct strbuf *room)
{
	strbuf_add(room, s->selector);
	strbuf_lit(room, "._domainkey.");
	if (ascii_check(s->domain))
		strbuf_add(room, s->domain);
	else if (domain_normalize(s->domain, room) != OK)
		return STR("");
	return room->overflow || !ascii_check(s->selector) ? STR("") : strbuf_str(room);
}

static const struct dns_answer *
find_key(const struct dkim_signature *s, struct lookups *l)
{
	char room[2 * LOOKUPS_NAME_MAX];
	struct strbuf name = strbuf_on(room);

	return lookups_find(l, key_name(s, &name), DNS_TXT);
}

enum policy_step
dkim_key_ask(const struct dkim_signature *s, struct lookups *l)
{
	return find_key(s, l) ? POLICY_DONE : POLICY_NEED;
}

static struct dkim_problem
problem_of(enum err e)
{
	switch (e) {
	case OK:
		return (struct dkim_problem){ DKIM_NONE, "" };
	case ERR_UNSUPPORTED:
		return PERMERROR("the key is of a kind that is not known here");
	case ERR_NOT_FOUND:
		return PERMERROR("there is a record, and it is no DKIM key");
	default:
		return PERMERROR("the published key cannot be read");
	}
}

/* Whether the record allows this use (RFC 6376 6.1.2). */
static struct dkim_problem
check_use(const struct dkim_signature *s, const struct dkim_key_record *r)
{
	enum crypto_key_kind kind =
		s->algorithm == DKIM_ED25519_SHA256 ? CRYPTO_ED25519 : CRYPTO_RSA;
	size_t at = str_find_last(s->identity, '@');

	if (r->use & DKIM_KEY_REVOKED)
		return PERMERROR("the key has been revoked");
	if (!(r->use & DKIM_KEY_FOR_MAIL))
		return PERMERROR("the key is not for mail");
	if (r->kind != kind)
		return PERMERROR("key and signature are of different kinds");
	if (!(r->use & (s->algorithm == DKIM_RSA_SHA1 ? DKIM_KEY_SHA1 : DKIM_KEY_SHA256)))
		return PERMERROR("the key does not allow this way of signing");
	if ((r->use & DKIM_KEY_STRICT) && at != SIZE_MAX &&
	    !str_eq_icase(str_from_offset(s->identity, at + 1), s->domain))
		return PERMERROR("the key does not sign for names below its domain");
	return (struct dkim_problem){ DKIM_NONE, "" };
}

static struct dkim_problem
check_key(const struct dkim_signature *s, const struct sha256 *digest,
          const struct crypto_key *key)
{
	if (s->algorithm == DKIM_RSA_SHA1)
		return POLICY("signed with SHA-1, which is too easily forged");
	if (!crypto_key_verify(key, digest, s->b))
		return FAIL(
			"the signature does not fit: the header was changed on the way");
	if (crypto_key_kind(key) == CRYPTO_RSA &&
	    crypto_key_bits(key) < DKIM_RSA_BITS_MIN)
		return POLICY("the key is too weak: under 1024 bits");
	return (struct dkim_problem){ DKIM_NONE, "" };
}

static struct dkim_problem
read_key(const struct dkim_key_record *record, struct crypto_key **key_out)
{
	enum err e = crypto_key_parse_public(record->kind, record->key, key_out);

	return e == ERR_LIMIT ? PERMERROR("the key is too long: over 4096 bits")
	                      : problem_of(e);
}

/* A record that was read lately is not read again: its key rests under its text. */
static void
try_record(const struct dkim_signature *s, const struct sha256 *digest, struct str text,
           struct arena *a, struct dkim_key_check *check_out)
{
	struct dkim_key_record record = { .use = 0 };
	struct crypto_key *key = crypto_pool_take(text, &record.use);
	struct dkim_problem p = { DKIM_NONE, "" };

	*check_out = (struct dkim_key_check){ .bits = 0 };
	if (key)
		record.kind = crypto_key_kind(key);
	else
		p = problem_of(dkim_key_record_parse(text, a, &record));
	if (p.result == DKIM_NONE) {
		check_out->is_testing = record.use & DKIM_KEY_TESTING;
		p = check_use(s, &record);
	}
	if (p.result == DKIM_NONE && !key)
		p = read_key(&record, &key);
	if (p.result == DKIM_NONE) {
		check_out->bits = crypto_key_bits(key);
		p = check_key(s, digest, key);
	}
	check_out->problem = p;
	crypto_pool_give(text, record.use, &key);
}

/* How near to a pass: of several records the best is told. */
static int
rank(enum dkim_result r)
{
	switch (r) {
	case DKIM_NONE:
		return 3;
	case DKIM_POLICY:
		return 2;
	case DKIM_FAIL:
		return 1;
	default:
		return 0;
	}
}

enum policy_step
dkim_key_check(const struct dkim_signature *s, const struct sha256 *digest,
               struct lookups *l, struct arena *a, struct dkim_key_check *check_out)
{
	const struct dns_answer *answer = find_key(s, l);

	if (!answer)
		return POLICY_NEED;
	*check_out = (struct dkim_key_check){
		.problem = PERMERROR("the key cannot be found"),
	};
	if (answer->status == DNS_TEMP)
		check_out->problem = (struct dkim_problem){
			DKIM_TEMPERROR, "the key cannot be asked for: DNS did not answer"
		};
	if (answer->status != DNS_OK)
		return POLICY_DONE;
	for (size_t i = 0; i < answer->count && i < DKIM_KEY_RECORDS_MAX; i++) {
		struct dkim_key_check one;

		try_record(s, digest, answer->records[i].text, a, &one);
		if (!i || rank(one.problem.result) > rank(check_out->problem.result))
			*check_out = one;
	}
	return POLICY_DONE;
}
