/* doors.h - the listening sockets that a process inherited, with a listener on each.
 *
 * Owns: the listeners, and the descriptors with them. Borrows: the role, the limiter, and
 * of the role's configuration who may send a PROXY header (doors_reload).
 */
#ifndef ROLE_DOORS_H
#define ROLE_DOORS_H

#include "io/listener.h"
#include "role/role.h"

struct doors;

struct doors_ops {
	/* As in struct listener_ops, and which protocol the client came to. */
	void (*accepted)(void *arg, enum conf_protocol protocol,
	                 const struct accepted *a);
	/* What a client hears for whom there is no room, where nothing is encrypted. */
	struct str (*goodbye)(enum conf_protocol protocol);
	/* As in struct listener_ops; NULL: clients are taken at once. */
	int64_t (*leave_ms)(void *arg);
	bool is_in_turns; /* as in struct listener_conf */
};

/* Opens all of them. Never NULL. */
struct doors *doors_open(const struct role *r, struct limiter *limiter,
                         const struct doors_ops *ops, void *arg);
/* r->conf is new. Harmless on NULL. */
void doors_reload(struct doors *d);
/* Takes no more clients; those that came in live on. Harmless on NULL. */
void doors_close(struct doors **d);

#endif
