/* Large sets of messages are changed in turns: the committer is nobody's for long. It is
 * counted in rows, so that the speed of the machine does not matter; where it would (the
 * limit store_turn), no time at all is given. */
#include "base/mem.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

enum {
	COUNT = STORE_TURN_ROWS * 2 + 500,
	WRITTEN_MAX =
		5000 + 4 * STORE_TURN_ROWS, /* the limit, and the one that passes it */
	CROWD = 12,
};

struct box {
	uint64_t account_id, id;
};

static uint64_t
written_max(struct rig *r)
{
	struct op_stats op = { 0 };
	struct answer_stats stats;

	CHECK_ERR_EQ(rig_stats(r, &op, &stats), OK, "stats");
	return stats.written_max;
}

static void
restart(struct rig *r)
{
	store_server_free(&r->server);
	rig_start_store(r);
}

/* COUNT messages in INBOX, and a store that has counted nothing yet. */
static struct box
fill(struct rig *r)
{
	struct box box = { .account_id = rig_account(r) };
	struct append_message *messages = mem_alloc(COUNT * sizeof(*messages));
	struct op_append op = { .account_id = box.account_id,
		                .messages = messages,
		                .messages_count = COUNT };
	struct mailbox_info info;
	struct answer_append answer;

	CHECK_ERR_EQ(
		reader_mailbox(r->reader, box.account_id, STR("INBOX"), r->arena, &info),
		OK, "INBOX");
	box.id = op.mailbox_id = info.id;
	CHECK_ERR_EQ(rig_body(r, STR("Subject: x\r\n\r\nx\r\n")), OK, "body");
	for (size_t i = 0; i < COUNT; i++)
		messages[i].body = r->body;
	CHECK_ERR_EQ(rig_append(r, &op, &answer), OK, "append");
	mem_free(messages);
	CHECK_TRUE(written_max(r) > COUNT, "an APPEND is one transaction");
	restart(r);
	CHECK_TRUE(written_max(r) < 10, "counts anew");
	return box;
}

static uint32_t
deleted_left(struct rig *r, const struct box *box, uint32_t *exists_out)
{
	struct mailbox_info info;

	CHECK_ERR_EQ(reader_mailbox_by_id(r->reader, box->account_id, box->id, r->arena,
	                                  &info),
	             OK, "mailbox");
	*exists_out = info.exists;
	return info.deleted;
}

static void
test_flags(void)
{
	struct rig r;
	struct uid_range ranges[] = { { 2000, UINT32_MAX }, { 1, 1500 }, { 1400, 1999 } };
	struct op_flags op = { .uids = ranges,
		               .uids_count = ARRAY_LEN(ranges),
		               .mode = FLAGS_ADD,
		               .flags = FLAG_SEEN };
	struct answer_flags answer;
	unsigned turns = 0;
	uint32_t last = 0;
	uint64_t modseq = 0;
	size_t rows = 0;

	rig_open(&r);
	op.account_id = fill(&r).account_id;
	op.mailbox_id = 0;
	CHECK_ERR_EQ(rig_flags(&r, &op, &answer), ERR_NOT_FOUND, "no mailbox");
	{
		struct mailbox_info info;

		CHECK_ERR_EQ(reader_mailbox(r.reader, op.account_id, STR("INBOX"),
		                            r.arena, &info),
		             OK, "INBOX");
		op.mailbox_id = info.id;
	}
	do {
		CHECK_ERR_EQ(rig_flags(&r, &op, &answer), OK, "turn");
		CHECK_TRUE(answer.rows_count <= STORE_TURN_ROWS, "no more than a turn");
		for (size_t i = 0; i < answer.rows_count; i++) {
			CHECK_TRUE(answer.rows[i].uid > last, "ascending, each once");
			last = answer.rows[i].uid;
		}
		CHECK_TRUE(answer.own_modseq > modseq, "a modseq of its own");
		modseq = answer.own_modseq;
		rows += answer.rows_count;
		turns++;
		ranges[0] = (struct uid_range){ answer.next_uid, UINT32_MAX };
		op.uids_count = 1;
	} while (answer.next_uid && turns < 10);
	CHECK_U64_EQ(rows, COUNT, "all of them");
	CHECK_U64_EQ(turns, 3, "turns");
	CHECK_TRUE(written_max(&r) <= WRITTEN_MAX, "rows of one transaction");
	ranges[0] = (struct uid_range){ 1, 10 };
	CHECK_ERR_EQ(rig_flags(&r, &op, &answer), OK, "again");
	CHECK_U64_EQ(answer.own_modseq, 0, "nothing to change");
	rig_close(&r);
}

