#include "imap/imap_tree.h"

#include <stdlib.h>

/* Bytewise, but '/' comes before every other byte: so a name is followed by all that is
   below it, and by nothing else in between. */
static int
by_name(const void *a, const void *b)
{
	struct str x = ((const struct imap_node *)a)->name;
	struct str y = ((const struct imap_node *)b)->name;

	for (size_t i = 0; i < x.n && i < y.n; i++) {
		unsigned char p = (unsigned char)x.p[i], q = (unsigned char)y.p[i];

		if (p == q)
			continue;
		if (p == '/' || q == '/')
			return p == '/' ? -1 : 1;
		return p < q ? -1 : 1;
	}
	return (x.n > y.n) - (x.n < y.n);
}

static size_t
levels_above(struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '/';
	return n;
}

/* All names and all their parents, some of them several times. */
static size_t
add_all(const struct imap_boxes *boxes, struct imap_node *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < boxes->n; i++) {
		const struct mailbox_info *info = &boxes->boxes[i];

		for (size_t k = 1; k < info->name.n; k++) {
			if (info->name.p[k] == '/')
				nodes[n++].name = str_first(info->name, k);
		}
		nodes[n].name = info->name;
		nodes[n].info = info;
		nodes[n].exists = info->id != 0;
		nodes[n++].is_subscribed = info->subscribed || info->id == 0;
	}
	return n;
}

static size_t
merge_equal(struct imap_node *nodes, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct imap_node *last = kept ? &nodes[kept - 1] : NULL;

		if (!last || !str_eq(last->name, nodes[i].name)) {
			nodes[kept++] = nodes[i];
			continue;
		}
		if (nodes[i].exists || !last->info)
			last->info = nodes[i].info ? nodes[i].info : last->info;
		last->exists |= nodes[i].exists;
		last->is_subscribed |= nodes[i].is_subscribed;
	}
	return kept;
}

static bool
is_below(struct str name, struct str parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && str_starts(name, parent);
}

static void
find_children(struct imap_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i + 1;

		for (; k < n && is_below(nodes[k].name, nodes[i].name); k++)
			nodes[i].has_children |= nodes[k].exists;
		nodes[i].end = k;
	}
}

bool
imap_tree_make(const struct imap_boxes *boxes, struct arena *a,
               struct imap_tree *tree_out)
{
	size_t max = boxes->n;
	struct imap_node *nodes;

	for (size_t i = 0; i < boxes->n; i++)
		max += levels_above(boxes->boxes[i].name);
	nodes = arena_try(a, max * sizeof(*nodes));
	if (!nodes)
		return false;
	max = add_all(boxes, nodes);
	if (max > 1)
		qsort(nodes, max, sizeof(*nodes), by_name);
	tree_out->nodes = nodes;
	tree_out->n = merge_equal(nodes, max);
	find_children(nodes, tree_out->n);
	return true;
}

/* --- patterns */

static bool
is_wildcard(char c)
{
	return c == '*' || c == '%';
}

bool
imap_pattern_check(struct str pattern)
{
	size_t n = 0;

	for (size_t i = 0; i < pattern.n; i++)
		n += is_wildcard(pattern.p[i]);
	return n <= IMAP_PATTERN_WILDCARDS_MAX;
}

/* Where to go on when what stands behind a wildcard does not match here: the wildcard
   takes one byte more. Behind a '*' nothing before it matters any more; a '%' only
   matters up to the next '/'. */
struct retry {
	size_t pattern, name;
	bool is_set;
};

/* The bytes of a name that stand for all ways to write them (RFC 3501 5.1). */
static size_t
inbox_bytes(struct str name)
{
	struct str inbox = STR("INBOX");

	return str_eq(name, inbox) || is_below(name, inbox) ? inbox.n : 0;
}

bool
imap_pattern_match(struct str pattern, struct str name, size_t *steps)
{
	size_t inbox_n = inbox_bytes(name);
	struct retry star = { 0, 0, false }, percent = { 0, 0, false };
	size_t p = 0, n = 0;

	while (n < name.n || p < pattern.n) {
		char c = p < pattern.n ? pattern.p[p] : '\0';

		++*steps;
		if (is_wildcard(c)) {
			if (c == '*') {
				star = (struct retry){ ++p, n, true };
				percent.is_set = false;
			} else {
				percent = (struct retry){ ++p, n, true };
			}
			continue;
		}
		if (p < pattern.n && n < name.n &&
		    (n < inbox_n ? byte_upper(c) : c) == name.p[n]) {
			p++;
			n++;
			continue;
		}
		if (percent.is_set && percent.name < name.n &&
		    name.p[percent.name] != '/') {
			n = ++percent.name;
			p = percent.pattern;
			continue;
		}
		if (!star.is_set || star.name >= name.n)
			return false;
		percent.is_set = false;
		n = ++star.name;
		p = star.pattern;
	}
	return true;
}
