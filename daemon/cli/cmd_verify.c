/* verify: what would be said about a message, a name; the same code as in the appliance,
 * which need not run: these commands ask the name service themselves. */
#include "base/clock.h"
#include "base/duration.h"
#include "base/macros.h"
#include "cli/call.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "ext/crypto.h"
#include "io/dns.h"
#include "mail/header.h"
#include "policy/arc.h"
#include "policy/auth_json.h"
#include "policy/auth_results.h"
#include "policy/lookups_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 64 << 20,
	KEY_MAX = 64 << 10,
	OUT_MAX = 1 << 20,
	LIMIT_MS = 30 * 1000,
	DNS_PORT = 53,
	NAME_BYTES = 256,
};

static int
failed(const char *what, struct str which)
{
	(void)fprintf(stderr, "mailstead: %s: %.*s\n", what, STR_ARG(which));
	return CLI_REFUSED;
}

/* --- files -------------------------------------------------------------------------- */

/* "-" is standard input. */
static bool
read_file(struct call *c, struct str path, size_t max, struct str *text_out)
{
	bool is_stdin = str_eq(path, STR("-"));
	FILE *f = is_stdin ? stdin : fopen(arena_cstr(c->arena, path), "re");
	struct strbuf b = strbuf_arena(c->arena, max);
	size_t n = 1;

	if (!f) {
		(void)failed(strerrordesc_np(errno), path);
		return false;
	}
	while (n) {
		char bytes[16 * 1024];

		n = fread(bytes, 1, sizeof(bytes), f);
		strbuf_bytes(&b, bytes, n);
	}
	if (ferror(f) || b.overflow)
		(void)failed(ferror(f) ? "cannot be read" : "too large", path);
	n = ferror(f) || b.overflow;
	if (!is_stdin)
		(void)fclose(f);
	*text_out = strbuf_str(&b);
	return !n;
}

static bool
read_message(struct call *c, struct str *message_out)
{
	struct str text;

	if (!read_file(c, c->args[0], MESSAGE_MAX, &text))
		return false;
	*message_out = auth_message_normalize(text, c->arena);
	return true;
}

/* --- asking ------------------------------------------------------------------------- */

struct verify {
	struct call *call;
	struct loop *loop;
	struct dns *dns;
	struct lookups *lookups;
	struct lookups_conn *conn;
	struct addr server;
	int64_t now_ms;
	/* what is asked for */
	struct auth_check *check;
	struct arc_validator *arc;
	struct arc_verdict arc_verdict;
	struct str domain, org_domain;
};

static bool
parse_server(struct str text, struct addr *addr_out)
{
	if (addr_parse(text, addr_out))
		return true;
	if (!addr_parse_ip(text, addr_out))
		return false;
	addr_out->port = DNS_PORT;
	return true;
}

/* False: said why. */
static bool
verify_init(struct verify *v, struct call *c)
{
	struct dns_conf conf = {
		.timeout_ms = 10 * 1000,
		.cache_max = 1024,
		.cache_max_bytes = 1 << 20,
		.ttl_max_ms = MINUTE_MS,
		.negative_max_ms = MINUTE_MS,
		.in_flight_max = 100,
	};
	struct str value;
	uint64_t now_s;

	*v = (struct verify){ .call = c, .now_ms = clock_unix_ms() };
	if (call_option(c, "dns", &value)) {
		if (!parse_server(value, &v->server)) {
			(void)call_usage(c, "--dns wants ADDRESS:PORT");
			return false;
		}
		conf.servers = &v->server;
		conf.servers_count = 1;
	}
	if (call_option(c, "time", &value)) {
		if (!str_parse_u64(value, &now_s) || now_s > INT64_MAX / 1000) {
			(void)call_usage(c, "--time wants seconds since 1970");
			return false;
		}
		v->now_ms = (int64_t)now_s * 1000;
	}
	v->loop = loop_new();
	v->dns = dns_new(v->loop, &conf);
	v->lookups = lookups_new(c->arena, LOOKUPS_MAX);
	v->conn = lookups_conn_new(v->loop, v->dns, v->lookups);
	return true;
}

