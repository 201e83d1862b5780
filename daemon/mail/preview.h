/* preview.h - the first words of a message, as a list of messages shows them. */
#ifndef MAIL_PREVIEW_H
#define MAIL_PREVIEW_H

#include "base/arena.h"
#include "base/str.h"
#include "mail/mime.h"

#include <stddef.h>

/* The beginning of the text of a message, from its first plain part, else its first HTML
   one, as UTF-8 on one line. At most max bytes; lies in the arena. */
struct str preview_make(struct str message, const struct mime_tree *tree, size_t max,
                        struct arena *a);
/* UTF-8 text with one space for each run of white space, controls and invisible
   characters, none at the ends. At most max bytes, no character cut. */
struct str preview_squeeze(struct str text, size_t max, struct arena *a);

#endif
