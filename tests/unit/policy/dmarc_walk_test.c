/* The names that a walk asks for, in their order (RFC 9989 4.10 and B.4). */
#include "policy/dmarc_priv.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

static const struct walk {
	const char *what, *domain, *asked;
	const char *zone[4];
} walks[] = {
	/* clang-format off */
	{ "RFC 9989 4.10, eight at most", "a.b.c.d.e.f.g.h.i.j.mail.example.com",
	  "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com "
	  "h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com "
	  "mail.example.com example.com com ",
	  { NULL } },
	{ "RFC 9989 B.4.1, author", "example.com", "example.com com ",
	  { "_dmarc.example.com TXT v=DMARC1; p=none",
	    "_dmarc.signing.example.com TXT v=DMARC1; p=none" } },
	{ "RFC 9989 B.4.1, signer", "signing.example.com",
	  "signing.example.com example.com com ",
	  { "_dmarc.example.com TXT v=DMARC1; p=none",
	    "_dmarc.signing.example.com TXT v=DMARC1; p=none" } },
	{ "RFC 9989 B.4.2, author", "a.b.c.d.e.f.g.h.i.j.k.example.com",
	  "a.b.c.d.e.f.g.h.i.j.k.example.com g.h.i.j.k.example.com h.i.j.k.example.com "
	  "i.j.k.example.com j.k.example.com k.example.com example.com com ",
	  { "_dmarc.example.com TXT v=DMARC1; p=none" } },
	{ "RFC 9989 B.4.3, author", "giant.bank.example", "giant.bank.example bank.example ",
	  { "_dmarc.giant.bank.example TXT v=DMARC1; p=none",
	    "_dmarc.bank.example TXT v=DMARC1; p=none; psd=y" } },
	{ "RFC 9989 B.4.3, sender", "mail.giant.bank.example",
	  "mail.giant.bank.example giant.bank.example bank.example ",
	  { "_dmarc.giant.bank.example TXT v=DMARC1; p=none",
	    "_dmarc.bank.example TXT v=DMARC1; p=none; psd=y" } },
	{ "RFC 9989 B.4.3, signer", "mail.mega.bank.example",
	  "mail.mega.bank.example mega.bank.example bank.example ",
	  { "_dmarc.giant.bank.example TXT v=DMARC1; p=none",
	    "_dmarc.bank.example TXT v=DMARC1; p=none; psd=y" } },
	{ "RFC 9989 4.10, seven labels", "a.b.c.d.e.f.example",
	  "a.b.c.d.e.f.example b.c.d.e.f.example c.d.e.f.example d.e.f.example "
	  "e.f.example f.example example ",
	  { NULL } },
	{ "RFC 9989 4.10, eight labels", "a.b.c.d.e.f.g.example",
	  "a.b.c.d.e.f.g.example b.c.d.e.f.g.example c.d.e.f.g.example d.e.f.g.example "
	  "e.f.g.example f.g.example g.example example ",
	  { NULL } },
	/* clang-format on */
};

static void
test_walks(void)
{
	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		const struct walk *w = &walks[i];
		struct arena *a = arena_new(64 << 10);
		struct lookups *l = lookups_new(a, LOOKUPS_MAX);
		struct strbuf asked = strbuf_arena(a, 4 << 10);
		struct dmarc_walk walk;

		while (dmarc_walk(str_from(w->domain), l, &walk) == POLICY_NEED)
			zone_answer(w->zone, l);
		for (size_t k = 0; k < walk.count; k++)
			strbuf_printf(&asked, "%.*s ", STR_ARG(walk.stops[k].domain));
		CHECK_STR_EQ(strbuf_str(&asked), str_from(w->asked), w->what);
		CHECK_TRUE(lookups_count(l) <= DMARC_WALK_MAX, w->what);
		arena_free(&a);
	}
}

SUITE(policy_dmarc_walk, { "names", test_walks });
