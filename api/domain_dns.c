/* /domains/{domain}/dns: the records to publish, so that mail comes in and is believed. */
#include "api/names.h"
#include "api/routes.h"

/* {host} is this machine, {domain} the domain; names are relative to the domain. */
static const struct {
	const char *key, *need, *type, *relative;
	int priority; /* 0: none */
	const char *value, *why;
} records[] = {
	{ "mx", "required_to_receive", "MX", "@", 10, "{host}.",
	  "says which server takes mail for the domain" },
	{ "spf", "required_to_send", "TXT", "@", 0, "v=spf1 mx ~all",
	  "says which servers may send mail of the domain" },
	{ "dmarc", "recommended", "TXT", "_dmarc", 0,
	  "v=DMARC1; p=none; rua=mailto:postmaster@{domain}",
	  "says what others shall do with forged mail, and where to report it" },
	{ "submissions", "optional", "SRV", "_submissions._tcp", 0, "0 1 465 {host}.",
	  "lets mail programs find the server to send with" },
	{ "imaps", "optional", "SRV", "_imaps._tcp", 0, "0 1 993 {host}.",
	  "lets mail programs find the mailbox" },
};

static struct str
fill_in(struct api_request *r, const char *template, struct str domain)
{
	struct strbuf b = strbuf_arena(r->arena, 1024);
	struct str rest = str_from(template);

	while (rest.n) {
		if (str_skip(&rest, STR("{host}"))) {
			strbuf_add(&b, r->api->conf->hostname);
		} else if (str_skip(&rest, STR("{domain}"))) {
			strbuf_add(&b, domain);
		} else {
			strbuf_byte(&b, rest.p[0]);
			rest = str_from_offset(rest, 1);
		}
	}
	return strbuf_str(&b);
}

static struct str
full_name(struct api_request *r, const char *relative, struct str domain)
{
	if (str_eq(str_from(relative), STR("@")))
		return arena_printf(r->arena, "%.*s.", STR_ARG(domain));
	return arena_printf(r->arena, "%s.%.*s.", relative, STR_ARG(domain));
}

void
domains_dns(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct str name;
	struct domain d;
	enum err e;

	if (!names_domain(r, r->params[0], &name))
		return;
	e = reader_domain(r->api->reader, name, r->arena, &d);
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	json_open_object(&j, NULL);
	json_open_array(&j, "items");
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		json_open_object(&j, NULL);
		json_cstr(&j, "key", records[i].key);
		json_cstr(&j, "need", records[i].need);
		json_cstr(&j, "type", records[i].type);
		json_str(&j, "name", full_name(r, records[i].relative, name));
		json_cstr(&j, "relative", records[i].relative);
		if (records[i].priority)
			json_i64(&j, "priority", records[i].priority);
		else
			json_out_null(&j, "priority");
		json_open_array(&j, "expected");
		json_str(&j, NULL, fill_in(r, records[i].value, name));
		json_close_array(&j);
		json_cstr(&j, "why", records[i].why);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}
