/* imap_tree.h - the mailboxes of an account as LIST sees them: a tree of names.
 *
 * The store has mailboxes, whose parents need not exist, and subscriptions, whose
 * mailboxes need not. LIST shows parents that only are there for their children, too.
 */
#ifndef IMAP_IMAP_TREE_H
#define IMAP_IMAP_TREE_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "imap/imap_ops.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IMAP_PATTERN_WILDCARDS_MAX = 16,
};

struct imap_node {
	struct str name;
	const struct mailbox_info *info; /* NULL: only a parent */
	bool exists;                     /* as a mailbox */
	bool has_children;               /* mailboxes, somewhere below */
	bool is_subscribed;
	size_t end; /* index behind the last node below this one */
};

struct imap_tree {
	struct imap_node *nodes; /* each before those below it */
	size_t n;
};

/* In the arena; names borrow from boxes. False where the arena is full. */
MUSTUSE bool imap_tree_make(const struct imap_boxes *boxes, struct arena *a,
                            struct imap_tree *tree_out);

/* LIST's wildcards: * is anything, % anything but '/'. INBOX matches without case,
   also above other levels. *steps grows by the bytes that were looked at: with wildcards
   these may be as many as the third power of the name's. */
bool imap_pattern_match(struct str pattern, struct str name, size_t *steps);
/* More wildcards than this server bears? */
bool imap_pattern_check(struct str pattern);

#endif
