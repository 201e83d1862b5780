#include "mail/address.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/address_vectors.h"

_Static_assert(ARRAY_LEN(ascii_vectors) >= 200, "the table of the address grammar");

static void
check_vector(const struct address_vector *v, unsigned flags)
{
	struct arena *a = arena_new(64 * 1024);
	struct str rest = str_from(v->path), before = rest;
	struct address address = { 0 }, again = { 0 };
	char bytes[1024];
	struct strbuf text = strbuf_on(bytes);
	enum err e = address_parse_path(&rest, flags, a, &address);

	CHECK_ERR_EQ(e, v->want, v->path);
	if (e == OK && v->text) {
		address_format(&text, &address);
		CHECK_STR_EQ(strbuf_str(&text), str_from(v->text), v->path);
		CHECK_U64_EQ(rest.n, 0, v->path);
		CHECK_ERR_EQ(address_parse(strbuf_str(&text), flags, a, &again), OK,
		             v->path);
		CHECK_STR_EQ(again.local, address.local, v->path);
		CHECK_STR_EQ(again.domain, address.domain, v->path);
	} else {
		CHECK_TRUE(rest.p == before.p && rest.n == before.n, v->path);
	}
	arena_free(&a);
}

static void
test_vectors(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ascii_vectors); i++) {
		check_vector(&ascii_vectors[i], 0);
		check_vector(&ascii_vectors[i], ADDRESS_UTF8);
	}
	for (size_t i = 0; i < ARRAY_LEN(utf8_vectors); i++) {
		struct address_vector v = utf8_vectors[i];

		check_vector(&v, ADDRESS_UTF8);
		if (v.want == OK)
			v = (struct address_vector){ v.path, ERR_NEED_SMTPUTF8, NULL };
		check_vector(&v, 0);
	}
}

static void
test_special_paths(void)
{
	struct arena *a = arena_new(64 * 1024);
	struct address address;
	struct str s = STR("<> BODY=8BITMIME");

	CHECK_ERR_EQ(address_parse_path(&s, ADDRESS_NULL, a, &address), OK, "null path");
	CHECK_TRUE(address_is_null(&address), "null path");
	CHECK_STR_EQ(s, STR(" BODY=8BITMIME"), "what follows stays");
	s = STR("<Postmaster>");
	CHECK_ERR_EQ(address_parse_path(&s, 0, a, &address), ERR_ADDRESS, "no domain");
	CHECK_ERR_EQ(address_parse_path(&s, ADDRESS_POSTMASTER, a, &address), OK,
	             "postmaster");
	CHECK_STR_EQ(address.local, STR("Postmaster"), "postmaster");
	CHECK_TRUE(!address_is_null(&address), "postmaster is no null path");
	s = STR("<hostmaster>");
	CHECK_ERR_EQ(address_parse_path(&s, ADDRESS_POSTMASTER, a, &address), ERR_ADDRESS,
	             "only postmaster");
	s = str_make("<a\0b@example.org>", 17);
	CHECK_ERR_EQ(address_parse_path(&s, 0, a, &address), ERR_ADDRESS, "NUL");
	s = str_make("<\"a\0b\"@example.org>", 19);
	CHECK_ERR_EQ(address_parse_path(&s, 0, a, &address), ERR_ADDRESS, "quoted NUL");
	s = str_make("<x@[1.2.3.4\0]>", 14);
	CHECK_ERR_EQ(address_parse_path(&s, 0, a, &address), ERR_ADDRESS,
	             "NUL in literal");
	arena_free(&a);
}

static void
test_normalize(void)
{
	static const struct {
		const char *text, *key;
		enum err want;
	} rows[] = {
		{ "Ann@Example.ORG", "ann@example.org", OK },
		{ "Ann+Shop@example.org", "ann+shop@example.org", OK },
		{ "ann@B\303\274cher.example", "ann@xn--bcher-kva.example", OK },
		{ "\303\234@example.org", "\303\234@example.org", OK },
		{ "ann@fa\303\237.example", "ann@xn--fa-hia.example", OK },
		{ "\"A B\"@example.org", "a b@example.org", OK },
		{ "x@[IPv6:2001:DB8::1]", "x@[ipv6:2001:db8::1]", OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(64 * 1024);
		struct address address = { 0 };
		char bytes[ADDRESS_KEY_MAX];
		struct strbuf key = strbuf_on(bytes);

		CHECK_ERR_EQ(
			address_parse(str_from(rows[i].text), ADDRESS_UTF8, a, &address),
			OK, rows[i].text);
		CHECK_ERR_EQ(address_normalize(&address, &key), rows[i].want,
		             rows[i].text);
		CHECK_STR_EQ(strbuf_str(&key), str_from(rows[i].key), rows[i].text);
		arena_free(&a);
	}
}

static void
test_detail(void)
{
	struct str detail;

	CHECK_STR_EQ(address_without_detail(STR("ann+shop"), &detail), STR("ann"), "ann");
	CHECK_STR_EQ(detail, STR("shop"), "shop");
	CHECK_STR_EQ(address_without_detail(STR("ann+a+b"), &detail), STR("ann"),
	             "first +");
	CHECK_STR_EQ(detail, STR("a+b"), "first +");
	CHECK_STR_EQ(address_without_detail(STR("+shop"), &detail), STR("+shop"),
	             "only detail");
	CHECK_STR_EQ(address_without_detail(STR("ann"), &detail), STR("ann"), "none");
	CHECK_STR_EQ(detail, STR(""), "none");
	CHECK_STR_EQ(address_without_detail(STR("ann+"), NULL), STR("ann"), "empty");
}

static void
test_login(void)
{
	static const char *const good[] = { "ann@example.org", "a.b_c+d-e1@x-y.example" };
	static const char *const bad[] = {
		"",
		"ann",
		"@example.org",
		"ann@",
		"Ann@example.org",
		"ann@Example.org",
		"ann@example",
		"a n@example.org",
		"ann@example.org ",
		"a%n@example.org",
		"a\303\274@example.org",
		"ann@@example.org",
		".ann@example.org",
		"a..n@example.org",
		"ann@[192.0.2.1]",
		"a\"@example.org",
		"ann@b\303\274.example",
		"a*@example.org",
		"a@b@c.org",
		"ann@example.org\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_TRUE(address_is_login(str_from(good[i])), good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_TRUE(!address_is_login(str_from(bad[i])), bad[i]);
}

SUITE(mail_address, { "vectors", test_vectors }, { "special_paths", test_special_paths },
      { "normalize", test_normalize }, { "detail", test_detail },
      { "login", test_login });
