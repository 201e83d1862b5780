/* http_head.h - the head of an HTTP request, judged before libmicrohttpd sees it.
 *
 * libmicrohttpd lets pass what two parsers could read in two ways: two Content-Length
 * fields, Content-Length beside Transfer-Encoding, two Host fields, folded lines, bare
 * line feeds (RFC 9112 2.2, 5.1, 6.3, 11.2). Here each of these is a refusal, so what
 * gets through has one meaning. Pure: bytes in, a struct or a status out; the struct
 * borrows from the bytes.
 */
#ifndef API_HTTP_HEAD_H
#define API_HTTP_HEAD_H

#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_FIELDS_MAX = 64,
	HTTP_METHOD_MAX = 16,
	HTTP_TARGET_MAX = 8192,
};

struct http_field {
	struct str name, value; /* value without spaces around it */
};

struct http_head {
	struct str method; /* a token */
	struct str target; /* origin-form: begins with "/", printable ASCII, no "#" */
	bool is_http10;
	bool is_chunked; /* the body is chunked; else it has content_length bytes */
	bool has_content_length; /* there was such a field */
	bool expects_continue;
	uint64_t content_length;
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t fields_count;
};

/* Why a request is refused: the status for the client, and words for the log and for the
   client alike. */
struct http_refusal {
	int status;
	const char *code; /* stable */
	const char *text;
};

/* True and *size_out (the empty line included) once `bytes` holds a whole head; a bare
   LF LF counts as an end as well, for it will be refused. */
bool http_head_is_whole(struct str bytes, size_t *size_out);

/* Reads a whole head, as http_head_is_whole found it, without leading empty lines.
   NULL where it is good; else what is wrong. */
MUSTUSE const struct http_refusal *http_head_parse(struct str bytes,
                                                   struct http_head *head_out);

/* The value of the field of that name, without case; empty where there is none. Fields
   that may stand once only are once here: Host, Content-Type, Authorization, Origin … */
struct str http_head_find(const struct http_head *h, struct str name);

#endif