/* The store dies after the first turn: what went is gone, the rest is there, the counters
   agree, and going on finishes it. */
static void
test_expunge(void)
{
	struct rig r;
	struct uid_range all = { 1, UINT32_MAX };
	struct op_flags flags = {
		.uids = &all, .uids_count = 1, .mode = FLAGS_ADD, .flags = FLAG_DELETED
	};
	struct op_expunge op = { .uids = &all, .uids_count = 1 };
	struct answer_flags marked;
	struct answer_expunge answer;
	struct box box;
	uint32_t exists;
	unsigned turns = 0;

	rig_open(&r);
	box = fill(&r);
	flags.account_id = op.account_id = box.account_id;
	flags.mailbox_id = op.mailbox_id = box.id;
	do {
		CHECK_ERR_EQ(rig_flags(&r, &flags, &marked), OK, "mark");
		all.first = marked.next_uid;
	} while (marked.next_uid);
	/* One stays, in the middle of the first turn. */
	all = (struct uid_range){ 7, 7 };
	flags.mode = FLAGS_REMOVE;
	CHECK_ERR_EQ(rig_flags(&r, &flags, &marked), OK, "unmark");
	all = (struct uid_range){ 1, UINT32_MAX };
	CHECK_ERR_EQ(rig_expunge(&r, &op, &answer), OK, "first turn");
	CHECK_U64_EQ(answer.uids_count, STORE_TURN_ROWS, "a turn");
	CHECK_U64_EQ(answer.next_uid, STORE_TURN_ROWS + 2, "where it goes on");
	restart(&r);
	CHECK_U64_EQ(deleted_left(&r, &box, &exists), COUNT - 1 - STORE_TURN_ROWS,
	             "left");
	CHECK_U64_EQ(exists, COUNT - STORE_TURN_ROWS, "exist");
	do {
		all.first = answer.next_uid;
		CHECK_ERR_EQ(rig_expunge(&r, &op, &answer), OK, "turn");
		turns++;
	} while (answer.next_uid && turns < 10);
	CHECK_U64_EQ(turns, 2, "two more turns");
	CHECK_U64_EQ(deleted_left(&r, &box, &exists), 0, "none left");
	CHECK_U64_EQ(exists, 1, "the one that was not marked");
	CHECK_TRUE(written_max(&r) <= WRITTEN_MAX, "rows of one transaction");
	rig_close(&r);
}

static uint64_t
message_of(struct rig *r, const struct box *box, uint32_t uid)
{
	struct entry_span span = { .mailbox_id = box->id, .first = uid, .last = uid };
	struct entry entry = { 0 };
	size_t n;

	CHECK_ERR_EQ(reader_entries(r->reader, &span, &entry, 1, &n), OK, "entry");
	return entry.message_id;
}

/* A large mailbox is gone at once, and its name free; what was in it goes in turns, the
   death of the store between two of them notwithstanding. */
