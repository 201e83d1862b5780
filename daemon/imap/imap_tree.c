#include "imap/imap_tree.h"

#include <stdlib.h>

/* Bytewise, but '/' comes before every other byte: so a name is followed by all that is
   below it, and by nothing else in between. */
static int
by_name(const void *a, const void *b)
{
	struct str x = (*(const struct mailbox_info *const *)a)->name;
	struct str y = (*(const struct mailbox_info *const *)b)->name;

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
common_length(struct str x, struct str y)
{
	size_t n = 0;

	while (n < x.n && n < y.n && x.p[n] == y.p[n])
		n++;
	return n;
}

/* The parents of a name that the one before it in the order does not have, shortest
   first, into nodes where there are some; how many. */
static size_t
add_parents(struct str before, struct str name, struct imap_node *nodes)
{
	size_t common = common_length(before, name), n = 0;

	for (size_t k = before.n == common ? common + 1 : common; k < name.n; k++) {
		if (name.p[k] != '/' || k == 0)
			continue;
		if (nodes)
			nodes[n] = (struct imap_node){ .name = str_first(name, k) };
		n++;
	}
	return n;
}

/* A mailbox and a subscription may have one name. */
static void
merge(struct imap_node *node, const struct mailbox_info *info)
{
	if (info->id || !node->info)
		node->info = info;
	node->exists |= info->id != 0;
	node->is_subscribed |= info->subscribed || info->id == 0;
}

/* The names in their order and their parents, each once, into nodes where there are some;
   how many. */
static size_t
add_all(const struct mailbox_info *const *sorted, size_t count, struct imap_node *nodes)
{
	struct str before = STR("");
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct str name = sorted[i]->name;

		if (!i || !str_eq(before, name)) {
			n += add_parents(before, name, nodes ? nodes + n : NULL);
			if (nodes)
				nodes[n] = (struct imap_node){ .name = name };
			n++;
		}
		if (nodes)
			merge(&nodes[n - 1], sorted[i]);
		before = name;
	}
	return n;
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

/* Room is taken for the nodes that there are: a client that does not read holds it. */
bool
imap_tree_make(const struct imap_boxes *boxes, struct arena *a,
               struct imap_tree *tree_out)
{
	const struct mailbox_info **sorted = arena_try(a, boxes->n * sizeof(void *));

	if (!sorted)
		return false;
	for (size_t i = 0; i < boxes->n; i++)
		sorted[i] = &boxes->boxes[i];
	if (boxes->n > 1)
		qsort(sorted, boxes->n, sizeof(void *), by_name);
	tree_out->n = add_all(sorted, boxes->n, NULL);
	tree_out->nodes = arena_try(a, tree_out->n * sizeof(*tree_out->nodes));
	if (!tree_out->nodes)
		return false;
	(void)add_all(sorted, boxes->n, tree_out->nodes);
	find_children(tree_out->nodes, tree_out->n);
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
