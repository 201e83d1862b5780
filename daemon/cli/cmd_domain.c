/* domain dns, domain dkim: what a domain publishes, and the keys that sign for it. */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "base/macros.h"

#include <stdio.h>
#include <time.h>

enum {
	BODY_MAX = 4096,
	POLLS_MAX = 200,
	POLL_MS = 200,
};

/* --- records ---------------------------------------------------------------------- */

static struct str
text_of(const struct json_value *v, const char *key)
{
	struct str s = { NULL, 0 };

	(void)json_get_str(json_find(v, key), &s);
	return s;
}

/* "example.com. MX 10 mail.example.com. ; required_to_receive: ok". */
static void
print_record(const struct json_value *record)
{
	const struct json_value *master = json_find(record, "master");
	struct str value = { NULL, 0 }, reason = text_of(record, "reason");

	for (size_t i = 0; i < json_count(master) || i == 0; i++) {
		(void)json_get_str(json_at(master, i), &value);
		if (!json_count(master))
			(void)printf("; ");
		call_print(text_of(record, "name"));
		(void)printf(" %.*s ", STR_ARG(text_of(record, "type")));
		call_print(value);
		(void)printf(" ; %.*s: %.*s", STR_ARG(text_of(record, "need")),
		             STR_ARG(text_of(record, "state")));
		if (reason.n)
			(void)printf(": %.*s", STR_ARG(reason));
		(void)printf("\n");
	}
}

static int
status_of(const struct client_answer *answer)
{
	return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
}

static void
pause_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Asks for a look and waits for its end. */
static int
look(struct call *c, struct str path)
{
	const struct client_answer *answer =
		client_call(c->client, "POST",
	                    call_path(c, "/domains/", c->args[0], "/dns/check"), STR(""));
	bool is_checking = true;

	if (!call_is_ok(answer))
		return status_of(answer);
	for (int i = 0; i < POLLS_MAX && is_checking; i++) {
		pause_ms(POLL_MS);
		answer = client_call(c->client, "GET", path, STR(""));
		if (!call_is_ok(answer))
			return status_of(answer);
		if (!json_get_bool(json_find(answer->doc ? json_root(answer->doc) : NULL,
		                             "checking"),
		                   &is_checking))
			is_checking = false;
	}
	return CLI_OK;
}

static int
print_zone(struct call *c)
{
	struct str path = call_path(c, "/domains/", c->args[0], "/dns/zone"), ignored;
	const struct client_answer *answer;

	if (call_option(c, "missing", &ignored))
		path = call_param(c, path, "only", STR("missing"));
	if (call_option(c, "relative", &ignored))
		path = call_param(c, path, "style", STR("relative"));
	answer = client_call(c->client, "GET", path, STR(""));
	if (!call_is_ok(answer))
		return status_of(answer);
	(void)fwrite(answer->body.p, 1, answer->body.n, stdout);
	return CLI_OK;
}

int
cmd_domain_dns(struct call *c)
{
	struct str path = call_path(c, "/domains/", c->args[0], "/dns"), ignored;
	const struct client_answer *answer;
	const struct json_value *items;
	int status = CLI_OK;

	if (call_option(c, "check", &ignored))
		status = look(c, path);
	if (status != CLI_OK)
		return status;
	if (call_option(c, "zone", &ignored))
		return print_zone(c);
	answer = client_call(c->client, "GET", path, STR(""));
	if (!call_is_ok(answer))
		return status_of(answer);
	if (c->is_json) {
		(void)printf("%.*s\n", STR_ARG(answer->body));
		return CLI_OK;
	}
	items = json_find(answer->doc ? json_root(answer->doc) : NULL, "items");
	for (size_t i = 0; i < json_count(items); i++)
		print_record(json_at(items, i));
	return CLI_OK;
}

static int
mute(struct call *c, const char *body, const char *done)
{
	struct str dns = call_path(c, "/domains/", c->args[0], "/dns/");

	return call_do(c, "PATCH",
	               call_path(c, arena_cstr(c->arena, dns), c->args[1], ""),
	               str_from(body), done, c->args[1]);
}

int
cmd_domain_dns_mute(struct call *c)
{
	return mute(c, "{\"muted\": true}", "muted");
}

int
cmd_domain_dns_unmute(struct call *c)
{
	return mute(c, "{\"muted\": false}", "unmuted");
}

/* --- keys ------------------------------------------------------------------------- */

int
cmd_domain_dkim_list(struct call *c)
{
	static const struct column columns[] = {
		{ "selector", "SELECTOR" },     { "algorithm", "ALGORITHM" },
		{ "state", "STATE" },           { "since", "SINCE" },
		{ "servers_ok", "SERVERS" },    { "servers_total", "OF" },
		{ "keep_until", "KEEP UNTIL" },
	};

	return call_table(c, call_path(c, "/domains/", c->args[0], "/dkim-keys"), columns,
	                  ARRAY_LEN(columns));
}

int
cmd_domain_dkim_create(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str selector;

	json_open_object(&j, NULL);
	json_str(&j, "algorithm", c->args[1]);
	if (call_option(c, "selector", &selector))
		json_str(&j, "selector", selector);
	json_close_object(&j);
	return call_show(c, "POST", call_path(c, "/domains/", c->args[0], "/dkim-keys"),
	                 strbuf_str(&b));
}

int
cmd_domain_dkim_rotate(struct call *c)
{
	return call_do(c, "POST",
	               call_path(c, "/domains/", c->args[0], "/dkim-keys/rotate"),
	               STR("{}"), "made a new pair of keys for", c->args[0]);
}

static struct str
key_path(struct call *c)
{
	struct str keys = call_path(c, "/domains/", c->args[0], "/dkim-keys/");

	return call_path(c, arena_cstr(c->arena, keys), c->args[1], "");
}

int
cmd_domain_dkim_set(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	struct str ignored;

	json_open_object(&j, NULL);
	json_str(&j, "state", c->args[2]);
	if (call_option(c, "emergency", &ignored))
		json_bool(&j, "emergency", true);
	json_close_object(&j);
	return call_do(c, "PATCH", key_path(c), strbuf_str(&b), "changed", c->args[1]);
}

/* False: said why. */
static bool
has_key(struct call *c)
{
	struct str keys = call_path(c, "/domains/", c->args[0], "/dkim-keys"), selector;
	const struct client_answer *answer = client_call(c->client, "GET", keys, STR(""));
	const struct json_value *items;

	if (!call_is_ok(answer))
		return false;
	items = answer->doc ? json_find(json_root(answer->doc), "items") : NULL;
	for (size_t i = 0; i < json_count(items); i++) {
		if (json_get_str(json_find(json_at(items, i), "selector"), &selector) &&
		    str_eq(selector, c->args[1]))
			return true;
	}
	(void)fputs("mailstead: the domain has no key of that selector\n", stderr);
	return false;
}

int
cmd_domain_dkim_remove(struct call *c)
{
	if (!has_key(c))
		return CLI_REFUSED;
	return call_do(c, "DELETE", key_path(c), STR(""), "removed", c->args[1]);
}
