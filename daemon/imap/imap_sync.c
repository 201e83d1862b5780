/* imap_sync.c - the client's picture of the mailbox, and how it is kept right.
 *
 * The picture is: all messages with UIDs below uid_next, as they were at since_rows
 * (flags) and since_gone (which of them there are). `exists` counts them. The map of
 * their numbers is loaded only when something needs it: `map` can still tell which UIDs
 * there were at since_gone, because the store remembers what was expunged.
 *
 * A sync asks what changed after the two modseqs, tells it, and moves them on. EXPUNGE
 * may not be told at the end of FETCH, STORE and SEARCH (RFC 3501 7.4.1); then since_gone
 * stays where it is. Those commands need the map, so while it is missing both modseqs are
 * equal.
 */
#include "imap/imap_priv.h"

#include "base/panic.h"

#include <stdlib.h>

struct imap_sync {
	struct imap_since since;
	struct imap_box box; /* as the last question found it */
	uint64_t
		first_modseq; /* as the first one did: what the client knows afterwards */
	uint32_t first_uidnext, first_recent;
	struct strbuf gone; /* uint32_t[] in the arena */
	bool may_expunge, is_gone_told, is_map_missing;
	bool is_cut;    /* the output is full; more rows follow */
	bool is_paused; /* ... and is waited for */
	uint32_t new_n;
};

enum {
	SYNC_BUDGET = 64 * 1024 * 1024,
	GONE_MAX = 16 * 1024 * 1024, /* bytes */
};

/* A command may have used up its own arena, so this work has another. */
static struct imap_sync *
new_sync(struct imap_session *s)
{
	arena_free(&s->sync_arena);
	s->sync_arena = arena_new(SYNC_BUDGET);
	s->sync = ARENA_NEW(s->sync_arena, struct imap_sync);
	s->sync->gone = strbuf_arena(s->sync_arena, GONE_MAX);
	return s->sync;
}

bool
imap_is_recent(const struct imap_session *s, uint32_t uid)
{
	return s->recent.count > 0 && imap_view_seq(&s->recent, uid) > 0;
}

/* --- the map */

enum imap_step
imap_load_start(struct imap_session *s)
{
	CHECK(!s->has_map);
	imap_view_fini(&s->view);
	(void)new_sync(s);
	s->ops->map(s->ops_arg, s->since_gone, s->uid_next);
	return STEP_WAIT;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The UIDs in b, ascending, each once. */
static const uint32_t *
sorted(struct strbuf *b, size_t *n_out)
{
	uint32_t *uids = (uint32_t *)(void *)b->p;
	size_t n = b->n / sizeof(*uids), kept = 0;

	if (n > 1)
		qsort(uids, n, sizeof(*uids), by_value);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || uids[kept - 1] != uids[i])
			uids[kept++] = uids[i];
	}
	*n_out = kept;
	return uids;
}

void
imap_load_uid(struct imap_session *s, uint32_t uid)
{
	if (uid >= s->uid_next)
		return;
	if (uid > imap_view_last(&s->view))
		imap_view_add(&s->view, uid);
	else
		strbuf_bytes(&s->sync->gone, &uid, sizeof(uid));
}

static enum err
end_load(struct imap_session *s, enum err answer)
{
	const uint32_t *uids;
	size_t n;

	if (answer == OK && s->sync->gone.overflow)
		answer = ERR_LIMIT;
	if (answer != OK) {
		imap_view_fini(&s->view);
		return answer;
	}
	uids = sorted(&s->sync->gone, &n);
	imap_view_insert(&s->view, uids, n);
	s->has_map = true;
	/* SELECT's count comes from the mailbox's row, and so is right; should the two
	   ever differ, the map is what numbers are made from. */
	s->exists = s->view.count;
	return OK;
}

enum imap_step
imap_load_resume(struct imap_session *s, enum err answer)
{
	return imap_answer(s, end_load(s, answer));
}

/* --- what changed */

enum imap_step
imap_sync_start(struct imap_session *s)
{
	struct imap_sync *y = new_sync(s);
	bool may_expunge = !s->cmd || !(s->cmd->flags & CMD_KEEP) || s->is_uid;

	s->has_news = false;
	y->may_expunge = may_expunge;
	y->since = (struct imap_since){ .rows = s->since_rows,
		                        .want_gone = may_expunge,
		                        .gone = s->since_gone,
		                        .is_urgent = s->cmd &&
		                                     s->cmd->reply == imap_idle_reply,
		                        .is_readonly = s->is_readonly };
	s->ops->changes(s->ops_arg, &y->since, s->sync_arena, &y->box);
	return STEP_WAIT;
}

void
imap_sync_uid(struct imap_session *s, uint32_t uid)
{
	struct imap_sync *y = s->sync;

	if (uid < s->uid_next)
		strbuf_bytes(&y->gone, &uid, sizeof(uid));
}

/* Numbers are those before any of them went, so the last message goes first. */
static void
tell_gone(struct imap_session *s, struct strbuf *out)
{
	struct imap_sync *y = s->sync;
	uint32_t *uids;
	size_t n, kept = 0;

	y->is_gone_told = true;
	(void)sorted(&y->gone, &n);
	uids = (uint32_t *)(void *)y->gone.p;
	for (size_t i = 0; i < n; i++) {
		if (imap_view_seq(&s->view, uids[i]) > 0)
			uids[kept++] = uids[i];
	}
	for (size_t i = kept; i > 0; i--) {
		strbuf_lit(out, "* ");
		strbuf_u64(out, imap_view_seq(&s->view, uids[i - 1]));
		strbuf_lit(out, " EXPUNGE\r\n");
		if (imap_is_recent(s, uids[i - 1]) && s->recent_n > 0)
			s->recent_n--;
	}
	imap_view_remove(&s->view, uids, kept);
	s->exists = s->view.count;
}

