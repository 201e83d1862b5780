#include "store/outside.h"

#include "base/event.h"
#include "base/macros.h"

enum {
	VALUE_MAX = 64,
};

static const char *const services[] = { "smtp", "submission", "imap", "pop3", "http" };
_Static_assert(ARRAY_LEN(services) == OUTSIDE_SERVICES, "a place for each");

static size_t
find_service(struct str word)
{
	size_t i = 0;

	while (i < ARRAY_LEN(services) && !str_eq(word, str_from(services[i])))
		i++;
	return i;
}

/* A connection names its service; a login names the protocol, where "smtp" is submission,
   whose connection was seen before. */
static const char *
key_of(uint32_t event)
{
	return event == EV_CONNECT ? "service" : event == EV_AUTH_OK ? "protocol" : NULL;
}

void
outside_add(struct outside *o, const struct trace_event *event)
{
	const char *wanted = key_of(event->id);
	size_t service = OUTSIDE_SERVICES;
	char bytes[VALUE_MAX];
	struct strbuf value = strbuf_on(bytes);
	struct addr ip = { .family = ADDR_NONE };
	struct str body = event->body, key;

	if (!wanted)
		return;
	while (logfmt_next(&body, &key, &value)) {
		if (str_eq(key, STR("ip")))
			(void)addr_parse_ip(strbuf_str(&value), &ip);
		else if (str_eq(key, str_from(wanted)))
			service = find_service(strbuf_str(&value));
	}
	if (service == OUTSIDE_SERVICES || ip.family == ADDR_NONE || addr_is_special(&ip))
		return;
	if (event->id == EV_AUTH_OK && str_eq(str_from(services[service]), STR("smtp")))
		return;
	if (event->at_ms > o->services[service].at_ms) {
		struct strbuf text =
			strbuf_fixed(o->services[service].ip, ADDR_TEXT_MAX - 1);

		addr_format_ip(&text, &ip);
		o->services[service].ip[text.n] = '\0';
		o->services[service].at_ms = event->at_ms;
	}
}

struct outside_seen *
outside_list(struct outside *o, size_t *count_out)
{
	size_t n = 0;

	for (size_t i = 0; i < OUTSIDE_SERVICES; i++) {
		if (o->services[i].at_ms - o->services[i].told_ms < OUTSIDE_EVERY_MS)
			continue;
		o->list[n++] = (struct outside_seen){ .service = str_from(services[i]),
			                              .ip = str_from(o->services[i].ip),
			                              .at_ms = o->services[i].at_ms };
	}
	*count_out = n;
	return n ? o->list : NULL;
}

void
outside_told(struct outside *o)
{
	for (size_t i = 0; i < OUTSIDE_SERVICES; i++) {
		if (o->services[i].at_ms - o->services[i].told_ms >= OUTSIDE_EVERY_MS)
			o->services[i].told_ms = o->services[i].at_ms;
	}
}
