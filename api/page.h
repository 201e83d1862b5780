/* page.h - lists in pages: limit, signed cursors, next.
 *
 *     if (!page_begin(&p, r, "domains", STR("")))  return;
 *     … for each row that fits: if (!page_take(&p, key)) stop; write it to p.j …
 *     page_end(&p, e);
 *
 * A cursor holds the key of the last row shown, bound to the list and its filter, and
 * signed with a secret that the process makes when it starts; so it survives the deletion
 * of its row, and nobody can make one up.
 *
 * sort may name one of several keys (page_begin_sorted); which, is in p.sort.
 *
 * A list whose rows can be read in both directions begins with page_begin_both(): it
 * has prev as well, and sort=KEY or sort=-KEY. It reads in the direction of is_down, from
 * `after` on; where that is against the order of the list, the page is turned round at
 * its end. So each item is written right behind its page_take(), or behind page_item().
 */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "api/api.h"

struct page {
	struct api_request *r;
	struct strbuf b;
	struct json_out j;
	size_t limit, taken;
	struct str after;       /* start behind this key; empty: at the beginning */
	struct str first, last; /* keys of the first and the last row taken */
	struct str fields;      /* the members of items that are wanted; empty: all */
	uint32_t binding;       /* of the cursors to this list and filter */
	bool has_more;
	bool is_down; /* read towards smaller keys */
	bool is_both; /* it can be read in both directions */
	bool is_back; /* read against the order of the list */
	size_t sort;  /* which of the keys it is in order of */
	bool has_cursor;
	size_t items;    /* where they begin in b */
	size_t *offsets; /* where each begins */
	bool is_listed;  /* there are no more items */
};

/* Reads limit, cursor and fields. filter: all parameters that choose rows. False:
   answered. */
MUSTUSE bool page_begin(struct page *p, struct api_request *r, const char *list,
                        struct str filter);
/* The same for a list in order of a key, of which smaller ones come first, or where
   is_down greater ones: the caller may turn that round with sort. */
MUSTUSE bool page_begin_both(struct page *p, struct api_request *r, const char *list,
                             struct str filter, const char *key, bool is_down);
/* The same for a list that knows several keys, one space between; the first is meant
   where sort is left out. */
MUSTUSE bool page_begin_sorted(struct page *p, struct api_request *r, const char *list,
                               struct str filter, const char *keys);
/* Where names are read from, and in which direction. */
struct names_from page_names(const struct page *p);
/* The i-th row taken (from 0) is written now. */
void page_item(struct page *p, size_t i);
/* Is there room for one more row? Its key is copied. */
MUSTUSE bool page_take(struct page *p, struct str key);
/* No more items: members of the answer itself may follow, then page_end. */
void page_end_items(struct page *p);
/* Answers: the page, or a problem where reading ended with an error. */
void page_end(struct page *p, enum err e);
/* The same with "count" (capped: at least so many). */
void page_end_counted(struct page *p, enum err e, uint64_t count, bool is_capped);

/* The cursor itself. */
void cursor_format(const uint8_t secret[32], uint32_t binding, struct str key,
                   struct strbuf *out);
/* False: it is none of ours. */
MUSTUSE bool cursor_parse(const uint8_t secret[32], struct str cursor, struct arena *a,
                          uint32_t *binding_out, struct str *key_out);

#endif
