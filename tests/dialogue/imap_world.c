#include "tests/dialogue/imap_world_priv.h"

#include "base/mem.h"
#include "base/panic.h"
#include "mail/prepare.h"

/* --- mailboxes and messages */

static struct box *
find_box(struct imap_world *w, struct str name)
{
	for (size_t i = 0; i < BOXES_MAX; i++) {
		if (w->boxes[i].name.n && str_eq(strbuf_str(&w->boxes[i].name), name))
			return &w->boxes[i];
	}
	return NULL;
}

/* A mailbox, not only a subscription. */
static struct box *
find_real(struct imap_world *w, struct str name)
{
	struct box *b = find_box(w, name);

	return b && b->info.id ? b : NULL;
}

static struct box *
place_for(struct imap_world *w, struct str name)
{
	struct box *b = find_box(w, name);

	for (size_t i = 0; i < BOXES_MAX && !b; i++) {
		if (w->boxes[i].name.n == 0)
			b = &w->boxes[i];
	}
	if (b && b->name.n == 0) {
		b->name = strbuf_heap(NAME_MAX_BYTES);
		strbuf_add(&b->name, name);
	}
	return b;
}

static struct box *
make_box(struct imap_world *w, struct str name, enum special_use use)
{
	struct box *b = place_for(w, name);

	if (!b)
		return NULL;
	b->info.id = ++w->next_id;
	b->info.account_id = 1;
	b->info.uidvalidity = ++w->next_validity;
	b->info.uidnext = 1;
	b->info.recent_uid = 1;
	b->info.highestmodseq = 1;
	b->info.special_use = use;
	return b;
}

static void
message_fini(struct stored *m)
{
	strbuf_release(&m->bytes);
	arena_free(&m->arena);
}

static void
drop_box(struct imap_world *w, struct box *b)
{
	bool subscribed = b->info.subscribed;

	for (size_t i = 0; i < b->n; i++)
		message_fini(&b->messages[i]);
	for (size_t i = 0; i < b->keywords_n; i++)
		strbuf_release(&b->keywords[i]);
	b->n = b->gone_n = b->keywords_n = 0;
	b->info = (struct mailbox_info){ .subscribed = subscribed };
	if (!subscribed)
		strbuf_release(&b->name);
	if (w->open == b)
		w->open = NULL;
}

static void
fill_info(struct box *b)
{
	struct mailbox_info *info = &b->info;

	info->name = strbuf_str(&b->name);
	info->exists = (uint32_t)b->n;
	info->unseen = info->deleted = 0;
	info->size_bytes = 0;
	for (size_t i = 0; i < b->n; i++) {
		info->unseen += !(b->messages[i].flags & FLAG_SEEN);
		info->deleted += !!(b->messages[i].flags & FLAG_DELETED);
		info->size_bytes += b->messages[i].bytes.n;
	}
}

static void
prepare(struct stored *m)
{
	struct prepared p;

	if (m->arena)
		return;
	m->arena = arena_new(PREPARE_ARENA_BYTES);
	mail_prepare(strbuf_str(&m->bytes), m->arena, &p);
	m->head = (struct message_head){
		.envelope = p.envelope,
		.body = p.body,
		.bodystructure = p.bodystructure,
		.parts = p.parts,
		.from = p.from,
		.to = p.to,
		.cc = p.cc,
		.subject = p.subject,
		.date_ms = p.date_ms,
		.date_zone = p.has_date ? (uint32_t)(p.date_zone_min + 1440) : 0,
	};
}

static uint32_t
add_message(struct box *b, struct str bytes, uint64_t flags, int64_t date_ms)
{
	struct stored *m = &b->messages[b->n];

	if (b->n == MESSAGES_MAX)
		return 0;
	*m = (struct stored){ .uid = b->info.uidnext++,
		              .flags = flags,
		              .modseq = ++b->info.highestmodseq,
		              .date_ms = date_ms };
	m->bytes = strbuf_heap(MESSAGE_MAX);
	strbuf_add(&m->bytes, bytes);
	b->n++;
	return m->uid;
}

