/* imap_search_parse.c - the words of a SEARCH command become a program.
 *
 * Its size is bounded by KEYS_MAX. Clients write long chains of ORs: only what is nested
 * otherwise costs a call in a call, and that is bounded too.
 */
#include "ext/charset.h"
#include "imap/imap_priv.h"
#include "imap/imap_search_priv.h"

#include "base/panic.h"

enum {
	KEYS_MAX = 5000,
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
