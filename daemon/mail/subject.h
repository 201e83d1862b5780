/* subject.h - the base subject by which messages are sorted and threaded (RFC 5256 2.1).
 */
#ifndef MAIL_SUBJECT_H
#define MAIL_SUBJECT_H

#include "base/str.h"

/* The piece of a decoded subject (UTF-8, on one line, single spaces) that is left without
   "Re:", "Fwd:", "[list]", "(fwd)" and the like. */
struct str subject_base(struct str subject);

#endif
