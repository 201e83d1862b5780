/* All policies over one message, with canned answers: SPF, a signature of our own making,
 * sealers that are trusted and such that are not. */
#include "policy/auth_check.h"

#include "ext/crypto.h"
#include "policy/auth_results.h"
#include "policy/dkim_sign.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

#include <stdio.h>

#define NOW_MS INT64_C(1795439162000)
#define HEADER "From: ann@a.example\r\nTo: bob@b.example\r\nSubject: one\r\n"
#define BODY   "Hello\r\n"

enum {
	ROUNDS_MAX = 20,
	LINES_MAX = 16,
};

struct rig {
	struct arena *arena;
	struct crypto_key *key;
	struct lookups *lookups;
	struct auth_check *check;
	struct auth_request request;
	const char *zone[LINES_MAX + 1];
	unsigned rounds; /* of questions */
};

static const char *const zone[] = {
	"a.example TXT v=spf1 ip4:192.0.2.1 -all",
	"_dmarc.a.example TXT v=DMARC1; p=reject",
	"1.2.0.192.in-addr.arpa PTR out.a.example",
	"out.a.example A 192.0.2.1",
	NULL,
};

static void
rig_init(struct rig *r)
{
	struct strbuf record;
	size_t n = 0;

	memset(r, 0, sizeof(*r));
	r->arena = arena_new(64 << 20);
	r->key = crypto_key_generate(CRYPTO_ED25519);
	r->lookups = lookups_new(r->arena, LOOKUPS_MAX);
	for (; zone[n]; n++)
		r->zone[n] = zone[n];
	for (const char *const *name = (const char *const[]){ "a", "list", NULL }; *name;
	     name++) {
		record = strbuf_arena(r->arena, 4096);
		strbuf_printf(
			&record,
			"k._domainkey.%s.example TXT v=DKIM1; k=ed25519; p=", *name);
		crypto_key_format_public(r->key, &record);
		r->zone[n++] = strbuf_cstr(&record);
	}
	r->request = (struct auth_request){ .helo = STR("out.a.example"),
		                            .sender = STR("ann@a.example"),
		                            .authserv_id = STR("mx.b.example"),
		                            .now_ms = NOW_MS };
	CHECK_TRUE(addr_parse_ip(STR("192.0.2.1"), &r->request.ip), "address");
}

static void
rig_fini(struct rig *r)
{
	auth_check_free(&r->check);
	crypto_key_free(&r->key);
	arena_free(&r->arena);
}

/* The field, without its line ends; body in pieces. */
static struct str
run(struct rig *r, struct str header, struct str body, bool is_silent)
{
	struct strbuf field = strbuf_arena(r->arena, AUTH_RESULTS_MAX);
	const struct auth_verdict *v;

	auth_check_free(&r->check);
	r->lookups = lookups_new(r->arena, LOOKUPS_MAX);
	r->check = auth_check_new(r->arena, &r->request);
	r->rounds = 0;
	if (auth_check_envelope(r->check, r->lookups) == POLICY_NEED && !is_silent)
		zone_answer(r->zone, r->lookups);
	auth_check_header(r->check, header);
	for (size_t i = 0; i < body.n; i++)
		auth_check_body(r->check, str_make(body.p + i, 1));
	auth_check_end(r->check);
	while (auth_check_step(r->check, r->lookups) == POLICY_NEED &&
	       r->rounds++ < ROUNDS_MAX) {
		if (is_silent)
			lookups_give_up(r->lookups);
		else
			zone_answer(r->zone, r->lookups);
	}
	CHECK_TRUE(r->rounds < ROUNDS_MAX, "comes to an end");
	v = auth_check_verdict(r->check);
	CHECK_ERR_EQ(auth_results_format(auth_check_request(r->check), v,
	                                 auth_results_disposition(v), &field),
	             OK, "written");
	return strbuf_str(&field);
}

static void
has(struct str field, const char *part, const char *what)
{
	if (!CHECK_TRUE(str_find_str(field, str_from(part)) != SIZE_MAX, what))
		printf("%.*s", STR_ARG(field));
}

static void
test_by_address(void)
{
	struct rig r;
	struct str field;

	rig_init(&r);
	field = run(&r, STR(HEADER), STR(BODY), false);
	has(field, "iprev=pass", "the name leads back");
	has(field, "spf=pass", "the address is listed");
	has(field, "dkim=none", "nothing is signed");
	has(field, "dmarc=pass", "so From is proven");
	CHECK_TRUE(r.rounds <= 4, "names are asked for side by side");
	CHECK_TRUE(addr_parse_ip(STR("192.0.2.9"), &r.request.ip), "address");
	field = run(&r, STR(HEADER), STR(BODY), false);
	has(field, "spf=fail", "another is not");
	has(field, "dmarc=fail", "and nothing proves From");
	has(field, "policy.applied=reject", "which its domain wants refused");
	r.request.sender = STR("");
	field = run(&r, STR(HEADER), STR(BODY), false);
	CHECK_TRUE(str_find_str(field, STR("smtp.mailfrom")) == SIZE_MAX, "no sender");
	has(field, "smtp.helo=out.a.example", "so the name it gave counts");
	rig_fini(&r);
}

