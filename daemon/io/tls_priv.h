/* tls_priv.h - inside of the TLS wrapper: what its files share.
 *
 *   tls.c         connections, and the contexts that they are made of
 *   tls_server.c  certificates, keys and roots, read from PEM
 *   tls_self.c    a self-signed pair
 *   tls_cms.c     signing with a pair
 */
#ifndef IO_TLS_PRIV_H
#define IO_TLS_PRIV_H

#include "base/strbuf.h"

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_SERVER_MAGIC = 0x746c7373,
	TLS_NAME_BYTES = 256,
};

struct tls_server {
	uint32_t magic;
	SSL_CTX **contexts; /* one for each pair, the first for unknown names */
	size_t count;
	int64_t expires_ms;
	/* A pair that is not read yet, heap; of the paths only their names. */
	struct strbuf certificate_pem, key_pem, certificate_path, key_path;
};

/* Reads the pair that waits, if one does. */
void tls_server_use(struct tls_server *t);

/* The oldest error of OpenSSL's queue, in its words; empties the queue. */
const char *tls_library_error(void);
/* For one pair, which is still to be put into it. */
SSL_CTX *tls_server_context_new(void);
/* Connections from now on are made of new ones. */
void tls_client_contexts_forget(void);
/* What is trusted instead of the system's roots; NULL: those. */
X509_STORE *tls_roots(void);

#endif
