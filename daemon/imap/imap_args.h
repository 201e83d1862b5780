/* imap_args.h - the arguments of one command, taken one by one (RFC 3501 9).
 *
 * A command's bytes stand as they came: lines with their CRLF, literals inside. What is
 * taken is borrowed from them, or from the arena where a quoted string had to be
 * unescaped. Nothing here looks further than the command's last byte.
 *
 * Every function takes its argument off the start of `rest` and says true, or says false
 * and leaves in `error` words about the first thing that was wrong.
 */
#ifndef IMAP_IMAP_ARGS_H
#define IMAP_IMAP_ARGS_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "imap/imap_ops.h"
#include "imap/imap_set.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	IMAP_DEPTH_MAX = 32, /* of parentheses */
};

struct imap_args {
	struct str rest;
	struct arena *arena;
	const char *error; /* NULL: nothing was wrong so far */
	unsigned depth;
};

struct imap_args imap_args_make(struct str rest, struct arena *a);
/* error = words, unless there are some; always false. */
bool imap_args_fail(struct imap_args *a, const char *words);

/* --- looking without taking */
bool imap_args_at(const struct imap_args *a, char c);
bool imap_args_at_end(const struct imap_args *a);

/* --- taking */
MUSTUSE bool imap_args_space(struct imap_args *a);
MUSTUSE bool imap_args_end(struct imap_args *a);
/* Parentheses, counted. */
MUSTUSE bool imap_args_open(struct imap_args *a);
MUSTUSE bool imap_args_close(struct imap_args *a);
MUSTUSE bool imap_args_atom(struct imap_args *a, struct str *atom_out);
/* Atom, quoted or literal. */
MUSTUSE bool imap_args_astring(struct imap_args *a, struct str *s_out);
/* Quoted or literal. */
MUSTUSE bool imap_args_string(struct imap_args *a, struct str *s_out);
/* string or NIL (an empty s_out with p == NULL). */
MUSTUSE bool imap_args_nstring(struct imap_args *a, struct str *s_out);
MUSTUSE bool imap_args_u32(struct imap_args *a, uint32_t *n_out);
MUSTUSE bool imap_args_u64(struct imap_args *a, uint64_t *n_out);
MUSTUSE bool imap_args_set(struct imap_args *a, struct imap_set *set_out);
/* A mailbox name, decoded to UTF-8 in the arena, INBOX made canonical, and a trailing
   separator removed. A name that cannot exist is no syntax error: then *name_error_out
   says ERR_INVALID and the name is empty. */
MUSTUSE bool imap_args_mailbox(struct imap_args *a, struct str *name_out,
                               enum err *name_error_out);
/* As LIST takes its reference and patterns: the bytes as they are, wildcards allowed. */
MUSTUSE bool imap_args_list_mailbox(struct imap_args *a, struct str *pattern_out);
/* "(\Seen word)"; is_bare: the parentheses may be missing (STORE). Unknown \Flags are an
   error, \Recent is left out; keywords without doubles. */
MUSTUSE bool imap_args_flags(struct imap_args *a, bool is_bare,
                             struct imap_flags *flags_out);
/* "1-Feb-1994", quoted or not: days since 1970. */
MUSTUSE bool imap_args_date(struct imap_args *a, int64_t *day_out);
/* "\" 1-Feb-1994 12:00:00 +0100\"": Unix time. */
MUSTUSE bool imap_args_date_time(struct imap_args *a, int64_t *ms_out);

/* Appends a quoted string where the bytes allow it, else a literal. */
void imap_string_format(struct strbuf *out, struct str s);
/* " 1-Feb-1994 12:00:00 +0000" with its quotes. */
void imap_date_time_format(struct strbuf *out, int64_t ms);
/* UTF-8 name as a quoted string in modified UTF-7. */
void imap_mailbox_format(struct strbuf *out, struct str name);

#endif