static void
test_remove(void)
{
	struct rig r;
	struct box box;
	struct op_mailbox_rename rename = { .from = STR("INBOX"), .to = STR("big") };
	struct answer_renamed renamed;
	struct op_mailbox_remove op = { .name = STR("big") };
	struct op_mailbox_create again = { .name = STR("big") };
	struct answer_none none;
	struct answer_mailbox made;
	struct mailbox_info info;
	struct account account;
	uint64_t first, last;

	rig_open(&r);
	box = fill(&r);
	rename.account_id = op.account_id = again.account_id = box.account_id;
	CHECK_ERR_EQ(rig_mailbox_rename(&r, &rename, &renamed), OK, "rename");
	CHECK_U64_EQ(renamed.last_uid, COUNT, "all shall move");
	do {
		struct uid_range left = { renamed.next_uid, renamed.last_uid };
		struct op_copy move = { .account_id = box.account_id,
			                .mailbox_id = renamed.from_mailbox_id,
			                .to_mailbox_id = renamed.to_mailbox_id,
			                .uids = &left,
			                .uids_count = 1,
			                .is_move = true };
		struct answer_copy moved;

		CHECK_ERR_EQ(rig_copy(&r, &move, &moved), OK, "move");
		renamed.next_uid = moved.next_uid;
	} while (renamed.next_uid);
	CHECK_ERR_EQ(reader_mailbox(r.reader, box.account_id, STR("big"), r.arena, &info),
	             OK, "big");
	box.id = info.id;
	first = message_of(&r, &box, 1);
	last = message_of(&r, &box, COUNT);
	CHECK_TRUE(rig_has_message(&r, first) && rig_has_message(&r, last),
	           "they are there");
	restart(&r);
	CHECK_ERR_EQ(rig_mailbox_remove(&r, &op, &none), OK, "remove");
	CHECK_ERR_EQ(rig_mailbox_remove(&r, &op, &none), ERR_NOT_FOUND, "it is gone");
	/* A turn of the housekeeping may have come already. */
	CHECK_TRUE(written_max(&r) < COUNT, "its mail does not go at once");
	CHECK_ERR_EQ(reader_account_by_id(r.reader, box.account_id, r.arena, &account),
	             OK, "account");
	CHECK_U64_EQ(account.used_bytes, 0, "its room is free");
	CHECK_U64_EQ(account.message_count, 0, "nothing counts");
	CHECK_ERR_EQ(rig_mailbox_create(&r, &again, &made), OK, "its name as well");
	restart(&r);
	for (int i = 0;
	     i < 6000 && (rig_has_message(&r, first) || rig_has_message(&r, last)); i++)
		rig_turn(&r, 10);
	CHECK_TRUE(!rig_has_message(&r, first) && !rig_has_message(&r, last), "all went");
	CHECK_U64_EQ(message_of(&r, &box, COUNT), 0, "entries too");
	CHECK_TRUE(written_max(&r) <= WRITTEN_MAX, "rows of one transaction");
	CHECK_ERR_EQ(reader_mailbox(r.reader, box.account_id, STR("big"), r.arena, &info),
	             OK, "the new one");
	CHECK_U64_EQ(info.id, made.mailbox_id, "is left alone");
	rig_close(&r);
}

static uint64_t
box_named(struct rig *r, uint64_t account_id, struct str name)
{
	struct mailbox_info info;

	CHECK_ERR_EQ(reader_mailbox(r->reader, account_id, name, r->arena, &info), OK,
	             "mailbox");
	return info.id;
}

static uint32_t
exists(struct rig *r, uint64_t account_id, struct str name)
{
	struct mailbox_info info;

	CHECK_ERR_EQ(reader_mailbox(r->reader, account_id, name, r->arena, &info), OK,
	             "mailbox");
	return info.exists;
}

static uint64_t
used_bytes(struct rig *r, uint64_t account_id)
{
	struct account account;

	CHECK_ERR_EQ(reader_account_by_id(r->reader, account_id, r->arena, &account), OK,
	             "account");
	return account.used_bytes;
}

struct copying {
	struct rig *r;
	struct uid_range left;
	struct op_copy op;
	struct answer_copy answer;
};

/* One turn from where the last one ended. */
static enum err
copy_turn(struct copying *c)
{
	c->op.uids = &c->left;
	c->op.uids_count = 1;
	c->op.is_continued = c->op.work && c->answer.next_uid > 0;
	if (c->answer.next_uid)
		c->left.first = c->answer.next_uid;
	return rig_copy(c->r, &c->op, &c->answer);
}

static struct copying
copying_of(struct rig *r, const struct box *box, uint64_t work)
{
	uint64_t trash = box_named(r, box->account_id, STR("Trash"));

	return (struct copying){ .r = r,
		                 .left = { 1, COUNT },
		                 .op = { .account_id = box->account_id,
		                         .mailbox_id = box->id,
		                         .to_mailbox_id = trash,
		                         .work = work } };
}

static uint64_t
undo_turn(struct rig *r, uint64_t work)
{
	struct op_staged_undo op = { work };
	struct answer_count answer;

	CHECK_ERR_EQ(rig_staged_undo(r, &op, &answer), OK, "undo");
	return answer.count;
}

/* A copy in turns: the death of the store between two of them changes nothing, and what
   has ended is not undone. */
