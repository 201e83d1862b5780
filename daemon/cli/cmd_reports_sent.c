/* reports sent: what we told others of what we saw of them. */
#include "cli/call.h"
#include "cli/commands.h"

#include "base/macros.h"

int
cmd_reports_sent(struct call *c)
{
	static const struct column columns[] = {
		{ "id", "ID" },       { "day", "DAY" },     { "kind", "KIND" },
		{ "domain", "ON" },   { "state", "STATE" }, { "recipients", "TO" },
		{ "count", "COUNT" }, { "reason", "WHY" },
	};
	struct str path = STR("/reports/sent"), value;

	if (c->args_count)
		path = call_param(c, path, "domain", c->args[0]);
	if (call_option(c, "kind", &value))
		path = call_param(c, path, "kind", value);
	if (call_option(c, "state", &value))
		path = call_param(c, path, "state", value);
	return call_list(c, path, columns, ARRAY_LEN(columns));
}
