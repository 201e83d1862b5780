/* list.h - a doubly linked list through a member of the listed struct.
 *
 * The head is a struct link in a ring with its members; an unlinked link points to itself
 * or is zero. The list owns nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

static inline void
list_init(struct link *head)
{
	head->next = head->prev = head;
}

static inline bool
list_is_empty(const struct link *head)
{
	return head->next == head || !head->next;
}

static inline void
list_add_last(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void
list_add_first(struct link *head, struct link *l)
{
	l->next = head->next;
	l->prev = head;
	head->next->prev = l;
	head->next = l;
}

/* Takes l out of its list; harmless when it is in none. */
static inline void
list_remove(struct link *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

/* for (struct foo *f; …): `l` walks; the current one may be removed inside. */
#define LIST_EACH(head, l)                                                               \
	for (struct link *l = (head)->next, *l##_next = l->next; l != (head);            \
	     l = l##_next, l##_next = l->next)

#endif
