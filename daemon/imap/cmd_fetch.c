/* cmd_fetch.c - FETCH (RFC 3501 6.4.5).
 *
 * Rows are read in slices: a slice ends when the output is full, and the next one begins
 * behind its last row. What was prepared when the message came in is copied as it is. A
 * literal that is too large to be made at once interrupts its row: its bytes are pulled
 * piece by piece as the client takes them, then the row is read again and goes on with
 * the item behind. So does a row of many items: each may be as large as the output has
 * room for, and take its time to be looked for. \Seen is set at the end, for the messages
 * that did not have it, and told with their new flags.
 */
#include "imap/imap_priv.h"
#include "imap/imap_section.h"

#include "base/panic.h"

enum {
	ITEMS_MAX = 128,
	INLINE_MAX = 256 * 1024,      /* a literal that is made at once */
	PIECE_BYTES = 64 * 1024,      /* of one that is not */
	LOOK_BYTES = 4 * 1024 * 1024, /* of headers, for each name, in one turn */
};

enum item_kind {
	ITEM_UID,
	ITEM_FLAGS,
	ITEM_DATE,
	ITEM_SIZE,
	ITEM_ENVELOPE,
	ITEM_BODY,
	ITEM_STRUCTURE,
	ITEM_SECTION, /* BODY[…] and the RFC822 items */
};

struct item {
	enum item_kind kind;
	struct str label; /* "ENVELOPE ", "BODY[1]<0> " */
	struct imap_section section;
};

enum fetch_step {
	FETCH_ROWS,  /* rows are asked for */
	FETCH_PIECE, /* bytes of the interrupted row are */
	FETCH_SEEN,  /* \Seen is being set */
};

struct fetch {
	struct item items[ITEMS_MAX];
	size_t items_n;
	unsigned want;
	bool sets_seen, is_unreadable;
	bool is_row_unreadable; /* something of this message could not be given */
	bool is_stopped;        /* this read was: there may be more rows */
	enum fetch_step step;
	struct imap_set uids; /* what is left to read */
	uint64_t missing;     /* rows that were asked for and have not come */
	size_t looked;        /* bytes of headers, in this turn */
	struct imap_set_builder unseen;
	struct imap_box box;
	/* an interrupted row */
	uint32_t cut_uid; /* 0: none */
	size_t cut_item;  /* the item to go on with */
	uint64_t piece_at, piece_left;
	uint64_t piece_end; /* piece_left when the question is answered */
};

static const struct str none;

/* --- arguments */

static const struct item_word {
	struct str word;
	enum item_kind kind;
	unsigned want;
} item_words[] = {
	/* clang-format off */
	{ STR_INIT("UID"),           ITEM_UID,       0 },
	{ STR_INIT("FLAGS"),         ITEM_FLAGS,     0 },
	{ STR_INIT("INTERNALDATE"),  ITEM_DATE,      0 },
	{ STR_INIT("RFC822.SIZE"),   ITEM_SIZE,      0 },
	{ STR_INIT("ENVELOPE"),      ITEM_ENVELOPE,  IMAP_WANT_ENVELOPE },
	{ STR_INIT("BODYSTRUCTURE"), ITEM_STRUCTURE, IMAP_WANT_STRUCTURE },
	{ STR_INIT("BODY"),          ITEM_BODY,      IMAP_WANT_BODY_FORM },
	/* clang-format on */
};

/* The old names of sections. */
static const struct old_item {
	struct str word;
	enum section_kind kind;
	bool sets_seen;
} old_items[] = {
	/* clang-format off */
	{ STR_INIT("RFC822"),        SECTION_BODY,   true },
	{ STR_INIT("RFC822.HEADER"), SECTION_HEADER, false },
	{ STR_INIT("RFC822.TEXT"),   SECTION_TEXT,   true },
	/* clang-format on */
};

static const struct macro {
	struct str word;
	struct str items;
} macros[] = {
	/* clang-format off */
	{ STR_INIT("ALL"),  STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)") },
	{ STR_INIT("FAST"), STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE)") },
	{ STR_INIT("FULL"), STR_INIT("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)") },
	/* clang-format on */
};

static struct str
take_item_word(struct imap_args *args)
{
	struct str rest = args->rest, word;
	size_t n = 0;

	while (n < rest.n && (byte_is_alnum(rest.p[n]) || rest.p[n] == '.'))
		n++;
	word = str_first(rest, n);
	args->rest = str_from_offset(rest, n);
	return word;
}

static struct item *
new_item(struct imap_args *args, struct fetch *fetch, enum item_kind kind)
{
	if (fetch->items_n == ITEMS_MAX) {
		(void)imap_args_fail(args, "Too many items");
		return NULL;
	}
	fetch->items[fetch->items_n].kind = kind;
	return &fetch->items[fetch->items_n++];
}

