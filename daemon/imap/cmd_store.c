/* cmd_store.c - STORE and EXPUNGE: flags, and what \Deleted leads to.
 *
 * Follows RFC 3501 6.4.3 and 6.4.6, RFC 4315 2.1 (UID EXPUNGE).
 */
#include "imap/imap_priv.h"

static const struct str none;

bool
imap_take_messages(struct imap_session *s, struct imap_args *args, bool is_uid,
                   struct imap_set *uids_out)
{
	struct imap_set set;

	if (!imap_args_set(args, &set))
		return false;
	imap_set_resolve(&set, is_uid ? imap_view_last(&s->view) : s->view.count);
	/* A UID that does not exist is no error, a number that does not is one
	   (RFC 3501 6.4.8). */
	if (!is_uid && set.n > 0 && set.ranges[set.n - 1].last > s->view.count)
		return imap_args_fail(args, "No message has that number");
	if (is_uid ? !imap_view_uids_of_uids(&s->view, &set, s->arena, uids_out)
	           : !imap_view_uids_of_seqs(&s->view, &set, s->arena, uids_out))
		return imap_args_fail(args, "Message set too large");
	return true;
}

void
imap_set_skip_to(struct imap_set *set, uint32_t last_uid)
{
	while (set->n > 0 && set->ranges[0].last <= last_uid) {
		set->ranges++;
		set->n--;
	}
	if (set->n > 0 && set->ranges[0].first <= last_uid)
		set->ranges[0].first = last_uid + 1;
}

struct store {
	bool is_silent;
	enum flags_mode mode;
	struct imap_flags flags;
	struct imap_set uids;
	struct imap_box box;
	uint64_t told; /* how many rows came */
};

static const struct mode {
	struct str word;
	enum flags_mode mode;
	bool is_silent;
} modes[] = {
	/* clang-format off */
	{ STR_INIT("FLAGS"),         FLAGS_REPLACE, false },
	{ STR_INIT("FLAGS.SILENT"),  FLAGS_REPLACE, true },
	{ STR_INIT("+FLAGS"),        FLAGS_ADD,     false },
	{ STR_INIT("+FLAGS.SILENT"), FLAGS_ADD,     true },
	{ STR_INIT("-FLAGS"),        FLAGS_REMOVE,  false },
	{ STR_INIT("-FLAGS.SILENT"), FLAGS_REMOVE,  true },
	/* clang-format on */
};

static bool
take_mode(struct imap_args *args, struct store *store)
{
	struct str word;

	if (!imap_args_atom(args, &word))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (!str_eq_icase(modes[i].word, word))
			continue;
		store->mode = modes[i].mode;
		store->is_silent = modes[i].is_silent;
		return true;
	}
	return imap_args_fail(args, "Expected FLAGS, +FLAGS or -FLAGS");
}

/* STORE set item flags                                             RFC 3501 6.4.6 */
IMAP_START(imap_cmd_store)
{
	struct store *store = ARENA_NEW(s->arena, struct store);

	(void)out;
	if (!imap_args_space(args) ||
	    !imap_take_messages(s, args, s->is_uid, &store->uids) ||
	    !imap_args_space(args) || !take_mode(args, store) || !imap_args_space(args) ||
	    !imap_args_flags(args, true, &store->flags) || !imap_args_end(args))
		return imap_bad_args(s, args);
	if (store->uids.n == 0)
		return imap_ok(s, none, none);
	s->job = store;
	s->ops->store(s->ops_arg,
	              &(struct imap_flagging){ store->uids.ranges, store->uids.n,
	                                       store->mode, &store->flags },
	              s->arena, &store->box);
	return STEP_WAIT;
}

/* New keywords are told before the first flags that have them. */
static void
tell_keywords(struct imap_session *s, const struct store *store, struct strbuf *out)
{
	if (store->box.keywords &&
	    imap_keywords_set(s, store->box.keywords, store->box.keywords_n))
		imap_reply_known_flags(s, out);
}

/* With .SILENT a client reckons the new flags from those it knows: where somebody else
   changed them since, it must be told (RFC 3501 6.4.6). A change of ours hides that other
   one from what is told behind the command. */
static bool
is_told(const struct imap_session *s, const struct store *store,
        const struct imap_row *row)
{
	return !store->is_silent || (row->prior_modseq > s->since_rows &&
	                             row->prior_modseq != row->entry.modseq);
}

IMAP_ROW(imap_store_row)
{
	struct store *store = s->job;
	uint32_t uid = row->entry.uid;

	if (store->told++ == 0)
		tell_keywords(s, store, out);
	if (!is_told(s, store, row) || imap_view_seq(&s->view, uid) == 0)
		return true;
	strbuf_lit(out, "* ");
	strbuf_u64(out, imap_view_seq(&s->view, uid));
	strbuf_lit(out, " FETCH (FLAGS ");
	imap_reply_flags(s, row->entry.flags, imap_is_recent(s, uid), out);
	if (s->is_uid) {
		strbuf_lit(out, " UID ");
		strbuf_u64(out, uid);
	}
	strbuf_lit(out, ")\r\n");
	return true;
}

IMAP_RESUME(imap_stored)
{
	struct store *store = s->job;

	(void)out;
	s->own = store->box.own;
	s->own_n = store->box.own_n;
	if (answer != OK)
		return imap_error(s, answer);
	if (store->told < imap_set_count(&store->uids))
		return imap_ok(s, STR("EXPUNGEISSUED"),
		               STR("Some of the messages are gone"));
	return imap_ok(s, none, none);
}

/* EXPUNGE / UID EXPUNGE set: what went is told with all other changes.
                                                            RFC 3501 6.4.3, RFC 4315 2.1 */
IMAP_START(imap_cmd_expunge)
{
	struct imap_set *uids = ARENA_NEW(s->arena, struct imap_set);
	struct imap_set all = { ARENA_NEW(s->arena, struct uid_range), 1 };

	(void)out;
	all.ranges[0] = (struct uid_range){ 1, UINT32_MAX };
	*uids = all;
	if (s->is_uid &&
	    (!imap_args_space(args) || !imap_take_messages(s, args, true, uids)))
		return imap_bad_args(s, args);
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	if (uids->n == 0)
		return imap_ok(s, none, none);
	s->ops->expunge(s->ops_arg, uids->ranges, uids->n);
	return STEP_WAIT;
}

IMAP_RESUME(imap_expunged)
{
	(void)out;
	return imap_answer(s, answer);
}
