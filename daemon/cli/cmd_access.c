/* admin, token */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "base/macros.h"

#include <stdio.h>

enum {
	BODY_MAX = 64 * 1024,
};

int
cmd_admin_add(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str password, role;

	if (!call_password(c, &password))
		return CLI_USAGE;
	/* Who may run this may do everything anyway: the first one is an owner. */
	if (!call_option(c, "role", &role))
		role = STR("owner");
	json_open_object(&j, NULL);
	json_str(&j, "name", c->args[0]);
	json_str(&j, "password", password);
	json_str(&j, "role", role);
	json_close_object(&j);
	return call_do(c, "POST", STR("/admins"), strbuf_str(&b), "added", c->args[0]);
}

int
cmd_admin_list(struct call *c)
{
	static const struct column columns[] = {
		{ "name", "NAME" },
		{ "role", "ROLE" },
		{ "state", "STATE" },
		{ "last_login_at", "LAST LOGIN" },
	};

	return call_list(c, STR("/admins"), columns, ARRAY_LEN(columns));
}

int
cmd_admin_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/admins/", c->args[0], ""), STR(""));
}

int
cmd_admin_password(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str password;

	if (!call_password(c, &password))
		return CLI_USAGE;
	json_open_object(&j, NULL);
	json_str(&j, "password", password);
	json_close_object(&j);
	return call_do(c, "PATCH", call_path(c, "/admins/", c->args[0], ""),
	               strbuf_str(&b), "new password for", c->args[0]);
}

int
cmd_admin_remove(struct call *c)
{
	return call_remove(c, call_path(c, "/admins/", c->args[0], ""), "", "removed",
	                   c->args[0]);
}

/* --- tokens ----------------------------------------------------------------------- */

/* Repeated options as a list. */
static void
add_list(struct call *c, struct json_out *j, const char *option, const char *key)
{
	struct str value;

	if (!call_option(c, option, &value))
		return;
	json_open_array(j, key);
	for (size_t i = 0; call_option_at(c, option, i, &value); i++)
		json_str(j, NULL, value);
	json_close_array(j);
}

/* All that the caller may, for who asks for no scope of its own. */
static bool
add_own_scopes(struct call *c, struct json_out *j, int *status_out)
{
	const struct client_answer *me =
		client_call(c->client, "GET", STR("/me"), STR(""));
	const struct json_value *scopes;
	struct str word;

	*status_out = me->status ? CLI_REFUSED : CLI_UNREACHABLE;
	if (!call_is_ok(me))
		return false;
	scopes = json_find(me->doc ? json_root(me->doc) : NULL, "scopes");
	json_open_array(j, "scopes");
	for (size_t i = 0; i < json_count(scopes); i++) {
		if (json_get_str(json_at(scopes, i), &word))
			json_str(j, NULL, word);
	}
	json_close_array(j);
	return true;
}

int
cmd_token_create(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	const struct client_answer *answer;
	struct str value, secret = { NULL, 0 };
	int status;

	json_open_object(&j, NULL);
	json_str(&j, "name", c->args[0]);
	add_list(c, &j, "scope", "scopes");
	add_list(c, &j, "domain", "domains");
	if (!call_option(c, "scope", &value) && !add_own_scopes(c, &j, &status))
		return status;
	if (call_option(c, "expires", &value)) {
		if (str_eq(value, STR("never")))
			json_out_null(&j, "expires_at");
		else
			json_str(&j, "expires_at", value);
	}
	json_close_object(&j);
	if (c->is_json)
		return call_show(c, "POST", STR("/tokens"), strbuf_str(&b));
	answer = client_call(c->client, "POST", STR("/tokens"), strbuf_str(&b));
	if (!call_is_ok(answer))
		return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
	(void)json_get_str(
		json_find(answer->doc ? json_root(answer->doc) : NULL, "token"), &secret);
	call_print(secret);
	(void)fputc('\n', stdout);
	return CLI_OK;
}

int
cmd_token_list(struct call *c)
{
	static const struct column columns[] = {
		{ "id", "ID" },
		{ "name", "NAME" },
		{ "created_by", "MADE BY" },
		{ "expires_at", "EXPIRES" },
		{ "last_used_at", "LAST USED" },
		{ "scopes", "SCOPES" },
	};

	return call_list(c, STR("/tokens"), columns, ARRAY_LEN(columns));
}

int
cmd_token_revoke(struct call *c)
{
	return call_remove(c, call_path(c, "/tokens/", c->args[0], ""), "", "revoked",
	                   c->args[0]);
}
