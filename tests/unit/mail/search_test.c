#include "base/base64.h"
#include "mail/search.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/message.h"

static const char mixed[] =
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= to all\nX-Note: one\n two\n"
	"Content-Type: multipart/mixed; boundary=b\n\npreamble\n"
	"--b\nContent-Type: text/plain; charset=iso-8859-1\n"
	"Content-Transfer-Encoding: quoted-printable\n\nK=F6nigs=\nwinter ist sch=F6n\n"
	"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: "
	"base64\n\n"
	"PHA+w4Rw\nZmVs\nIHVuZCBCaXJuZW48L3A+\n"
	"--b\nContent-Type: image/png; name=picture.png\n\nneedle in a picture\n"
	"--b\nContent-Type: message/rfc822\n\nSubject: inner thing\n\ninner "
	"text\n--b--\n";

static const struct {
	const char *text, *charset;
	bool in_body, in_text;
} rows[] = {
	{ "", "", true, true },
	{ "K\303\266nigswinter", "", true, true },
	{ "k\303\226NIGSWINTER", "utf-8", true, true },
	{ "k\366nigswinter", "iso-8859-1", true, true },
	{ "\303\204pfel und", "", true, true },
	{ "\303\244PFEL UND", "", true, true },
	{ "Gr\303\274\303\237e", "", false, true },
	{ "GR\303\234SSE", "", false, true },
	{ "one two", "", false, true },
	{ "needle", "", false, false },
	{ "picture.png", "", true, true },
	{ "inner thing", "", true, true },
	{ "inner text", "", true, true },
	{ "nothing like it", "", false, false },
	{ "=F6", "", false, false },
};

static void
test_message(void)
{
	struct arena *a = arena_new(4 * 1024 * 1024);
	struct str message = message_from(a, mixed);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct search_key *key;

		CHECK_ERR_EQ(search_key_new(str_from(rows[i].text),
		                            str_from(rows[i].charset), a, &key),
		             OK, rows[i].text);
		CHECK_TRUE(search_message(message, key, SEARCH_BODY) == rows[i].in_body,
		           rows[i].text);
		CHECK_TRUE(search_message(message, key, SEARCH_TEXT) == rows[i].in_text,
		           rows[i].text);
	}
	arena_free(&a);
}

static void
test_header(void)
{
	struct arena *a = arena_new(4 * 1024 * 1024);
	struct str message = message_from(a, mixed);
	const struct search_key *key, *empty;

	CHECK_ERR_EQ(search_key_new(STR("gr\303\274\303\237E TO"), STR(""), a, &key), OK,
	             "");
	CHECK_ERR_EQ(search_key_new(STR(""), STR(""), a, &empty), OK, "");
	CHECK_TRUE(search_header(message, STR("subject"), key), "decoded");
	CHECK_TRUE(!search_header(message, STR("x-note"), key), "another field");
	CHECK_TRUE(search_header(message, STR("x-NOTE"), empty), "there is one");
	CHECK_TRUE(!search_header(message, STR("x-none"), empty), "there is none");
	CHECK_TRUE(search_text(STR("die Gr\303\274\303\237e to you"), key), "text");
	CHECK_ERR_EQ(search_key_new(STR("x"), STR("klingon"), a, &key), ERR_CHARSET,
	             "charset");
	arena_free(&a);
}

