#include "policy/dkim_signature.h"

#include "base/base64.h"
#include "policy/arc.h"
#include "policy/tag_list.h"

enum {
	LABEL_MAX = 63,
	DIGITS_MAX = 18, /* of a number: what is longer is beyond any time or length */
	IDENTITY_MAX = 1024,
};

#define FORM(f)           (1U << (f))
#define DKIM              FORM(DKIM_FORM_SIGNATURE)
#define MESSAGE           FORM(DKIM_FORM_MESSAGE)
#define SEAL              FORM(DKIM_FORM_SEAL)
#define ALL               (DKIM | MESSAGE | SEAL)
#define FINE              ((struct dkim_problem){ DKIM_NONE, "" })
#define NEUTRAL(reason)   ((struct dkim_problem){ DKIM_NEUTRAL, (reason) })
#define PERMERROR(reason) ((struct dkim_problem){ DKIM_PERMERROR, (reason) })

/* A field that is being read. */
struct reading {
	enum dkim_form form;
	struct dkim_signature *s;
	struct arena *arena;
	const struct tag *tag;
	struct str value;
};

static struct str
lower(struct str value, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, value.n);
	bool has_upper = false;

	for (size_t i = 0; i < value.n; i++)
		has_upper |= byte_lower(value.p[i]) != value.p[i];
	if (!has_upper)
		return value;
	for (size_t i = 0; i < value.n; i++)
		strbuf_byte(&b, byte_lower(value.p[i]));
	return strbuf_str(&b);
}

/* Names in the DNS, as lenient as they are used: with "_" too, and UTF-8 (RFC 8616). */
static bool
is_name(struct str name, bool wants_dot)
{
	bool has_dot = false;
	size_t label = 0;

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c == '.') {
			if (!label)
				return false;
			has_dot = true;
			label = 0;
		} else if ((!byte_is_alnum((char)c) && c != '-' && c != '_' &&
		            c < 0x80) ||
		           (++label > LABEL_MAX && c < 0x80)) {
			return false;
		}
	}
	return label && name.n <= LOOKUPS_NAME_MAX && (has_dot || !wants_dot);
}

static bool
parse_number(struct str value, uint64_t *number_out)
{
	while (value.n > 1 && value.p[0] == '0')
		value = str_from_offset(value, 1);
	if (value.n <= DIGITS_MAX)
		return str_parse_u64(value, number_out);
	for (size_t i = 0; i < value.n; i++)
		if (!byte_is_digit(value.p[i]))
			return false;
	*number_out = UINT64_MAX >> 2; /* never */
	return true;
}

static struct dkim_problem
read_version(struct reading *r)
{
	return str_eq(r->value, STR("1"))
	               ? FINE
	               : NEUTRAL("the signature is of another version");
}

static struct dkim_problem
read_algorithm(struct reading *r)
{
	static const struct {
		struct str name;
		enum dkim_algorithm algorithm;
	} known[] = {
		{ STR_INIT("rsa-sha256"), DKIM_RSA_SHA256 },
		{ STR_INIT("ed25519-sha256"), DKIM_ED25519_SHA256 },
		{ STR_INIT("rsa-sha1"), DKIM_RSA_SHA1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(r->value, known[i].name)) {
			r->s->algorithm = known[i].algorithm;
			return FINE;
		}
	}
	return NEUTRAL("the signature is made in a way that is not known here");
}

static struct dkim_problem
read_signature(struct reading *r)
{
	struct strbuf bytes = strbuf_arena(r->arena, CRYPTO_SIGNATURE_MAX);

	r->s->b_value = r->tag->raw;
	r->s->b_text = tag_squeeze(r->value, r->arena);
	if (!r->s->b_text.n || base64_parse(r->s->b_text, &bytes) != OK)
		return NEUTRAL("the signature itself cannot be read");
	r->s->b = strbuf_str(&bytes);
	return FINE;
}

static struct dkim_problem
read_body_hash(struct reading *r)
{
	struct strbuf bytes = strbuf_arena(r->arena, SHA256_BYTES + 4);

	if (base64_parse(tag_squeeze(r->value, r->arena), &bytes) != OK || !bytes.n)
		return NEUTRAL("the hash of the text cannot be read");
	if (bytes.n == SHA256_BYTES)
		memcpy(r->s->body_hash.bytes, bytes.p, bytes.n);
	else if (r->s->algorithm != DKIM_RSA_SHA1)
		return NEUTRAL("the hash of the text has the wrong length");
	return FINE;
}

static bool
parse_canon(struct str word, enum dkim_canon *canon_out)
{
	if (!str_eq(word, STR("simple")) && !str_eq(word, STR("relaxed")))
		return false;
	*canon_out = word.p[0] == 's' ? DKIM_SIMPLE : DKIM_RELAXED;
	return true;
}

