#include "imap/imap_search.h"

#include "base/duration.h"
#include "base/panic.h"
#include "ext/charset.h"
#include "imap/imap_priv.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/prepare.h"
#include "mail/search.h"

enum {
	ZONE_NONE = 1440, /* message_head.date_zone of a date in Greenwich time */
	/* A prepared subject of this length may have been cut. */
	SUBJECT_SURE_MAX = PREPARE_FIELD_MAX - 8,
	KEYS_MAX = 5000,
	ADDRESSES_MAX = 1000, /* of one field */
	ADDRESS_BYTES_MAX = 2048,
	ADDRESSES_BUDGET = 1024 * 1024,
	KEY_COST_BYTES =
		512, /* what asking a text costs, whatever the message's length */
};

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

/* What stands behind the word. */
enum key_argument {
	ARG_NONE,
	ARG_DATE,
	ARG_NUMBER,
	ARG_TEXT,       /* in the field of the row */
	ARG_FIELD_TEXT, /* field name, text */
	ARG_KEYWORD,
	ARG_UIDS,
};

static const struct key_word {
	struct str word;
	enum key_kind kind;
	enum key_argument argument;
	bool is_negated;
	uint64_t bits;
	struct str field;
} key_words[] = {
	/* clang-format off */
	{ STR_INIT("ALL"),        KEY_ALL,         ARG_NONE, false, 0, STR_INIT("") },
	{ STR_INIT("ANSWERED"),   KEY_FLAGS,       ARG_NONE, false, FLAG_ANSWERED, STR_INIT("") },
	{ STR_INIT("DELETED"),    KEY_FLAGS,       ARG_NONE, false, FLAG_DELETED, STR_INIT("") },
	{ STR_INIT("DRAFT"),      KEY_FLAGS,       ARG_NONE, false, FLAG_DRAFT, STR_INIT("") },
	{ STR_INIT("FLAGGED"),    KEY_FLAGS,       ARG_NONE, false, FLAG_FLAGGED, STR_INIT("") },
	{ STR_INIT("SEEN"),       KEY_FLAGS,       ARG_NONE, false, FLAG_SEEN, STR_INIT("") },
	{ STR_INIT("UNANSWERED"), KEY_FLAGS,       ARG_NONE, true,  FLAG_ANSWERED, STR_INIT("") },
	{ STR_INIT("UNDELETED"),  KEY_FLAGS,       ARG_NONE, true,  FLAG_DELETED, STR_INIT("") },
	{ STR_INIT("UNDRAFT"),    KEY_FLAGS,       ARG_NONE, true,  FLAG_DRAFT, STR_INIT("") },
	{ STR_INIT("UNFLAGGED"),  KEY_FLAGS,       ARG_NONE, true,  FLAG_FLAGGED, STR_INIT("") },
	{ STR_INIT("UNSEEN"),     KEY_FLAGS,       ARG_NONE, true,  FLAG_SEEN, STR_INIT("") },
	{ STR_INIT("KEYWORD"),    KEY_FLAGS,       ARG_KEYWORD, false, 0, STR_INIT("") },
	{ STR_INIT("UNKEYWORD"),  KEY_FLAGS,       ARG_KEYWORD, true, 0, STR_INIT("") },
	{ STR_INIT("RECENT"),     KEY_RECENT,      ARG_NONE, false, 0, STR_INIT("") },
	{ STR_INIT("OLD"),        KEY_RECENT,      ARG_NONE, true, 0, STR_INIT("") },
	{ STR_INIT("UID"),        KEY_UIDS,        ARG_UIDS, false, 0, STR_INIT("") },
	{ STR_INIT("LARGER"),     KEY_LARGER,      ARG_NUMBER, false, 0, STR_INIT("") },
	{ STR_INIT("SMALLER"),    KEY_SMALLER,     ARG_NUMBER, false, 0, STR_INIT("") },
	{ STR_INIT("BEFORE"),     KEY_BEFORE,      ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("ON"),         KEY_ON,          ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("SINCE"),      KEY_SINCE,       ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("OLDER"),      KEY_OLDER,       ARG_NUMBER, false, 0, STR_INIT("") },
	{ STR_INIT("YOUNGER"),    KEY_YOUNGER,     ARG_NUMBER, false, 0, STR_INIT("") },
	{ STR_INIT("SENTBEFORE"), KEY_SENT_BEFORE, ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("SENTON"),     KEY_SENT_ON,     ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("SENTSINCE"),  KEY_SENT_SINCE,  ARG_DATE, false, 0, STR_INIT("") },
	{ STR_INIT("SUBJECT"),    KEY_SUBJECT,     ARG_TEXT, false, 0, STR_INIT("Subject") },
	{ STR_INIT("FROM"),       KEY_FROM,        ARG_TEXT, false, 0, STR_INIT("From") },
	{ STR_INIT("TO"),         KEY_TO,          ARG_TEXT, false, 0, STR_INIT("To") },
	{ STR_INIT("CC"),         KEY_CC,          ARG_TEXT, false, 0, STR_INIT("Cc") },
	{ STR_INIT("BCC"),        KEY_HEADER,      ARG_TEXT, false, 0, STR_INIT("Bcc") },
	{ STR_INIT("HEADER"),     KEY_HEADER,      ARG_FIELD_TEXT, false, 0, STR_INIT("") },
	{ STR_INIT("BODY"),       KEY_BODY,        ARG_TEXT, false, 0, STR_INIT("") },
	{ STR_INIT("TEXT"),       KEY_TEXT,        ARG_TEXT, false, 0, STR_INIT("") },
	/* clang-format on */
};

