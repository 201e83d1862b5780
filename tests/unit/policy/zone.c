#include "tests/unit/policy/zone.h"

#include "base/panic.h"

enum {
	RECORDS_MAX = 64,
};

static const struct {
	const char *word;
	enum dns_type type;
} types[] = {
	{ "A", DNS_A },         { "AAAA", DNS_AAAA }, { "MX", DNS_MX },
	{ "PTR", DNS_PTR },     { "TXT", DNS_TXT },   { "TLSA", DNS_TLSA },
	{ "CNAME", DNS_CNAME }, { "DS", DNS_DS },
};

static enum dns_type
type_find(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(word, str_from(types[i].word)))
			return types[i].type;
	PANIC("zone: no such type");
}

static void
record_parse(struct str data, struct dns_record *r)
{
	struct str word;
	uint32_t number = 0;

	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		CHECK(addr_parse_ip(data, &r->addr));
		break;
	case DNS_MX:
		CHECK(str_next(&data, ' ', &word) && str_parse_u32(word, &number));
		r->preference = (uint16_t)number;
		r->name = data;
		break;
	case DNS_TXT:
		r->text = data;
		break;
	default:
		r->name = data;
		break;
	}
}

/* What no resolver sends. */
static bool
is_name(struct str name)
{
	struct str label;

	while (str_next(&name, '.', &label))
		if (!label.n || label.n > 63)
			return false;
	return true;
}

static void
answer_one(const char *const *lines, struct lookup *q)
{
	struct dns_record records[RECORDS_MAX] = { { 0 } };
	struct dns_answer answer = { .status = DNS_NXDOMAIN,
		                     .name = q->name,
		                     .records = records };

	if (!is_name(q->name))
		answer.status = DNS_BAD_NAME;
	for (; *lines && answer.status != DNS_BAD_NAME; lines++) {
		struct str rest = str_from(*lines), name, type;

		CHECK(str_next(&rest, ' ', &name) && str_next(&rest, ' ', &type));
		if (!str_eq_icase(name, q->name))
			continue;
		if (answer.status == DNS_NXDOMAIN)
			answer.status = DNS_NODATA;
		if (type_find(type) != q->type || answer.status == DNS_TEMP)
			continue;
		if (str_eq(rest, STR("!temp"))) {
			answer.status = DNS_TEMP;
			answer.count = 0;
			continue;
		}
		CHECK(answer.count < RECORDS_MAX);
		answer.status = DNS_OK;
		records[answer.count].type = q->type;
		record_parse(rest, &records[answer.count++]);
	}
	lookups_answer(q, &answer);
}

void
zone_answer(const char *const *lines, struct lookups *l)
{
	struct lookup *q;

	while ((q = lookups_next(l)))
		answer_one(lines, q);
}
