/* SPF records, as text: what is there, and ours put into it. */
#include "policy/records.h"

enum {
	TERMS_MAX = 500,
	OUT_MAX = 16 << 10,
};

struct terms {
	struct str term[TERMS_MAX];
	size_t count;
	bool is_full;        /* there were more */
	struct str all;      /* "~all", or empty */
	struct str redirect; /* "redirect=…", or empty */
	struct str exp;      /* "exp=…", or empty; two of either are an error */
};

static bool
has_term(const struct terms *t, struct str term)
{
	for (size_t i = 0; i < t->count; i++) {
		if (str_eq_icase(t->term[i], term))
			return true;
	}
	return false;
}

static void
add_term(struct terms *t, struct str term)
{
	if (has_term(t, term))
		return;
	if (t->count < TERMS_MAX)
		t->term[t->count++] = term;
	else
		t->is_full = true;
}

/* The mechanism without its qualifier. */
static struct str
bare(struct str term)
{
	if (term.n && (term.p[0] == '+' || term.p[0] == '-' || term.p[0] == '~' ||
	               term.p[0] == '?'))
		return str_from_offset(term, 1);
	return term;
}

static bool
is_ptr(struct str term)
{
	struct str b = bare(term);

	return str_eq_icase(b, STR("ptr")) || str_starts_icase(b, STR("ptr:"));
}

static void
take_term(struct terms *t, struct str term)
{
	if (!term.n || str_eq_icase(term, STR("v=spf1")) || is_ptr(term))
		return;
	if (str_eq_icase(bare(term), STR("all"))) {
		/* Of several records the first word about the rest of the world counts. */
		if (!t->all.n)
			t->all = term.p[0] == '+' || bare(term).n == term.n ? STR("~all")
			                                                    : term;
		return;
	}
	if (str_starts_icase(term, STR("redirect="))) {
		if (!t->redirect.n)
			t->redirect = term;
		return;
	}
	if (str_starts_icase(term, STR("exp="))) {
		if (!t->exp.n)
			t->exp = term;
		return;
	}
	add_term(t, term);
}

static struct str
ip_term(const struct addr *ip, struct arena *a)
{
	char text[ADDR_TEXT_MAX];

	return arena_printf(a, "%s:%.*s", ip->family == ADDR_V6 ? "ip6" : "ip4",
	                    STR_ARG(addr_ip_text(ip, &text)));
}

struct str
records_spf_merge(const struct str *found, size_t count, const struct addr *ips,
                  size_t ip_count, struct str host, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, OUT_MAX);
	struct terms *t = ARENA_NEW(a, struct terms);

	for (size_t i = 0; i < ip_count; i++)
		add_term(t, ip_term(&ips[i], a));
	if (!ip_count && host.n)
		add_term(t, arena_printf(a, "a:%.*s", STR_ARG(host)));
	for (size_t i = 0; i < count; i++) {
		struct str rest = found[i], term;

		while (str_next(&rest, ' ', &term))
			take_term(t, term);
	}
	strbuf_lit(&b, "v=spf1");
	for (size_t i = 0; i < t->count; i++) {
		strbuf_byte(&b, ' ');
		strbuf_add(&b, t->term[i]);
	}
	if (t->exp.n)
		strbuf_printf(&b, " %.*s", STR_ARG(t->exp));
	strbuf_byte(&b, ' ');
	/* redirect= is not looked at where there is an all (RFC 7208 6.1). */
	if (t->redirect.n && !t->all.n)
		strbuf_add(&b, t->redirect);
	else
		strbuf_add(&b, t->all.n ? t->all : STR("~all"));
	/* Nobody shall copy a text in which something is missing. */
	if (!t->is_full && !b.overflow)
		return strbuf_str(&b);
	return count ? found[0] : records_spf_merge(NULL, 0, NULL, 0, host, a);
}