static void
want_section(struct fetch *fetch, const struct imap_section *section)
{
	fetch->want |= IMAP_WANT_BODY;
	if (section->depth > 0 || section->kind != SECTION_BODY)
		fetch->want |= IMAP_WANT_PARTS;
}

static bool
take_section(struct imap_args *args, struct fetch *fetch, bool is_peek)
{
	struct item *item = new_item(args, fetch, ITEM_SECTION);
	struct strbuf label = strbuf_arena(args->arena, args->rest.n + 64);

	if (!item || !imap_section_parse(args, &item->section))
		return false;
	strbuf_lit(&label, "BODY");
	imap_section_format(&item->section, &label);
	strbuf_byte(&label, ' ');
	if (label.overflow)
		return imap_args_fail(args, "Command too large");
	item->label = strbuf_str(&label);
	want_section(fetch, &item->section);
	fetch->sets_seen |= !is_peek;
	return true;
}

static struct str
labelled(struct imap_args *args, struct str word)
{
	struct strbuf label = strbuf_arena(args->arena, word.n + 1);

	strbuf_add(&label, word);
	strbuf_byte(&label, ' ');
	return strbuf_str(&label);
}

static bool
take_plain_item(struct imap_args *args, struct fetch *fetch, struct str word)
{
	struct item *item;

	for (size_t i = 0; i < ARRAY_LEN(item_words); i++) {
		if (!str_eq_icase(item_words[i].word, word))
			continue;
		item = new_item(args, fetch, item_words[i].kind);
		if (item)
			item->label = labelled(args, item_words[i].word);
		fetch->want |= item_words[i].want;
		return item != NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(old_items); i++) {
		if (!str_eq_icase(old_items[i].word, word))
			continue;
		item = new_item(args, fetch, ITEM_SECTION);
		if (!item)
			return false;
		item->label = labelled(args, old_items[i].word);
		item->section.kind = old_items[i].kind;
		want_section(fetch, &item->section);
		fetch->sets_seen |= old_items[i].sets_seen;
		return true;
	}
	return imap_args_fail(args, "Unknown FETCH item");
}

static bool
take_item(struct imap_args *args, struct fetch *fetch)
{
	struct str word = take_item_word(args);

	if (imap_args_at(args, '[')) {
		if (str_eq_icase(word, STR("BODY.PEEK")))
			return take_section(args, fetch, true);
		if (str_eq_icase(word, STR("BODY")))
			return take_section(args, fetch, false);
	}
	return take_plain_item(args, fetch, word);
}

static bool
take_list(struct imap_args *args, struct fetch *fetch)
{
	if (!imap_args_open(args))
		return false;
	do {
		if (!take_item(args, fetch))
			return false;
	} while (str_skip_byte(&args->rest, ' '));
	return imap_args_close(args);
}

static bool
take_items(struct imap_args *args, struct fetch *fetch)
{
	if (imap_args_at(args, '('))
		return take_list(args, fetch);
	for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
		struct imap_args items = imap_args_make(macros[i].items, args->arena);

		if (!str_eq_icase(args->rest, macros[i].word))
			continue;
		args->rest = none;
		return take_list(&items, fetch);
	}
	return take_item(args, fetch);
}

static bool
has_item(const struct fetch *fetch, enum item_kind kind)
{
	for (size_t i = 0; i < fetch->items_n; i++) {
		if (fetch->items[i].kind == kind)
			return true;
	}
	return false;
}

static enum imap_step
ask_rows(struct imap_session *s, struct fetch *fetch)
{
	fetch->step = FETCH_ROWS;
	fetch->is_stopped = false;
	fetch->looked = 0;
	s->ops->rows(s->ops_arg, fetch->uids.ranges, fetch->uids.n, fetch->want);
	return STEP_WAIT;
}

/* FETCH set items                                                  RFC 3501 6.4.5 */
IMAP_START(imap_cmd_fetch)
{
	struct fetch *fetch = ARENA_NEW(s->arena, struct fetch);

	(void)out;
	if (!imap_args_space(args) ||
	    !imap_take_messages(s, args, s->is_uid, &fetch->uids) ||
	    !imap_args_space(args) || !take_items(args, fetch) || !imap_args_end(args))
		return imap_bad_args(s, args);
	/* UID FETCH answers with UIDs, asked or not (RFC 3501 6.4.8). */
	if (s->is_uid && !has_item(fetch, ITEM_UID)) {
		struct item *item = new_item(args, fetch, ITEM_UID);

		if (!item)
			return imap_bad_args(s, args);
		item->label = STR("UID ");
	}
	fetch->sets_seen = fetch->sets_seen && !s->is_readonly;
	fetch->missing = imap_set_count(&fetch->uids);
	imap_set_builder_init(&fetch->unseen, s->arena);
	if (fetch->uids.n == 0)
		return imap_ok(s, none, none);
	s->job = fetch;
	return ask_rows(s, fetch);
}

