/* Which addresses a connection tries: MX, then the addresses of one host after the other,
 * so that nothing is asked for hosts that are never needed. */
#include "relay/relay_path.h"

#include "base/panic.h"
#include "mail/address.h"
#include "relay/relay_conn.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"
#include "relay/relay_secure.h"
#include "relay/relay_sts.h"
#include "relay/relay_talk.h"

enum {
	TRIED_MIN = 2, /* hosts or addresses, however long they take: RFC 5321 5.1 */
};

/* A host without addresses is as final as a domain without hosts; a name service that
   does not answer is not, nor is a setting of ours that forbids the address: the mail
   waits for its owner. */
static void
exhausted(struct relay_conn *c)
{
	enum err e = c->path.dns;

	relay_conn_exhausted(c, e,
	                     e == ERR_DNS_NXDOMAIN || e == ERR_DNS_NODATA ||
	                             e == ERR_LOOP || e == ERR_NULL_MX ||
	                             e == ERR_ADDRESS);
}

/* We listen there ourselves: the mail would come back (RFC 5321 5.1). */
static bool
is_own(const struct relay *r, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < r->own_count; k++) {
			if (addr_eq_ip(&addrs[i], &r->own[k]))
				return true;
		}
	}
	return false;
}

/* "Try again" outweighs all, and "not there" outweighs "there is none". */
static void
take_err(struct relay_path *p, enum err e)
{
	if (p->dns == ERR_DNS_TEMP || (p->dns == ERR_FORBIDDEN && e != ERR_DNS_TEMP))
		return;
	p->dns = e;
}

static void
on_addresses(struct relay_conn *c)
{
	struct relay_path *p = &c->path;
	const struct relay *r = c->dest->relay;

	if (is_own(r, p->v4, p->v4_count) || is_own(r, p->v6, p->v6_count)) {
		enum err e = queue_route_cut(&p->route, p->host);

		/* Better hosts were tried already, or may be there another time; worse
		   ones may not be. */
		if (e != OK)
			p->dns = ERR_LOOP;
		else if (!p->tried)
			take_err(p, ERR_LOOP);
		p->host = p->route.count;
		relay_path_next(c);
		return;
	}
	if (p->v4_count || p->v6_count) {
		relay_secure_host(c, p->route.hosts[p->host].name);
		return;
	}
	relay_secure_none(c);
	relay_path_secured(c);
}

void
relay_path_secured(struct relay_conn *c)
{
	struct relay_path *p = &c->path;
	uint16_t port = (uint16_t)c->dest->relay->conf->delivery_port;

	if (c->secure.level == SECURE_NEVER)
		p->v4_count = p->v6_count = 0;
	p->host++;
	p->addr_next = 0;
	p->addr_count = queue_route_addresses(
		&(struct queue_addresses){ p->v6, p->v4, p->v6_count, p->v4_count }, port,
		random_u64(), p->addrs, ARRAY_LEN(p->addrs));
	relay_path_next(c);
}

/* Whoever owns a domain may name an address of our own network in it, where hosts trust
   us: nothing is said to them unless the owner allows it. Our own are left to is_own. */
static bool
is_forbidden(const struct relay *r, const struct addr *a)
{
	return addr_is_special(a) && !r->conf->delivery_private_targets &&
	       !is_own(r, a, 1);
}

static size_t
take_addresses(struct relay_conn *c, const struct dns_answer *answer, struct addr *out)
{
	const struct relay *r = c->dest->relay;
	size_t n = 0;

	for (size_t i = 0; answer->status == DNS_OK && i < answer->count; i++) {
		const struct addr *a = &answer->records[i].addr;

		if (is_forbidden(r, a))
			take_err(&c->path, ERR_FORBIDDEN);
		else if (n < RELAY_HOST_ADDRS)
			out[n++] = *a;
	}
	if (answer->status != DNS_OK)
		take_err(&c->path, dns_status_err(answer->status));
	return n;
}

/* Where the host's CNAMEs led; empty where no address came of it. */
static struct str
name_of(struct relay_conn *c, const struct dns_answer *answer)
{
	if (answer->status != DNS_OK || !answer->count)
		return str_from(NULL);
	return arena_str(c->arena, answer->name);
}

static void
on_a(void *arg, const struct dns_answer *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	c->path.a = NULL;
	c->path.is_v4_authentic = answer->authentic;
	c->path.v4_count = take_addresses(c, answer, c->path.v4);
	c->path.v4_name = name_of(c, answer);
	if (!c->path.aaaa)
		on_addresses(c);
}

