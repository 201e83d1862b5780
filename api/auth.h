/* auth.h - tokens and cookies: how they are made and what they are called. */
#ifndef API_AUTH_H
#define API_AUTH_H

#include "api/api.h"

enum {
	/* mst_ + 8 hex digits + _ + 32 characters of secret + 8 hex digits of CRC-32 */
	TOKEN_BYTES = 4 + 8 + 1 + 32 + 8,
};

/* Appends a fresh token: 192 random bits behind a short name for the log. */
void token_make(struct strbuf *out);
/* Has it the form, and the check digits, of one? */
bool token_is_well_formed(struct str token);
/* The bits of "domains:read queue:write …"; unknown words give none. */
uint32_t scopes_parse(struct str words);
/* Writes them as a list of words. */
void scopes_write(struct json_out *j, const char *key, uint32_t scopes);
const char *session_cookie_name(bool is_tls);

#endif