static void
remove_message(struct box *b, size_t at)
{
	CHECK(at < b->n);
	if (b->gone_n < ARRAY_LEN(b->gone))
		b->gone[b->gone_n++] =
			(struct gone){ b->messages[at].uid, b->info.highestmodseq };
	message_fini(&b->messages[at]);
	memmove(&b->messages[at], &b->messages[at + 1],
	        (b->n - at - 1) * sizeof(b->messages[0]));
	b->n--;
}

static bool
is_in(const struct uid_range *uids, size_t n, uint32_t uid)
{
	for (size_t i = 0; i < n; i++) {
		if (uid >= uids[i].first && uid <= uids[i].last)
			return true;
	}
	return false;
}

/* Bits of the names; new names get one. */
static uint64_t
keyword_bits(struct box *b, const struct imap_flags *flags, bool makes_new)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < flags->keywords_n; i++) {
		size_t k = 0;

		while (k < b->keywords_n &&
		       !str_eq_icase(strbuf_str(&b->keywords[k]), flags->keywords[i]))
			k++;
		if (k == b->keywords_n && (!makes_new || k == KEYWORDS))
			continue;
		if (k == b->keywords_n) {
			b->keywords[k] = strbuf_heap(KEYWORD_BYTES_MAX);
			strbuf_add(&b->keywords[b->keywords_n++], flags->keywords[i]);
		}
		bits |= (uint64_t)1 << (FLAG_KEYWORD_FIRST + k);
	}
	return bits;
}

static void
give_keywords(struct box *b, struct arena *a, struct imap_box *out)
{
	out->keywords = arena_alloc(a, KEYWORDS * sizeof(*out->keywords));
	out->keywords_n = b->keywords_n;
	for (size_t i = 0; i < b->keywords_n; i++)
		out->keywords[i] = (struct keyword){ (uint32_t)(FLAG_KEYWORD_FIRST + i),
			                             strbuf_str(&b->keywords[i]) };
}

/* --- answers */

enum err
imap_world_answer_login(struct imap_world *w, struct strbuf *out)
{
	(void)out;
	return str_eq(w->q.name, STR("ann@example.org")) && str_eq(w->q.to, STR("secret"))
	               ? OK
	               : ERR_AUTH;
}

static void
claim_recent(struct box *b, bool is_readonly, struct imap_box *out)
{
	out->recent_first = b->info.recent_uid;
	out->recent_n = 0;
	for (size_t i = 0; i < b->n; i++)
		out->recent_n += b->messages[i].uid >= b->info.recent_uid;
	if (!is_readonly)
		b->info.recent_uid = b->info.uidnext;
}

enum err
imap_world_answer_open(struct imap_world *w, struct strbuf *out)
{
	struct box *b = find_real(w, w->q.name);
	struct imap_box *box = w->q.box;

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	w->open = b;
	fill_info(b);
	claim_recent(b, w->q.is_wanted, box);
	box->info = b->info;
	give_keywords(b, w->q.arena, box);
	box->unseen_seq = 0;
	for (size_t i = 0; i < b->n && !box->unseen_seq; i++) {
		if (!(b->messages[i].flags & FLAG_SEEN))
			box->unseen_seq = (uint32_t)i + 1;
	}
	return OK;
}

enum err
imap_world_answer_status(struct imap_world *w, struct strbuf *out)
{
	struct box *b = find_real(w, w->q.name);

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	fill_info(b);
	*w->q.info = b->info;
	return OK;
}

enum err
imap_world_answer_boxes(struct imap_world *w, struct strbuf *out)
{
	struct mailbox_info *list =
		arena_alloc(w->q.arena, BOXES_MAX * sizeof(struct mailbox_info));

	(void)out;
	w->q.boxes->n = 0;
	w->q.boxes->boxes = list;
	for (size_t i = 0; i < BOXES_MAX; i++) {
		struct box *b = &w->boxes[i];

		if (b->name.n == 0)
			continue;
		fill_info(b);
		list[w->q.boxes->n] = b->info;
		list[w->q.boxes->n++].name = arena_str(w->q.arena, strbuf_str(&b->name));
	}
	return OK;
}

enum err
imap_world_answer_create(struct imap_world *w, struct strbuf *out)
{
	(void)out;
	if (find_real(w, w->q.name))
		return ERR_EXISTS;
	return make_box(w, w->q.name, USE_NONE) ? OK : ERR_LIMIT;
}