/* --- parsing */

struct parse {
	const struct imap_session *s;
	struct imap_args *args;
	struct imap_program *program;
	unsigned depth; /* of what is not repeated in a loop */
};

static bool take_list(struct parse *p, bool is_top, struct imap_key **first_out);

static struct imap_key *
new_key(struct parse *p, enum key_kind kind)
{
	struct imap_key *key = NULL;

	if (p->program->keys_n++ < KEYS_MAX)
		key = arena_try(p->args->arena, sizeof(*key));
	if (!key)
		(void)imap_args_fail(p->args, "Search program too large");
	else
		key->kind = kind;
	return key;
}

static bool
take_text(struct parse *p, struct imap_key *key)
{
	struct str text;
	enum err e;

	if (!imap_args_astring(p->args, &text))
		return false;
	e = search_key_new(text, p->program->charset, p->args->arena, &key->text);
	if (e == OK) {
		/* An empty text asks the header: is there such a field? */
		if (key->kind >= KEY_SUBJECT && key->kind <= KEY_CC && text.n == 0)
			key->kind = KEY_HEADER;
		p->program->levels |= 1U << LEVEL_BODY;
		if (key->kind >= KEY_SUBJECT && key->kind <= KEY_CC)
			p->program->levels |= 1U << LEVEL_FIELDS;
		return true;
	}
	if (e == ERR_CHARSET)
		p->program->error = ERR_CHARSET;
	return imap_args_fail(p->args, "Search text too long");
}

static bool
take_uids(struct parse *p, struct imap_key *key)
{
	if (!imap_args_set(p->args, &key->set))
		return false;
	imap_set_resolve(&key->set, imap_view_last(&p->s->view));
	return true;
}

static bool
take_argument(struct parse *p, const struct key_word *word, struct imap_key *key)
{
	struct imap_args *args = p->args;
	struct str keyword;
	int64_t day;
	uint64_t number;

	key->bits = word->bits;
	key->field = word->field;
	if (word->kind >= KEY_SENT_BEFORE && word->kind <= KEY_SENT_SINCE)
		p->program->levels |= 1U << LEVEL_FIELDS;
	if (word->argument != ARG_NONE && !imap_args_space(args))
		return false;
	switch (word->argument) {
	case ARG_NONE:
		return true;
	case ARG_DATE:
		if (!imap_args_date(args, &day))
			return false;
		key->number = day;
		return true;
	case ARG_NUMBER:
		if (!imap_args_u64(args, &number))
			return false;
		key->number =
			number > INT64_MAX / 1000 ? INT64_MAX / 1000 : (int64_t)number;
		return true;
	case ARG_KEYWORD:
		if (!imap_args_atom(args, &keyword))
			return false;
		key->bits = imap_keyword_bit(p->s, keyword);
		/* A keyword that nothing has. */
		if (key->bits == 0)
			key->kind = KEY_UIDS;
		return true;
	case ARG_UIDS:
		return take_uids(p, key);
	case ARG_FIELD_TEXT:
		if (!imap_args_astring(args, &key->field) || !imap_args_space(args))
			return false;
		return take_text(p, key);
	case ARG_TEXT:
		return take_text(p, key);
	}
	PANIC("no such argument");
}

