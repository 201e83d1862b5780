/* reports: what others saw of our domains. */
#include "base/clock.h"
#include "base/duration.h"
#include "base/macros.h"
#include "base/rfc3339.h"
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include <stdio.h>

enum {
	DAYS_MAX = 3650,
};

/* With DOMAIN, --days and --unproven. False: said why not. */
static bool
path_of(struct call *c, const char *path, struct str *out)
{
	struct strbuf from = strbuf_arena(c->arena, 40);
	struct str value;
	uint64_t days;

	*out = str_from(path);
	if (c->args_count)
		*out = call_param(c, *out, "domain", c->args[0]);
	if (call_option(c, "days", &value)) {
		if (!str_parse_u64(value, &days) || !days || days > DAYS_MAX) {
			(void)call_usage(c, "--days is a number of days, at most 3650");
			return false;
		}
		rfc3339_format(&from, clock_unix_ms() - (int64_t)days * DAY_MS);
		*out = call_param(c, *out, "from", strbuf_str(&from));
	}
	if (call_option(c, "unproven", &value))
		*out = call_param(c, *out, "unproven", STR("true"));
	return true;
}

static long long
number(const struct json_value *v, const char *key)
{
	int64_t n = 0;

	(void)json_get_i64(json_find(v, key), &n);
	return n;
}

/* "12 reports: 12410 aligned, 96 not." */
static int
print_totals(struct call *c, struct str path, const char *good, const char *words)
{
	const struct client_answer *answer = client_call(c->client, "GET", path, STR(""));
	const struct json_value *root, *totals;

	if (!call_is_ok(answer))
		return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
	root = answer->doc ? json_root(answer->doc) : NULL;
	totals = json_find(root, "totals");
	(void)printf("%lld report%s: %lld %s, %lld not\n", number(totals, "reports"),
	             number(totals, "reports") == 1 ? "" : "s", number(totals, good),
	             words, number(totals, "failed"));
	if (number(root, "unproven_reports"))
		(void)printf("%lld more whose sender is not proven%s\n",
		             number(root, "unproven_reports"),
		             str_find_icase(path, STR("unproven=")) == SIZE_MAX
		                     ? " are left out (--unproven)"
		                     : " are counted");
	return CLI_OK;
}

/* Sums, then the table; as JSON the first page with all its sums, which is nearly always
   the whole. */
static int
show_sums(struct call *c, struct str path, const char *good, const char *words,
          const struct column *columns, size_t count)
{
	int status;

	if (c->is_json)
		return call_table(c, call_param(c, path, "limit", STR("500")), columns,
		                  count);
	status = print_totals(c, path, good, words);
	return status == CLI_OK ? call_list(c, path, columns, count) : status;
}

int
cmd_reports_dmarc(struct call *c)
{
	static const struct column columns[] = {
		{ "origin", "ORIGIN" },       { "service.name", "SERVICE" },
		{ "messages", "MESSAGES" },   { "aligned", "ALIGNED" },
		{ "failed", "FAILED" },       { "last_at", "LAST" },
		{ "advice", "IF IT IS YOU" },
	};
	struct str path;

	if (!path_of(c, "/reports/dmarc", &path))
		return CLI_USAGE;
	return show_sums(c, path, "aligned", "messages aligned", columns,
	                 ARRAY_LEN(columns));
}

int
cmd_reports_tls(struct call *c)
{
	static const struct column columns[] = {
		{ "kind", "FAILURE" }, { "mx", "MX" },         { "sessions", "SESSIONS" },
		{ "last_at", "LAST" }, { "meaning", "MEANS" },
	};
	struct str path;

	if (!path_of(c, "/reports/tls", &path))
		return CLI_USAGE;
	return show_sums(c, path, "secured", "sessions secured", columns,
	                 ARRAY_LEN(columns));
}

int
cmd_reports_list(struct call *c)
{
	static const struct column columns[] = {
		{ "id", "ID" },         { "kind", "KIND" },     { "domain", "DOMAIN" },
		{ "sender", "SENDER" }, { "proven", "PROVEN" }, { "begin", "FROM" },
		{ "good", "GOOD" },     { "bad", "NOT" },
	};
	struct str path;

	return path_of(c, "/reports/received", &path)
	               ? call_list(c, path, columns, ARRAY_LEN(columns))
	               : CLI_USAGE;
}

int
cmd_reports_show(struct call *c)
{
	const char *which = str_starts(c->args[0], STR("rps_")) ? "/reports/sent/"
	                                                        : "/reports/received/";

	return call_show(c, "GET", call_path(c, which, c->args[0], ""), STR(""));
}
