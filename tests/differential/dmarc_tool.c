/* Our DMARC behind a pipe. Each line in is a case, with tabs between its fields:
 *
 *	From-domain  SPF-result  SPF-domain  DKIM-result  DKIM-domain  name=TXT …
 *
 * and each line out a verdict: result, policy, domain of the record, "spf" "dkim" where
 * aligned or "-". A name that no TXT names, or is above one that does, does not exist. */
#include "base/arena.h"
#include "policy/dmarc.h"

#include <stdio.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 16384,
	ZONE_MAX = 32,
	RECORDS_MAX = 8,
	FIELDS = 5,
};

struct zone {
	struct str names[ZONE_MAX], texts[ZONE_MAX];
	size_t count;
};

static void
answer(const struct zone *z, struct lookup *q)
{
	struct dns_record found[RECORDS_MAX] = { 0 };
	struct dns_answer a = { .status = DNS_NXDOMAIN, .records = found };

	for (size_t i = 0; i < z->count; i++) {
		struct str name = z->names[i];
		bool is_it = str_eq_icase(name, q->name);

		if ((is_it || str_ends_icase(name, q->name)) && a.status == DNS_NXDOMAIN)
			a.status = DNS_NODATA;
		if (is_it && q->type == DNS_TXT && a.count < RECORDS_MAX) {
			a.status = DNS_OK;
			found[a.count].type = DNS_TXT;
			found[a.count++].text = z->texts[i];
		}
	}
	lookups_answer(q, &a);
}

static enum spf_result
spf_of(struct str word)
{
	for (int r = SPF_NONE; r <= SPF_PERMERROR; r++)
		if (str_eq(word, str_from(spf_result_word((enum spf_result)r))))
			return (enum spf_result)r;
	return SPF_NONE;
}

static enum dkim_result
dkim_of(struct str word)
{
	for (int r = DKIM_NONE; r <= DKIM_PERMERROR; r++)
		if (str_eq(word, str_from(dkim_result_word((enum dkim_result)r))))
			return (enum dkim_result)r;
	return DKIM_NONE;
}

static void
judge(struct str line)
{
	struct arena *a = arena_new(1 << 20);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct str fields[FIELDS] = { { 0 } }, pair, name;
	struct zone z = { .count = 0 };
	struct dmarc_verdict v;

	for (size_t i = 0; i < FIELDS; i++)
		if (!str_next(&line, '\t', &fields[i]))
			fields[i] = STR("");
	while (z.count < ZONE_MAX && str_next(&line, '\t', &pair) &&
	       str_next(&pair, '=', &name)) {
		z.names[z.count] = name;
		z.texts[z.count++] = pair;
	}
	struct spf_verdict spf = { .result = spf_of(fields[1]), .domain = fields[2] };
	struct dkim_verdict dkim = { .result = dkim_of(fields[3]), .domain = fields[4] };
	const struct dkim_verdict *const list[] = { &dkim };
	struct dmarc_request request = {
		.header_from = arena_printf(a, "user@%.*s", STR_ARG(fields[0])),
		.from_fields = 1,
		.spf = &spf,
		.dkim = list,
		.dkim_count = 1,
	};

	while (dmarc_check(&request, l, a, &v) == POLICY_NEED) {
		struct lookup *q;

		while ((q = lookups_next(l)) != NULL)
			answer(&z, q);
	}
	printf("%s\t%s\t%.*s\t%s\t%s\n", dmarc_result_word(v.result),
	       dmarc_policy_word(v.policy), STR_ARG(v.policy_domain),
	       v.is_aligned_spf ? "spf" : "-", v.is_aligned_dkim ? "dkim" : "-");
	arena_free(&a);
}

int
main(void)
{
	static char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin)) {
		judge(str_trim(str_from(line)));
		(void)fflush(stdout);
	}
	return 0;
}
