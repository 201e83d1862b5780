/* ipc.h - messages between our processes over a unix socket.
 *
 * A frame is: u32 length of what follows, u16 kind, u64 request id, payload; little
 * endian. What kinds mean is the business of whoever uses this. Both sides are
 * symmetric once connected. A peer that breaks the framing, or sends more than
 * frame_max, is disconnected. Output is bounded: over IPC_UNSENT_MAX the peer is too slow
 * and is disconnected; watch ipc_is_full before making bulk.
 */
#ifndef IO_IPC_H
#define IO_IPC_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IPC_HEADER_BYTES = 14,
	IPC_FRAME_MAX = 16 << 20,  /* payload of one frame */
	IPC_UNSENT_MAX = 64 << 20, /* unsent bytes of one peer */
};

struct ipc_message {
	uint16_t kind;
	uint64_t id;
	struct str payload; /* borrowed: good inside the callback */
};

struct ipc_peer; /* one connection */

struct ipc_ops {
	/* A peer is there: server side, or the client has connected (again). */
	void (*opened)(void *arg, struct ipc_peer *p);
	void (*message)(void *arg, struct ipc_peer *p, const struct ipc_message *m);
	/* It is gone, p is dead after this. why: "eof", "framing", … */
	void (*closed)(void *arg, struct ipc_peer *p, const char *why);
	/* Output fell from full to less. May be NULL. */
	void (*drained)(void *arg, struct ipc_peer *p);
};

/* Sends a frame; never blocks and never calls back. After the peer is gone, nothing
   happens. payload.n <= IPC_FRAME_MAX (CHECKed). */
void ipc_send(struct ipc_peer *p, uint16_t kind, uint64_t id, struct str payload);
/* More than 1 MiB waits to be sent. */
bool ipc_is_full(const struct ipc_peer *p);
/* A place for the owner's pointer, NULL at first. */
void ipc_set_data(struct ipc_peer *p, void *data);
void *ipc_data(const struct ipc_peer *p);
/* The process of the other side, as the kernel says; -1: not known. */
int ipc_pid(const struct ipc_peer *p);
/* Ends the connection; closed() comes, later. */
void ipc_close(struct ipc_peer *p, const char *why);

/* Serves a listening unix socket (taken). Peers of other users than root and ourselves
   are refused. */
struct ipc_server;
struct ipc_server *ipc_server_new(struct loop *l, int fd, const struct ipc_ops *ops,
                                  void *arg);
/* Takes no new peers; those that are there stay. */
void ipc_server_rest(struct ipc_server *s);
/* Ends all peers, without closed(). */
void ipc_server_free(struct ipc_server **s);

/* Stays connected to the socket at path: reconnects after 20 ms … 1 s, for ever.
   opened() and closed() tell of each connection; nothing is re-sent by itself. */
struct ipc_client;
struct ipc_client *ipc_client_new(struct loop *l, const char *path,
                                  const struct ipc_ops *ops, void *arg);
/* Without closed(). */
void ipc_client_free(struct ipc_client **c);
/* The peer, or NULL while there is no connection. */
struct ipc_peer *ipc_client_peer(const struct ipc_client *c);

/* A peer over a connected descriptor (taken): the control socket of a process. */
struct ipc_peer *ipc_peer_new(struct loop *l, int fd, const struct ipc_ops *ops,
                              void *arg);
/* Ends it without closed(). */
void ipc_peer_free(struct ipc_peer **p);

/* The framing alone, pure. */
enum ipc_frame {
	IPC_FRAME_MORE,  /* not whole yet */
	IPC_FRAME_OK,    /* one frame of *used_out bytes */
	IPC_FRAME_ERROR, /* length out of range */
};
MUSTUSE enum ipc_frame ipc_parse(struct str bytes, struct ipc_message *m_out,
                                 size_t *used_out);
void ipc_format(struct strbuf *out, uint16_t kind, uint64_t id, struct str payload);

#endif