static void
test_copy(void)
{
	struct rig r;
	struct box box;
	struct copying c;
	unsigned turns = 1;
	uint64_t used;

	rig_open(&r);
	box = fill(&r);
	used = used_bytes(&r, box.account_id);
	c = copying_of(&r, &box, 77);
	CHECK_ERR_EQ(copy_turn(&c), OK, "first turn");
	CHECK_U64_EQ(c.answer.to_uids_count, STORE_COPY_ROWS, "a turn");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), STORE_COPY_ROWS, "so far");
	restart(&r);
	while (c.answer.next_uid && turns < 10) {
		CHECK_ERR_EQ(copy_turn(&c), OK, "turn");
		CHECK_U64_EQ(c.answer.to_uids[0], turns * STORE_COPY_ROWS + 1, "goes on");
		turns++;
	}
	CHECK_U64_EQ(turns, COUNT / STORE_COPY_ROWS, "turns");
	CHECK_TRUE(written_max(&r) <= WRITTEN_MAX, "rows of one transaction");
	CHECK_U64_EQ(undo_turn(&r, 77), 0, "nothing to undo");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), COUNT, "all");
	CHECK_U64_EQ(used_bytes(&r, box.account_id), 2 * used, "they count");
	rig_close(&r);
}

/* One that fails half way leaves nothing behind, and cannot go on. */
static void
test_copy_undone(void)
{
	struct rig r;
	struct box box;
	struct copying c;
	uint64_t used;

	rig_open(&r);
	box = fill(&r);
	used = used_bytes(&r, box.account_id);
	c = copying_of(&r, &box, 78);
	CHECK_ERR_EQ(copy_turn(&c), OK, "first turn");
	CHECK_ERR_EQ(copy_turn(&c), OK, "second turn");
	CHECK_U64_EQ(undo_turn(&r, 78), 1, "one more");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), STORE_COPY_ROWS, "half");
	CHECK_ERR_EQ(copy_turn(&c), ERR_CONFLICT, "no going on");
	restart(&r);
	CHECK_U64_EQ(undo_turn(&r, 78), 0, "none");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), 0, "as it was");
	CHECK_U64_EQ(used_bytes(&r, box.account_id), used, "nothing counts");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("INBOX")), COUNT, "the originals");
	rig_close(&r);
}

/* A quota that the copies would pass is found before the first one is made. */
static void
test_copy_quota(void)
{
	struct rig r;
	struct box box;
	struct copying c;
	struct op_account_update update = { .address = STR("ann@example.org"),
		                            .fields = ACCOUNT_SET_QUOTA };
	struct answer_id answer;

	rig_open(&r);
	box = fill(&r);
	update.quota_bytes = 2 * used_bytes(&r, box.account_id) - 1;
	CHECK_ERR_EQ(rig_account_update(&r, &update, &answer), OK, "quota");
	c = copying_of(&r, &box, 79);
	CHECK_ERR_EQ(copy_turn(&c), ERR_QUOTA, "a byte too much");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), 0, "none");
	c.left.last--;
	CHECK_ERR_EQ(copy_turn(&c), OK, "one less");
	rig_close(&r);
}

static void
take_copy(void *arg, enum err e, const struct answer_copy *answer)
{
	CHECK_ERR_EQ(e, OK, "copy");
	CHECK_TRUE(answer && answer->next_uid, "there is more");
	*(bool *)arg = true;
}

/* The client's process goes between two turns: the store undoes the first one. */
static void
test_copy_abandoned(void)
{
	struct rig r;
	struct box box;
	struct copying c;
	struct store_client *other;
	bool is_done = false;

	rig_open(&r);
	box = fill(&r);
	c = copying_of(&r, &box, 80);
	c.op.uids = &c.left;
	c.op.uids_count = 1;
	other = store_client_new(r.loop, r.conf);
	(void)store_copy(other, &c.op, take_copy, &is_done);
	CHECK_TRUE(rig_wait(&r, &is_done), "first turn");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), STORE_COPY_ROWS, "so far");
	store_server_compact(r.server, 0);
	rig_turn(&r, 500);
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), STORE_COPY_ROWS,
	             "its client is there");
	store_client_free(&other);
	for (int i = 0; i < 1200 && exists(&r, box.account_id, STR("Trash")); i++) {
		rig_turn(&r, 50);
		store_server_compact(r.server, 0);
	}
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), 0, "as it was");
	rig_close(&r);
}

static void
counted(void *arg, enum err e, const struct answer_flags *answer)
{
	unsigned *left = arg;

	CHECK_ERR_EQ(e, OK, "of the crowd");
	CHECK_TRUE(answer && answer->rows_count == STORE_TURN_ROWS, "a whole turn");
	--*left;
}

