/* domain policy: what a domain says of itself, and where reports on it go. */
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "base/macros.h"

enum {
	BODY_MAX = 4096,
};

enum kind {
	TEXT,
	YES_NO,
	NUMBER,
};

/* What each policy is made of, and the option that sets it. */
static const struct member {
	const char *policy, *key, *option;
	enum kind kind;
} members[] = {
	{ "dmarc", "policy", "policy", TEXT },
	{ "dmarc", "testing", "testing", YES_NO },
	{ "dmarc", "rua", "rua", TEXT },
	{ "mta_sts", "mode", "mode", TEXT },
	{ "mta_sts", "max_age_s", "max-age", NUMBER },
	{ "tls_rpt", "rua", "rua", TEXT },
};

static struct str
path_of(struct call *c)
{
	struct str path = call_path(c, "/domains/", c->args[0], "/policies/");

	return arena_printf(c->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(c->args[1]));
}

int
cmd_domain_policy_show(struct call *c)
{
	return call_show(c, "GET", path_of(c), STR(""));
}

/* False: it is no such value. */
static bool
add_given(struct json_out *j, const struct member *m, struct str value)
{
	uint64_t n;

	switch (m->kind) {
	case YES_NO:
		json_bool(j, m->key, str_eq(value, STR("yes")));
		return str_eq(value, STR("yes")) || str_eq(value, STR("no"));
	case NUMBER:
		if (!str_parse_u64(value, &n) || n > INT64_MAX)
			return false;
		json_i64(j, m->key, (int64_t)n);
		return true;
	default:
		/* Left out is the address that Mailstead reads itself. */
		if (!str_eq(value, STR("default")))
			json_str(j, m->key, value);
		return true;
	}
}

static void
add_kept(struct json_out *j, const struct member *m, const struct json_value *old)
{
	const struct json_value *v = json_find(old, m->key);
	struct str text;
	int64_t n;
	bool yes;

	if (json_get_str(v, &text))
		json_str(j, m->key, text);
	else if (json_get_bool(v, &yes))
		json_bool(j, m->key, yes);
	else if (json_get_i64(v, &n))
		json_i64(j, m->key, n);
}

static bool
has_member(struct str policy, const char *option)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (str_eq(policy, str_from(members[i].policy)) &&
		    str_eq(str_from(option), str_from(members[i].option)))
			return true;
	}
	return false;
}

/* An option of another policy would change nothing: that is said. */
static bool
options_fit(const struct call *c)
{
	struct str value;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (call_option(c, members[i].option, &value) &&
		    !has_member(c->args[1], members[i].option))
			return false;
	}
	return true;
}

int
cmd_domain_policy_set(struct call *c)
{
	struct strbuf b = strbuf_arena(c->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);
	const struct client_answer *answer;
	const struct json_value *old;
	struct str value;

	if (!options_fit(c))
		return call_usage(c, "this policy has no such part");
	answer = client_call(c->client, "GET", path_of(c), STR(""));
	if (!call_is_ok(answer))
		return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
	old = answer->doc ? json_root(answer->doc) : NULL;
	json_open_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];

		if (!str_eq(c->args[1], str_from(m->policy)))
			continue;
		if (!call_option(c, m->option, &value))
			add_kept(&j, m, old);
		else if (!add_given(&j, m, value))
			return call_usage(c, m->kind == YES_NO ? "yes or no"
			                                       : "a number of seconds");
	}
	json_close_object(&j);
	return call_show(c, "PUT", path_of(c), strbuf_str(&b));
}