static void
test_by_signature(void)
{
	struct dkim_signing_key key = { STR("a.example"), STR("k"), NULL };
	struct dkim_signer *s;
	struct strbuf header;
	struct rig r;

	rig_init(&r);
	key.key = r.key;
	s = dkim_signer_new(r.arena);
	header = strbuf_arena(r.arena, 1 << 16);
	dkim_signer_header(s, STR(HEADER));
	dkim_signer_body(s, STR(BODY));
	CHECK_ERR_EQ(dkim_signer_end(s, &key, 1, NOW_MS, 0, &header), OK, "signed");
	dkim_signer_free(&s);
	strbuf_lit(&header, HEADER);
	r.request.sender = STR("bounce@other.example");
	has(run(&r, strbuf_str(&header), STR(BODY), false), "dmarc=pass", "proven");
	has(run(&r, strbuf_str(&header), STR("Howdy\r\n"), false), "dmarc=fail",
	    "changed");
	rig_fini(&r);
}

static void
test_silence(void)
{
	struct rig r;
	struct str field;

	rig_init(&r);
	field = run(&r, STR(HEADER), STR(BODY), true);
	has(field, "spf=temperror", "SPF is not known");
	has(field, "dmarc=temperror", "nor what From wants");
	has(field, "policy.applied=none", "so nothing is done");
	rig_fini(&r);
}

static struct str
sealed(struct rig *r, const char *results)
{
	struct arc_verdict none = { .result = ARC_NONE };
	struct arc_seal seal = { .domain = STR("list.example"),
		                 .selector = STR("k"),
		                 .authserv_id = STR("mx.list.example"),
		                 .key = r->key,
		                 .results = str_from(results),
		                 .now_ms = NOW_MS };
	struct strbuf header = strbuf_arena(r->arena, 1 << 16);

	CHECK_ERR_EQ(arc_seal(r->arena, &seal, &none, STR(HEADER), STR(BODY), &header),
	             OK, "sealed");
	strbuf_lit(&header, HEADER);
	return strbuf_str(&header);
}

static void
test_sealers(void)
{
	static const struct {
		const char *what, *trusted, *results;
		bool is_trusted;
	} rows[] = {
		{ "trusted", "x.example list.example", "dmarc=pass header.from=a.example",
		  true },
		{ "a parent", "example",
		  "spf=pass;\r\n\tdmarc=pass header.from=A.example", true },
		{ "nobody", "", "dmarc=pass header.from=a.example", false },
		{ "another", "ist.example", "dmarc=pass header.from=a.example", false },
		{ "it failed there", "list.example", "dmarc=fail header.from=a.example",
		  false },
		{ "of another From", "list.example", "dmarc=pass header.from=b.example",
		  false },
		{ "of no From", "list.example", "dmarc=pass", false },
		{ "in a comment", "list.example",
		  "spf=fail (dmarc=pass header.from=a.example)", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		struct str field;

		rig_init(&r);
		r.request.trusted_sealers = str_from(rows[i].trusted);
		r.request.sender = STR("list@other.example");
		field = run(&r, sealed(&r, rows[i].results), STR(BODY), false);
		has(field, "arc=pass", rows[i].what);
		has(field, "dmarc=fail", rows[i].what);
		has(field,
		    rows[i].is_trusted ? "policy.applied=none" : "policy.applied=reject",
		    rows[i].what);
		CHECK_U64_EQ(auth_check_verdict(r.check)->is_arc_trusted,
		             rows[i].is_trusted, rows[i].what);
		rig_fini(&r);
	}
}

static void
test_split(void)
{
	static const struct {
		const char *message, *header, *body;
	} rows[] = {
		{ "A: b\r\n\r\nx\r\n", "A: b\r\n", "x\r\n" },
		{ "A: b\r\n", "A: b\r\n", "" },
		{ "\r\nx\r\n", "", "x\r\n" },
		{ "", "", "" },
	};
	struct arena *a = arena_new(4096);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str header, body;

		auth_message_split(str_from(rows[i].message), &header, &body);
		CHECK_STR_EQ(header, str_from(rows[i].header), rows[i].message);
		CHECK_STR_EQ(body, str_from(rows[i].body), rows[i].message);
	}
	CHECK_STR_EQ(auth_message_normalize(STR("A: b\n\nx\n"), a),
	             STR("A: b\r\n\r\nx\r\n"), "LF alone");
	CHECK_STR_EQ(auth_message_normalize(STR("A: b\r\n\nx"), a), STR("A: b\r\n\nx"),
	             "mixed stays");
	arena_free(&a);
}

SUITE(policy_auth_check, { "by address", test_by_address },
      { "by signature", test_by_signature }, { "silence", test_silence },
      { "sealers", test_sealers }, { "split", test_split });