static bool
take_word_key(struct parse *p, struct imap_key *key)
{
	struct str word;

	if (!imap_args_atom(p->args, &word))
		return false;
	/* The only one that is two. */
	if (str_eq_icase(word, STR("NEW"))) {
		struct imap_key *unseen = new_key(p, KEY_FLAGS);

		key->kind = KEY_LIST;
		key->first = new_key(p, KEY_RECENT);
		if (!unseen || !key->first)
			return false;
		unseen->bits = FLAG_SEEN;
		unseen->is_negated = true;
		key->first->next = unseen;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(key_words); i++) {
		if (!str_eq_icase(key_words[i].word, word))
			continue;
		key->kind = key_words[i].kind;
		key->is_negated ^= key_words[i].is_negated;
		return take_argument(p, &key_words[i], key);
	}
	return imap_args_fail(p->args, "Unknown search key");
}

static bool
take_seqs(struct parse *p, struct imap_key *key)
{
	key->kind = KEY_SEQS;
	if (!imap_args_set(p->args, &key->set))
		return false;
	imap_set_resolve(&key->set, p->s->view.count);
	return true;
}

static bool
take_parentheses(struct parse *p, struct imap_key *key)
{
	key->kind = KEY_LIST;
	return imap_args_open(p->args) && take_list(p, false, &key->first) &&
	       imap_args_close(p->args);
}

static bool take_key(struct parse *p, struct imap_key **key_out);

/* "OR a b": a by recursion, which is bounded; b by whoever called, in a loop, since
   clients write long chains of them. */
static bool
take_first_of_or(struct parse *p, struct imap_key *key)
{
	key->kind = KEY_OR;
	if (++p->depth > IMAP_DEPTH_MAX)
		return imap_args_fail(p->args, "Search keys nested too deeply");
	if (!imap_args_space(p->args) || !take_key(p, &key->first) ||
	    !imap_args_space(p->args))
		return false;
	p->depth--;
	return true;
}

static bool
take_key(struct parse *p, struct imap_key **key_out)
{
	struct imap_args *args = p->args;
	struct imap_key **at = key_out;

	for (;;) {
		struct imap_key *key = new_key(p, KEY_ALL);

		if (!key)
			return false;
		*at = key;
		while (str_skip_icase(&args->rest, STR("NOT ")))
			key->is_negated = !key->is_negated;
		if (str_starts_icase(args->rest, STR("OR "))) {
			args->rest = str_from_offset(args->rest, 2);
			if (!take_first_of_or(p, key))
				return false;
			at = &key->second;
			continue;
		}
		if (imap_args_at(args, '('))
			return take_parentheses(p, key);
		if (imap_args_at(args, '*') ||
		    (args->rest.n > 0 && byte_is_digit(args->rest.p[0])))
			return take_seqs(p, key);
		return take_word_key(p, key);
	}
}

/* A set that must hold in any case says which messages need be looked at at all. */
static bool
limit_by(struct parse *p, const struct imap_key *key)
{
	struct imap_program *program = p->program;
	const struct imap_view *view = &p->s->view;

	if (program->has_set || key->is_negated || key->kind < KEY_SEQS ||
	    key->kind > KEY_UIDS)
		return true;
	program->has_set = true;
	if (key->kind == KEY_SEQS ? imap_view_uids_of_seqs(view, &key->set,
	                                                   p->args->arena, &program->set)
	                          : imap_view_uids_of_uids(view, &key->set,
	                                                   p->args->arena, &program->set))
		return true;
	return imap_args_fail(p->args, "Search program too large");
}

static bool
take_list(struct parse *p, bool is_top, struct imap_key **first_out)
{
	struct imap_key **at = first_out;

	do {
		if (!take_key(p, at) || (is_top && !limit_by(p, *at)))
			return false;
		at = &(*at)->next;
	} while (str_skip_byte(&p->args->rest, ' '));
	return true;
}

bool
imap_program_parse(const struct imap_session *s, struct imap_args *args,
                   struct str charset, struct imap_program *program_out)
{
	struct parse p = { s, args, program_out, 0 };

	*program_out = (struct imap_program){ .charset = charset,
		                              .now_ms = s->ops->now_ms(s->ops_arg) };
	if (charset.n > 0 && !charset_find(charset)) {
		program_out->error = ERR_CHARSET;
		return imap_args_fail(args, "Unknown charset");
	}
	return take_list(&p, true, &program_out->keys) && imap_args_end(args);
}

/* --- asking */

struct ask {
	struct imap_session *s;
	const struct imap_program *program;
	enum imap_level level;
	const struct imap_row *row;
};

