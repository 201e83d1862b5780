/* imap_search.h - a SEARCH program: parsed once, asked about each message.
 *
 * Keys differ in what they must read. A program is therefore asked in levels: first with
 * the entry alone (flags, dates, size, numbers), then with the prepared fields, last with
 * the whole message; what one level could decide is not read for the next.
 * Follows: RFC 3501 6.4.4, RFC 5032 (OLDER, YOUNGER).
 */
#ifndef IMAP_IMAP_SEARCH_H
#define IMAP_IMAP_SEARCH_H

#include "base/macros.h"
#include "imap/imap_args.h"
#include "imap/imap_ops.h"

struct imap_session;
struct imap_key;

enum imap_level { LEVEL_ENTRY, LEVEL_FIELDS, LEVEL_BODY, LEVEL_COUNT };

enum imap_truth {
	TRUTH_NO,
	TRUTH_YES,
	TRUTH_UNKNOWN, /* at this level */
	TRUTH_LATER, /* there is much to read: ask again about this row in another turn */
};

enum {
	IMAP_SEARCH_WHOLE = 1024 * 1024, /* messages above are searched in turns */
};

struct imap_program {
	struct imap_key *keys; /* all must hold */
	uint32_t keys_n;       /* how many there are: what one message costs */
	unsigned levels;       /* bits 1 << LEVEL_…: where keys are decided */
	bool has_set;          /* `set` limits what must be looked at */
	struct imap_set set;   /* UIDs */
	int64_t now_ms;
	struct str charset;
	enum err error; /* ERR_CHARSET where a text cannot be converted */
};

/* Takes keys up to the end of the arguments. charset may be empty. False: args->error, or
   program_out->error, says why not. */
MUSTUSE bool imap_program_parse(const struct imap_session *s, struct imap_args *args,
                                struct str charset, struct imap_program *program_out);
/* row->head has the prepared fields from LEVEL_FIELDS on, row->body is there from
   LEVEL_BODY on; there nothing stays unknown, but may be TRUTH_LATER where the message is
   large or the texts are many: its body, a large one at the same address, must be given
   again. One call looks at two slices of SEARCH_SLICE_BYTES at the most, or at one and a
   whole header where that is longer. */
enum imap_truth imap_program_ask(struct imap_session *s,
                                 const struct imap_program *program,
                                 enum imap_level level, const struct imap_row *row);

#endif
