/* health: what is well, and looking again */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include <stdio.h>
#include <time.h>

enum {
	STATE_COLUMNS = 7, /* "unknown" */
	POLL_MS = 200,
	POLLS_MAX = 100, /* a run waits and takes five seconds, and may be repeated */
};

static int
status_of(const struct client_answer *answer)
{
	return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
}

static const struct json_value *
root_of(const struct client_answer *answer)
{
	return answer->doc ? json_root(answer->doc) : NULL;
}

struct cell {
	const char *member;
	size_t columns; /* the least that it takes */
};

/* "ok       Disk          20 GiB free": those that are there, two spaces between. */
static void
print_cells(const struct json_value *v, const struct cell *cells, size_t count)
{
	struct str text;
	size_t missing = 0;

	for (size_t k = 0; k < count; k++) {
		if (!json_get_str(json_find(v, cells[k].member), &text) || !text.n)
			continue;
		(void)printf("%*s", k ? (int)missing + 2 : 0, "");
		call_print(text);
		missing = text.n < cells[k].columns ? cells[k].columns - text.n : 0;
	}
	(void)fputc('\n', stdout);
}

static bool
is_muted(const struct json_value *check)
{
	bool muted = false;

	return json_get_bool(json_find(check, "muted"), &muted) && muted;
}

/* "fail (muted)  Reverse name  …", below each other where one of them is muted. */
static void
print_check(const struct json_value *check, bool is_beside_muted)
{
	static const struct cell cells[] = { { "title", 12 },
		                             { "text", 0 },
		                             { "fix", 0 } };
	static const char muted[] = " (muted)";
	size_t columns = STATE_COLUMNS + (is_beside_muted ? sizeof(muted) - 1 : 0);
	struct str state = STR("");
	size_t shown;

	(void)json_get_str(json_find(check, "state"), &state);
	call_print(state);
	shown = state.n;
	if (is_muted(check)) {
		(void)fputs(muted, stdout);
		shown += sizeof(muted) - 1;
	}
	(void)printf("%*s", (int)(shown < columns ? columns - shown : 0) + 2, "");
	print_cells(check, cells, ARRAY_LEN(cells));
}

static bool
has_muted(const struct json_value *items)
{
	for (size_t i = 0; i < json_count(items); i++) {
		if (is_muted(json_at(items, i)))
			return true;
	}
	return false;
}

static bool
is_failed(const struct json_value *check)
{
	struct str state;

	return !is_muted(check) && json_get_str(json_find(check, "state"), &state) &&
	       str_eq(state, STR("fail"));
}

int
cmd_health(struct call *c)
{
	const struct client_answer *answer =
		client_call(c->client, "GET", STR("/health"), STR(""));
	const struct json_value *root, *items;

	if (!call_is_ok(answer))
		return status_of(answer);
	root = root_of(answer);
	if (c->is_json)
		(void)printf("%.*s\n", STR_ARG(answer->body));
	items = json_find(root, "items");
	for (size_t i = 0; !c->is_json && i < json_count(items); i++)
		print_check(json_at(items, i), has_muted(items));
	return is_failed(root) ? CLI_REFUSED : CLI_OK;
}

int
cmd_health_show(struct call *c)
{
	static const struct cell cells[] = { { "state", STATE_COLUMNS },
		                             { "name", 0 },
		                             { "text", 0 } };
	const struct client_answer *answer = client_call(
		c->client, "GET", call_path(c, "/health/", c->args[0], ""), STR(""));
	const struct json_value *root, *details, *lines;
	struct str request;

	if (!call_is_ok(answer))
		return status_of(answer);
	root = root_of(answer);
	if (c->is_json) {
		(void)printf("%.*s\n", STR_ARG(answer->body));
		return CLI_OK;
	}
	print_check(root, is_muted(root));
	details = json_find(root, "details");
	lines = json_find(details, "lines");
	for (size_t i = 0; i < json_count(lines); i++) {
		(void)fputs("    ", stdout);
		print_cells(json_at(lines, i), cells, ARRAY_LEN(cells));
	}
	if (json_get_str(json_find(details, "request"), &request)) {
		(void)fputs("Request to send: ", stdout);
		call_print(request);
		(void)fputc('\n', stdout);
	}
	return CLI_OK;
}

