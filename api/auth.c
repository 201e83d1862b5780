/* Who asks, and what they may: the unix socket, tokens, cookies, scopes and roles. */
#include "api/auth.h"

#include "api/request.h"
#include "api/routes.h"
#include "api/well_known.h"
#include "base/addr.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/duration.h"
#include "ext/crypto.h"

#include <unistd.h>

enum {
	TOUCH_MS = MINUTE_MS, /* last use is written this often at most */
};

static const char *const scope_words[] = {
#define SCOPE(id, word) word,
#include "api/scopes.def"
#undef SCOPE
};

#define BIT(scope) (UINT32_C(1) << SCOPE_##scope)
#define ALL_SCOPES ((UINT32_C(1) << SCOPE_COUNT) - 1)

/* What each role may (ui.md of the dashboard has the same table in words). */
static const struct {
	const char *name;
	uint32_t scopes;
} roles[] = {
	{ "owner", ALL_SCOPES },
	{ "admin", ALL_SCOPES & ~BIT(ADMINS_WRITE) },
	{ "operator", BIT(QUEUE_READ) | BIT(QUEUE_WRITE) | BIT(TRACE_READ) |
	                      BIT(DOMAINS_READ) | BIT(ACCOUNTS_READ) | BIT(EVENTS_READ) |
	                      BIT(METRICS_READ) | BIT(REPORTS_READ) },
	{ "helpdesk",
	  BIT(TRACE_READ) | BIT(ACCOUNTS_READ) | BIT(DOMAINS_READ) | BIT(EVENTS_READ) },
	{ "auditor", BIT(SETTINGS_READ) | BIT(ADMINS_READ) | BIT(TOKENS_READ) |
	                     BIT(DOMAINS_READ) | BIT(METRICS_READ) | BIT(REPORTS_READ) },
};

uint32_t
role_scopes(struct str role)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (str_eq(role, str_from(roles[i].name)))
			return roles[i].scopes;
	}
	return 0;
}

const char *
scope_word(enum scope s)
{
	return s < SCOPE_COUNT ? scope_words[s] : "";
}

/* AREA:write is the row behind AREA:read, and means both. */
uint32_t
scope_find(struct str word)
{
	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		uint32_t bit = UINT32_C(1) << s;

		if (str_eq(word, str_from(scope_words[s])))
			return str_ends(word, STR(":write")) ? bit | bit >> 1 : bit;
	}
	return 0;
}

bool
caller_has(const struct caller *c, enum scope s)
{
	if (s == SCOPE_NONE)
		return true;
	if (s == SCOPE_ANY)
		return c->kind != CALLER_NOBODY;
	return (c->scopes & (UINT32_C(1) << s)) != 0;
}

uint32_t
scopes_parse(struct str words)
{
	struct str word;
	uint32_t scopes = 0;

	while (str_next(&words, ' ', &word))
		scopes |= scope_find(word);
	return scopes;
}

void
scopes_write(struct json_out *j, const char *key, uint32_t scopes)
{
	json_open_array(j, key);
	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		if (scopes & (UINT32_C(1) << s))
			json_cstr(j, NULL, scope_word((enum scope)s));
	}
	json_close_array(j);
}

bool
api_may_domain(const struct api_request *r, struct str domain)
{
	struct str rest = r->caller.domains, word;

	if (!rest.n)
		return true;
	while (str_next(&rest, ' ', &word)) {
		if (str_eq_icase(word, domain))
			return true;
	}
	return false;
}

/* --- tokens ------------------------------------------------------------------------ */

/* CRC-32 (ISO 3309): a mistyped token is told from a wrong one without a look-up. */
static uint32_t
crc32_of(struct str s)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

void
token_make(struct strbuf *out)
{
	uint8_t id[4], secret[24];
	size_t from = out->n;

	random_bytes(id, sizeof(id));
	random_bytes(secret, sizeof(secret));
	strbuf_lit(out, "mst_");
	strbuf_hex(out, str_make(id, sizeof(id)));
	strbuf_byte(out, '_');
	base64url_format(out, str_make(secret, sizeof(secret)));
	strbuf_printf(out, "%08x", crc32_of(str_from_offset(strbuf_str(out), from)));
}

bool
token_is_well_formed(struct str token)
{
	char want[16];
	struct strbuf b = strbuf_on(want);

	if (token.n != TOKEN_BYTES || !str_starts(token, STR("mst_")))
		return false;
	strbuf_printf(&b, "%08x", crc32_of(str_first(token, token.n - 8)));
	return str_eq(strbuf_str(&b), str_from_offset(token, token.n - 8));
}

static bool
refuse(struct api_request *r, enum problem what)
{
	api_problem(r, what, NULL);
	return false;
}

