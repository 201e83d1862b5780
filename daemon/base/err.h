/* err.h - the one error type.
 *
 * Functions that can fail return enum err; OK is 0 and nothing else ever means success.
 * The table err.def says for each error who is to blame and what each protocol answers.
 * Details for the log go to an optional last argument struct diag *; peers never see
 * them.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/macros.h"
#include "base/str.h"

enum err {
	OK = 0,
#define ERR(name, class, smtp, enhanced, http, word, text) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_COUNT
};

enum err_class {
	ERR_CLASS_NONE, /* of OK */
	ERR_CLASS_PEER, /* the other side is wrong */
	ERR_CLASS_TEMP, /* later it may work */
	ERR_CLASS_PERM, /* it never will */
	ERR_CLASS_BUG,  /* we are wrong */
};

struct err_info {
	const char *name; /* "NO_SUCH_USER" */
	enum err_class class;
	int smtp;
	const char *enhanced;
	int http;
	const char *word; /* stable, for API and log */
	const char *text; /* for the peer */
};

/* The row of e; OK has a row as well (250, 2.0.0, 200). Never NULL. */
const struct err_info *err_get(enum err e);
/* True for class TEMP: the caller may try the same again later. */
bool err_is_temporary(enum err e);
/* True for trouble of this server, a damaged page of its index among it, and for all of
   class TEMP: nothing that a message or an address must pay for. */
bool err_is_ours(enum err e);

/* Where and why, in words, for the operator. */
struct diag {
	int line, column; /* 1-based; 0: unknown */
	char text[240]; /* our own words about the cause, never used to decide anything */
};

/* Fills d where there is one; always returns e, so `return diag_set(d, e, ...)` works. */
enum err diag_set(struct diag *d, enum err e, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
