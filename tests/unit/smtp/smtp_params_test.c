#include "smtp/smtp_params.h"

#include "tests/unit/check.h"

static void
test_mail(void)
{
	static const struct {
		const char *in;
		enum err err;
	} rows[] = {
		{ "", OK },
		{ " SIZE=0", OK },
		{ " size=18446744073709551615", OK },
		{ " SIZE=18446744073709551616", ERR_SYNTAX },
		{ " SIZE=1 SIZE=2", ERR_SYNTAX },
		{ " SIZE=1 size=1", ERR_SYNTAX },
		{ " SIZE=+1", ERR_SYNTAX },
		{ " SIZE= 1", ERR_SYNTAX },
		{ "SIZE=1", ERR_SYNTAX },
		{ "  SIZE=1  ", OK },
		{ " BODY=7BIT", OK },
		{ " BODY=8bitmime SMTPUTF8 RET=FULL ENVID=x SIZE=1 AUTH=<>", OK },
		{ " BODY=BINARYMIME", ERR_PARAMETER },
		{ " BODY", ERR_SYNTAX },
		{ " SMTPUTF8=", ERR_SYNTAX },
		{ " requiretls", OK },
		{ " REQUIRETLS=", ERR_SYNTAX },
		{ " REQUIRETLS=yes", ERR_SYNTAX },
		{ " REQUIRETLS REQUIRETLS", ERR_SYNTAX },
		{ " AUTH=ann@example.org", OK },
		{ " AUTH=ann+2Bx@example.org", OK },
		{ " AUTH=ann+2bx@example.org", ERR_SYNTAX },
		{ " AUTH=+00@example.org", ERR_SYNTAX },
		{ " AUTH=nobody", ERR_SYNTAX },
		{ " ENVID=+20", OK },
		{ " ENVID=+2", ERR_SYNTAX },
		{ " RET=HDRS", OK },
		{ " RET=", ERR_SYNTAX },
		{ " NOTIFY=NEVER", ERR_PARAMETER },
		{ " =x", ERR_PARAMETER },
		{ " X", ERR_PARAMETER },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(8192);
		struct smtp_mail mail = { 0 };

		CHECK_ERR_EQ(smtp_params_parse_mail(str_from(rows[i].in), a, &mail),
		             rows[i].err, rows[i].in);
		arena_free(&a);
	}
}

static void
test_rcpt(void)
{
	static const struct {
		const char *in;
		enum err err;
		unsigned notify;
	} rows[] = {
		{ "", OK, 0 },
		{ " NOTIFY=NEVER", OK, SMTP_NOTIFY_NEVER },
		{ " NOTIFY=success,Failure,DELAY", OK, 14 },
		{ " NOTIFY=SUCCESS,NEVER", ERR_SYNTAX, 0 },
		{ " NOTIFY=SUCCESS,", ERR_SYNTAX, 0 },
		{ " NOTIFY=,SUCCESS", ERR_SYNTAX, 0 },
		{ " NOTIFY=DELAY,DELAY", ERR_SYNTAX, 0 },
		{ " NOTIFY=DELAY NOTIFY=DELAY", ERR_SYNTAX, SMTP_NOTIFY_DELAY },
		{ " ORCPT=rfc822;a@b", OK, 0 },
		{ " ORCPT=utf-8;\xc3\xa9@b", OK, 0 },
		{ " ORCPT=rfc822;\xc3\xa9@b", ERR_SYNTAX, 0 },
		{ " ORCPT=;a@b", ERR_SYNTAX, 0 },
		{ " ORCPT=rfc 822;a", ERR_SYNTAX, 0 },
		{ " SIZE=1", ERR_PARAMETER, 0 },
		{ " REQUIRETLS", ERR_PARAMETER, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(8192);
		struct smtp_rcpt rcpt = { 0 };

		CHECK_ERR_EQ(smtp_params_parse_rcpt(str_from(rows[i].in), a, &rcpt),
		             rows[i].err, rows[i].in);
		CHECK_U64_EQ(rcpt.notify, rows[i].notify, rows[i].in);
		arena_free(&a);
	}
}

static void
test_limits(void)
{
	struct arena *a = arena_new(64);
	struct strbuf params = strbuf_heap(2000);
	struct smtp_rcpt rcpt = { 0 };

	strbuf_lit(&params, " ORCPT=rfc822;");
	for (int i = 0; i < 493; i++)
		strbuf_byte(&params, 'a');
	CHECK_ERR_EQ(smtp_params_parse_rcpt(strbuf_str(&params), a, &rcpt), ERR_LIMIT,
	             "500 bytes, and no room");
	strbuf_byte(&params, 'a');
	CHECK_ERR_EQ(smtp_params_parse_rcpt(strbuf_str(&params), a, &rcpt), ERR_SYNTAX,
	             "501 bytes");
	strbuf_release(&params);
	arena_free(&a);
}

static void
test_xtext(void)
{
	char bytes[64], back[64];
	struct strbuf out = strbuf_on(bytes), again = strbuf_on(back);

	xtext_format(&out, STR("a+b=c \x01\xff"));
	CHECK_STR_EQ(strbuf_str(&out), STR("a+2Bb+3Dc+20+01+FF"), "written");
	CHECK_TRUE(xtext_check(strbuf_str(&out)), "is xtext");
	CHECK_TRUE(xtext_parse(strbuf_str(&out), &again), "read");
	CHECK_STR_EQ(strbuf_str(&again), STR("a+b=c \x01\xff"), "the same again");
	CHECK_TRUE(!xtext_check(STR("a=b")), "equals");
	CHECK_TRUE(!xtext_check(STR("+4")), "cut");
	CHECK_TRUE(!xtext_check(STR("+4g")), "no digit");
	CHECK_TRUE(!xtext_check(STR("\xc3")), "8-bit");
}

SUITE(smtp_params, { "MAIL", test_mail }, { "RCPT", test_rcpt },
      { "limits", test_limits }, { "xtext", test_xtext });
