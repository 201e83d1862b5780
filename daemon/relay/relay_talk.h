/* relay_talk.h - the dialogue of one connection, on a stream. How it ends, relay_conn.h
 * is told.
 */
#ifndef RELAY_RELAY_TALK_H
#define RELAY_RELAY_TALK_H

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"

struct relay_conn;

/* Connects to that address of the host, whose name stays borrowed (c->arena). Where it
   fails the next address is tried (relay_path_next), later. */
void relay_conn_dial(struct relay_conn *c, struct str host, const struct addr *addr);
/* Keeps why the host c->host or its address c->addr cannot be used: the result of the job
   where no other can be either. */
void relay_conn_remember(struct relay_conn *c, enum err cause, struct str words);
/* Sends its job over a dialogue that is ready. */
void relay_conn_send(struct relay_conn *c);
/* The next slice of a long message that is being signed. */
void relay_conn_signing(void *conn);

#endif