/* Many large operations that wait together are not one large transaction. */
static void
test_crowd(void)
{
	struct rig r;
	struct uid_range all = { 1, UINT32_MAX };
	struct op_flags op = { .uids = &all, .uids_count = 1 };
	unsigned left = CROWD;
	struct box box;

	rig_open(&r);
	box = fill(&r);
	op.account_id = box.account_id;
	op.mailbox_id = box.id;
	for (unsigned i = 0; i < CROWD; i++) {
		op.mode = i % 2 ? FLAGS_REMOVE : FLAGS_ADD;
		op.flags = FLAG_FLAGGED;
		(void)store_flags(r.client, &op, counted, &left);
	}
	for (int i = 0; i < 6000 && left; i++)
		rig_turn(&r, 10);
	CHECK_U64_EQ(left, 0, "all are answered");
	CHECK_TRUE(written_max(&r) <= WRITTEN_MAX, "rows of one transaction");
	rig_close(&r);
}

/* A turn ends by the clock as well, after a few rows; what is not done in turns does not. */
static void
test_time(void)
{
	struct rig r;
	struct uid_range all = { 1, UINT32_MAX };
	struct op_flags flags = {
		.uids = &all, .uids_count = 1, .mode = FLAGS_ADD, .flags = FLAG_DELETED
	};
	struct op_expunge expunge = { .uids = &all, .uids_count = 1 };
	struct answer_flags marked;
	struct answer_expunge expunged;
	struct box box;
	struct copying c;
	uint32_t left;

	rig_open(&r);
	r.conf->limits.store_turn = 0;
	box = fill(&r);
	flags.account_id = expunge.account_id = box.account_id;
	flags.mailbox_id = expunge.mailbox_id = box.id;
	CHECK_ERR_EQ(rig_flags(&r, &flags, &marked), OK, "STORE");
	CHECK_U64_EQ(marked.rows_count, STORE_TURN_ROWS_MIN, "its turn");
	CHECK_U64_EQ(marked.next_uid, STORE_TURN_ROWS_MIN + 1, "where it goes on");
	CHECK_U64_EQ(deleted_left(&r, &box, &left), STORE_TURN_ROWS_MIN, "those");
	CHECK_ERR_EQ(rig_expunge(&r, &expunge, &expunged), OK, "EXPUNGE");
	CHECK_U64_EQ(expunged.next_uid, 0, "no more than those");
	c = copying_of(&r, &box, 81);
	CHECK_ERR_EQ(copy_turn(&c), OK, "COPY in turns");
	CHECK_U64_EQ(c.answer.to_uids_count, STORE_TURN_ROWS_MIN, "its turn");
	CHECK_U64_EQ(c.answer.next_uid, 2 * STORE_TURN_ROWS_MIN + 1, "goes on");
	CHECK_U64_EQ(undo_turn(&r, 81), 0, "undone");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")), 0, "as it was");
	c = copying_of(&r, &box, 0);
	CHECK_ERR_EQ(copy_turn(&c), OK, "COPY without turns");
	CHECK_U64_EQ(c.answer.to_uids_count, COUNT - STORE_TURN_ROWS_MIN, "is whole");
	c = copying_of(&r, &box, 0);
	c.op.is_move = true;
	for (uint32_t done = STORE_TURN_ROWS_MIN; done < COUNT; done += left) {
		CHECK_ERR_EQ(copy_turn(&c), OK, "MOVE");
		left = (uint32_t)c.answer.to_uids_count;
		if (!CHECK_U64_EQ(left, STORE_TURN_ROWS_MIN, "its turn"))
			break;
		CHECK_U64_EQ(c.answer.from_uids[0], done + 1, "none twice, none left");
	}
	CHECK_U64_EQ(c.answer.next_uid, 0, "the end");
	deleted_left(&r, &box, &left);
	CHECK_U64_EQ(left, 0, "INBOX is empty");
	CHECK_U64_EQ(exists(&r, box.account_id, STR("Trash")),
	             2 * (COUNT - STORE_TURN_ROWS_MIN), "all are there");
	rig_close(&r);
}

SUITE(store_turns, { "flags", test_flags }, { "expunge", test_expunge },
      { "remove", test_remove }, { "copy", test_copy },
      { "copy undone", test_copy_undone }, { "copy quota", test_copy_quota },
      { "copy abandoned", test_copy_abandoned }, { "crowd", test_crowd },
      { "time", test_time });
