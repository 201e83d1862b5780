/* smtp_conn.h - the SMTP connections of one process.
 *
 * Glues the session core (smtp_session.h) to a stream, to the store and to the readers:
 * smtp_conn.c keeps deadlines and tells the end; smtp_policy_conn.c and smtp_rcpt_conn.c
 * answer what the core asks.
 *
 * Owns: its connections and the settings they were begun with. Borrows: all of struct
 * smtp_server_parts but conf, which is copied from.
 */
#ifndef SMTP_SMTP_CONN_H
#define SMTP_SMTP_CONN_H

#include "conf/conf.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/tls.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

struct smtp_server;
struct dns;

struct smtp_server_parts {
	struct loop *loop;
	struct tls_server *tls; /* NULL: no TLS at all */
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct dns *dns;         /* NULL: nobody is asked who sent a message */
	struct limiter *limiter; /* what accepted connections are given back to */
	const struct conf *conf;
};

struct smtp_server *smtp_server_new(const struct smtp_server_parts *parts);
/* Ends what is left at once. */
void smtp_server_free(struct smtp_server **s);
/* New connections follow this configuration; it is not kept. */
void smtp_server_set_conf(struct smtp_server *s, const struct conf *conf);
/* Takes a connection that came to `protocol` (one of the three of SMTP). */
void smtp_server_accept(struct smtp_server *s, enum conf_protocol protocol,
                        const struct accepted *a);
/* Sessions between two messages are told goodbye now, others after theirs, but no later
   than patience_ms where their client is waited for; then done is called, once. */
void smtp_server_stop(struct smtp_server *s, int64_t patience_ms, loop_fn *done,
                      void *arg);

#endif