static void
verify_fini(struct verify *v)
{
	lookups_conn_free(&v->conn);
	auth_check_free(&v->check);
	arc_validator_free(&v->arc);
	dns_free(&v->dns);
	loop_free(&v->loop);
}

static void
on_done(void *arg)
{
	struct verify *v = arg;

	loop_stop(v->loop);
}

static void
resolve(struct verify *v, lookups_step_fn *step)
{
	lookups_conn_run(v->conn, step, on_done, v);
	lookups_conn_limit(v->conn, LIMIT_MS);
	loop_run(v->loop);
}

/* --- verify auth -------------------------------------------------------------------- */

static enum policy_step
step_auth(void *arg, struct lookups *l)
{
	struct verify *v = arg;

	return auth_check_step(v->check, l);
}

/* The envelope; false: said why. */
static bool
read_request(struct call *c, struct auth_request *r)
{
	struct str value;
	char *host;

	*r = (struct auth_request){ 0 };
	if (!call_option(c, "ip", &value) || !addr_parse_ip(value, &r->ip)) {
		(void)call_usage(c, "--ip wants the address of the client");
		return false;
	}
	addr_unmap(&r->ip);
	(void)call_option(c, "helo", &r->helo);
	if (!call_option(c, "mail-from", &r->sender))
		(void)call_option(c, "from", &r->sender);
	if (str_starts(r->sender, STR("<")) && str_ends(r->sender, STR(">")))
		r->sender = str_first(str_from_offset(r->sender, 1), r->sender.n - 2);
	(void)call_option(c, "trusted-sealers", &r->trusted_sealers);
	if (call_option(c, "authserv-id", &r->authserv_id))
		return true;
	host = arena_alloc(c->arena, NAME_BYTES);
	if (gethostname(host, NAME_BYTES - 1) != 0)
		host[0] = '\0';
	r->authserv_id = host[0] ? str_from(host) : STR("localhost");
	return true;
}

static int
print_verdict(struct verify *v, const struct auth_request *request)
{
	const struct auth_verdict *verdict = auth_check_verdict(v->check);
	enum dmarc_policy applied = auth_results_disposition(verdict);
	struct strbuf field = strbuf_arena(v->call->arena, AUTH_RESULTS_MAX);
	struct strbuf out = strbuf_arena(v->call->arena, OUT_MAX);
	const struct spf_verdict *spf =
		verdict->has_spf_from ? &verdict->spf_from : &verdict->spf_helo;

	if (auth_results_format(request, verdict, applied, &field) != OK)
		return failed("too long", STR("Authentication-Results"));
	if (v->call->is_json) {
		struct json_out j = json_out_on(&out);

		json_open_object(&j, NULL);
		json_str(&j, "field", strbuf_str(&field));
		auth_json_members(&j, verdict, applied);
		json_close_object(&j);
		strbuf_lit(&out, "\n");
	} else {
		struct str text = strbuf_str(&field), line;

		/* For a terminal, so without CR. */
		while (str_next(&text, '\n', &line)) {
			strbuf_add(&out, line.n && line.p[line.n - 1] == '\r'
			                         ? str_first(line, line.n - 1)
			                         : line);
			strbuf_lit(&out, "\n");
		}
		if (spf->explanation.n)
			strbuf_printf(&out, "Explanation: %.*s\n",
			              STR_ARG(spf->explanation));
	}
	return fwrite(out.p, 1, out.n, stdout) == out.n ? CLI_OK : CLI_REFUSED;
}

int
cmd_verify_auth(struct call *c)
{
	struct auth_request request;
	struct str message;
	struct verify v;
	int status;

	if (!read_request(c, &request) || !verify_init(&v, c))
		return CLI_USAGE;
	if (!read_message(c, &message)) {
		verify_fini(&v);
		return CLI_REFUSED;
	}
	request.now_ms = v.now_ms;
	v.check = auth_check_new(c->arena, &request);
	auth_check_message(v.check, message);
	resolve(&v, step_auth);
	status = print_verdict(&v, &request);
	verify_fini(&v);
	return status;
}

/* --- verify org-domain -------------------------------------------------------------- */

static enum policy_step
step_org_domain(void *arg, struct lookups *l)
{
	struct verify *v = arg;

	return dmarc_org_domain(v->domain, l, v->call->arena, &v->org_domain);
}

