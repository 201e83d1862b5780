/* mime_param.h - values with parameters: "text/plain; charset=utf-8; name=\"a;b\"".
 *
 * Never fails: what is no parameter is passed over. Follows: RFC 2045 5.1, RFC 2183.
 */
#ifndef MAIL_MIME_PARAM_H
#define MAIL_MIME_PARAM_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

/* One parameter after another of a value such as "text/plain; charset=utf-8;
   name=\"a;b\"" or "attachment; filename=x". mime_value_first takes the first word
   ("text/plain", without spaces and comments) and moves *rest behind it; mime_param_next
   the next name=value pair, quotes, backslashes and comments undone. Values borrow, or
   lie in the arena. False at the end. RFC 2231 is not undone here: see mail/encoded.h. */
struct str mime_value_first(struct str *rest, struct arena *a);
bool mime_param_next(struct str *rest, struct arena *a, struct str *name_out,
                     struct str *value_out);

/* Passes over white space and comments. */
void mime_skip_space(struct str *s);

#endif
