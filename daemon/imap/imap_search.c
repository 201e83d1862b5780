/* imap_search.c - a message is asked about a SEARCH program. */
#include "imap/imap_search.h"

#include "base/duration.h"
#include "imap/imap_priv.h"
#include "imap/imap_search_priv.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/prepare.h"

enum {
	ZONE_NONE = 1440, /* message_head.date_zone of a date in Greenwich time */
	/* A prepared subject of this length may have been cut. */
	SUBJECT_SURE_MAX = PREPARE_FIELD_MAX - 8,
	ADDRESSES_MAX = 1000, /* of one field */
	ADDRESS_BYTES_MAX = 2048,
	ADDRESSES_BUDGET = 1024 * 1024,
	KEY_COST_BYTES =
		512, /* what asking a text costs, whatever the message's length */
};

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
