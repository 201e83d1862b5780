/* imap_search_priv.h - the keys of a SEARCH program, between who parses them and who asks
 * a message about them.
 */
#ifndef IMAP_IMAP_SEARCH_PRIV_H
#define IMAP_IMAP_SEARCH_PRIV_H

#include "imap/imap_search.h"
#include "mail/search.h"

/* In this order: what parses and asks counts on that dates stand together, and so do the
   texts that are sought in a field. */
enum key_kind {
	KEY_ALL,
	KEY_FLAGS, /* all of `bits` are set */
	KEY_RECENT,
	KEY_SEQS,
	KEY_UIDS,
	KEY_LARGER,
	KEY_SMALLER,
	KEY_BEFORE, /* internal date, days */
	KEY_ON,
	KEY_SINCE,
	KEY_OLDER, /* internal date, seconds before now */
	KEY_YOUNGER,
	KEY_SENT_BEFORE,
	KEY_SENT_ON,
	KEY_SENT_SINCE,
	KEY_SUBJECT,
	KEY_FROM,
	KEY_TO,
	KEY_CC,
	KEY_HEADER,
	KEY_BODY,
	KEY_TEXT,
	KEY_LIST, /* all of `first` */
	KEY_OR,   /* first or second */
};

struct imap_key {
	enum key_kind kind;
	bool is_negated;
	struct imap_key *next; /* which must hold as well */
	struct imap_key *first, *second;
	uint64_t bits;
	int64_t number; /* day, seconds or bytes */
	struct imap_set set;
	struct str field;
	const struct search_key *text;
	/* a text's answer for one message, which may be asked in several turns */
	uint32_t known_uid;
	enum imap_truth known;
};

#endif
