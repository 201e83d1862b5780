/* host_priv.h - what the files of the host's checks share. */
#ifndef POLICY_HOST_PRIV_H
#define POLICY_HOST_PRIV_H

#include "policy/host.h"

struct host_ips {
	struct addr p[HOST_IPS_MAX];
	size_t count;
	bool is_temp; /* the name service was silent */
};

/* The addresses that we send from, as far as others can know: those of the name, or else
   our own; of the Internet only. */
MUSTUSE enum policy_step host_ips_find(const struct host_conf *c, struct lookups *l,
                                       struct host_ips *out);
void host_say(struct host_verdict *v, enum host_cause cause, struct str text);
/* Borrows name and text. */
void host_add(struct host_verdict *v, struct str name, enum host_state state,
              struct str text);

#endif
