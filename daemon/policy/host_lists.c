/* The host's addresses on blocklists: each list is first asked for what every list has,
 * and has not (RFC 5782 5), so that a dead one, or one that refuses us, never counts. */
#include "policy/dnsbl.h"
#include "policy/host_priv.h"

enum {
	NAME_ROOM = 360, /* 253 of the zone, and the digits */
};

/* One list. */
struct list {
	struct str zone;
	bool is_minor;
	bool is_listed;
	bool is_known; /* at least one answer counts */
	struct str text;
};

/* NULL: asked for. */
static const struct dns_answer *
ask(struct lookups *l, const struct addr *ip, struct str zone)
{
	char bytes[NAME_ROOM];
	struct strbuf name = strbuf_on(bytes);

	dnsbl_name(&name, ip, zone);
	return lookups_find(l, strbuf_str(&name), DNS_A);
}

/* Is it a list at all, for this family? The words say why not. */
static enum policy_step
probe(struct lookups *l, enum addr_family family, struct str zone, const char **why_out)
{
	struct addr listed = dnsbl_test_listed(family), clear = dnsbl_test_clear(family);
	const struct dns_answer *has = ask(l, &listed, zone);
	const struct dns_answer *has_not = ask(l, &clear, zone);

	*why_out = NULL;
	if (!has || !has_not)
		return POLICY_NEED;
	switch (dnsbl_judge(has)) {
	case DNSBL_SILENT:
		*why_out = "does not answer";
		break;
	case DNSBL_REFUSED:
		*why_out = "refuses to answer our name service";
		break;
	case DNSBL_STRANGE:
		*why_out = "gives answers that are no blocklist's";
		break;
	case DNSBL_CLEAR:
		*why_out = family == ADDR_V6 ? "knows no IPv6 addresses"
		                             : "does not have its test entry";
		break;
	case DNSBL_LISTED:
		if (dnsbl_judge(has_not) != DNSBL_CLEAR)
			*why_out = "lists everything";
		break;
	}
	return POLICY_DONE;
}

static void
take_answer(struct list *list, const struct addr *ip, const struct dns_answer *answer,
            struct arena *a)
{
	char text[ADDR_TEXT_MAX], code[ADDR_TEXT_MAX];
	enum dnsbl_result result = dnsbl_judge(answer);

	if (result == DNSBL_CLEAR) {
		list->is_known = true;
	} else if (result == DNSBL_LISTED) {
		list->is_known = list->is_listed = true;
		list->text = arena_printf(
			a, "%.*s is listed (%.*s)", STR_ARG(addr_ip_text(ip, &text)),
			STR_ARG(addr_ip_text(&answer->records[0].addr, &code)));
	} else if (!list->text.n) {
		list->text = result == DNSBL_SILENT ? STR("does not answer")
		                                    : STR("refuses to answer");
	}
}

static enum policy_step
look(struct list *list, const struct host_ips *ips, struct lookups *l, struct arena *a)
{
	enum policy_step step = POLICY_DONE;

	for (size_t i = 0; i < ips->count; i++) {
		const struct addr *ip = &ips->p[i];
		const struct dns_answer *answer = ask(l, ip, list->zone);
		const char *why;

		if (probe(l, ip->family, list->zone, &why) == POLICY_NEED || !answer) {
			step = POLICY_NEED;
		} else if (why) {
			if (!list->text.n)
				list->text = str_from(why);
		} else {
			take_answer(list, ip, answer, a);
		}
	}
	return step;
}

static size_t
find_lists(const struct host_conf *c, struct list *lists)
{
	struct str rest[] = { c->lists, c->minor_lists }, zone;
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_LEN(rest); k++) {
		while (n < HOST_ZONES_MAX && str_next(&rest[k], ' ', &zone)) {
			if (zone.n)
				lists[n++] =
					(struct list){ .zone = zone, .is_minor = k == 1 };
		}
	}
	return n;
}

/* The worst of them, in one line. */
static void
sum_up(struct host_verdict *v, const struct list *lists, size_t count, struct arena *a)
{
	size_t major = 0, minor = 0, known = 0;
	struct str on = STR("");

	for (size_t i = 0; i < count; i++) {
		const struct list *x = &lists[i];
		enum host_state bad = x->is_minor ? HOST_WARN : HOST_FAIL;
		enum host_state state = x->is_listed  ? bad
		                        : x->is_known ? HOST_OK
		                                      : HOST_UNKNOWN;

		host_add(v, x->zone, state,
		         state == HOST_OK ? STR("not listed") : x->text);
		known += x->is_known;
		major += x->is_listed && !x->is_minor;
		minor += x->is_listed && x->is_minor;
		if (x->is_listed)
			on = arena_printf(a, "%.*s%s%.*s", STR_ARG(on), on.n ? ", " : "",
			                  STR_ARG(x->zone));
	}
	if (on.n)
		host_say(v, major ? HOST_CAUSE_LISTED : HOST_CAUSE_LISTED_MINOR,
		         arena_printf(a, "listed by %zu of %zu: %.*s", major + minor,
		                      known, STR_ARG(on)));
	else if (known)
		host_say(v, HOST_CAUSE_NONE,
		         arena_printf(a, "on none of %zu lists that answer", known));
	else
		host_say(v, HOST_CAUSE_LISTS_UNKNOWN, STR("no list gives an answer"));
}

enum policy_step
host_blocklists(const struct host_conf *c, struct lookups *l, struct arena *a,
                struct host_verdict *out)
{
	struct list lists[HOST_ZONES_MAX];
	size_t count = find_lists(c, lists);
	enum policy_step step = POLICY_DONE;
	struct host_ips ips;

	*out = (struct host_verdict){ .cause = "" };
	if (!count) {
		host_say(out, HOST_CAUSE_LISTS_OFF, STR("no list is named"));
		return POLICY_DONE;
	}
	if (host_ips_find(c, l, &ips) == POLICY_NEED)
		return POLICY_NEED;
	if (!ips.count) {
		host_say(out, ips.is_temp ? HOST_CAUSE_NO_ANSWER : HOST_CAUSE_NO_ADDRESS,
		         STR("there is no address to look up"));
		return POLICY_DONE;
	}
	for (size_t i = 0; i < count; i++) {
		if (look(&lists[i], &ips, l, a) == POLICY_NEED)
			step = POLICY_NEED;
	}
	if (step == POLICY_DONE)
		sum_up(out, lists, count, a);
	return step;
}
