/* relay_host_basis.h - which settings a check of the host goes by, as one number.
 *
 * The number is kept with what a run found, so that a change is seen whichever way it
 * came: by a reload, by a process that starts anew for its sandbox, or while nobody ran.
 */
#ifndef RELAY_RELAY_HOST_BASIS_H
#define RELAY_RELAY_HOST_BASIS_H

#include "conf/conf.h"
#include "policy/host.h"

#include <stdint.h>

/* Another one when a setting that the check goes by is another; never 0. */
int64_t relay_host_basis(const struct conf *conf, enum host_check check);

#endif