enum err
imap_world_answer_remove(struct imap_world *w, struct strbuf *out)
{
	struct box *b = find_real(w, w->q.name);

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	drop_box(w, b);
	return OK;
}

/* Renames one mailbox; this store has no children to move. */
enum err
imap_world_answer_rename(struct imap_world *w, struct strbuf *out)
{
	struct box *b = find_real(w, w->q.name);

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	if (find_box(w, w->q.to))
		return ERR_EXISTS;
	strbuf_clear(&b->name);
	strbuf_add(&b->name, w->q.to);
	return OK;
}

enum err
imap_world_answer_subscribe(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->q.is_wanted ? place_for(w, w->q.name) : find_box(w, w->q.name);

	(void)out;
	if (!b)
		return w->q.is_wanted ? ERR_LIMIT : OK;
	b->info.subscribed = w->q.is_wanted;
	if (!w->q.is_wanted && b->info.id == 0)
		drop_box(w, b);
	return OK;
}

enum err
imap_world_answer_map(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->open;

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < b->n; i++) {
		if (b->messages[i].uid < w->q.uid)
			imap_session_uid(w->session, b->messages[i].uid);
	}
	for (size_t i = 0; i < b->gone_n; i++) {
		if (b->gone[i].modseq > w->q.modseq)
			imap_session_uid(w->session, b->gone[i].uid);
	}
	return OK;
}

static bool
give_row(struct imap_world *w, struct stored *m, uint64_t prior_modseq, unsigned want,
         struct strbuf *out)
{
	struct imap_row row = { .entry = { .uid = m->uid,
		                           .size = (uint32_t)m->bytes.n,
		                           .flags = m->flags,
		                           .modseq = m->modseq,
		                           .internal_date_ms = m->date_ms },
		                .prior_modseq = prior_modseq };

	if (want)
		prepare(m);
	row.head = want ? &m->head : NULL;
	if ((want & IMAP_WANT_BODY) && !m->is_damaged)
		row.body = strbuf_str(&m->bytes);
	return imap_session_row(w->session, &row, out);
}

enum err
imap_world_answer_rows(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->open;

	if (!b)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < b->n; i++) {
		if (!is_in(w->q.uids, w->q.n, b->messages[i].uid))
			continue;
		if (!give_row(w, &b->messages[i], 0, w->q.want, out))
			break;
	}
	return OK;
}

enum err
imap_world_answer_changes(struct imap_world *w, struct strbuf *out)
{
	const struct imap_since *since = w->q.since;
	struct box *b = w->open;

	if (!b)
		return ERR_NOT_FOUND;
	fill_info(b);
	claim_recent(b, since->is_readonly, w->q.box);
	w->q.box->info = b->info;
	give_keywords(b, w->q.arena, w->q.box);
	for (size_t i = 0; since->want_gone && i < b->gone_n; i++) {
		if (b->gone[i].modseq > since->gone)
			imap_session_uid(w->session, b->gone[i].uid);
	}
	for (size_t i = 0; i < b->n; i++) {
		struct stored *m = &b->messages[i];

		if (m->modseq <= since->rows || m->uid <= since->after_uid)
			continue;
		if (!give_row(w, m, 0, 0, out))
			break;
	}
	return OK;
}

enum err
imap_world_answer_body(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->open;

	for (size_t i = 0; b && i < b->n; i++) {
		struct str bytes = strbuf_str(&b->messages[i].bytes);

		if (b->messages[i].uid != w->q.uid)
			continue;
		bytes = str_first(str_from_offset(bytes, w->q.offset), w->q.length);
		imap_session_bytes(w->session, bytes, out);
		return OK;
	}
	return ERR_NOT_FOUND;
}

