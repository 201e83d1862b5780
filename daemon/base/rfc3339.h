/* rfc3339.h - times as the API and people write them. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends Unix ms in UTC with milliseconds: "2026-11-23T16:24:56.000Z". */
void rfc3339_format(struct strbuf *b, int64_t unix_ms);
/* Date and time with "Z" or an offset, seconds with or without a fraction; or the date
   alone, which is its midnight in UTC. */
bool rfc3339_parse(struct str s, int64_t *unix_ms_out);

#endif
