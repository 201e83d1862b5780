/* The way out: whom to try, and what it means that they greet, or do not. */
#include "policy/host_priv.h"

/* --- whom --------------------------------------------------------------------------- */

/* The mail server of the lowest preference; the domain itself where there is no MX (RFC
   5321 5.1). False: none can be tried, and text says why. */
static bool
find_host(struct host_target *t, const struct dns_answer *mx)
{
	const struct dns_record *best = NULL;

	if (mx->status == DNS_TEMP) {
		t->text = STR("its mail servers could not be looked up");
		return false;
	}
	for (size_t i = 0; i < mx->count; i++) {
		if (!best || mx->records[i].preference < best->preference)
			best = &mx->records[i];
	}
	t->host = best ? best->name : t->domain;
	if (!t->host.n || mx->status == DNS_NXDOMAIN || mx->status == DNS_BAD_NAME) {
		t->text = STR("it takes no mail");
		return false;
	}
	return true;
}

static bool
is_own(const struct host_conf *c, const struct addr *a)
{
	for (size_t i = 0; i < c->own_count; i++) {
		if (addr_eq_ip(&c->own[i], a))
			return true;
	}
	return false;
}

/* IPv4 before IPv6: more hosts have only the former, and a provider blocks both. */
static enum policy_step
find_address(struct host_target *t, const struct host_conf *c, struct lookups *l)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };

	for (size_t k = 0; k < ARRAY_LEN(types); k++) {
		const struct dns_answer *answer = lookups_find(l, t->host, types[k]);

		if (!answer)
			return POLICY_NEED;
		if (!answer->count)
			continue;
		if (is_own(c, &answer->records[0].addr)) {
			t->text = STR("its mail server is this one");
			return POLICY_DONE;
		}
		t->addr = answer->records[0].addr;
		t->addr.port = 0;
		return POLICY_DONE;
	}
	t->text = STR("its mail server has no address");
	return POLICY_DONE;
}

enum policy_step
host_targets(const struct host_conf *c, struct lookups *l, struct host_targets *out)
{
	struct str rest = c->targets, domain;
	enum policy_step step = POLICY_DONE;

	*out = (struct host_targets){ .count = 0 };
	while (out->count < HOST_TARGETS_MAX && str_next(&rest, ' ', &domain)) {
		struct host_target *t = &out->p[out->count];
		const struct dns_answer *mx;

		if (!domain.n)
			continue;
		out->count++;
		*t = (struct host_target){ .domain = domain };
		mx = lookups_find(l, domain, DNS_MX);
		if (!mx || (find_host(t, mx) && find_address(t, c, l) == POLICY_NEED))
			step = POLICY_NEED;
	}
	return step;
}

/* --- what came of it ---------------------------------------------------------------- */

static void
add_line(struct host_verdict *v, const struct host_target *t, struct arena *a)
{
	static const enum host_state state_of[] = { [HOST_NOT_TRIED] = HOST_UNKNOWN,
		                                    [HOST_GREETED] = HOST_OK,
		                                    [HOST_UNREACHABLE] = HOST_FAIL,
		                                    [HOST_SILENT] = HOST_FAIL,
		                                    [HOST_STRANGE] = HOST_FAIL };
	enum host_state state = state_of[t->reached];
	struct str text = t->text;
	char ip[ADDR_TEXT_MAX];

	if (t->reached == HOST_GREETED) {
		state = t->code == 220 ? HOST_OK : HOST_WARN;
		text = arena_printf(a, "greets with %u %.*s", t->code, STR_ARG(t->text));
	} else if (t->reached == HOST_SILENT) {
		text = STR("takes the connection and does not greet");
	} else if (t->reached == HOST_STRANGE) {
		text = STR("what answers there does not speak SMTP: something is in "
		           "between");
	}
	if (t->addr.family != ADDR_NONE)
		text = arena_printf(a, "%.*s [%.*s]: %.*s", STR_ARG(t->host),
		                    STR_ARG(addr_ip_text(&t->addr, &ip)), STR_ARG(text));
	host_add(v, t->domain, state, text);
}

static struct str
request(const struct host_conf *c, const struct addr *from, struct arena *a)
{
	char text[ADDR_TEXT_MAX];
	struct str ip = addr_ip_text(from, &text);
	bool is_known = from->family != ADDR_NONE && !addr_is_special(from);

	return arena_printf(
		a,
		"My machine %.*s%s%.*s%s is a mail server. Connections from it to port "
		"25 "
		"(SMTP) of other mail servers do not get through. Please open outgoing "
		"connections to TCP port 25 for it.",
		STR_ARG(c->hostname), is_known ? " (" : "",
		STR_ARG(is_known ? ip : STR("")), is_known ? ")" : "");
}

void
host_outbound(const struct host_conf *c, const struct host_targets *t,
              const struct addr *from, struct arena *a, struct host_verdict *out)
{
	size_t tried = 0, reached = 0, welcome = 0;
	struct str text;

	*out = (struct host_verdict){ .cause = "" };
	for (size_t i = 0; i < t->count; i++) {
		tried += t->p[i].reached != HOST_NOT_TRIED;
		reached += t->p[i].reached == HOST_GREETED;
		welcome += t->p[i].reached == HOST_GREETED && t->p[i].code == 220;
		add_line(out, &t->p[i], a);
	}
	text = arena_printf(a, "%zu of %zu mail servers reached", reached, tried);
	if (!t->count)
		host_say(out, HOST_CAUSE_OUTBOUND_OFF, STR("no domain is named"));
	else if (!tried)
		host_say(out, HOST_CAUSE_OUTBOUND_UNKNOWN,
		         STR("no mail server could be looked up"));
	else if (!reached)
		host_say(out, HOST_CAUSE_OUTBOUND_BLOCKED, text);
	else if (!welcome)
		host_say(out, HOST_CAUSE_OUTBOUND_REFUSED, text);
	else
		host_say(out,
		         reached < tried ? HOST_CAUSE_OUTBOUND_PARTLY : HOST_CAUSE_NONE,
		         text);
	if (out->state == HOST_FAIL)
		out->request = request(c, from, a);
}
