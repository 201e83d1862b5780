/* How the next host must be reached: its TLSA records are asked for where they could
 * count, and policy/secure.h decides. */
#include "relay/relay_secure.h"

#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_count.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"
#include "relay/relay_sts.h"
#include "relay/relay_talk.h"

enum {
	NAME_ROOM = 300, /* of "_25._tcp." and a host */
};

/* The records outlive the answer: they are kept until the next host. */
static void
keep_records(struct relay_conn *c)
{
	for (size_t i = 0; i < c->secure.tlsa_count; i++) {
		struct dns_tlsa *t = &c->secure.tlsa[i];

		t->data = arena_str(c->secure_arena, t->data);
	}
}

static bool
is_alias(const struct relay_path *p, struct str host)
{
	return (p->v4_name.n && !str_eq_icase(p->v4_name, host)) ||
	       (p->v6_name.n && !str_eq_icase(p->v6_name, host));
}

static struct secure_facts
facts_of(const struct relay_conn *c)
{
	const struct relay_path *p = &c->path;
	struct str host = p->route.hosts[p->host].name;

	return (struct secure_facts){
		.host = host,
		.sts = relay_sts_policy(c->dest),
		.is_mx_authentic = p->is_mx_authentic,
		.is_own_name = str_eq_icase(host, relay_dest_name(c->dest)),
		.is_required = c->demand == MESSAGE_TLS_REQUIRED,
		.is_plain_fine = c->demand == MESSAGE_TLS_OPTIONAL,
		.is_sts_unknown = relay_sts_is_unknown(c->dest),
		/* RFC 7672 2.2.2: of both families, where it has both. */
		.is_host_authentic = (!p->v4_count || p->is_v4_authentic) &&
		                     (!p->v6_count || p->is_v6_authentic),
		.is_alias = is_alias(p, host),
		.is_alias_authentic = p->is_alias_authentic,
	};
}

void
relay_secure_refuse(struct relay_conn *c, struct str host)
{
	struct str words = str_from(c->secure.reason);

	c->host = host;
	c->addr = (struct addr){ 0 };
	relay_tell_tls_refused(c, host, words);
	relay_count_refused(c);
	relay_conn_remember(c, ERR_TLS_UNAVAILABLE, words);
	c->is_passing = c->is_passing || c->secure.is_passing;
}

static void
decide(struct relay_conn *c, const struct dns_answer *tlsa)
{
	struct secure_facts facts = facts_of(c);

	facts.tlsa = tlsa;
	secure_decide(&facts, &c->secure);
	keep_records(c);
	if (c->secure.level != SECURE_TRY)
		relay_tell_secure(c, facts.host);
	if (c->secure.level == SECURE_NEVER)
		relay_secure_refuse(c, facts.host);
	relay_path_secured(c);
}

static void on_tlsa(void *arg, const struct dns_answer *answer);

static void
ask_tlsa(struct relay_conn *c, struct str base)
{
	const struct relay *r = c->dest->relay;
	char bytes[NAME_ROOM];
	struct strbuf name = strbuf_on(bytes);

	c->tlsa_base = arena_str(c->secure_arena, base);
	strbuf_printf(&name, "_%lld._tcp.", (long long)r->conf->delivery_port);
	strbuf_add(&name, base);
	c->path.tlsa = dns_ask(r->dns, strbuf_str(&name), DNS_TLSA, on_tlsa, c);
}

static void
on_tlsa(void *arg, const struct dns_answer *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);
	struct str host = c->path.route.hosts[c->path.host].name;

	c->path.tlsa = NULL;
	if (!str_eq_icase(c->tlsa_base, host) && !secure_has_tlsa(answer))
		ask_tlsa(c, host);
	else
		decide(c, answer);
}

/* A signed alias of an unsigned name: its own TLSA records count, if it has some; those
   at the end of the way are worth nothing. Whoever can hold this answer back must not be
   able to take a demand away either (RFC 7672 2.1.2, 2.1.3). */
static void
on_alias(void *arg, const struct dns_answer *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	c->path.tlsa = NULL;
	c->path.is_alias_authentic = answer->status == DNS_TEMP ||
	                             (answer->status == DNS_OK && answer->authentic);
	if (answer->status == DNS_TEMP)
		decide(c, answer);
	else if (c->path.is_alias_authentic)
		ask_tlsa(c, c->path.route.hosts[c->path.host].name);
	else
		decide(c, NULL);
}

/* The name at the end of the host's CNAMEs, which is asked first; all of its addresses
   are signed, and so is the way there. The host itself where it is no alias.
   RFC 7672 2.2.3 */
static struct str
expanded(const struct relay_path *p, struct str host)
{
	struct str name = p->v4_name.n ? p->v4_name : p->v6_name;

	if (!name.n || (p->v6_name.n && !str_eq_icase(name, p->v6_name)))
		return host;
	return name;
}

void
relay_secure_host(struct relay_conn *c, struct str host)
{
	struct secure_facts facts;

	arena_reset(c->secure_arena);
	c->tlsa_base = str_from(NULL);
	c->path.is_alias_authentic = false;
	facts = facts_of(c);
	if (secure_wants_alias(&facts))
		c->path.tlsa = dns_ask(c->dest->relay->dns, host, DNS_CNAME, on_alias, c);
	else if (secure_wants_tlsa(&facts))
		ask_tlsa(c, expanded(&c->path, host));
	else
		decide(c, NULL);
}

void
relay_secure_none(struct relay_conn *c)
{
	c->secure = (struct secure_verdict){ .level = SECURE_TRY,
		                             .policy = "none",
		                             .reason = "nothing is demanded" };
	if (c->demand != MESSAGE_TLS_REQUIRED)
		return;
	c->secure.level = SECURE_NEVER;
	c->secure.policy = "requiretls";
	c->secure.reason = "the sender demands encryption to a proven host, and an "
			   "address has no name to prove";
}

bool
relay_secure_is_demanded(const struct relay_conn *c)
{
	return c->secure.level >= SECURE_ENCRYPT;
}

struct tls_client
relay_secure_client(const struct relay_conn *c)
{
	static const enum tls_check checks[] = {
		[SECURE_TRY] = TLS_CHECK_NONE,     [SECURE_TEST] = TLS_CHECK_TEST,
		[SECURE_ENCRYPT] = TLS_CHECK_NONE, [SECURE_NAME] = TLS_CHECK_NAME,
		[SECURE_DANE] = TLS_CHECK_DANE,
	};
	struct str name = c->secure.level == SECURE_DANE ? c->tlsa_base : c->host;

	CHECK(c->secure.level != SECURE_NEVER);
	if (c->host.n && c->host.p[0] == '[')
		name = (struct str){ 0 };
	return (struct tls_client){
		.name = name,
		.check = checks[c->secure.level],
		.tlsa = c->secure.tlsa,
		.tlsa_count = c->secure.tlsa_count,
		.other_name = relay_dest_name(c->dest),
	};
}
