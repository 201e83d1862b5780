/* pop3_server.h - the POP3 connections of one process.
 *
 * Glues the session core (pop3_session.h) to a stream, to the store and to the reader.
 * It lives in the imap process beside imap/imap_server.h and is made and stopped alike.
 *
 * Owns: its connections and the settings they were begun with. Borrows: all of struct
 * pop3_server_parts but conf, which is copied from.
 */
#ifndef POP3_POP3_SERVER_H
#define POP3_POP3_SERVER_H

#include "conf/conf.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/tls.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

struct pop3_server;

struct pop3_server_parts {
	struct loop *loop;
	struct tls_server *tls; /* NULL: no TLS at all */
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter; /* what accepted connections are given back to */
	const struct conf *conf;
};

struct pop3_server *pop3_server_new(const struct pop3_server_parts *parts);
/* Ends what is left at once. */
void pop3_server_free(struct pop3_server **s);
/* New connections follow this configuration; it is not kept. */
void pop3_server_set_conf(struct pop3_server *s, const struct conf *conf);
/* Takes a connection that came to `protocol` (pop3 or pop3s). */
void pop3_server_accept(struct pop3_server *s, enum conf_protocol protocol,
                        const struct accepted *a);
/* Sessions between two commands are told goodbye now, others after theirs, but no
   later than patience_ms where their client is waited for; then done is
   called, once, later. */
void pop3_server_stop(struct pop3_server *s, int64_t patience_ms, loop_fn *done,
                      void *arg);

#endif
