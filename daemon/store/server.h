/* server.h - the store's side of store/client.h: takes operations over the unix socket,
 * hands them to the committer or to the password threads, answers, and tells subscribers
 * what changed.
 */
#ifndef STORE_SERVER_H
#define STORE_SERVER_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "io/loop.h"

#include <stdint.h>

struct conf;
struct store_server;

/* fd: the listening unix socket (taken). Opens the index under conf's data_dir; ERR_IO,
   ERR_CORRUPT, ERR_UNSUPPORTED, ERR_DISK_FULL. While it exists, events of this process go
   to the delivery log. */
MUSTUSE enum err store_server_new(struct loop *loop, const struct conf *conf, int fd,
                                  struct store_server **out);
/* Process pid has this role and these rights (store/rights.h) from now on; role empty: it
   is gone. Peers that were not told of are not spoken with. */
void store_server_peer(struct store_server *s, int pid, struct str role, unsigned rights);
void store_server_reload(struct store_server *s, const struct conf *conf);
/* fn is called after each commit that changed a setting. */
void store_server_on_settings(struct store_server *s, loop_fn *fn, void *arg);
/* Takes nothing new, finishes what was begun, sends the answers, then calls done. */
void store_server_stop(struct store_server *s, loop_fn *done, void *arg);
/* Looks after segment files now instead of in some minutes, and leaves none alone for
   longer than grace_ms: for tests and tools. */
void store_server_compact(struct store_server *s, int64_t grace_ms);
void store_server_free(struct store_server **s);

#endif
