/* The tree of mailboxes: which nodes it has, in which order, and what it keeps. */
#include "imap/imap_tree.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/check.h"

enum {
	NAMES_MAX = 8,
	DEEP_BOXES = 10000,
	DEEP_LEVELS = 30,
	NAME_BYTES = 96,
};

/* Names of mailboxes; one with '?' in front is only a subscription. The nodes: '-' in
   front of one that is no mailbox, '*' behind one that is subscribed, '+' behind one with
   children, and how many nodes there are below it. */
static const struct {
	const char *names[NAMES_MAX], *nodes;
} trees[] = {
	{ { NULL }, "" },
	{ { "INBOX" }, "INBOX0 " },
	{ { "b", "a" }, "a0 b0 " },
	{ { "a/b/c" }, "-a+2 -a/b+1 a/b/c0 " },
	{ { "a/b/c", "a" }, "a+2 -a/b+1 a/b/c0 " },
	{ { "a/c", "a/b", "a-b", "ab" }, "-a+2 a/b0 a/c0 a-b0 ab0 " },
	{ { "a/b/x", "a/bc/x", "a/b" }, "-a+4 a/b+1 a/b/x0 -a/bc+1 a/bc/x0 " },
	{ { "?a/b", "c" }, "-a1 -a/b*0 c0 " },
	{ { "?a", "a/b", "?a/b" }, "-a*+1 a/b*0 " },
	{ { "a", "?a" }, "a*0 " },
	{ { "/a", "b//c" }, "/a0 -b+2 -b/+1 b//c0 " },
};

static void
test_shapes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		struct mailbox_info infos[NAMES_MAX] = { 0 };
		struct imap_boxes boxes = { infos, 0 };
		struct strbuf text = strbuf_heap(4096);
		struct arena *a = arena_new(65536);
		struct imap_tree tree;

		for (; boxes.n < NAMES_MAX && trees[i].names[boxes.n]; boxes.n++) {
			struct mailbox_info *info = &infos[boxes.n];

			info->name = str_from(trees[i].names[boxes.n]);
			info->id = str_skip_byte(&info->name, '?') ? 0 : boxes.n + 1;
		}
		CHECK_TRUE(imap_tree_make(&boxes, a, &tree), trees[i].nodes);
		for (size_t k = 0; k < tree.n; k++) {
			const struct imap_node *n = &tree.nodes[k];

			CHECK_TRUE(n->exists == (n->info && n->info->id), "a mailbox");
			strbuf_printf(&text, "%s%.*s%s%s%zu ", n->exists ? "" : "-",
			              STR_ARG(n->name), n->is_subscribed ? "*" : "",
			              n->has_children ? "+" : "", n->end - k - 1);
		}
		CHECK_STR_EQ(strbuf_str(&text), str_from(trees[i].nodes), trees[i].nodes);
		strbuf_release(&text);
		arena_free(&a);
	}
}

/* Whoever asks and does not read holds the tree: levels that many share are there once. */
static void
test_room(void)
{
	struct arena *names = arena_new(DEEP_BOXES * (NAME_BYTES + 16));
	struct arena *a = arena_new(64 << 20);
	struct mailbox_info *infos = mem_alloc(DEEP_BOXES * sizeof(*infos));
	struct imap_tree tree;

	for (unsigned i = 0; i < DEEP_BOXES; i++) {
		struct strbuf name = strbuf_arena(names, NAME_BYTES);

		for (int level = 0; level < DEEP_LEVELS; level++)
			strbuf_lit(&name, "a/");
		strbuf_printf(&name, "%05u", i);
		infos[i] =
			(struct mailbox_info){ .id = i + 1, .name = strbuf_str(&name) };
	}
	CHECK_TRUE(imap_tree_make(&(struct imap_boxes){ infos, DEEP_BOXES }, a, &tree),
	           "made");
	CHECK_U64_EQ(tree.n, DEEP_BOXES + DEEP_LEVELS, "nodes");
	CHECK_TRUE(arena_used(a) < (DEEP_BOXES + DEEP_LEVELS) * sizeof(*tree.nodes) +
	                                   DEEP_BOXES * sizeof(void *) + 4096,
	           "a node each");
	mem_free(infos);
	arena_free(&a);
	arena_free(&names);
}

SUITE(imap_tree, { "shapes", test_shapes }, { "room", test_room });