enum err
imap_world_answer_store(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->open;
	uint64_t bits, modseq;
	size_t known;

	if (!b)
		return ERR_NOT_FOUND;
	known = b->keywords_n;
	bits = w->q.flags->bits | keyword_bits(b, w->q.flags, w->q.mode != FLAGS_REMOVE);
	modseq = b->info.highestmodseq + 1;
	if (b->keywords_n > known)
		give_keywords(b, w->q.arena, w->q.box);
	for (size_t i = 0; i < b->n; i++) {
		struct stored *m = &b->messages[i];
		uint64_t prior = m->modseq;
		uint64_t flags = w->q.mode == FLAGS_REPLACE ? bits
		                 : w->q.mode == FLAGS_ADD   ? m->flags | bits
		                                            : m->flags & ~bits;

		if (!is_in(w->q.uids, w->q.n, m->uid))
			continue;
		if (flags != m->flags) {
			m->flags = flags;
			m->modseq = b->info.highestmodseq = modseq;
		}
		if (!give_row(w, m, prior, 0, out))
			break;
	}
	if (b->info.highestmodseq == modseq) {
		uint64_t *own = ARENA_NEW(w->q.arena, uint64_t);

		*own = modseq;
		w->q.box->own = own;
		w->q.box->own_n = 1;
	}
	w->q.box->info.highestmodseq = b->info.highestmodseq;
	return OK;
}

enum err
imap_world_answer_copy(struct imap_world *w, struct strbuf *out)
{
	struct box *from = w->open, *to = find_real(w, w->q.name);
	struct imap_copied *copied = w->q.copied;
	uint32_t *from_uids, *to_uids;
	size_t last = from ? from->n : 0;

	(void)out;
	if (!from || !to)
		return ERR_NOT_FOUND;
	from_uids = arena_alloc(w->q.arena, MESSAGES_MAX * sizeof(*from_uids));
	to_uids = arena_alloc(w->q.arena, MESSAGES_MAX * sizeof(*to_uids));
	*copied = (struct imap_copied){ to->info.uidvalidity, from_uids, to_uids, 0 };
	for (size_t i = 0; i < last; i++) {
		const struct stored *m = &from->messages[i];
		uint32_t uid;

		if (!is_in(w->q.uids, w->q.n, m->uid) || m->uid >= from->info.uidnext)
			continue;
		uid = add_message(to, strbuf_str(&m->bytes), m->flags & FLAG_SYSTEM,
		                  m->date_ms);
		if (uid == 0)
			return ERR_QUOTA;
		from_uids[copied->n] = m->uid;
		to_uids[copied->n++] = uid;
	}
	if (!w->q.is_wanted)
		return OK;
	from->info.highestmodseq++;
	for (size_t i = from->n; i > 0; i--) {
		for (size_t k = 0; k < copied->n; k++) {
			if (from->messages[i - 1].uid == from_uids[k]) {
				remove_message(from, i - 1);
				break;
			}
		}
	}
	return OK;
}

enum err
imap_world_answer_expunge(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->open;

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	b->info.highestmodseq++;
	for (size_t i = b->n; i > 0; i--) {
		if ((b->messages[i - 1].flags & FLAG_DELETED) &&
		    is_in(w->q.uids, w->q.n, b->messages[i - 1].uid))
			remove_message(b, i - 1);
	}
	return OK;
}

enum err
imap_world_answer_append_begin(struct imap_world *w, struct strbuf *out)
{
	struct box *b = find_real(w, w->q.append->mailbox);
	struct incoming *in = &w->appends[w->appends_n];

	(void)out;
	if (!b)
		return ERR_NOT_FOUND;
	if (w->q.append->size > QUOTA_BYTES)
		return ERR_QUOTA;
	if (w->appends_n == APPENDS_MAX || w->q.append->size > MESSAGE_MAX)
		return ERR_LIMIT;
	w->append_to = b;
	w->appends_n++;
	in->bytes = strbuf_heap(MESSAGE_MAX);
	in->flags = w->q.append->flags.bits | keyword_bits(b, &w->q.append->flags, true);
	in->date_ms = w->q.append->has_date ? w->q.append->date_ms : IMAP_WORLD_NOW_MS;
	return OK;
}

enum err
imap_world_answer_append_end(struct imap_world *w, struct strbuf *out)
{
	(void)out;
	CHECK(w->appends_n > 0);
	return w->appends[w->appends_n - 1].bytes.overflow ? ERR_TOO_LARGE : OK;
}

