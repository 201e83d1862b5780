/* message.h - test messages are written with "\n" and get CRLF line ends here. */
#ifndef TESTS_UNIT_MAIL_MESSAGE_H
#define TESTS_UNIT_MAIL_MESSAGE_H

#include "base/arena.h"
#include "base/strbuf.h"

static inline struct str
message_from(struct arena *a, const char *text)
{
	struct strbuf b = strbuf_arena(a, 1024 * 1024);

	for (; *text; text++) {
		if (*text == '\n')
			strbuf_byte(&b, '\r');
		strbuf_byte(&b, *text);
	}
	return strbuf_str(&b);
}

#endif
