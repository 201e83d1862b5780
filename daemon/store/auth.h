/* auth.h - password checks, for all protocols at one place.
 *
 * Runs in the store's loop; hashing runs on a few threads. A name that does not exist
 * takes as long as a wrong password. Failures are counted (store/guesses.h) and answered
 * late. A success is remembered for a minute, keyed by every input and the version of the
 * password, under a key of this process; any change to logins forgets all of it.
 */
#ifndef STORE_AUTH_H
#define STORE_AUTH_H

#include "io/loop.h"
#include "store/ops.h"

struct auth;

struct auth_limits {
	uint32_t failures_ip, failures_account, threads;
	int64_t failure_delay_ms;
};

/* Answers: answer is NULL where e is not OK; request is what was given to auth_check. */
typedef void auth_done_fn(void *arg, void *request, enum err e,
                          const struct answer_auth *answer);
/* A login worth noting: last_login_ms. */
typedef void auth_noted_fn(void *arg, uint32_t kind, uint64_t id);

struct auth *auth_new(struct loop *loop, struct str data_dir,
                      const struct auth_limits *limits, auth_done_fn *done,
                      auth_noted_fn *noted, void *arg);
/* Waits for checks that run; nobody is answered. */
void auth_free(struct auth **a);
void auth_set_limits(struct auth *a, const struct auth_limits *limits);
/* Begins a check; done comes later, always. op is borrowed for the call. */
void auth_check(struct auth *a, const struct op_auth *op, void *request);
/* Passwords, accounts or admins have changed. */
void auth_flush(struct auth *a);

#endif
