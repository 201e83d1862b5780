/* tls-policy: what other domains demand of the way to them. */
#include "cli/call.h"
#include "cli/commands.h"

#include "base/macros.h"

int
cmd_tls_policy_list(struct call *c)
{
	static const struct column columns[] = {
		{ "domain", "DOMAIN" },      { "state", "STATE" },
		{ "mode", "MODE" },          { "mx", "MX" },
		{ "policy_id", "ID" },       { "fetched_at", "FETCHED" },
		{ "expires_at", "EXPIRES" }, { "reason", "LAST FAILURE" },
	};
	struct str path = STR("/tls-policies"), search;

	if (call_option(c, "search", &search))
		path = call_param(c, path, "search", search);
	return call_list(c, path, columns, ARRAY_LEN(columns));
}

int
cmd_tls_policy_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/tls-policies/", c->args[0], ""),
	                 STR(""));
}

int
cmd_tls_policy_fetch(struct call *c)
{
	return call_do(c, "POST", call_path(c, "/tls-policies/", c->args[0], "/fetch"),
	               STR(""), "being fetched: the policy of", c->args[0]);
}