/* Before the first row: keywords that rows may have, and what is gone. False: the map is
   needed first. */
static bool
begin_rows(struct imap_session *s, struct strbuf *out)
{
	struct imap_sync *y = s->sync;

	if (!y->first_modseq) {
		y->first_modseq = y->box.info.highestmodseq;
		y->first_uidnext = y->box.info.uidnext;
		y->first_recent = y->box.recent_first;
		if (y->first_modseq != s->since_rows &&
		    imap_keywords_set(s, y->box.keywords, y->box.keywords_n)) {
			imap_reply_known_flags(s, out);
			/* What the command told may lack these names: once more. */
			s->own_n = 0;
		}
	}
	if (y->is_gone_told || y->gone.n == 0)
		return true;
	if (!s->has_map) {
		y->is_map_missing = true;
		return false;
	}
	tell_gone(s, out);
	return true;
}

static void
new_row(struct imap_session *s, uint32_t uid)
{
	struct imap_sync *y = s->sync;

	if (uid >= y->first_uidnext)
		return;
	y->new_n++;
	s->exists++;
	s->uid_next = uid + 1;
	if (s->has_map)
		imap_view_add(&s->view, uid);
	if (uid >= y->first_recent) {
		imap_view_add(&s->recent, uid);
		s->recent_n++;
	}
}

/* What this command changed has been told by it. */
static bool
is_own(const struct imap_session *s, uint64_t modseq)
{
	size_t at = 0, n = s->own_n;

	while (n > 0) {
		size_t half = n / 2;

		if (s->own[at + half] < modseq) {
			at += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return at < s->own_n && s->own[at] == modseq;
}

bool
imap_sync_row(struct imap_session *s, const struct imap_row *row, struct strbuf *out)
{
	struct imap_sync *y = s->sync;
	uint32_t uid = row->entry.uid, seq;

	if (y->is_map_missing || !begin_rows(s, out))
		return false;
	if (uid >= s->uid_next) {
		new_row(s, uid);
		return true;
	}
	if (is_own(s, row->entry.modseq))
		return true;
	if (!s->has_map) {
		y->is_map_missing = true;
		return false;
	}
	seq = imap_view_seq(&s->view, uid);
	if (seq == 0)
		return true;
	strbuf_lit(out, "* ");
	strbuf_u64(out, seq);
	strbuf_lit(out, " FETCH (FLAGS ");
	imap_reply_flags(s, row->entry.flags, imap_is_recent(s, uid), out);
	if (s->is_uid) {
		strbuf_lit(out, " UID ");
		strbuf_u64(out, uid);
	}
	strbuf_lit(out, ")\r\n");
	y->since.after_uid = uid;
	y->is_cut = imap_is_full(s, out);
	return !y->is_cut;
}

/* All is told: the picture is that of the first question. */
static enum imap_step
end_sync(struct imap_session *s, struct strbuf *out)
{
	struct imap_sync *y = s->sync;

	if (y->new_n > 0) {
		strbuf_lit(out, "* ");
		strbuf_u64(out, s->exists);
		strbuf_lit(out, " EXISTS\r\n* ");
		strbuf_u64(out, s->recent_n);
		strbuf_lit(out, " RECENT\r\n");
	}
	if (y->first_uidnext > s->uid_next)
		s->uid_next = y->first_uidnext;
	s->since_rows = y->first_modseq;
	if (y->may_expunge)
		s->since_gone = y->first_modseq;
	s->sync = NULL;
	return STEP_DONE;
}

/* The mailbox itself is gone: it was deleted by another session (RFC 5530:
   the client is told, and selects another one). Who deleted it himself knows. */
static enum imap_step
end_without_box(struct imap_session *s, struct strbuf *out)
{
	s->sync = NULL;
	imap_session_leave(s);
	if (s->cmd && s->cmd->start == imap_cmd_delete)
		return STEP_DONE;
	strbuf_lit(out, "* BYE [UNAVAILABLE] The mailbox was deleted\r\n");
	s->state = IMAP_STATE_LOGOUT;
	return STEP_DONE;
}

enum imap_step
imap_sync_resume(struct imap_session *s, enum err answer, struct strbuf *out)
{
	struct imap_sync *y = s->sync;

	if (s->stage == STAGE_SYNC_LOAD) {
		/* Without the map nothing can be told; the next command tries again. */
		s->stage = STAGE_SYNC;
		if (end_load(s, answer) != OK)
			return STEP_DONE;
		return imap_sync_start(s);
	}
	if (y->is_paused) {
		y->is_paused = false;
		y->since.want_gone = false;
		s->ops->changes(s->ops_arg, &y->since, s->sync_arena, &y->box);
		return STEP_WAIT;
	}
	if (answer == ERR_NOT_FOUND)
		return end_without_box(s, out);
	/* What could not be read now is told after the next command. */
	if (answer != OK || y->gone.overflow)
		return STEP_DONE;
	if (!y->is_map_missing && begin_rows(s, out)) {
		if (!y->is_cut)
			return end_sync(s, out);
		y->is_cut = false;
		y->is_paused = true;
		return STEP_MORE;
	}
	s->stage = STAGE_SYNC_LOAD;
	return imap_load_start(s);
}