/* --- rows */

static void
begin_literal(struct strbuf *out, uint64_t n)
{
	strbuf_byte(out, '{');
	strbuf_u64(out, n);
	strbuf_lit(out, "}\r\n");
}

/* False: only its length is written; its bytes come in pieces. */
static bool
write_section(struct imap_session *s, struct fetch *fetch, const struct item *item,
              const struct imap_row *row, struct strbuf *out)
{
	struct str bytes, parts = row->head ? row->head->parts : none;
	size_t looked;
	bool is_there;

	if (!row->body.p) {
		fetch->is_unreadable = fetch->is_row_unreadable = true;
		strbuf_lit(out, "NIL");
		return true;
	}
	is_there = imap_section_find(&item->section, row->body, parts, &s->scratch,
	                             &bytes, &looked);
	fetch->looked += looked;
	if (!is_there) {
		strbuf_lit(out, "NIL");
		return true;
	}
	if (s->scratch.overflow) {
		fetch->is_unreadable = fetch->is_row_unreadable = true;
		strbuf_lit(out, "NIL");
		return true;
	}
	if (bytes.n <= INLINE_MAX || item->section.fields != FIELDS_ALL) {
		begin_literal(out, bytes.n);
		strbuf_add(out, bytes);
		return true;
	}
	begin_literal(out, bytes.n);
	fetch->piece_at = (uint64_t)(bytes.p - row->body.p);
	fetch->piece_left = bytes.n;
	return false;
}

static bool
write_item(struct imap_session *s, struct fetch *fetch, const struct item *item,
           const struct imap_row *row, struct strbuf *out)
{
	const struct entry *e = &row->entry;

	strbuf_add(out, item->label);
	switch (item->kind) {
	case ITEM_UID:
		strbuf_u64(out, e->uid);
		return true;
	case ITEM_FLAGS:
		imap_reply_flags(s, e->flags, imap_is_recent(s, e->uid), out);
		return true;
	case ITEM_DATE:
		imap_date_time_format(out, e->internal_date_ms);
		return true;
	case ITEM_SIZE:
		strbuf_u64(out, e->size);
		return true;
	case ITEM_ENVELOPE:
		strbuf_add(out, row->head->envelope);
		return true;
	case ITEM_BODY:
		strbuf_add(out, row->head->body);
		return true;
	case ITEM_STRUCTURE:
		strbuf_add(out, row->head->bodystructure);
		return true;
	case ITEM_SECTION:
		return write_section(s, fetch, item, row, out);
	}
	PANIC("no such item");
}

static void
end_row(struct fetch *fetch, const struct entry *e, struct strbuf *out)
{
	strbuf_lit(out, ")\r\n");
	fetch->cut_uid = 0;
	/* Nobody has seen what could not be read. */
	if (fetch->sets_seen && !fetch->is_row_unreadable && !(e->flags & FLAG_SEEN) &&
	    !imap_set_builder_add(&fetch->unseen, e->uid, e->uid))
		fetch->sets_seen = false; /* far more than anybody reads at once */
}

static void
write_new_flags(struct imap_session *s, const struct entry *e, struct strbuf *out)
{
	strbuf_lit(out, "* ");
	strbuf_u64(out, imap_view_seq(&s->view, e->uid));
	strbuf_lit(out, " FETCH (FLAGS ");
	imap_reply_flags(s, e->flags, imap_is_recent(s, e->uid), out);
	if (s->is_uid) {
		strbuf_lit(out, " UID ");
		strbuf_u64(out, e->uid);
	}
	strbuf_lit(out, ")\r\n");
}

/* A row that was interrupted and is gone now ends where it was. */
static void
end_cut_row(struct fetch *fetch, struct strbuf *out)
{
	if (fetch->cut_uid == 0)
		return;
	strbuf_lit(out, ")\r\n");
	fetch->cut_uid = 0;
}

/* The item to begin with. */
static size_t
begin_row(struct fetch *fetch, uint32_t uid, uint32_t seq, struct strbuf *out)
{
	if (fetch->cut_uid == uid)
		return fetch->cut_item;
	end_cut_row(fetch, out);
	fetch->is_row_unreadable = false;
	strbuf_lit(out, "* ");
	strbuf_u64(out, seq);
	strbuf_lit(out, " FETCH (");
	fetch->missing -= fetch->missing > 0;
	return 0;
}

