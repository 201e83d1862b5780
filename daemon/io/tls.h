/* tls.h - certificates and TLS, on the descriptor of a stream.
 *
 * TLS 1.2 and 1.3, AEAD ciphers with ephemeral keys, no renegotiation, no compression;
 * ALPN is strict: a client that offers protocols, none of which is the listener's, is
 * refused (RFC 7301 3.2; ALPACA). Buffers are given back while a connection is idle.
 * OpenSSL stays inside tls*.c. Streams use tls_conn; everybody else the rest.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_NAMES_MAX = 100,
};

/* What a listener speaks, in the words of ALPN. */
enum tls_alpn {
	TLS_ALPN_NONE, /* none is known for it: any offer is refused */
	TLS_ALPN_SMTP, /* "smtp" */
	TLS_ALPN_IMAP, /* "imap" (RFC 7301 registry) */
	TLS_ALPN_POP3, /* "pop3" */
	TLS_ALPN_HTTP, /* "http/1.1" */
};

/* Makes OpenSSL use tls_memory.h; only before anything else of OpenSSL is used (false:
   too late). Without it all works, with more memory for each idle connection. Its
   configuration is read here: later its file may be out of reach. */
bool tls_init(void);

/* ── server ── a set of certificates, chosen by name (SNI), replaceable while in use. */
struct tls_server;

struct tls_pair {
	struct str certificate_path; /* PEM, leaf first, chain behind */
	struct str key_path;         /* PEM, without a pass phrase */
	struct str certificate_pem,
		key_pem; /* their content, where somebody else has read
	                    them: then the paths only name them */
};

/* A server without a certificate: handshakes fail until tls_server_load succeeds. */
struct tls_server *tls_server_new(void);
void tls_server_free(struct tls_server **t);
/* Reads and checks all pairs (key belongs to certificate, times, strength), then puts
   them in place of the old ones: new handshakes use them, running connections live on.
   The first pair is the one for unknown names. On ERR_CONFIG nothing has changed and
   diag says which file is wrong and how. An expired certificate is loaded with a log
   line: better than none. */
MUSTUSE enum err tls_server_load(struct tls_server *t, const struct tls_pair *pairs,
                                 size_t n, struct diag *diag);
/* The same for one pair, given as PEM, that another process has checked: OpenSSL wants a
   third of a MiB for it, so it is read when it is first asked for, or at once where
   others are in use already. One that is refused then leaves the server as it was, with a
   log line. */
MUSTUSE enum err tls_server_load_later(struct tls_server *t, const struct tls_pair *pair,
                                       struct diag *diag);
bool tls_server_is_ready(const struct tls_server *t);
/* Unix ms at which the first pair ends; 0: none loaded. */
int64_t tls_server_expires_ms(struct tls_server *t);

/* What the first pair's certificate says; plain value. */
struct tls_certificate {
	/* TLSA records that fit: of usage 3 for itself, 2 for those above it in the chain
	   that is shown; every selector and matching type (RFC 6698 2.1) */
	struct dns_tlsa *tlsa;
	size_t tlsa_count;
	struct str spki_sha256;  /* of its public key, 32 bytes (RFC 6698 2.1) */
	const struct str *names; /* its DNS names, as they stand there; stars too */
	size_t name_count;       /* the first TLS_NAMES_MAX */
};

/* False: none is loaded. What *out points to is in the arena. */
bool tls_server_certificate(struct tls_server *t, struct arena *a,
                            struct tls_certificate *out);

/* content as CMS SignedData with the content inside (RFC 5652, DER), by the first pair
   and with its chain. ERR_NOT_FOUND: there is none, or none that the roots vouch for, now
   and by that name: then a signature is worth less than none. out is appended to. */
MUSTUSE enum err tls_server_sign(struct tls_server *t, struct str name,
                                 struct str content, struct strbuf *out);

/* Makes a self-signed pair (P-256, 10 years) for hostname at the two paths, key 0600,
   written whole or not at all; existing files are left alone and used: OK, made_out
   false. */
MUSTUSE enum err tls_make_self_signed(struct str hostname, const char *certificate_path,
                                      const char *key_path, bool *made_out,
                                      struct diag *diag);

/* ── client ── */
enum tls_check {
	TLS_CHECK_NONE, /* opportunistic: any certificate, the result is only recorded */
	TLS_CHECK_TEST, /* the same, but judged as TLS_CHECK_NAME would */
	TLS_CHECK_NAME, /* chain to the trusted roots, and the name, must be right */
	TLS_CHECK_DANE, /* a TLSA record must name it (RFC 7672 3); where none can be used,
	                   any certificate will do */
};

/* Who is trusted by connections from now on: the certificates in `pem`, or of the file at
   path where it is empty; the system's roots where both are. ERR_CONFIG: there is none in
   it, and all is as before; diag says why. */
MUSTUSE enum err tls_trust(struct str path, struct str pem, struct diag *diag);

/* Plain value; the strs live until the handshake is over. */
struct tls_client {
	struct str name; /* for SNI and checking; empty: none */
	enum tls_check check;
	const struct dns_tlsa *tlsa; /* TLS_CHECK_DANE */
	size_t tlsa_count;
	struct str other_name; /* TLS_CHECK_DANE: which the certificate may have as well
	                          (RFC 7672 3.2.2); empty: none */
};

/* ── facts ── */
struct tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* OpenSSL's name */
	int bits;            /* of the cipher */
	bool resumed;
	bool verified;           /* client: chain and name would have been accepted */
	const char *verify_text; /* client: "ok", or why not */
	uint8_t leaf_sha256[32]; /* client: the peer's certificate; else zero */
};

/* ── for stream.c ── */
struct tls_conn;

enum tls_want {
	TLS_DONE,       /* it is done; for reads and writes *n_out bytes */
	TLS_WANT_READ,  /* call again when the descriptor is readable */
	TLS_WANT_WRITE, /* … writable */
	TLS_EOF,        /* the peer said close_notify, or just went away */
	TLS_FAILED,     /* tls_conn_error says why */
	TLS_UNVERIFIED, /* handshake: certificate not accepted */
};

/* NULL when the server has no certificate or OpenSSL refuses (out of memory). fd is
   borrowed. */
struct tls_conn *tls_conn_server(struct tls_server *t, int fd, enum tls_alpn alpn);
struct tls_conn *tls_conn_client(const struct tls_client *c, int fd);
void tls_conn_free(struct tls_conn **c);
/* Each goes as far as the descriptor lets it. A write that wants to be called again must
   be given the same bytes, which may lie elsewhere; n_out counts with TLS_DONE only. */
enum tls_want tls_conn_handshake(struct tls_conn *c);
enum tls_want tls_conn_read(struct tls_conn *c, void *p, size_t n, size_t *n_out);
enum tls_want tls_conn_write(struct tls_conn *c, const void *p, size_t n, size_t *n_out);
/* Sends close_notify, once; does not wait for the peer's. */
void tls_conn_goodbye(struct tls_conn *c);
/* Decrypted bytes wait inside that no readable event will tell of. */
bool tls_conn_has_pending(const struct tls_conn *c);
/* What was agreed, filled in by the handshake; lives as long as c. */
const struct tls_info *tls_conn_info(const struct tls_conn *c);
/* Why it failed, in words for the log, or ""; lives as long as c. */
const char *tls_conn_error(const struct tls_conn *c);

#endif
