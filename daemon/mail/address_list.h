/* address_list.h - the address lists of header fields (RFC 5322 3.4, 4.4).
 *
 * Header fields hold everything people and programs ever wrote: this parser never fails,
 * it makes the best of what stands there, in time linear to the input. Groups become
 * three kinds of entries, as ENVELOPE wants them (RFC 3501 7.4.2). Comments are dropped,
 * but where an address has no name, the last comment is it ("ann@example.org (Ann)").
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum list_entry_kind {
	LIST_MAILBOX,
	LIST_GROUP_BEGIN, /* local is the group's name */
	LIST_GROUP_END,   /* everything is empty */
};

struct list_entry {
	enum list_entry_kind kind;
	struct str name; /* display name, quotes and backslashes undone, not RFC 2047
	                    decoded; p is NULL where there is none */
	struct str
		route; /* "@a,@b" of an old source route; p is NULL where there is none */
	struct str local;  /* unquoted */
	struct str domain; /* empty where the address has none */
};

struct address_list {
	const struct list_entry *entries;
	size_t count;
	bool is_cut; /* there were more than max, or the arena was full */
};

/* Parses the unfolded or folded value of one field into at most max entries, and one
   more where the last group must be ended. */
void address_list_parse(struct str value, size_t max, struct arena *a,
                        struct address_list *list_out);

#endif
