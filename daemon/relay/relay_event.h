/* relay_event.h - what the delivery log is told, in plain words and with the server's. */
#ifndef RELAY_RELAY_EVENT_H
#define RELAY_RELAY_EVENT_H

#include "base/str.h"
#include "queue/queue_decide.h"

struct mta_sts_policy;
struct queue_item;
struct relay_conn;
struct relay_dest;
struct relay_job;
struct relay_row;
struct strbuf;

void relay_tell_attempt(const struct relay_conn *c, const struct relay_row *row);
void relay_tell_dial(const struct relay_conn *c);
void relay_tell_tls(const struct relay_conn *c);
void relay_tell_tls_failed(const struct relay_conn *c, struct str detail);
void relay_tell_sts_fetched(const struct relay_dest *d,
                            const struct mta_sts_policy *policy);
void relay_tell_sts_failed(const struct relay_dest *d, const char *fault,
                           const char *then);
/* What must hold for the host, where anything must. */
void relay_tell_secure(const struct relay_conn *c, struct str host);
/* It does not hold, and so nothing is sent there. */
void relay_tell_tls_refused(const struct relay_conn *c, struct str host,
                            struct str detail);
/* A policy that is being tested would have refused the host. */
void relay_tell_tls_test(const struct relay_conn *c, struct str detail);
void relay_tell_route(const struct relay_conn *c);
/* What became of a row. */
void relay_tell_fate(const struct relay_job *job, const struct relay_row *row);
void relay_tell_double_bounce(const struct relay_row *row, const char *why);
void relay_tell_rewritten(const struct queue_item *item, struct str sender);
/* The notification that it asks for is not to be had; failures: relay_tell_double_bounce. */
void relay_tell_dsn_dropped(const struct relay_row *row, const char *why);
/* "failed", "delayed" …: what a notification says of a row (RFC 3464 2.3.3). */
const char *relay_tell_word(enum queue_tell tell);
/* Why, in plain words with the server's: "the mailbox is full: 452 4.2.2 over quota". */
void relay_reason_format(const struct relay_row *row, struct strbuf *out);
/* The reply as it is shown: "550 5.1.1 no such user", or our own words. */
void relay_reply_format(const struct relay_row *row, struct strbuf *out);

#endif