int
cmd_verify_org_domain(struct call *c)
{
	struct verify v;

	if (!verify_init(&v, c))
		return CLI_USAGE;
	v.domain = c->args[0];
	resolve(&v, step_org_domain);
	if (c->is_json) {
		struct strbuf out = strbuf_arena(c->arena, OUT_MAX);
		struct json_out j = json_out_on(&out);

		json_open_object(&j, NULL);
		json_str(&j, "domain", v.domain);
		json_str_or_null(&j, "org_domain", v.org_domain);
		json_close_object(&j);
		(void)printf("%.*s\n", STR_ARG(strbuf_str(&out)));
	} else if (v.org_domain.n) {
		call_print(v.org_domain);
		(void)fputc('\n', stdout);
	}
	verify_fini(&v);
	return CLI_OK;
}

/* --- verify arc-sign ---------------------------------------------------------------- */

static enum policy_step
step_arc(void *arg, struct lookups *l)
{
	struct verify *v = arg;

	return arc_validator_check(v->arc, v->now_ms, l, &v->arc_verdict);
}

/* What this server has found before: the payloads of all its fields, joined. */
static struct str
results_found(struct call *c, struct str header, struct str authserv_id)
{
	struct strbuf b = strbuf_arena(c->arena, header.n + 2);
	struct header_field field;

	while (header_next(&header, &field)) {
		struct str payload;
		size_t at;

		if (!auth_results_is_name(field.name) ||
		    auth_results_owner(field.value, true, authserv_id) !=
		            AUTH_RESULTS_OURS)
			continue;
		at = str_find(field.value, ';');
		if (at == SIZE_MAX)
			continue;
		payload = str_trim(str_from_offset(field.value, at + 1));
		while (payload.n && payload.p[payload.n - 1] == ';')
			payload = str_trim(str_first(payload, payload.n - 1));
		if (b.n && payload.n)
			strbuf_lit(&b, ";\r\n\t");
		strbuf_add(&b, payload);
	}
	return strbuf_str(&b);
}

static int
seal(struct verify *v, struct arc_seal *s, struct str header, struct str body)
{
	struct strbuf out = strbuf_arena(v->call->arena, OUT_MAX);
	enum err e;

	s->results = results_found(v->call, header, s->authserv_id);
	if (!s->results.n)
		s->results = arena_printf(v->call->arena, "arc=%s",
		                          arc_result_word(v->arc_verdict.result));
	s->now_ms = v->now_ms;
	e = arc_seal(v->call->arena, s, &v->arc_verdict, header, body, &out);
	/* A chain that somebody declared broken is left alone (RFC 8617 5.1.2). */
	if (e == ERR_CONFLICT)
		return CLI_OK;
	if (e != OK)
		return failed(err_get(e)->text, STR("cannot be sealed"));
	return fwrite(out.p, 1, out.n, stdout) == out.n ? CLI_OK : CLI_REFUSED;
}

int
cmd_verify_arc_sign(struct call *c)
{
	struct str key_path, pem, message, header, body;
	struct arc_seal s = { 0 };
	struct crypto_key *key = NULL;
	struct verify v;
	int status = CLI_REFUSED;

	if (!call_option(c, "key", &key_path) ||
	    !call_option(c, "selector", &s.selector) ||
	    !call_option(c, "domain", &s.domain) ||
	    !call_option(c, "srv-id", &s.authserv_id))
		return call_usage(c, "needs --key, --selector, --domain and --srv-id");
	(void)call_option(c, "headers", &s.headers);
	if (!verify_init(&v, c))
		return CLI_USAGE;
	if (read_file(c, key_path, KEY_MAX, &pem) && read_message(c, &message)) {
		auth_message_split(message, &header, &body);
		if (crypto_key_parse_private(pem, &key) != OK) {
			(void)failed("no private key in PEM", key_path);
		} else {
			s.key = key;
			v.arc = arc_validator_new(c->arena);
			arc_validator_header(v.arc, header);
			arc_validator_body(v.arc, body);
			arc_validator_end(v.arc);
			resolve(&v, step_arc);
			status = seal(&v, &s, header, body);
		}
	}
	crypto_key_free(&key);
	verify_fini(&v);
	return status;
}