static int64_t
day_of(int64_t ms)
{
	return ms / DAY_MS - (ms % DAY_MS < 0);
}

static bool
holds_for_day(enum key_kind before, enum key_kind kind, int64_t day, int64_t wanted)
{
	if (kind == before)
		return day < wanted;
	return kind == before + 1 ? day == wanted : day >= wanted;
}

/* The day is the one that the sender wrote, in his zone (RFC 3501 6.4.4). */
static enum imap_truth
ask_sent(const struct ask *a, const struct imap_key *key)
{
	const struct message_head *head = a->row->head;
	int64_t zone_ms;

	if (a->level < LEVEL_FIELDS || !head)
		return TRUTH_UNKNOWN;
	if (head->date_zone == 0)
		return TRUTH_NO;
	zone_ms = ((int64_t)head->date_zone - ZONE_NONE) * MINUTE_MS;
	return holds_for_day(KEY_SENT_BEFORE, key->kind, day_of(head->date_ms + zone_ms),
	                     key->number);
}

static enum imap_truth
ask_subject(const struct ask *a, const struct imap_key *key)
{
	const struct message_head *head = a->row->head;

	if (a->level < LEVEL_FIELDS || !head || head->subject.n >= SUBJECT_SURE_MAX)
		return TRUTH_UNKNOWN;
	return search_text(head->subject, key->text);
}

/* One field's addresses, each as local@domain. */
static bool
has_address(struct str value, const struct search_key *key, struct arena *arena)
{
	struct address_list list;

	address_list_parse(value, ADDRESSES_MAX, arena, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct list_entry *e = &list.entries[i];
		struct strbuf text = strbuf_arena(arena, ADDRESS_BYTES_MAX);

		strbuf_add(&text, e->local);
		strbuf_byte(&text, '@');
		strbuf_add(&text, e->domain);
		if (!text.overflow && search_text(strbuf_str(&text), key))
			return true;
	}
	return false;
}

/* Comments and quotes may stand in the middle of an address as it is written. */
static bool
search_addresses(struct str message, const struct imap_key *key)
{
	struct str rest = message;
	struct header_field field;
	bool found = false;

	while (!found && header_next(&rest, &field)) {
		struct arena *arena;

		if (!str_eq_icase(field.name, key->field) ||
		    (str_find(field.value, '(') == SIZE_MAX &&
		     str_find(field.value, '"') == SIZE_MAX))
			continue;
		arena = arena_new(ADDRESSES_BUDGET);
		found = has_address(field.value, key->text, arena);
		arena_free(&arena);
	}
	return found;
}

static enum imap_truth
ask_address(const struct ask *a, const struct imap_key *key)
{
	const struct message_head *head = a->row->head;
	struct str text;

	if (a->level < LEVEL_FIELDS || !head)
		return TRUTH_UNKNOWN;
	text = key->kind == KEY_FROM ? head->from
	       : key->kind == KEY_TO ? head->to
	                             : head->cc;
	return search_text(text, key->text) ? TRUTH_YES : TRUTH_UNKNOWN;
}

static enum search_scope
scope_of(const struct imap_key *key)
{
	return key->kind == KEY_BODY ? SEARCH_BODY : SEARCH_TEXT;
}

/* A slice at a time; one search is under way in a session, and the keys before it know
   their answers. */
static enum imap_truth
ask_large(const struct ask *a, struct imap_key *key)
{
	struct imap_session *s = a->s;
	bool is_found;

	if (s->search_body != a->row->body.p || s->search_key != key)
		search_free(&s->search); /* that message is gone */
	if (!s->search)
		s->search = search_new(a->row->body, key->text, scope_of(key));
	s->search_body = a->row->body.p;
	s->search_key = key;
	s->search_looked += SEARCH_SLICE_BYTES;
	if (!search_step(s->search, &is_found))
		return TRUTH_LATER;
	search_free(&s->search);
	key->known_uid = a->row->entry.uid;
	key->known = is_found ? TRUTH_YES : TRUTH_NO;
	return key->known;
}

/* What a header says; its whole length is looked at. */
static enum imap_truth
ask_header(const struct ask *a, const struct imap_key *key)
{
	struct str message = a->row->body;
	bool is_address = key->kind >= KEY_FROM && key->kind <= KEY_CC;

	a->s->search_looked += KEY_COST_BYTES + header_size(message);
	return search_header(message, key->field, key->text) ||
	       (is_address && search_addresses(message, key));
}