/* A match at every place of a body of several chunks, in every encoding. */
static void
test_chunks(void)
{
	static const char *const heads[] = {
		"Content-Type: text/plain; charset=utf-8\r\n\r\n",
		("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
		 "base64\r\n\r\n"),
		"Content-Type: text/plain; charset=windows-1251\r\n\r\n",
	};
	static const char *const needles[] = { "\303\204needle\303\226",
		                               "\303\204needle\303\226",
		                               "\353\356\362\356\364" };
	struct arena *a = arena_new(1024 * 1024);
	const struct search_key *keys[3], *none;

	for (size_t i = 0; i < 3; i++)
		CHECK_ERR_EQ(search_key_new(str_from(needles[i]),
		                            i < 2 ? STR("utf-8") : STR("windows-1251"), a,
		                            &keys[i]),
		             OK, "key");
	CHECK_ERR_EQ(search_key_new(STR("not there"), STR(""), a, &none), OK, "key");
	for (size_t i = 0; i < 3; i++) {
		for (size_t at = 65500; at < 65560; at++) {
			struct strbuf body = strbuf_heap(1024 * 1024);
			struct strbuf message = strbuf_heap(2 * 1024 * 1024);
			char *p;

			strbuf_add(&message, str_from(heads[i]));
			p = strbuf_reserve(&body, at);
			CHECK_TRUE(p != NULL, "room");
			memset(p, 'x', at);
			body.n = at;
			strbuf_add(&body, str_from(needles[i]));
			for (int k = 0; k < 20000; k++)
				strbuf_lit(&body, "\xc3\xa4\r\n");
			if (i == 1)
				base64_format(&message, strbuf_str(&body));
			else
				strbuf_add(&message, strbuf_str(&body));
			CHECK_TRUE(search_message(strbuf_str(&message), keys[i],
			                          SEARCH_BODY),
			           heads[i]);
			if (at == 65500)
				CHECK_TRUE(!search_message(strbuf_str(&message), none,
				                           SEARCH_BODY),
				           heads[i]);
			strbuf_release(&body);
			strbuf_release(&message);
		}
	}
	arena_free(&a);
}

static void
test_slices(void)
{
	struct arena *a = arena_new(1024 * 1024);
	struct strbuf m = strbuf_heap((size_t)16 * 1024 * 1024);
	const struct search_key *key;
	struct search *s;
	bool is_found = false;
	int steps = 1;

	strbuf_lit(&m, "\r\n");
	for (int i = 0; i < 800000; i++)
		strbuf_lit(&m, "some words\r\n");
	strbuf_lit(&m, "the end");
	CHECK_ERR_EQ(search_key_new(STR("THE END"), STR(""), a, &key), OK, "key");
	s = search_new(strbuf_str(&m), key, SEARCH_BODY);
	while (!search_step(s, &is_found))
		steps++;
	CHECK_TRUE(is_found, "at the end");
	CHECK_TRUE(steps >= 9 && steps <= 12, "about a MiB each time");
	search_free(&s);
	strbuf_release(&m);
	arena_free(&a);
}

/* Messages that need no decoding are looked over as they lie there; those that only seem
   to be such are not. */
static const char plain[] = "Subject :Folded\n over two lines\nX-Far: end\n"
			    "Content-Type: text/plain; charset=us-ascii\n"
			    "Content-Transfer-Encoding: 7bit\n\nThe quick brown fox\n";
static const char hidden[] = "Subject: =?utf-8?q?qui=63k?=\n\nbody\n";
static const char encoded[] = "Content-Transfer-Encoding : base64\n\ncXVpY2s=\n";
static const char wide[] = "Content-Type: text/plain; charset=\"utf\\-7\"\n"
			   "Content-Transfer-Encoding: quoted-printable\n\nqui=\nck\n";

static void
test_plain(void)
{
	static const struct {
		const char *message, *text;
		bool is_there;
	} plains[] = {
		{ plain, "SUBJECT: folded over", true },
		{ plain, "subject :", false },
		{ plain, "quick BROWN", true },
		{ plain, "quicker", false },
		{ plain, "end\r\ncontent", false },
		{ plain, ": ", true },
		{ hidden, "quick", true },
		{ encoded, "quick", true },
		{ wide, "quick", true },
		{ wide, "slow", false },
	};
	struct arena *a = arena_new(4 * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(plains); i++) {
		const struct search_key *key;
		struct str message = message_from(a, plains[i].message);

		CHECK_ERR_EQ(search_key_new(str_from(plains[i].text), STR(""), a, &key),
		             OK, plains[i].text);
		CHECK_TRUE(search_message(message, key, SEARCH_TEXT) ==
		                   plains[i].is_there,
		           plains[i].text);
	}
	arena_free(&a);
}

SUITE(mail_search, { "plain", test_plain }, { "message", test_message },
      { "header", test_header }, { "chunks", test_chunks }, { "slices", test_slices });
