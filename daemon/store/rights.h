/* rights.h - which process may ask the store for what.
 *
 * A worker that somebody broke into can send any bytes to store.sock. So each operation
 * names the roles that may ask for it (ops.def), and the store learns the role of a peer
 * from two sides that it cannot reach: the kernel says which process connected
 * (SO_PEERCRED), the supervisor says which role that process has, before it lets the
 * process begin, and when it is gone. A process nobody told of is nobody's.
 *
 * The operation ids of a peer are bound to its process as well: one who has read the
 * epoch of another client in the index cannot use up that client's operations.
 */
#ifndef STORE_RIGHTS_H
#define STORE_RIGHTS_H

#include "base/macros.h"
#include "base/str.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Roles with rights here, a bit each. A role that is not named has none. */
enum store_rights {
	BY_STORE = 0, /* no peer at all */
	BY_SMTP = 1 << 0,
	BY_IMAP = 1 << 1,
	BY_QUEUE = 1 << 2,
	BY_WEB = 1 << 3,
	BY_ALL = BY_SMTP | BY_IMAP | BY_QUEUE | BY_WEB,
};

/* The bit of a role by its name in roles.def; 0: it has no rights. */
unsigned rights_of_role(struct str role);
/* May a peer with these bits ask for it? */
bool rights_have(unsigned rights, enum op op);
/* May it subscribe to these changes? */
bool rights_have_feed(unsigned rights, const struct op_subscribe_feed *feed);
/* The epoch under which the store keeps what this process calls `epoch`. */
uint64_t rights_epoch(int pid, uint64_t epoch);

/* The processes that the supervisor told of. */
struct peers;

struct peer {
	int pid;
	unsigned rights;
	char role[16];      /* NUL-terminated */
	int64_t refused_ms; /* when the last refusal was told; 0: never */
};

enum {
	PEERS_MAX = 256, /* the supervisor starts no more */
};

struct peers *peers_new(void);
void peers_free(struct peers **p);
/* pid has that role now; what it had before is forgotten. */
void peers_set(struct peers *p, int pid, struct str role, unsigned rights);
void peers_remove(struct peers *p, int pid);
/* NULL: nobody told of it. Good until the next change. */
struct peer *peers_find(struct peers *p, int pid);

#endif
