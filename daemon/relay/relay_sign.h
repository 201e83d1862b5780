/* relay_sign.h - DKIM signatures in front of what leaves (RFC 6376). */
#ifndef RELAY_RELAY_SIGN_H
#define RELAY_RELAY_SIGN_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct arena;
struct dkim_signing_key;
struct relay;
struct relay_conn;

void relay_signing_new(struct relay *r);
/* Reads the keys, and again with each change. */
void relay_signing_start(struct relay *r);
void relay_signing_free(struct relay *r);
/* Fills c->lead for the message that is open, and says true; or false: there is more to
   hash, relay_sign_step() goes on, until it says true. */
MUSTUSE bool relay_sign_begin(struct relay_conn *c);
MUSTUSE bool relay_sign_step(struct relay_conn *c);
void relay_sign_cancel(struct relay_conn *c);
/* An active key of the domain or its nearest parent, RSA where there is one; false: there
   is none. Good until the loop goes on. */
MUSTUSE bool relay_sign_key(struct relay *r, struct str domain, struct arena *a,
                            struct dkim_signing_key *key_out);

#endif