/* The same of all of a small message. */
static enum imap_truth
ask_small(const struct ask *a, const struct imap_key *key)
{
	struct str message = a->row->body;

	a->s->search_looked += KEY_COST_BYTES + message.n;
	return search_message(message, key->text, scope_of(key));
}

/* What a key finds in the bytes of a message. A program may ask more of them than one
   turn has time for: each answer is kept for the turns that follow, or they would begin
   anew for ever. */
static enum imap_truth
ask_body(const struct ask *a, struct imap_key *key)
{
	struct str message = a->row->body;
	bool is_header = key->kind <= KEY_HEADER;

	if (!message.p)
		return TRUTH_NO;
	if (key->known_uid == a->row->entry.uid)
		return key->known;
	if (a->s->search_looked >= SEARCH_SLICE_BYTES)
		return TRUTH_LATER;
	if (!is_header && message.n > IMAP_SEARCH_WHOLE)
		return ask_large(a, key);
	key->known = is_header ? ask_header(a, key) : ask_small(a, key);
	key->known_uid = a->row->entry.uid;
	return key->known;
}

static enum imap_truth
ask_plain(const struct ask *a, struct imap_key *key)
{
	const struct entry *e = &a->row->entry;

	if (key->text && a->level == LEVEL_BODY)
		return ask_body(a, key);
	switch (key->kind) {
	case KEY_ALL:
		return true;
	case KEY_FLAGS:
		return (e->flags & key->bits) == key->bits;
	case KEY_RECENT:
		return imap_is_recent(a->s, e->uid);
	case KEY_SEQS:
		return imap_set_has(&key->set, imap_view_seq(&a->s->view, e->uid));
	case KEY_UIDS:
		return imap_set_has(&key->set, e->uid);
	case KEY_LARGER:
		return (int64_t)e->size > key->number;
	case KEY_SMALLER:
		return (int64_t)e->size < key->number;
	case KEY_BEFORE:
	case KEY_ON:
	case KEY_SINCE:
		return holds_for_day(KEY_BEFORE, key->kind, day_of(e->internal_date_ms),
		                     key->number);
	case KEY_OLDER:
		return e->internal_date_ms <= a->program->now_ms - key->number * 1000;
	case KEY_YOUNGER:
		return e->internal_date_ms >= a->program->now_ms - key->number * 1000;
	case KEY_SENT_BEFORE:
	case KEY_SENT_ON:
	case KEY_SENT_SINCE:
		return ask_sent(a, key);
	case KEY_SUBJECT:
		return ask_subject(a, key);
	case KEY_FROM:
	case KEY_TO:
	case KEY_CC:
		return ask_address(a, key);
	default:
		return TRUTH_UNKNOWN;
	}
}

static enum imap_truth
negated(enum imap_truth t)
{
	if (t == TRUTH_UNKNOWN || t == TRUTH_LATER)
		return t;
	return t == TRUTH_YES ? TRUTH_NO : TRUTH_YES;
}

static enum imap_truth ask_all(const struct ask *a, struct imap_key *keys);

/* ORs are followed down their right side in a loop; is_negated counts the NOTs on the
   way. An unknown left side leaves the whole unknown: the next level asks again. */
static enum imap_truth
ask_key(const struct ask *a, struct imap_key *key)
{
	bool is_negated = false;
	enum imap_truth t = TRUTH_NO;

	for (; key->kind == KEY_OR; key = key->second) {
		is_negated ^= key->is_negated;
		t = ask_key(a, key->first);
		if (t != TRUTH_NO)
			return is_negated ? negated(t) : t;
	}
	is_negated ^= key->is_negated;
	t = key->kind == KEY_LIST ? ask_all(a, key->first) : ask_plain(a, key);
	return is_negated ? negated(t) : t;
}

static enum imap_truth
ask_all(const struct ask *a, struct imap_key *keys)
{
	enum imap_truth product = TRUTH_YES;

	for (; keys; keys = keys->next) {
		enum imap_truth t = ask_key(a, keys);

		if (t == TRUTH_NO || t == TRUTH_LATER)
			return t;
		if (t == TRUTH_UNKNOWN)
			product = TRUTH_UNKNOWN;
	}
	return product;
}

enum imap_truth
imap_program_ask(struct imap_session *s, const struct imap_program *program,
                 enum imap_level level, const struct imap_row *row)
{
	struct ask a = { s, program, level, row };

	s->search_looked = 0;
	return ask_all(&a, program->keys);
}
