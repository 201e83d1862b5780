#include "api/health_host.h"

void
health_host_body(struct json_out *j, const struct host_verdict *v)
{
	json_str_or_null(j, "request", v->request);
	json_str_or_null(j, "name", v->name);
	json_open_array(j, "lines");
	for (size_t i = 0; i < v->count; i++) {
		json_open_object(j, NULL);
		json_str(j, "name", v->lines[i].name);
		json_cstr(j, "state", host_state_word(v->lines[i].state));
		json_str(j, "text", v->lines[i].text);
		json_close_object(j);
	}
	json_close_array(j);
}

struct reading {
	struct arena *arena;
	struct health_host *host;
};

static bool
take_row(void *arg, const struct host_row *row)
{
	struct reading *r = arg;
	enum host_check check;
	struct host_row *to;

	if (!host_check_find(row->name, &check))
		return true;
	to = &r->host->rows[check];
	*to = *row;
	to->name = arena_str(r->arena, row->name);
	to->state = arena_str(r->arena, row->state);
	to->cause = arena_str(r->arena, row->cause);
	to->text = arena_str(r->arena, row->text);
	to->body = arena_str(r->arena, row->body);
	to->runs = arena_str(r->arena, row->runs);
	return true;
}

static bool
take_mute(void *arg, const struct dns_mute *mute)
{
	struct reading *r = arg;
	enum host_check check;

	if (host_check_find(mute->name, &check))
		r->host->mutes[check] = (struct dns_mute){
			.by = arena_str(r->arena, mute->by),
			.at_ms = mute->at_ms,
		};
	return true;
}

enum err
health_host_read(struct reader *r, struct arena *a, struct health_host *out)
{
	struct reading reading = { a, out };
	enum err e;

	*out = (struct health_host){ .rows = { { .asked_ms = 0 } } };
	e = reader_host_list(r, take_row, &reading);
	return e == OK ? reader_dns_mutes(r, HOST_MUTES, take_mute, &reading) : e;
}

/* What the last run said, where that is not believed yet. */
static const char *
last_run(const struct host_row *row)
{
	static const enum host_state states[] = { HOST_UNKNOWN, HOST_OK, HOST_WARN,
		                                  HOST_FAIL, HOST_OFF };

	for (size_t i = 0; row->runs.n && i < ARRAY_LEN(states); i++) {
		if (host_state_letter(states[i]) == row->runs.p[row->runs.n - 1])
			return host_state_word(states[i]);
	}
	return NULL;
}

static void
write_time(struct json_out *j, const char *key, int64_t ms)
{
	if (ms > 0)
		json_time(j, key, ms);
	else
		json_out_null(j, key);
}

void
health_host_check(struct json_out *j, enum host_check check,
                  const struct health_host *host)
{
	const struct host_row *row = &host->rows[check];
	const struct dns_mute *mute = &host->mutes[check];
	bool was_run = row->checked_ms > 0;
	const char *owner = "wait", *fix = "Nobody has looked yet.";

	if (was_run)
		host_cause_words(row->cause, &owner, &fix);
	json_open_object(j, NULL);
	json_cstr(j, "id", host_check_word(check));
	json_cstr(j, "title", host_check_title(check));
	json_cstr(j, "state", host_state_word(host_state_find(row->state)));
	json_str(j, "text", was_run ? row->text : STR("not looked at yet"));
	json_str_or_null(j, "cause", was_run ? row->cause : STR("not_checked"));
	if (!was_run || row->cause.n) {
		json_cstr(j, "owner", owner);
		json_cstr(j, "fix", fix);
	} else {
		json_out_null(j, "owner");
		json_out_null(j, "fix");
	}
	write_time(j, "checked_at", row->checked_ms);
	write_time(j, "since", row->since_ms);
	write_time(j, "next_at", row->next_ms);
	json_bool(j, "checking", row->asked_ms > row->checked_ms);
	json_cstr(j, "last_run", last_run(row));
	json_bool(j, "muted", mute->at_ms > 0);
	write_time(j, "muted_at", mute->at_ms);
	json_str_or_null(j, "muted_by", mute->by);
	json_raw(j, "details", row->body.n ? row->body : STR("{}"));
	json_close_object(j);
}
