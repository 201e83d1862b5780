/* Why something waits or failed, as the API tells it. */
#include "api/reason.h"

#include "tests/unit/check.h"

/* What the delivery log keeps, and what the API says of it; NULL: no reason. */
static const struct {
	const char *text, *class, *plain;
} rows[] = {
	{ "", NULL, NULL },
	{ "250 2.0.0 Ok: queued as 11D1A530295", NULL, NULL },
	{ "250 Ok", NULL, NULL },
	{ "550 5.1.1 No such user here", "no_such_user", "(550 5.1.1)" },
	{ "421 4.7.28 too many", "rate_limited", "(421 4.7.28)" },
	{ "connect_refused nobody there", "connect_refused", "" },
};

static void
test_reasons(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[2048];
		struct strbuf b = strbuf_on(bytes);
		struct json_out j = json_out_on(&b);
		struct reason reason = reason_from_text(str_from(rows[i].text));

		json_open_object(&j, NULL);
		reason_write(&j, "reason", &reason);
		json_close_object(&j);
		if (!rows[i].class) {
			CHECK_STR_EQ(strbuf_str(&b), STR("{\"reason\":null}"),
			             rows[i].text);
			CHECK_STR_EQ(reason_class(&reason), STR(""), rows[i].text);
			continue;
		}
		CHECK_STR_EQ(reason_class(&reason), str_from(rows[i].class),
		             rows[i].text);
		CHECK_TRUE(str_find_str(strbuf_str(&b), str_from(rows[i].plain)) !=
		                   SIZE_MAX,
		           rows[i].text);
	}
}

SUITE(api_reason, { "of the delivery log", test_reasons });