static struct dkim_problem
read_canon(struct reading *r)
{
	size_t slash = str_find(r->value, '/');

	if (parse_canon(str_first(r->value, slash), &r->s->header) &&
	    (slash == SIZE_MAX ||
	     parse_canon(str_from_offset(r->value, slash + 1), &r->s->body)))
		return FINE;
	return NEUTRAL("the canonicalisation is not known here");
}

static struct dkim_problem
read_domain(struct reading *r)
{
	if (!is_name(r->value, true))
		return NEUTRAL("the signing domain is no domain name");
	r->s->domain = lower(r->value, r->arena);
	return FINE;
}

static struct dkim_problem
read_selector(struct reading *r)
{
	if (!is_name(r->value, false))
		return NEUTRAL("the name of the key is no name");
	r->s->selector = lower(r->value, r->arena);
	return FINE;
}

static struct dkim_problem
read_names(struct reading *r)
{
	struct str rest = r->value, name;
	bool has_from = false;
	size_t count = 0;

	while (tag_next(&rest, ':', &name)) {
		if (++count > DKIM_NAMES_MAX)
			return PERMERROR("the signature names too many header fields");
		if (r->form == DKIM_FORM_MESSAGE && str_eq_icase(name, STR("arc-seal")))
			return PERMERROR(
				"the signature covers a seal, which it must not");
		has_from |= str_eq_icase(name, STR("from"));
	}
	r->s->names = r->value;
	if (r->form == DKIM_FORM_SIGNATURE && !has_from)
		return PERMERROR("the sender's field (From) is not signed");
	return FINE;
}

static struct dkim_problem
read_identity(struct reading *r)
{
	struct str i = tag_squeeze(str_first(r->value, IDENTITY_MAX), r->arena);

	if (r->value.n > IDENTITY_MAX || str_find_last(i, '@') == SIZE_MAX)
		return NEUTRAL("the identity (i=) is no address");
	r->s->identity = i;
	return FINE;
}

static struct dkim_problem
read_instance(struct reading *r)
{
	uint64_t n;

	if (r->form == DKIM_FORM_SIGNATURE)
		return read_identity(r);
	/* RFC 8617 4.2.1: 1 to 50, and no zero before it. */
	if (!str_parse_u64(r->value, &n) || n < 1 || n > ARC_SETS_MAX ||
	    r->value.p[0] == '0')
		return NEUTRAL("the number of a set is no number from 1 to 50");
	r->s->instance = (unsigned)n;
	return FINE;
}

static struct dkim_problem
read_limit(struct reading *r)
{
	return parse_number(r->value, &r->s->limit)
	               ? FINE
	               : NEUTRAL("the length of the signed text (l=) is no number");
}

static struct dkim_problem
read_query(struct reading *r)
{
	struct str rest = r->value, method;

	while (tag_next(&rest, ':', &method))
		if (str_eq(method, STR("dns/txt")) || str_eq(method, STR("dns")))
			return FINE;
	return NEUTRAL("the key is to be looked for in a way that is not known here");
}

static struct dkim_problem
read_made(struct reading *r)
{
	return parse_number(r->value, &r->s->made_s)
	               ? FINE
	               : NEUTRAL("the time of the signature is no number");
}

static struct dkim_problem
read_expires(struct reading *r)
{
	if (!parse_number(r->value, &r->s->expires_s))
		return NEUTRAL("the end of the signature's validity is no number");
	r->s->expires_s += !r->s->expires_s; /* long ago, and given */
	return FINE;
}

static struct dkim_problem
read_chain(struct reading *r)
{
	r->s->chain = r->value;
	return FINE;
}

static struct dkim_problem
refuse(struct reading *r)
{
	(void)r;
	return PERMERROR("the seal names header fields, which it must not");
}

/* In the order in which they are read: what verdicts tell first. */
static const struct row {
	struct str name;
	unsigned forms, needed;
	struct dkim_problem (*read)(struct reading *r);
	const char *missing;
} rows[] = {
	{ STR_INIT("d"), ALL, ALL, read_domain, "the signing domain (d=) is missing" },
	{ STR_INIT("s"), ALL, ALL, read_selector, "the name of the key (s=) is missing" },
	{ STR_INIT("b"), ALL, ALL, read_signature,
	  "the signature itself (b=) is missing" },
	{ STR_INIT("v"), DKIM, DKIM, read_version,
	  "the signature's version (v=) is missing" },
	{ STR_INIT("a"), ALL, ALL, read_algorithm,
	  "the signature's algorithm (a=) is missing" },
	{ STR_INIT("i"), ALL, MESSAGE | SEAL, read_instance,
	  "the number of the set (i=) is missing" },
	{ STR_INIT("bh"), DKIM | MESSAGE, DKIM | MESSAGE, read_body_hash,
	  "the hash of the text (bh=) is missing" },
	{ STR_INIT("c"), DKIM | MESSAGE, 0, read_canon, "" },
	{ STR_INIT("h"), DKIM | MESSAGE, DKIM | MESSAGE, read_names,
	  "the list of signed header fields (h=) is missing" },
	{ STR_INIT("h"), SEAL, 0, refuse, "" },
	{ STR_INIT("l"), DKIM | MESSAGE, 0, read_limit, "" },
	{ STR_INIT("q"), DKIM | MESSAGE, 0, read_query, "" },
	{ STR_INIT("t"), ALL, 0, read_made, "" },
	{ STR_INIT("x"), DKIM | MESSAGE, 0, read_expires, "" },
	{ STR_INIT("cv"), SEAL, SEAL, read_chain,
	  "what the sealer found (cv=) is missing" },
};

