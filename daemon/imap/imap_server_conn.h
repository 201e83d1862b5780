/* imap_server_conn.h - the IMAP connections of one process.
 *
 * Glues the session core (imap_session.h) to a stream, to the store and to the reader:
 * imap_conn.c feeds it and keeps deadlines, imap_box_conn.c and imap_read_conn.c answer
 * questions from this process's own reader (imap_body_conn.c has the large bodies),
 * imap_write_conn.c those that are operations of the store.
 *
 * Owns: its connections and the settings they were begun with. Borrows: all of struct
 * imap_server_parts but conf, which is copied from.
 */
#ifndef IMAP_IMAP_SERVER_CONN_H
#define IMAP_IMAP_SERVER_CONN_H

#include "conf/conf.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/tls.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

struct imap_server;

struct imap_server_parts {
	struct loop *loop;
	struct tls_server *tls; /* NULL: no TLS at all */
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct limiter *limiter; /* what accepted connections are given back to */
	const struct conf *conf;
};

struct imap_server *imap_server_new(const struct imap_server_parts *parts);
/* Ends what is left at once. */
void imap_server_free(struct imap_server **s);
/* New connections follow this configuration; it is not kept. */
void imap_server_set_conf(struct imap_server *s, const struct conf *conf);
/* Takes a connection that came to `protocol` (imap or imaps). */
void imap_server_accept(struct imap_server *s, enum conf_protocol protocol,
                        const struct accepted *a);
/* Sessions between two commands are told goodbye now, others after theirs, but no
   later than patience_ms where their client is waited for; then done is called, once. */
void imap_server_stop(struct imap_server *s, int64_t patience_ms, loop_fn *done,
                      void *arg);

#endif
