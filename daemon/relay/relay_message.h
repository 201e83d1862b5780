/* relay_message.h - a job as a message for the dialogue, and its results back as rows. */
#ifndef RELAY_RELAY_MESSAGE_H
#define RELAY_RELAY_MESSAGE_H

#include "base/err.h"
#include "queue/queue_reason.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>

struct relay_conn;

/* What the dialogue was about when it stood there. */
enum queue_stage relay_stage_of(enum smtp_client_state at);
/* Fills c->message from the job's open rows and opens the body. ERR_NOT_FOUND and the
   like: the body cannot be read. */
MUSTUSE enum err relay_message_open(struct relay_conn *c);
/* The transaction broke before its text was sent, and nothing was decided: the same
   rows may go to another address. */
bool relay_message_can_repeat(const struct relay_conn *c);
/* Gives the body and what was signed of it back; harmless where nothing is open. */
void relay_message_close(struct relay_conn *c);
/* Takes the results of a transaction over into the rows. Rows that are to be sent in
   another one become a job of their own, at the head of the line. */
void relay_message_results(struct relay_conn *c);

#endif