/* This turn has done what one should. */
static bool
is_enough(const struct imap_session *s, const struct fetch *fetch,
          const struct strbuf *out)
{
	return imap_is_full(s, out) || fetch->looked >= LOOK_BYTES;
}

/* The row comes again, and goes on with that item, once the bytes of a literal are out
   that come in pieces, or in another turn. */
static bool
cut_row(struct fetch *fetch, uint32_t uid, size_t item)
{
	fetch->cut_uid = uid;
	fetch->cut_item = item;
	fetch->is_stopped = true;
	imap_set_skip_to(&fetch->uids, uid - 1);
	return false;
}

IMAP_ROW(imap_fetch_row)
{
	struct fetch *fetch = s->job;
	const struct entry *e = &row->entry;
	uint32_t seq = imap_view_seq(&s->view, e->uid);

	if (seq == 0)
		return true;
	if (fetch->step == FETCH_SEEN) {
		write_new_flags(s, e, out);
		return true;
	}
	for (size_t i = begin_row(fetch, e->uid, seq, out); i < fetch->items_n; i++) {
		bool is_whole;

		if (i > 0)
			strbuf_byte(out, ' ');
		is_whole = write_item(s, fetch, &fetch->items[i], row, out);
		if (!is_whole || (i + 1 < fetch->items_n && is_enough(s, fetch, out)))
			return cut_row(fetch, e->uid, i + 1);
	}
	end_row(fetch, e, out);
	imap_set_skip_to(&fetch->uids, e->uid);
	fetch->is_stopped = is_enough(s, fetch, out);
	return !fetch->is_stopped;
}

void
imap_fetch_bytes(struct imap_session *s, struct str bytes, struct strbuf *out)
{
	struct fetch *fetch = s->job;

	CHECK(fetch->step == FETCH_PIECE && bytes.n <= fetch->piece_left);
	strbuf_add(out, bytes);
	fetch->piece_at += bytes.n;
	fetch->piece_left -= bytes.n;
}

static enum imap_step
ask_piece(struct imap_session *s, struct fetch *fetch)
{
	size_t n =
		fetch->piece_left < PIECE_BYTES ? (size_t)fetch->piece_left : PIECE_BYTES;

	fetch->step = FETCH_PIECE;
	fetch->piece_end = fetch->piece_left - n;
	s->ops->body(s->ops_arg, fetch->cut_uid, fetch->piece_at, n);
	return STEP_WAIT;
}

/* All rows are out. */
static enum imap_step
end_rows(struct imap_session *s, struct fetch *fetch)
{
	static const struct imap_flags seen = { .bits = FLAG_SEEN };
	struct imap_set unseen = imap_set_builder_set(&fetch->unseen);

	if (unseen.n > 0 && fetch->step != FETCH_SEEN) {
		fetch->step = FETCH_SEEN;
		s->ops->store(s->ops_arg,
		              &(struct imap_flagging){ unseen.ranges, unseen.n, FLAGS_ADD,
		                                       &seen },
		              s->arena, &fetch->box);
		return STEP_WAIT;
	}
	if (fetch->is_unreadable)
		return imap_no(s, STR("SERVERBUG"), STR("A message could not be read"));
	if (fetch->missing > 0)
		return imap_ok(s, STR("EXPUNGEISSUED"),
		               STR("Some of the messages are gone"));
	return imap_ok(s, none, none);
}

IMAP_RESUME(imap_fetch_resume)
{
	struct fetch *fetch = s->job;

	if (fetch->step == FETCH_SEEN) {
		/* Not being able to set \Seen does not unread the message. */
		s->own = fetch->box.own;
		s->own_n = fetch->box.own_n;
		return end_rows(s, fetch);
	}
	if (answer != OK)
		return fetch->cut_uid ? STEP_BREAK : imap_error(s, answer);
	/* The rest of a literal cannot be had: the client could not tell words from it. */
	if (fetch->step == FETCH_PIECE && fetch->piece_left != fetch->piece_end)
		return STEP_BREAK;
	/* A read that nobody stopped has given all there is. */
	if (fetch->step == FETCH_ROWS && !fetch->is_stopped) {
		fetch->uids.n = 0;
		end_cut_row(fetch, out);
	}
	if (fetch->piece_left == 0 && fetch->uids.n == 0)
		return end_rows(s, fetch);
	if (imap_is_full(s, out))
		return STEP_MORE;
	return fetch->piece_left > 0 ? ask_piece(s, fetch) : ask_rows(s, fetch);
}
