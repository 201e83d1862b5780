/* names.h - domains and addresses as requests name them: natural keys and ids. */
#ifndef API_NAMES_H
#define API_NAMES_H

#include "api/page.h"

enum {
	NAMES_SCAN_MAX = 1000000, /* rows a list may look at for one page */
};

/* "dom_7"; lives in the request. */
struct str names_id(struct api_request *r, const char *prefix, uint64_t id);
/* The number of "dom_7"; 0 where s is none. */
uint64_t names_parse_id(struct str s, const char *prefix);

/* What a body calls a domain (an address, an alias, where "*@domain" is a catch-all),
   normalised. False: the problem has been answered. */
MUSTUSE bool names_check_domain(struct api_request *r, struct str pointer, struct str s,
                                struct str *name_out);
MUSTUSE bool names_check_login(struct api_request *r, struct str pointer, struct str s,
                               struct str *address_out);
MUSTUSE bool names_check_alias(struct api_request *r, struct str pointer, struct str s,
                               struct str *address_out);
MUSTUSE bool names_check_target(struct api_request *r, struct str pointer, struct str s,
                                struct str *address_out);

/* A domain that need not be ours, in a path; normalised. What cannot be one is not found.
   False: answered. */
MUSTUSE bool names_any_domain(struct api_request *r, struct str param,
                              struct str *name_out);
/* What a path calls one: the normalised name, of one that this caller may see. What
   cannot exist is not found. False: answered. */
MUSTUSE bool names_domain(struct api_request *r, struct str param, struct str *name_out);
/* The same, and the domain itself. */
MUSTUSE bool names_find_domain(struct api_request *r, struct str param,
                               struct domain *domain_out);
MUSTUSE bool names_account(struct api_request *r, struct str param,
                           struct str *address_out);
MUSTUSE bool names_alias(struct api_request *r, struct str param,
                         struct str *address_out);

/* Is the address in a domain of ours? False: no, or nobody can say now; it is answered. */
MUSTUSE bool names_has_domain(struct api_request *r, struct str address);
/* 409 already_exists with the id of the one that is there. */
void names_exists(struct api_request *r, const char *prefix, uint64_t id);
/* "a b c" as a list of strings; or_null: null where there are none. */
void names_write_words(struct json_out *j, const char *key, struct str words,
                       bool or_null);
/* How the API writes an alias address: "@example.com" as "*@example.com". */
struct str names_show_alias(struct api_request *r, struct str address);

/* A list of addresses in their order, of one domain or all, that have `search` in them. */
struct names_list {
	struct page page;
	struct str search;
	uint64_t domain_id; /* 0: of all; UINT64_MAX: of one that is none of ours */
};
/* Reads the query. False: answered. */
MUSTUSE bool names_list_begin(struct names_list *l, struct api_request *r,
                              const char *list);
/* Does the item belong to the list: may the caller see it, and has its address or its
   other text what is searched for? */
bool names_list_has(const struct names_list *l, struct str address, struct str text);

#endif
