/* queue, trace, settings */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "base/macros.h"

#include <stdio.h>

enum {
	BODY_MAX = 256 * 1024,
};

/* The arguments from the first one on as one query. */
static struct str
query_of(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);

	for (size_t i = 0; i < c->args_count; i++) {
		if (i)
			strbuf_byte(&b, ' ');
		strbuf_add(&b, c->args[i]);
	}
	return strbuf_str(&b);
}

static struct str
list_path(struct call *c, const char *path)
{
	struct str q = query_of(c);

	return q.n ? call_param(c, str_from(path), "q", q) : str_from(path);
}

/* --- queue ----------------------------------------------------------------- */

int
cmd_queue_list(struct call *c)
{
	static const struct column columns[] = {
		{ "id", "ID" },
		{ "state", "STATE" },
		{ "to", "TO" },
		{ "from", "FROM" },
		{ "age_s", "AGE" },
		{ "attempts", "TRIES" },
		{ "next_try_at", "NEXT TRY" },
		{ "tls", "TLS" },
		{ "reason.plain", "WHY" },
	};

	return call_list(c, list_path(c, "/queue"), columns, ARRAY_LEN(columns));
}

int
cmd_queue_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/queue/", c->args[0], ""), STR(""));
}

/* Which ones failed, and why. */
static void
print_failed(const struct json_value *items)
{
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json_value *item = json_at(items, i);
		struct str id = STR(""), detail = STR("");

		if (!json_get_str(json_find(json_find(item, "error"), "detail"), &detail))
			continue;
		(void)json_get_str(json_find(item, "id"), &id);
		(void)fprintf(stderr, "  %.*s: %.*s\n", STR_ARG(id), STR_ARG(detail));
	}
}

/* Ids, or --filter; both as one bulk action, so that the answer is one. */
static int
act(struct call *c, const char *action)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	const struct client_answer *answer;
	struct str filter;
	bool has_filter = call_option(c, "filter", &filter);
	int64_t done = 0, failed = 0;

	if (has_filter == (c->args_count > 0))
		return call_usage(c, "give ids or --filter");
	json_open_object(&j, NULL);
	json_cstr(&j, "action", action);
	if (has_filter)
		json_str(&j, "filter", filter);
	if (!has_filter) {
		json_open_array(&j, "ids");
		for (size_t i = 0; i < c->args_count; i++)
			json_str(&j, NULL, c->args[i]);
		json_close_array(&j);
	}
	json_close_object(&j);
	answer = client_call(c->client, "POST", STR("/queue/actions"), strbuf_str(&b));
	if (!call_is_ok(answer))
		return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
	if (answer->doc) {
		(void)json_get_i64(json_find(json_root(answer->doc), "done"), &done);
		(void)json_get_i64(json_find(json_root(answer->doc), "failed"), &failed);
	}
	if (c->is_json)
		(void)printf("%.*s\n", STR_ARG(answer->body));
	else
		(void)printf("%s: %lld done, %lld failed\n", action, (long long)done,
		             (long long)failed);
	if (failed && !c->is_json && answer->doc)
		print_failed(json_find(json_root(answer->doc), "items"));
	return failed ? CLI_REFUSED : CLI_OK;
}

int
cmd_queue_retry(struct call *c)
{
	return act(c, "retry");
}

int
cmd_queue_hold(struct call *c)
{
	return act(c, "hold");
}

int
cmd_queue_release(struct call *c)
{
	return act(c, "release");
}

int
cmd_queue_bounce(struct call *c)
{
	return act(c, "bounce");
}

int
cmd_queue_delete(struct call *c)
{
	return act(c, "delete");
}

/* --- the delivery log ------------------------------------------------------ */

int
cmd_trace(struct call *c)
{
	static const struct column columns[] = {
		{ "time", "TIME" },       { "id", "ID" },
		{ "direction", "DIR" },   { "from", "FROM" },
		{ "to", "TO" },           { "verdict", "VERDICT" },
		{ "subject", "SUBJECT" }, { "reason.plain", "WHY" },
	};

	return call_list(c, list_path(c, "/traces"), columns, ARRAY_LEN(columns));
}

static void
print_event(const struct json_value *event)
{
	struct str time = { NULL, 0 }, text = { NULL, 0 }, name = { NULL, 0 };

	(void)json_get_str(json_find(event, "time"), &time);
	(void)json_get_str(json_find(event, "text"), &text);
	(void)json_get_str(json_find(event, "event"), &name);
	call_print(time);
	(void)printf("  %-22.*s ", STR_ARG(name));
	call_print(text);
	(void)fputc('\n', stdout);
}

int
cmd_trace_show(struct call *c)
{
	struct str path = call_path(c, "/traces/", c->args[0], "/events");
	const struct client_answer *answer = client_call(c->client, "GET", path, STR(""));
	const struct json_value *items;

	if (!call_is_ok(answer))
		return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
	if (c->is_json) {
		(void)printf("%.*s\n", STR_ARG(answer->body));
		return CLI_OK;
	}
	items = json_find(answer->doc ? json_root(answer->doc) : NULL, "items");
	for (size_t i = 0; i < json_count(items); i++)
		print_event(json_at(items, i));
	return CLI_OK;
}

/* --- the appliance --------------------------------------------------------- */

int
cmd_settings(struct call *c)
{
	static const struct column columns[] = {
		{ "key", "KEY" },           { "value", "VALUE" },
		{ "default", "DEFAULT" },   { "source", "FROM" },
		{ "changed_by", "SET BY" },
	};

	return call_table(c, STR("/settings"), columns, ARRAY_LEN(columns));
}

int
cmd_settings_show(struct call *c)
{
	return call_show(c, "GET", call_path(c, "/settings/", c->args[0], ""), STR(""));
}

/* All words behind the key are the value: a list reads like in the file. */
int
cmd_settings_set(struct call *c)
{
	struct strbuf value = strbuf_arena(c->arena, BODY_MAX),
		      b = strbuf_arena(c->arena, 2 * BODY_MAX);
	struct json_out j = json_out_on(&b);

	for (size_t i = 1; i < c->args_count; i++) {
		if (i > 1)
			strbuf_byte(&value, ' ');
		strbuf_add(&value, c->args[i]);
	}
	json_open_object(&j, NULL);
	json_str(&j, "value", strbuf_str(&value));
	json_close_object(&j);
	return call_do(c, "PATCH", call_path(c, "/settings/", c->args[0], ""),
	               strbuf_str(&b), "set", c->args[0]);
}

int
cmd_settings_reset(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	for (size_t i = 0; i < c->args_count; i++)
		json_out_null(&j, arena_cstr(c->arena, c->args[i]));
	json_close_object(&j);
	return call_do(c, "PATCH", STR("/settings"), strbuf_str(&b), "reset", c->args[0]);
}