static bool
is_in_networks(struct str networks, const struct addr *a)
{
	struct str word;
	struct net net;

	if (!networks.n)
		return true;
	while (str_next(&networks, ' ', &word)) {
		if (net_parse(word, &net) && net_has(&net, a))
			return true;
	}
	return false;
}

static void
touch_token(struct api_request *r, int64_t now)
{
	char text[ADDR_TEXT_MAX];
	struct op_token_used op = { .id = r->caller.token.id, .at_ms = now };

	if (now - r->caller.token.last_used_ms < TOUCH_MS)
		return;
	op.ip = addr_ip_text(&http_exchange_peer(r->x)->addr, &text);
	(void)store_token_used(r->api->store, &op, NULL, NULL);
}

/* A token may no more than whoever made it may now. False: answered. */
static bool
limit_to_maker(struct api_request *r)
{
	struct caller *c = &r->caller;
	struct admin admin;
	enum err e =
		reader_admin_by_id(r->api->reader, c->token.admin_id, r->arena, &admin);

	if (e == ERR_NOT_FOUND || (e == OK && !admin.enabled))
		return refuse(r, PROBLEM_UNAUTHENTICATED);
	if (e != OK) {
		api_problem_err(r, e);
		return false;
	}
	c->scopes &= role_scopes(admin.role);
	return true;
}

static bool
by_token(struct api_request *r, struct str value)
{
	struct caller *c = &r->caller;
	struct token *t = &c->token;
	int64_t now = clock_unix_ms();
	struct sha256 hash;
	enum err e;

	if (!str_skip_icase(&value, STR("Bearer ")))
		return refuse(r, PROBLEM_UNAUTHENTICATED);
	value = str_trim(value);
	if (!token_is_well_formed(value))
		return refuse(r, PROBLEM_UNAUTHENTICATED);
	if (!request_check_secrecy(r))
		return false;
	hash = sha256_of(value);
	e = reader_token(r->api->reader, sha256_str(&hash), r->arena, t);
	if (e != OK && e != ERR_NOT_FOUND) {
		api_problem_err(r, e);
		return false;
	}
	if (e != OK || t->revoked ||
	    !is_in_networks(t->networks, &http_exchange_peer(r->x)->addr))
		return refuse(r, PROBLEM_UNAUTHENTICATED);
	if (t->expires_ms && t->expires_ms <= now)
		return refuse(r, PROBLEM_TOKEN_EXPIRED);
	c->scopes = scopes_parse(t->scopes);
	if (t->admin_id && !limit_to_maker(r))
		return false;
	c->kind = CALLER_TOKEN;
	c->secret = arena_str(r->arena, value);
	c->name = t->name;
	c->domains = t->domains;
	c->admin_id = t->admin_id;
	touch_token(r, now);
	return true;
}

/* --- cookies ------------------------------------------------------------------------ */

const char *
session_cookie_name(bool is_tls)
{
	/* A browser takes a __Host- cookie over TLS only, so plain HTTP (a test, a
	   tunnel) has another name and neither can stand in for the other. */
	return is_tls ? "__Host-mailstead" : "mailstead_plain";
}

static struct str
find_cookie(struct str cookies, const char *name)
{
	struct str part, found = { NULL, 0 };

	while (str_next(&cookies, ';', &part)) {
		part = str_trim(part);
		if (!str_skip(&part, str_from(name)) || !str_skip_byte(&part, '='))
			continue;
		if (found.n)
			return STR(""); /* two: one of them was planted */
		found = part;
	}
	return found;
}

static bool
is_unsafe(struct str method)
{
	return !str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD")) &&
	       !str_eq(method, STR("OPTIONS"));
}

/* Host of an origin "https://host:port", which must have the scheme of the connection. */
static bool
is_our_origin(struct api_request *r, struct str origin)
{
	bool is_tls = http_exchange_peer(r->x)->is_tls;

	if (!str_skip_icase(&origin, is_tls ? STR("https://") : STR("http://")))
		return false;
	return str_eq_icase(origin, api_head(r, "host"));
}

bool
request_check_origin(struct api_request *r)
{
	struct str site = api_head(r, "sec-fetch-site"), origin = api_head(r, "origin");

	if ((site.n && !str_eq(site, STR("same-origin"))) ||
	    (origin.n && !is_our_origin(r, origin)))
		return refuse(r, PROBLEM_CSRF_FAILED);
	return true;
}

bool
request_check_secrecy(struct api_request *r)
{
	const struct http_peer *peer = http_exchange_peer(r->x);
	const struct conf_nets *plain = &r->api->conf->plaintext_auth;

	if (peer->is_tls || peer->uid >= 0 || addr_is_loopback(&peer->addr) ||
	    nets_have(plain->p, plain->n, &peer->addr))
		return true;
	return refuse(r, PROBLEM_TLS_REQUIRED);
}