/* --- looking ------------------------------------------------------------------------ */

/* Was it asked for by name, or is it one that can be? */
static bool
is_meant(const struct call *c, const struct json_value *check)
{
	struct str id;
	bool ignored;

	if (!json_get_str(json_find(check, "id"), &id))
		return false;
	for (size_t i = 0; i < c->args_count; i++) {
		if (str_eq(c->args[i], id))
			return true;
	}
	return !c->args_count && json_get_bool(json_find(check, "checking"), &ignored);
}

static int
ask(struct call *c, struct str id)
{
	const struct client_answer *answer = client_call(
		c->client, "POST", call_path(c, "/health/", id, "/run"), STR(""));

	return call_is_ok(answer) ? CLI_OK : status_of(answer);
}

static int
ask_all(struct call *c)
{
	const struct client_answer *answer =
		client_call(c->client, "GET", STR("/health"), STR(""));
	const struct json_value *items;
	struct str ids[CALL_ARGS_MAX];
	size_t count = 0;
	int status = CLI_OK;

	if (!call_is_ok(answer))
		return status_of(answer);
	items = json_find(root_of(answer), "items");
	for (size_t i = 0; i < json_count(items) && count < CALL_ARGS_MAX; i++) {
		struct str id;

		if (is_meant(c, json_at(items, i)) &&
		    json_get_str(json_find(json_at(items, i), "id"), &id))
			ids[count++] = arena_str(c->arena, id);
	}
	for (size_t i = 0; i < count && status == CLI_OK; i++)
		status = ask(c, ids[i]);
	return status;
}

/* True while one of those that are meant is being looked at. */
static bool
is_busy(const struct call *c, const struct json_value *items)
{
	bool is_checking;

	for (size_t i = 0; i < json_count(items); i++) {
		const struct json_value *check = json_at(items, i);

		if (is_meant(c, check) &&
		    json_get_bool(json_find(check, "checking"), &is_checking) &&
		    is_checking)
			return true;
	}
	return false;
}

int
cmd_health_run(struct call *c)
{
	static const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const struct client_answer *answer = NULL;
	const struct json_value *items = NULL;
	int status = CLI_OK;

	/* Names first: a wrong one is said before anything is waited for. */
	for (size_t i = 0; i < c->args_count && status == CLI_OK; i++)
		status = ask(c, c->args[i]);
	if (!c->args_count)
		status = ask_all(c);
	if (status != CLI_OK)
		return status;
	for (int i = 0; i < POLLS_MAX; i++) {
		answer = client_call(c->client, "GET", STR("/health"), STR(""));
		if (!call_is_ok(answer))
			return status_of(answer);
		items = json_find(root_of(answer), "items");
		if (!is_busy(c, items))
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (c->is_json)
		(void)printf("%.*s\n", STR_ARG(answer->body));
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json_value *check = json_at(items, i);

		if (!is_meant(c, check))
			continue;
		if (!c->is_json)
			print_check(check, has_muted(items));
		if (is_failed(check))
			status = CLI_REFUSED;
	}
	return status;
}

/* --- leaving one as it is ----------------------------------------------------------- */

int
cmd_health_mute(struct call *c)
{
	return call_do(c, "PATCH", call_path(c, "/health/", c->args[0], ""),
	               STR("{\"muted\": true}"), "muted", c->args[0]);
}

int
cmd_health_unmute(struct call *c)
{
	return call_do(c, "PATCH", call_path(c, "/health/", c->args[0], ""),
	               STR("{\"muted\": false}"), "unmuted", c->args[0]);
}
