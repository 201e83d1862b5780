/* smtp_names_conn.h - what addresses resolve to, remembered while nothing changes.
 *
 * Most mail goes to few names, and asking the index costs a tenth of taking a message. So
 * what was found is kept, bounded in number and bytes, until the store tells that a
 * domain, an account or an alias has changed, and for ten seconds at most. Not kept:
 * refusals of recipients, and whatever depends on the room left under a quota. The store
 * judges each recipient once more when it accepts.
 *
 * Owns: what it remembers, its subscription. Borrows: loop, client, reader.
 */
#ifndef SMTP_SMTP_NAMES_CONN_H
#define SMTP_SMTP_NAMES_CONN_H

#include "io/loop.h"
#include "store/client.h"
#include "store/reader.h"

struct smtp_names;

struct smtp_names *smtp_names_new(struct loop *l, struct store_client *client,
                                  struct reader *reader);
void smtp_names_free(struct smtp_names **n);

/* As reader_resolve and reader_is_local_domain. *out borrows from the arena, or from what
   is remembered: it holds until the loop's next turn. */
MUSTUSE enum err smtp_names_resolve(struct smtp_names *n, struct str address,
                                    uint64_t size, struct arena *a,
                                    struct resolution *out);
MUSTUSE enum err smtp_names_is_local_domain(struct smtp_names *n, struct str domain);
/* The same, and what the domain does with mail that is not proven. */
MUSTUSE enum err smtp_names_incoming(struct smtp_names *n, struct str domain,
                                     enum domain_incoming *incoming_out);

#endif
