/* The way in, proven by who came. Only port 25 has visitors whatever our own people do:
 * the others are told of, and are no reason to worry. */
#include "base/rfc3339.h"
#include "policy/host_priv.h"

static const int64_t quiet_ms = INT64_C(24) * 60 * 60 * 1000;

static const struct {
	const char *service, *name;
} names[] = {
	{ "smtp", "mail servers (25)" }, { "submission", "sending (587, 465)" },
	{ "imap", "reading (IMAP)" },    { "pop3", "reading (POP3)" },
	{ "http", "dashboard (HTTPS)" },
};

static struct str
name_of(struct str service)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(service, str_from(names[i].service)))
			return str_from(names[i].name);
	}
	return service;
}

/* Where a mail server sits anybody may know, where a person does is nobody's business. */
static struct str
last_words(const struct host_seen *seen, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, 200);

	if (!seen->at_ms)
		return STR("nobody from outside yet");
	strbuf_lit(&b, "last ");
	if (str_eq(seen->service, STR("smtp")))
		strbuf_printf(&b, "from %.*s ", STR_ARG(seen->ip));
	strbuf_lit(&b, "at ");
	rfc3339_format(&b, seen->at_ms);
	return strbuf_str(&b);
}

void
host_inbound(const struct host_seen *seen, size_t count, int64_t now_ms, struct arena *a,
             struct host_verdict *out)
{
	size_t fresh = 0;

	*out = (struct host_verdict){ .cause = "" };
	for (size_t i = 0; i < count; i++) {
		bool is_fresh = seen[i].at_ms && now_ms - seen[i].at_ms <= quiet_ms;

		fresh += is_fresh;
		host_add(out, name_of(seen[i].service), is_fresh ? HOST_OK : HOST_UNKNOWN,
		         last_words(&seen[i], a));
	}
	if (!count) {
		host_say(out, HOST_CAUSE_INBOUND_OFF, STR("nothing listens for others"));
		return;
	}
	host_say(out, HOST_CAUSE_NONE,
	         arena_printf(a, "%zu of %zu services had visitors within a day", fresh,
	                      count));
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(seen[i].service, STR("smtp")))
			continue;
		if (!seen[i].at_ms)
			host_say(out, HOST_CAUSE_INBOUND_NEVER, out->text);
		else if (now_ms - seen[i].at_ms > quiet_ms)
			host_say(out, HOST_CAUSE_INBOUND_QUIET, out->text);
	}
}
