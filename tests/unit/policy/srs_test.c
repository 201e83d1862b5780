#include "policy/srs.h"

#include "tests/unit/check.h"

#define DAY (24LL * 60 * 60 * 1000)
#define NOW (20000 * DAY)

static struct srs_conf
conf(int64_t now_ms)
{
	return (struct srs_conf){ STR("0123456789abcdef0123456789abcdef"),
		                  STR("our.example"), now_ms };
}

/* There and back; the local part of what comes between. */
static const struct {
	const char *sender, *back; /* back NULL: the sender */
	const char *begins, *ends;
} ways[] = {
	{ "ann@example.net", NULL, "SRS0=", "=example.net=ann" },
	{ "Ann.B+x=y@Example.NET", NULL, "SRS0=", "=Example.NET=Ann.B+x=y" },
	{ "\"a b\"@example.net", NULL, "SRS0=", "=example.net=a b" },
	{ "\"\"@example.net", NULL, "SRS0=", "=example.net=" },
	{ "SRS0=HHHH=TT=orig.example=bob@first.example", NULL,
	  "SRS1=", "=first.example==HHHH=TT=orig.example=bob" },
	{ "srs0+HHHH=TT=orig.example=bob@first.example",
	  "SRS0+HHHH=TT=orig.example=bob@first.example",
	  "SRS1=", "=first.example=+HHHH=TT=orig.example=bob" },
	{ "SRS1=XX=first.example==HH=TT=o.example=bob@second.example",
	  "SRS0=HH=TT=o.example=bob@first.example",
	  "SRS1=", "=first.example==HH=TT=o.example=bob" },
	{ "SRS1=broken@second.example", NULL, "SRS0=", "=second.example=SRS1=broken" },
	{ "SRS0=@second.example", NULL, "SRS0=", "=second.example=SRS0=" },
};

/* The local part, without quotes. */
static struct str
local_of(struct str address)
{
	struct str local = str_first(address, str_find_last(address, '@'));

	if (local.n > 1 && local.p[0] == '"')
		local = str_make(local.p + 1, local.n - 2);
	return local;
}

static void
test_there_and_back(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		char there_bytes[300], back_bytes[600];
		struct strbuf there = strbuf_on(there_bytes);
		struct strbuf back = strbuf_on(back_bytes);
		struct srs_conf c = conf(NOW);
		struct str local;

		CHECK_ERR_EQ(srs_forward(&c, str_from(ways[i].sender), &there), OK,
		             ways[i].sender);
		local = local_of(strbuf_str(&there));
		CHECK_TRUE(str_starts(local, str_from(ways[i].begins)), ways[i].sender);
		CHECK_TRUE(str_ends(local, str_from(ways[i].ends)), ways[i].sender);
		CHECK_TRUE(str_ends(strbuf_str(&there), STR("@our.example")),
		           ways[i].sender);
		CHECK_TRUE(srs_is_rewritten(local), ways[i].sender);
		CHECK_ERR_EQ(srs_reverse(&c, local, &back), OK, ways[i].sender);
		CHECK_STR_EQ(strbuf_str(&back),
		             str_from(ways[i].back ? ways[i].back : ways[i].sender),
		             ways[i].sender);
	}
}

static void
test_case(void)
{
	char bytes[300], back_bytes[300];
	struct strbuf b = strbuf_on(bytes), back = strbuf_on(back_bytes);
	struct srs_conf c = conf(NOW);

	CHECK_ERR_EQ(srs_forward(&c, STR("Ann@Example.net"), &b), OK, "there");
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = byte_lower(b.p[i]);
	CHECK_ERR_EQ(srs_reverse(&c, local_of(strbuf_str(&b)), &back), OK,
	             "in lower case");
	CHECK_STR_EQ(strbuf_str(&back), STR("ann@example.net"), "back");
}

static void
test_days(void)
{
	static const struct {
		int64_t days;
		enum err e;
	} rows[] = {
		{ 0, OK },
		{ 1, OK },
		{ SRS_DAYS_MAX, OK },
		{ SRS_DAYS_MAX + 1, ERR_EXPIRED },
		{ 500, ERR_EXPIRED },
		{ -1, OK },
		{ -2, ERR_EXPIRED },
	};
	char bytes[300];
	struct strbuf b = strbuf_on(bytes);
	struct srs_conf c = conf(NOW);

	CHECK_ERR_EQ(srs_forward(&c, STR("ann@example.net"), &b), OK, "there");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char back_bytes[300];
		struct strbuf back = strbuf_on(back_bytes);
		struct srs_conf later = conf(NOW + rows[i].days * DAY);

		CHECK_ERR_EQ(srs_reverse(&later, local_of(strbuf_str(&b)), &back),
		             rows[i].e, "after some days");
	}
}

/* No single byte of it may be another one. */
static void
test_forged(void)
{
	static const char *const senders[] = {
		"ann@example.net", "SRS0=HHHH=TT=orig.example=bob@first.example"
	};

	for (size_t k = 0; k < ARRAY_LEN(senders); k++) {
		char bytes[300];
		struct strbuf b = strbuf_on(bytes);
		struct srs_conf c = conf(NOW), other = c;
		struct str local;

		other.secret = STR("another secret, of another server");
		CHECK_ERR_EQ(srs_forward(&c, str_from(senders[k]), &b), OK, "there");
		local = local_of(strbuf_str(&b));
		for (size_t i = 5; i < local.n; i++) {
			char back_bytes[300], was = b.p[i];
			struct strbuf back = strbuf_on(back_bytes);

			b.p[i] = was == 'x' ? 'y' : 'x';
			CHECK_ERR_EQ(srs_reverse(&c, local, &back), ERR_AUTH, "forged");
			b.p[i] = was;
			CHECK_ERR_EQ(srs_reverse(&c, str_first(local, i), &back),
			             ERR_AUTH, "cut");
			CHECK_ERR_EQ(srs_reverse(&other, local, &back), ERR_AUTH,
			             "of another server");
		}
	}
}

static void
test_none(void)
{
	char bytes[300];
	struct strbuf b = strbuf_on(bytes);
	struct srs_conf c = conf(NOW);

	CHECK_ERR_EQ(srs_reverse(&c, STR("ann"), &b), ERR_NOT_FOUND, "a name");
	CHECK_ERR_EQ(srs_reverse(&c, STR("SRS2=a=b"), &b), ERR_NOT_FOUND, "no such kind");
	CHECK_ERR_EQ(srs_reverse(&c, STR("SRS0="), &b), ERR_AUTH, "nothing");
	CHECK_ERR_EQ(srs_reverse(&c, STR("SRS0=AAAAAAAA"), &b), ERR_AUTH, "no more");
	CHECK_ERR_EQ(srs_forward(&c, STR(""), &b), ERR_ADDRESS, "the null sender");
	CHECK_ERR_EQ(srs_forward(&c, STR("ann"), &b), ERR_ADDRESS, "without a domain");
	CHECK_ERR_EQ(srs_forward(&c, STR("ann@[192.0.2.1]"), &b), ERR_ADDRESS, "literal");
	CHECK_ERR_EQ(srs_forward(&c,
	                         STR("a-name-of-thirty-six-letters-or-more@"
	                             "a-long-domain-name.example.net"),
	                         &b),
	             ERR_LIMIT, "too long");
}

SUITE(policy_srs, { "there and back", test_there_and_back }, { "case", test_case },
      { "days", test_days }, { "forged", test_forged }, { "none", test_none });
