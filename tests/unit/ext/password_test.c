#include "ext/password.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <string.h>

static void
test_hash_and_verify(void)
{
	char first[PASSWORD_HASH_MAX], second[PASSWORD_HASH_MAX];
	struct strbuf a = strbuf_on(first), b = strbuf_on(second);
	struct str password = STR("correct horse\0battery");

	CHECK_ERR_EQ(password_hash(password, &a), OK, "hashes");
	CHECK_ERR_EQ(password_hash(password, &b), OK, "hashes again");
	CHECK_TRUE(str_starts(strbuf_str(&a), STR("$argon2id$v=19$m=19456,t=2,p=1$")),
	           "the parameters stand in it");
	CHECK_TRUE(!str_eq(strbuf_str(&a), strbuf_str(&b)), "each has its salt");
	CHECK_TRUE(OK == password_verify(strbuf_str(&a), password), "the right one");
	CHECK_TRUE(ERR_AUTH == password_verify(strbuf_str(&a), STR("correct horse")),
	           "up to the NUL");
	CHECK_TRUE(ERR_AUTH == password_verify(strbuf_str(&a), STR("")), "none");
}

static void
test_odd_hashes(void)
{
	static const char *const hashes[] = { "", "x", "$argon2id$", "plain",
		                              "$1$abc$def" };

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		CHECK_TRUE(ERR_AUTH == password_verify(str_from(hashes[i]), STR("plain")),
		           hashes[i]);
	CHECK_TRUE(ERR_AUTH == password_verify(password_dummy_hash(), STR("")),
	           "the dummy");
	CHECK_TRUE(
		str_starts(password_dummy_hash(), STR("$argon2id$v=19$m=19456,t=2,p=1$")),
		"costs what a real one costs");
}

static void
test_long_passwords(void)
{
	static char bytes[PASSWORD_MAX + 1];
	char text[PASSWORD_HASH_MAX];
	struct strbuf b = strbuf_on(text);

	memset(bytes, 'a', sizeof(bytes));
	CHECK_ERR_EQ(password_hash(str_make(bytes, sizeof(bytes)), &b), ERR_LIMIT,
	             "too long");
	CHECK_ERR_EQ(password_hash(str_make(bytes, PASSWORD_MAX), &b), OK, "just fits");
	CHECK_TRUE(OK == password_verify(strbuf_str(&b), str_make(bytes, PASSWORD_MAX)),
	           "matches");
	CHECK_TRUE(ERR_AUTH == password_verify(strbuf_str(&b),
	                                       str_make(bytes, PASSWORD_MAX + 1)),
	           "one more does not");
}

SUITE(ext_password, { "hash and verify", test_hash_and_verify },
      { "odd hashes", test_odd_hashes }, { "long passwords", test_long_passwords });
