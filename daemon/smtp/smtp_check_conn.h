/* smtp_check_conn.h - finds out who sent a message while it comes in.
 *
 * Joins policy/auth_check.h to one transaction: names of the envelope are asked for from
 * MAIL on, the content goes by as the client sent it (the header is kept, the body is
 * not), and after its end there is a verdict within the time limit, whatever name servers
 * do.
 *
 * Owns: the header, the questions that are out. Borrows: loop and resolver.
 */
#ifndef SMTP_SMTP_CHECK_CONN_H
#define SMTP_SMTP_CHECK_CONN_H

#include "base/err.h"
#include "io/dns.h"
#include "io/loop.h"
#include "policy/auth_check.h"

struct smtp_check;

struct smtp_check_conf {
	struct loop *loop;
	struct dns *dns;
	uint64_t group;     /* on whose behalf it is asked */
	int64_t timeout_ms; /* after the end of the content */
	size_t header_max;  /* bytes */
};

/* Begins with the envelope. request is copied. */
struct smtp_check *smtp_check_new(const struct smtp_check_conf *conf,
                                  const struct auth_request *request);
/* The next bytes of the content; lines end in CRLF. ERR_TOO_LARGE: the header is. */
MUSTUSE enum err smtp_check_see(struct smtp_check *c, struct str bytes);
/* The content is over: done(arg) is called once, later, when the verdict is there. */
void smtp_check_finish(struct smtp_check *c, loop_fn *done, void *arg);
/* The client's name, as soon as it is known to be its; else empty. */
struct str smtp_check_host(const struct smtp_check *c);
const struct auth_request *smtp_check_request(const struct smtp_check *c);
const struct auth_verdict *smtp_check_verdict(const struct smtp_check *c);
/* At any time; done is not called any more. Harmless on NULL. */
void smtp_check_free(struct smtp_check **c);

#endif
