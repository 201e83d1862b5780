#include "policy/dmarc_priv.h"

#include "ext/idn.h"
#include "mail/address.h"
#include "mail/address_list.h"

/* Programs that show mail do not agree on what a strange From field says. So only the
   plain form is accepted, and all that could be read as somebody is looked at. */

enum {
	SCRATCH_BYTES = 64 << 10,
};

/* "@" outside of quotes and comments: each of them could be somebody's. */
static size_t
count_at_signs(struct str value)
{
	size_t count = 0, depth = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\\' && (is_quoted || depth))
			i++;
		else if (c == '"' && !depth)
			is_quoted = !is_quoted;
		else if (c == '(' && !is_quoted)
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (c == '@' && !is_quoted && !depth)
			count++;
	}
	return count;
}

/* A name that the name service can have: of letters, digits, hyphens, and underscores,
   which hosts may not have and mail domains do. */
static bool
is_name(struct str domain)
{
	char bytes[DMARC_DOMAIN_MAX];
	struct strbuf b = strbuf_on(bytes);

	for (size_t i = 0; i < domain.n; i++)
		strbuf_byte(&b, domain.p[i] == '_' ? 'u' : domain.p[i]);
	return !b.overflow && domain_check(strbuf_str(&b), false);
}

static void
add_domain(struct dmarc_from *from, struct str domain)
{
	struct strbuf b = strbuf_fixed(from->room[from->count], DMARC_DOMAIN_MAX);

	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (idn_to_ascii(domain, &b) != OK || !is_name(strbuf_str(&b)))
		return;
	from->domains[from->count++] = strbuf_str(&b);
}

/* Have all of these addresses one domain? Then it is the author's, however many write. */
static bool
is_one_domain(const struct dmarc_from *from, size_t mailboxes)
{
	for (size_t i = 1; i < from->count; i++)
		if (!str_eq(from->domains[i], from->domains[0]))
			return false;
	return from->count == mailboxes;
}

void
dmarc_from_read(struct str value, struct dmarc_from *from_out)
{
	struct arena *a = arena_new(SCRATCH_BYTES);
	struct address_list list;
	size_t mailboxes = 0;
	bool has_group = false;

	from_out->count = 0;
	address_list_parse(value, DMARC_FROM_MAX + 1, a, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct list_entry *e = &list.entries[i];

		has_group = has_group || e->kind != LIST_MAILBOX;
		if (e->kind != LIST_MAILBOX)
			continue;
		mailboxes++;
		if (from_out->count < DMARC_FROM_MAX)
			add_domain(from_out, e->domain);
	}
	from_out->problem = NULL;
	if (mailboxes == 0 && !has_group)
		from_out->problem = "From has no address";
	else if (has_group)
		from_out->problem = "From has a group";
	else if (list.is_cut || (mailboxes > 1 && !is_one_domain(from_out, mailboxes)))
		from_out->problem = "From has several addresses";
	else if (from_out->count == 0)
		from_out->problem = "From has an address without a domain name";
	else if (count_at_signs(value) != mailboxes)
		from_out->problem = "From can be read in several ways";
	from_out->is_single = from_out->problem == NULL;
	arena_free(&a);
}