static bool
is_below(struct str domain, struct str parent)
{
	if (domain.n > parent.n && domain.p[domain.n - parent.n - 1] == '.')
		domain = str_from_offset(domain, domain.n - parent.n);
	return str_eq_icase(domain, parent);
}

/* What two tags say together. */
static struct dkim_problem
check_together(const struct dkim_signature *s, enum dkim_form form)
{
	size_t at = str_find_last(s->identity, '@');

	if (form == DKIM_FORM_SIGNATURE &&
	    !is_below(str_from_offset(s->identity, at + 1), s->domain))
		return PERMERROR("the identity (i=) is not of the signing domain");
	/* RFC 6376 3.5, x: it is greater than t=. */
	if (s->expires_s && s->expires_s <= s->made_s)
		return NEUTRAL("the signature does not end after it was made");
	return FINE;
}

/* All rows are read, so that a verdict can name domain and key; the first problem is the
   one that is told. */
static struct dkim_problem
read_rows(struct reading *r, const struct tag_list *list)
{
	struct dkim_problem first = FINE;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim_problem p = FINE;

		if (!(rows[i].forms & FORM(r->form)))
			continue;
		r->tag = tag_list_find(list, rows[i].name);
		if (r->tag) {
			r->value = r->tag->value;
			p = rows[i].read(r);
		} else if (rows[i].needed & FORM(r->form)) {
			p = NEUTRAL(rows[i].missing);
		}
		if (first.result == DKIM_NONE)
			first = p;
	}
	return first;
}

struct dkim_problem
dkim_signature_parse(enum dkim_form form, struct str raw, struct arena *a,
                     struct dkim_signature *signature_out)
{
	struct reading r = { .form = form, .s = signature_out, .arena = a };
	struct tag_list list;
	struct dkim_problem p;
	enum err e;

	*signature_out = (struct dkim_signature){
		.raw = raw,
		.algorithm = DKIM_NO_ALGORITHM,
		.limit = DKIM_WHOLE,
	};
	/* RFC 8617 names no default of its own; what seals without c= means it so, as the
	   public test suite has it. */
	if (form == DKIM_FORM_MESSAGE)
		signature_out->header = signature_out->body = DKIM_RELAXED;
	if (raw.n > DKIM_FIELD_MAX)
		return NEUTRAL("the signature field is too long");
	e = tag_list_parse(dkim_field_value(raw), &list);
	if (e != OK && (e != ERR_EXISTS || !list.count))
		return NEUTRAL("the signature field cannot be read");
	p = read_rows(&r, &list);
	if (e == ERR_EXISTS)
		return NEUTRAL("a tag stands twice in the signature");
	if (!signature_out->identity.n && signature_out->domain.n) {
		struct strbuf b = strbuf_arena(a, 1 + LOOKUPS_NAME_MAX);

		strbuf_byte(&b, '@');
		strbuf_add(&b, signature_out->domain);
		signature_out->identity = strbuf_str(&b);
	}
	return p.result != DKIM_NONE ? p : check_together(signature_out, form);
}

struct sha256
dkim_signature_hash(const struct dkim_signature *s, struct dkim_fields *f)
{
	struct sha256_state *state = sha256_new();
	struct str rest = s->names, name;
	struct sha256 digest;

	dkim_fields_rewind(f);
	while (tag_next(&rest, ':', &name)) {
		struct str raw = dkim_fields_take(f, name, s->raw.p);

		if (raw.n)
			dkim_canon_field(s->header, raw, STR(""), false, dkim_hash_sink,
			                 state);
	}
	dkim_canon_field(s->header, s->raw, s->b_value, true, dkim_hash_sink, state);
	digest = sha256_result(state);
	sha256_free(&state);
	return digest;
}

bool
dkim_signature_has_name(const struct dkim_signature *s, struct str name)
{
	struct str rest = s->names, one;

	while (tag_next(&rest, ':', &one))
		if (str_eq_icase(one, name))
			return true;
	return false;
}
