/* bodystructure.h - BODY and BODYSTRUCTURE (RFC 3501 7.4.2) of a parsed message. */
#ifndef MAIL_BODYSTRUCTURE_H
#define MAIL_BODYSTRUCTURE_H

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "mail/mime.h"

enum {
	/* Past this many bytes parameters and envelopes are left out, so that what is
	   written stays well-formed. */
	BODYSTRUCTURE_SOFT_MAX = 512 * 1024,
};

/* Appends "(…)"; with is_extended the form of BODYSTRUCTURE, else that of BODY. */
void bodystructure_format(struct str message, const struct mime_tree *tree,
                          bool is_extended, struct arena *a, struct strbuf *out);

#endif
