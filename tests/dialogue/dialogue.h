/* dialogue.h - what a protocol core shows to the story runner (run.c).
 *
 * tests/dialogue/README.md describes the stories. A core is registered by its file under
 * the name of the folder its stories are in. The runner knows nothing of any protocol:
 * it feeds bytes, whole and byte by byte, and compares what comes back.
 */
#ifndef TESTS_DIALOGUE_DIALOGUE_H
#define TESTS_DIALOGUE_DIALOGUE_H

#include "base/addr.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum dialogue_next {
	DIALOGUE_READ,
	DIALOGUE_WAIT,     /* a question is out: answer() is called next */
	DIALOGUE_STARTTLS, /* the rest of the input is dropped, secured() is called */
	DIALOGUE_CLOSE,
};

struct dialogue_core {
	const char *name; /* "smtp" */
	/* A session with its world, before any byte. Lines about what happened (events,
	   what was stored) are appended to *log, each with its LF: "E:" looks for them. */
	void *(*open)(struct strbuf *log);
	/* A line "@key value" of the story, before the first byte; false: not known. */
	bool (*set)(void *core, struct str key, struct str value);
	/* Says what a server says first. */
	void (*greet)(void *core, struct strbuf *out);
	/* Feeds all that is unread. */
	enum dialogue_next (*input)(void *core, struct str in, size_t *used_out,
	                            struct strbuf *out);
	/* Answers the question that is out; unread bytes wait behind it. */
	enum dialogue_next (*answer)(void *core, size_t unread, struct strbuf *out);
	void (*secured)(void *core);
	/* Something from outside, a line "! word": a deadline, a shutdown, new mail.
	   False: not known. May be NULL. */
	bool (*happen)(void *core, struct str what, struct strbuf *out);
	/* Invariants, after each step. */
	void (*check)(void *core);
	void (*close)(void *core);
};

/* Called by a constructor of the core's file. */
void dialogue_register(const struct dialogue_core *core);

/* "*" in the pattern stands for any bytes, none included. */
bool dialogue_matches(struct str text, struct str pattern);
/* \r \n \t \0 \\ \xHH, and \{N,text} for N times text. False where it is none. */
bool dialogue_unescape(struct str s, struct strbuf *out);
/* Tells the story to a server (live.c); true where it went as told. */
bool dialogue_tell_live(const char *path, struct str text, const struct addr *to);

#endif
