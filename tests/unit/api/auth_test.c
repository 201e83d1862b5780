#include "api/auth.h"

#include "tests/unit/check.h"

static void
test_tokens(void)
{
	char one_bytes[128], two_bytes[128];
	struct strbuf one = strbuf_on(one_bytes), two = strbuf_on(two_bytes);

	token_make(&one);
	token_make(&two);
	CHECK_U64_EQ(one.n, TOKEN_BYTES, "length");
	CHECK_TRUE(token_is_well_formed(strbuf_str(&one)), "well formed");
	CHECK_TRUE(!str_eq(strbuf_str(&one), strbuf_str(&two)), "never the same");
	for (size_t i = 0; i < one.n; i++) {
		char was = one.p[i];

		one.p[i] = was == 'x' ? 'y' : 'x';
		CHECK_TRUE(!token_is_well_formed(strbuf_str(&one)), "a mistyped byte");
		one.p[i] = was;
	}
	CHECK_TRUE(!token_is_well_formed(str_first(strbuf_str(&one), one.n - 1)), "cut");
	CHECK_TRUE(!token_is_well_formed(STR("")), "empty");
}

static void
test_scopes(void)
{
	struct caller c = { .kind = CALLER_TOKEN };

	c.scopes = scopes_parse(STR("domains:write trace:read nonsense:read"));
	CHECK_TRUE(caller_has(&c, SCOPE_DOMAINS_WRITE), "write");
	CHECK_TRUE(caller_has(&c, SCOPE_DOMAINS_READ), "write includes read");
	CHECK_TRUE(caller_has(&c, SCOPE_TRACE_READ), "read");
	CHECK_TRUE(!caller_has(&c, SCOPE_QUEUE_READ), "not asked for");
	CHECK_TRUE(!caller_has(&c, SCOPE_ACCOUNTS_WRITE), "not asked for");
	CHECK_TRUE(caller_has(&c, SCOPE_ANY), "somebody");
	c = (struct caller){ .kind = CALLER_NOBODY };
	CHECK_TRUE(!caller_has(&c, SCOPE_ANY), "nobody");
	CHECK_TRUE(caller_has(&c, SCOPE_NONE), "public");
	CHECK_U64_EQ(scope_find(STR("domains:*")), 0, "no wildcards");
}

/* Every word of the table is found again; a write scope has its read scope before it. */
static void
test_table(void)
{
	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		struct str word = str_from(scope_word((enum scope)s)), read;
		char bytes[64];
		struct strbuf b = strbuf_on(bytes);

		CHECK_TRUE(scope_find(word) & (UINT32_C(1) << s),
		           scope_word((enum scope)s));
		if (!str_ends(word, STR(":write")))
			continue;
		strbuf_add(&b, str_first(word, word.n - 5));
		strbuf_lit(&b, "read");
		read = str_from(scope_word((enum scope)(s - 1)));
		CHECK_STR_EQ(strbuf_str(&b), read, "read before write");
	}
}

static void
test_roles(void)
{
	struct caller c = { .kind = CALLER_SESSION };

	c.scopes = role_scopes(STR("owner"));
	for (unsigned s = 0; s < SCOPE_COUNT; s++)
		CHECK_TRUE(caller_has(&c, (enum scope)s), "an owner may all");
	c.scopes = role_scopes(STR("admin"));
	CHECK_TRUE(!caller_has(&c, SCOPE_ADMINS_WRITE), "an admin makes no admins");
	c.scopes = role_scopes(STR("operator"));
	CHECK_TRUE(caller_has(&c, SCOPE_QUEUE_WRITE), "an operator works on the queue");
	CHECK_TRUE(!caller_has(&c, SCOPE_ACCOUNTS_WRITE), "and on no accounts");
	c.scopes = role_scopes(STR("auditor"));
	CHECK_TRUE(!caller_has(&c, SCOPE_TRACE_READ), "an auditor reads no mail data");
	CHECK_U64_EQ(role_scopes(STR("Owner")), 0, "roles are exact");
}

SUITE(api_auth, { "tokens", test_tokens }, { "scopes", test_scopes },
      { "table", test_table }, { "roles", test_roles });
