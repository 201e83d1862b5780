/* domain, account, alias, resolve */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "base/macros.h"

#include <stdio.h>

enum {
	BODY_MAX = 256 * 1024,
};

/* The path of a list with the options of the same name. */
static struct str
list_path(struct call *c, const char *path)
{
	static const char *const names[] = { "domain", "search" };
	struct str full = str_from(path), value;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (call_option(c, names[i], &value))
			full = call_param(c, full, names[i], value);
	}
	return full;
}

/* --- domains ---------------------------------------------------------------------- */

int
cmd_domain_add(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_str(&j, "name", c->args[0]);
	json_close_object(&j);
	return call_do(c, "POST", STR("/domains"), strbuf_str(&b), "added", c->args[0]);
}

int
cmd_domain_list(struct call *c)
{
	static const struct column columns[] = {
		{ "name", "NAME" },           { "state", "STATE" },
		{ "accounts", "ACCOUNTS" },   { "aliases", "ALIASES" },
		{ "catch_all", "CATCH-ALL" },
	};

	return call_list(c, list_path(c, "/domains"), columns, ARRAY_LEN(columns));
}

int
cmd_domain_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/domains/", c->args[0], ""), STR(""));
}

int
cmd_domain_set(struct call *c)
{
	static const char *const names[] = { "incoming", "state" };
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str value;

	if (!c->options_count)
		return call_usage(c, "say what to change");
	json_open_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (call_option(c, names[i], &value))
			json_str(&j, names[i], value);
	}
	json_close_object(&j);
	return call_do(c, "PATCH", call_path(c, "/domains/", c->args[0], ""),
	               strbuf_str(&b), "changed", c->args[0]);
}

int
cmd_domain_remove(struct call *c)
{
	struct str ignored;
	bool is_cascade = call_option(c, "cascade", &ignored);

	return call_remove(c, call_path(c, "/domains/", c->args[0], ""),
	                   is_cascade ? "?cascade=true" : "", "removed", c->args[0]);
}

/* --- accounts --------------------------------------------------------------------- */

/* Adds name and quota to a body where they were given. False: said why. */
static bool
add_options(struct call *c, struct json_out *j)
{
	struct str value;
	int64_t bytes;

	if (call_option(c, "name", &value))
		json_str(j, "name", value);
	if (!call_option(c, "quota", &value))
		return true;
	if (!call_size(value, &bytes)) {
		(void)call_usage(c, "--quota is a size like 5G, or none");
		return false;
	}
	if (bytes)
		json_i64(j, "quota_bytes", bytes);
	else
		json_out_null(j, "quota_bytes");
	return true;
}

int
cmd_account_add(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str password;

	if (!call_password(c, &password))
		return CLI_USAGE;
	json_open_object(&j, NULL);
	json_str(&j, "address", c->args[0]);
	json_str(&j, "password", password);
	if (!add_options(c, &j))
		return CLI_USAGE;
	json_close_object(&j);
	return call_do(c, "POST", STR("/accounts"), strbuf_str(&b), "added", c->args[0]);
}

int
cmd_account_list(struct call *c)
{
	static const struct column columns[] = {
		{ "address", "ADDRESS" },   { "state", "STATE" },
		{ "messages", "MESSAGES" }, { "used_bytes", "BYTES" },
		{ "quota_bytes", "QUOTA" }, { "last_login_at", "LAST LOGIN" },
		{ "name", "NAME" },
	};

	return call_list(c, list_path(c, "/accounts"), columns, ARRAY_LEN(columns));
}

static struct str
account_path(struct call *c, const char *after)
{
	return call_path(c, "/accounts/", c->args[0], after);
}

int
cmd_account_show(struct call *c)
{
	return call_show(c, "GET", account_path(c, ""), STR(""));
}

int
cmd_account_usage(struct call *c)
{
	return call_show(c, "GET", account_path(c, "/usage"), STR(""));
}

int
cmd_account_password(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str password;

	if (!call_password(c, &password))
		return CLI_USAGE;
	json_open_object(&j, NULL);
	json_str(&j, "password", password);
	json_close_object(&j);
	return call_do(c, "POST", account_path(c, "/password"), strbuf_str(&b),
	               "new password for", c->args[0]);
}

int
cmd_account_set(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	if (!c->options_count)
		return call_usage(c, "say what to change");
	json_open_object(&j, NULL);
	if (!add_options(c, &j))
		return CLI_USAGE;
	json_close_object(&j);
	return call_do(c, "PATCH", account_path(c, ""), strbuf_str(&b), "changed",
	               c->args[0]);
}

int
cmd_account_enable(struct call *c)
{
	return call_do(c, "PATCH", account_path(c, ""), STR("{\"state\":\"active\"}"),
	               "enabled", c->args[0]);
}

int
cmd_account_disable(struct call *c)
{
	return call_do(c, "PATCH", account_path(c, ""), STR("{\"state\":\"disabled\"}"),
	               "disabled", c->args[0]);
}

int
cmd_account_remove(struct call *c)
{
	return call_remove(c, account_path(c, ""), "", "removed", c->args[0]);
}

/* --- aliases ---------------------------------------------------------------------- */

static void
add_targets(struct call *c, struct json_out *j)
{
	json_open_array(j, "targets");
	for (size_t i = 1; i < c->args_count; i++)
		json_str(j, NULL, c->args[i]);
	json_close_array(j);
}

int
cmd_alias_add(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_str(&j, "address", c->args[0]);
	add_targets(c, &j);
	json_close_object(&j);
	return call_do(c, "POST", STR("/aliases"), strbuf_str(&b), "added", c->args[0]);
}

int
cmd_alias_set(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	add_targets(c, &j);
	json_close_object(&j);
	return call_do(c, "PATCH", call_path(c, "/aliases/", c->args[0], ""),
	               strbuf_str(&b), "changed", c->args[0]);
}

int
cmd_alias_list(struct call *c)
{
	static const struct column columns[] = {
		{ "address", "ADDRESS" },
		{ "state", "STATE" },
		{ "targets", "TARGETS" },
	};

	return call_list(c, list_path(c, "/aliases"), columns, ARRAY_LEN(columns));
}

int
cmd_alias_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/aliases/", c->args[0], ""), STR(""));
}

int
cmd_alias_remove(struct call *c)
{
	return call_remove(c, call_path(c, "/aliases/", c->args[0], ""), "", "removed",
	                   c->args[0]);
}

int
cmd_resolve(struct call *c)
{
	return call_show(c, "GET", call_param(c, STR("/resolve"), "address", c->args[0]),
	                 STR(""));
}