static void
on_aaaa(void *arg, const struct dns_answer *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	c->path.aaaa = NULL;
	c->path.is_v6_authentic = answer->authentic;
	c->path.v6_count = take_addresses(c, answer, c->path.v6);
	c->path.v6_name = name_of(c, answer);
	if (!c->path.a)
		on_addresses(c);
}

static bool
has_tried_enough(const struct relay_conn *c)
{
	const struct relay_path *p = &c->path;
	const struct conf_limits *l = relay_limits(c->dest->relay);
	int64_t age = relay_mono(c->dest->relay) - p->since_ms;

	return p->tried >= (size_t)l->delivery_addresses ||
	       (age > l->delivery_addresses_time &&
	        (p->tried >= TRIED_MIN || p->host >= TRIED_MIN));
}

void
relay_path_next(struct relay_conn *c)
{
	struct relay_path *p = &c->path;
	struct dns *dns = c->dest->relay->dns;

	bool has_addr = p->addr_next < p->addr_count;

	if (!has_addr && p->host >= p->route.count) {
		exhausted(c);
		return;
	}
	/* What was not tried may be good: that is no reason to give the mail up. */
	if (has_tried_enough(c)) {
		relay_conn_exhausted(c, p->dns, false);
		return;
	}
	if (has_addr) {
		size_t host = p->host ? p->host - 1 : 0;

		p->tried++;
		relay_conn_dial(c,
		                host < p->route.count ? p->route.hosts[host].name
		                                      : relay_dest_name(c->dest),
		                &p->addrs[p->addr_next++]);
		return;
	}
	c->state = RELAY_ROUTING;
	p->v4_count = p->v6_count = 0;
	p->aaaa = dns_ask(dns, p->route.hosts[p->host].name, DNS_AAAA, on_aaaa, c);
	p->a = dns_ask(dns, p->route.hosts[p->host].name, DNS_A, on_a, c);
}

static size_t
copy_mx(struct relay_conn *c, const struct dns_answer *answer, struct queue_mx *mx)
{
	size_t n = 0;

	for (size_t i = 0; answer->status == DNS_OK && i < answer->count; i++) {
		if (n == RELAY_MX_MAX)
			break;
		mx[n].preference = answer->records[i].preference;
		mx[n++].host = arena_str(c->arena, answer->records[i].name);
	}
	return n;
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);
	struct relay_path *p = &c->path;
	struct queue_mx mx[RELAY_MX_MAX];
	size_t n;
	enum err e = OK;

	p->mx = NULL;
	p->is_mx_authentic = answer->authentic;
	/* No such record is no error: the domain itself is its host (RFC 5321 5.1). */
	if (answer->status != DNS_OK && answer->status != DNS_NODATA)
		e = dns_status_err(answer->status);
	n = copy_mx(c, answer, mx);
	if (e == OK)
		e = queue_route_from_mx(&p->route, relay_dest_name(c->dest), mx, n,
		                        c->dest->relay->conf->hostname, random_u64());
	if (e != OK) {
		p->dns = e;
		p->route.count = 0;
		exhausted(c);
		return;
	}
	relay_tell_route(c);
	relay_path_next(c);
}

void
relay_path_start(struct relay_conn *c)
{
	struct relay_path *p = &c->path;
	struct relay *r = c->dest->relay;
	struct str name = relay_dest_name(c->dest);

	*p = (struct relay_path){ .dns = ERR_DNS_NODATA, .since_ms = relay_mono(r) };
	c->state = RELAY_ROUTING;
	if (name.n && name.p[0] == '[') {
		uint16_t port = (uint16_t)r->conf->delivery_port;

		p->dns = ERR_ADDRESS;
		if (queue_route_literal(name, port, &p->addrs[0]))
			p->addr_count = 1;
		if (is_own(r, p->addrs, p->addr_count)) {
			p->addr_count = 0;
			p->dns = ERR_LOOP;
		}
		if (p->addr_count && is_forbidden(r, &p->addrs[0])) {
			p->addr_count = 0;
			p->dns = ERR_FORBIDDEN;
		}
		relay_secure_none(c);
		if (p->addr_count && c->secure.level == SECURE_NEVER) {
			relay_secure_refuse(c, name);
			p->addr_count = 0;
		}
		if (p->addr_count)
			relay_path_next(c);
		else
			exhausted(c);
		return;
	}
	relay_sts_ask(c);
}

void
relay_path_demanded(struct relay_conn *c)
{
	c->path.mx =
		dns_ask(c->dest->relay->dns, relay_dest_name(c->dest), DNS_MX, on_mx, c);
}

void
relay_path_cancel(struct relay_conn *c)
{
	relay_sts_leave(c);
	dns_cancel(&c->path.mx);
	dns_cancel(&c->path.a);
	dns_cancel(&c->path.aaaa);
	dns_cancel(&c->path.tlsa);
}
