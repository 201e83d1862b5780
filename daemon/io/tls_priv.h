/* tls_priv.h - inside of the TLS wrapper: what its files share. */
#ifndef IO_TLS_PRIV_H
#define IO_TLS_PRIV_H

/* The oldest error of OpenSSL's queue, in its words; empties the queue. */
const char *tls_library_error(void);

#endif