void
imap_world_abort(void *arg)
{
	struct imap_world *w = arg;

	for (size_t i = 0; i < w->appends_n; i++)
		strbuf_release(&w->appends[i].bytes);
	w->appends_n = 0;
}

enum err
imap_world_answer_append_commit(struct imap_world *w, struct strbuf *out)
{
	struct box *b = w->append_to;
	uint32_t *uids = arena_alloc(w->q.arena, APPENDS_MAX * sizeof(*uids));

	(void)out;
	CHECK(w->appends_n > 0);
	if (b->n + w->appends_n > MESSAGES_MAX) {
		imap_world_abort(w);
		return ERR_QUOTA;
	}
	w->q.copied->uidvalidity = b->info.uidvalidity;
	w->q.copied->to = uids;
	w->q.copied->n = w->appends_n;
	for (size_t i = 0; i < w->appends_n; i++)
		uids[i] = add_message(b, strbuf_str(&w->appends[i].bytes),
		                      w->appends[i].flags, w->appends[i].date_ms);
	imap_world_abort(w);
	return OK;
}

/* --- the world */

struct imap_world *
imap_world_new(void)
{
	struct imap_world *w = mem_alloc(sizeof(*w));

	w->next_validity = 100;
	make_box(w, STR("INBOX"), USE_NONE)->info.subscribed = true;
	make_box(w, STR("Archive"), USE_ARCHIVE);
	make_box(w, STR("Drafts"), USE_DRAFTS);
	make_box(w, STR("Junk"), USE_JUNK);
	make_box(w, STR("Sent"), USE_SENT);
	make_box(w, STR("Trash"), USE_TRASH);
	return w;
}

void
imap_world_free(struct imap_world **w)
{
	imap_world_abort(*w);
	for (size_t i = 0; i < BOXES_MAX; i++) {
		(*w)->boxes[i].info.subscribed = false;
		drop_box(*w, &(*w)->boxes[i]);
	}
	mem_free(*w);
	*w = NULL;
}

void
imap_world_attach(struct imap_world *w, struct imap_session *s)
{
	w->session = s;
}

bool
imap_world_has_question(const struct imap_world *w)
{
	return w->q.answer != NULL;
}

enum imap_next
imap_world_answer(struct imap_world *w, struct strbuf *out)
{
	answer_fn *answer = w->q.answer;
	enum err e = w->fail_next;

	CHECK(answer);
	if (e == OK)
		e = answer(w, out);
	w->fail_next = OK;
	w->q.answer = NULL;
	return imap_session_resume(w->session, e, out);
}

void
imap_world_fail_next(struct imap_world *w, enum err e)
{
	w->fail_next = e;
}

void
imap_world_append(struct imap_world *w, struct str message, uint64_t flags)
{
	(void)add_message(find_box(w, STR("INBOX")), message, flags, IMAP_WORLD_NOW_MS);
}

void
imap_world_expunge(struct imap_world *w, uint32_t uid)
{
	struct box *b = find_box(w, STR("INBOX"));

	b->info.highestmodseq++;
	for (size_t i = b->n; i > 0; i--) {
		if (b->messages[i - 1].uid == uid)
			remove_message(b, i - 1);
	}
}

void
imap_world_flag(struct imap_world *w, uint32_t uid, uint64_t flags)
{
	struct box *b = find_box(w, STR("INBOX"));

	for (size_t i = 0; i < b->n; i++) {
		if (b->messages[i].uid != uid)
			continue;
		b->messages[i].flags = flags;
		b->messages[i].modseq = ++b->info.highestmodseq;
	}
}

void
imap_world_word(struct imap_world *w, uint32_t uid)
{
	struct str word = STR("Word");
	const struct imap_flags flags = { .keywords = &word, .keywords_n = 1 };

	imap_world_flag(w, uid, keyword_bits(find_box(w, STR("INBOX")), &flags, true));
}

void
imap_world_damage(struct imap_world *w, uint32_t uid)
{
	struct box *b = find_box(w, STR("INBOX"));

	for (size_t i = 0; i < b->n; i++)
		b->messages[i].is_damaged |= b->messages[i].uid == uid;
}

void
imap_world_drop_box(struct imap_world *w, struct str name)
{
	struct box *b = find_real(w, name);

	if (b)
		drop_box(w, b);
}
