/* password.h - passwords at rest: argon2id (RFC 9106), over libsodium.
 *
 * Hashing takes about 30 ms and 19 MiB, so it belongs on a thread (loop_work), never on a
 * loop. Both functions may run on several threads at once.
 */
#ifndef EXT_PASSWORD_H
#define EXT_PASSWORD_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum {
	PASSWORD_HASH_MAX = 128, /* bytes of a hash in text */
	PASSWORD_MAX = 1024,     /* bytes of a password; longer ones never match */
};

/* Appends the hash as text ("$argon2id$v=19$m=19456,t=2,p=1$…"). ERR_LIMIT: longer than
   PASSWORD_MAX, or no memory. */
MUSTUSE enum err password_hash(struct str password, struct strbuf *out);
/* ERR_AUTH: another password, or a hash that cannot be read; ERR_AUTH_TEMP: no memory to
   find out. Time depends on the hash's parameters only. */
MUSTUSE enum err password_verify(struct str hash, struct str password);
/* A hash that nothing matches, with the parameters of today: verify against it for users
   that do not exist, so that the time tells nothing. */
struct str password_dummy_hash(void);

#endif