static void
touch_session(struct api_request *r, int64_t now)
{
	const struct web_session *s = &r->caller.session;
	struct op_session_touch op = { .id = s->id, .used_ms = now };

	if (now - s->last_used_ms >= TOUCH_MS)
		(void)store_session_touch(r->api->store, &op, NULL, NULL);
}

static bool
is_session_alive(const struct api_request *r, const struct web_session *s, int64_t now)
{
	const struct conf_limits *limits = &r->api->conf->limits;

	return s->expires_ms > now && now - s->created_ms < limits->web_session_max &&
	       now - s->last_used_ms < limits->web_session_idle;
}

static bool
by_cookie(struct api_request *r, struct str secret)
{
	struct caller *c = &r->caller;
	struct sha256 hash = sha256_of(secret);
	int64_t now = clock_unix_ms();
	struct admin admin;
	enum err e;

	e = reader_session(r->api->reader, sha256_str(&hash), r->arena, &c->session);
	if (e == OK)
		e = reader_admin_by_id(r->api->reader, c->session.admin_id, r->arena,
		                       &admin);
	if (e == ERR_NOT_FOUND)
		return true; /* nobody */
	if (e != OK) {
		api_problem_err(r, e);
		return false;
	}
	if (!is_session_alive(r, &c->session, now) || !admin.enabled)
		return true;
	if (is_unsafe(r->method)) {
		if (!request_check_origin(r))
			return false;
		if (!str_eq_secret(api_head(r, "x-csrf-token"), c->session.csrf))
			return refuse(r, PROBLEM_CSRF_FAILED);
	}
	c->kind = CALLER_SESSION;
	c->secret = arena_str(r->arena, secret);
	c->name = admin.name;
	c->role = admin.role;
	c->admin_id = admin.id;
	c->scopes = role_scopes(admin.role);
	touch_session(r, now);
	return true;
}

bool
request_authenticate(struct api_request *r)
{
	const struct http_peer *peer = http_exchange_peer(r->x);
	struct str authorization = api_head(r, "authorization"), cookie;

	if (peer->uid >= 0) {
		if (peer->uid != 0 && (uid_t)peer->uid != geteuid())
			return refuse(r, PROBLEM_FORBIDDEN_SCOPE);
		r->caller.kind = CALLER_LOCAL;
		r->caller.name = STR("cli");
		r->caller.scopes = ALL_SCOPES;
		return true;
	}
	if (authorization.n)
		return by_token(r, authorization);
	cookie = find_cookie(api_head(r, "cookie"), session_cookie_name(peer->is_tls));
	return cookie.n ? by_cookie(r, cookie) : true;
}

struct actor
api_actor(const struct api_request *r)
{
	const struct caller *c = &r->caller;
	struct actor actor = { .name = STR("cli"), .request_id = id_str(&r->id) };

	if (c->kind == CALLER_SESSION)
		actor.name = arena_printf(r->arena, "admin:%.*s", STR_ARG(c->name));
	if (c->kind == CALLER_TOKEN)
		actor.name = arena_printf(r->arena, "token:%llu",
		                          (unsigned long long)c->token.id);
	if (r->x && http_exchange_peer(r->x)->addr.family != ADDR_NONE) {
		struct strbuf b = strbuf_arena(r->arena, ADDR_TEXT_MAX);

		addr_format_ip(&b, &http_exchange_peer(r->x)->addr);
		actor.ip = strbuf_str(&b);
	}
	return actor;
}

/* --- names ------------------------------------------------------------------------ */

/* The Host without its port. */
static struct str
host_name(struct str host)
{
	size_t at;

	if (str_starts(host, STR("["))) {
		at = str_find(host, ']');
		return str_make(host.p + 1, at == SIZE_MAX ? 0 : at - 1);
	}
	at = str_find(host, ':');
	return str_first(host, at);
}

/* A page of a stranger's may point its own name at our address; so only names that are
   ours are answered. Addresses cannot be pointed elsewhere. */
bool
request_check_host(struct api_request *r)
{
	const struct http_peer *peer = http_exchange_peer(r->x);
	struct str name = host_name(api_head(r, "host"));
	struct addr addr;

	if (peer->uid >= 0 || str_eq_icase(name, r->api->conf->hostname) ||
	    str_eq_icase(name, STR("localhost")))
		return true;
	if (addr_parse_ip(name, &addr) &&
	    (addr_is_loopback(&addr) || addr_eq_ip(&addr, &peer->local)))
		return true;
	if (well_known_has_host(r, name))
		return true;
	return refuse(r, PROBLEM_MISDIRECTED);
}
