/* idn.h - domain names in other scripts (RFC 5890, UTS 46). One wrapper around libidn2.
 */
#ifndef EXT_IDN_H
#define EXT_IDN_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Appends the name in lower case with A-labels ("xn--…"). ERR_ADDRESS where it is no
   IDNA name, ERR_LIMIT where out is full. */
MUSTUSE enum err idn_to_ascii(struct str name, struct strbuf *out);
/* Appends the name with U-labels, for people; what cannot be shown stays as it is. */
void idn_to_unicode(struct str name, struct strbuf *out);

#endif
