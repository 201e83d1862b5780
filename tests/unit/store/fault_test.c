/* What the store must stand: a restart at any moment, damage on disk, a full disk. */
#include "store/body.h"

#include "base/ids.h"
#include "store/db.h"
#include "store/segment.h"
#include "store/server_priv.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOOKS = 60, /* of nearly a second each, for what housekeeping does */
};

static const struct str text = STR_INIT("Subject: x\r\n\r\nNot long\r\n");

struct told {
	unsigned times;
	enum err error;
	uint32_t uid;
	bool is_done;
};

static void
accepted(void *arg, enum err e, const struct answer_accept *answer)
{
	struct told *t = arg;

	t->times++;
	t->error = e;
	t->uid = answer && answer->results_count ? answer->results[0].uid : 0;
	t->is_done = true;
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* The store goes at some moment between the request and its answer; whoever asks again
   gets the first answer, and the mailbox has each message once. */
static void
test_lost_answers(void)
{
	struct rig r;
	struct accept_rcpt rcpt = { .kind = RCPT_LOCAL, .rcpt = STR("ann@example.org") };
	struct op_accept op = { .direction = TRACE_IN, .rcpts = &rcpt, .rcpts_count = 1 };
	struct mailbox_info m;
	uint32_t count = 0;

	rig_open(&r);
	rcpt.account_id = rig_account(&r);
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	op.body = r.body;
	for (unsigned i = 0; i < 24; i++) {
		struct told told = { .times = 0 };
		struct id trace = id_new("mtr_");
		char what[32];

		(void)snprintf(what, sizeof(what), "turn %u", i);
		op.trace_id = id_str(&trace);
		(void)store_accept(r.client, &op, accepted, &told);
		rig_turn(&r, (int)(i % 6));
		store_server_free(&r.server);
		rig_start_store(&r);
		CHECK_TRUE(rig_wait(&r, &told.is_done), what);
		rig_turn(&r, 2);
		CHECK_U64_EQ(told.times, 1, what);
		CHECK_ERR_EQ(told.error, OK, what);
		count++;
		CHECK_U64_EQ(told.uid, count, what);
	}
	CHECK_ERR_EQ(reader_mailbox(r.reader, rcpt.account_id, STR("INBOX"), r.arena, &m),
	             OK, "INBOX");
	CHECK_U64_EQ(m.exists, count, "each once");
	rig_close(&r);
}

/* What the store asks of itself after it has said that it stopped is answered while it is
   freed, and starts nothing any more. */
static void
test_own_job_after_a_stop(void)
{
	struct op_login_noted op = { 0 };
	bool is_stopped = false;
	struct rig r;

	rig_open(&r);
	store_server_stop(r.server, set_flag, &is_stopped);
	CHECK_TRUE(rig_wait(&r, &is_stopped), "stopped");
	store_server_give_own(r.server, OP_login_noted, &op);
	store_server_free(&r.server);
	is_stopped = false;
	rig_turn(&r, 100);
	CHECK_TRUE(!is_stopped, "told once");
	rig_close(&r);
}

/* A store that could not be heard, because this process had no processor, is not away. */
static void
test_nobody_is_away_during_a_stall(void)
{
	struct op_domain_put domain = { .name = STR("example.org"), .enabled = true };
	struct rig r;

	rig_open(&r);
	(void)usleep(4100 * 1000);
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, NULL), OK, "asked");
	rig_close(&r);
}

/* What is committed is in the database file when the store has stopped, and the log is
   the same file, empty: the sandboxes of readers name it. */
static void
test_log_is_empty_after_a_stop(void)
{
	struct rig r;
	struct answer_accept answer;
	struct mailbox_info m;
	struct stat before, after;
	char bytes[256];
	struct strbuf path = strbuf_on(bytes);
	uint64_t ann;

	rig_open(&r);
	strbuf_add(&path, r.conf->data_dir);
	strbuf_lit(&path, "/index.db-wal");
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "one");
	CHECK_TRUE(stat(strbuf_cstr(&path), &before) == 0, "there is a log");
	CHECK_TRUE(before.st_size > 0, "and something in it");
	/* Who reads at that moment, as its own housekeeping may, is not waited for long. */
	for (int i = 0; i < LOOKS; i++) {
		rig_stop_store(&r);
		CHECK_TRUE(stat(strbuf_cstr(&path), &after) == 0, "there is a log");
		if (!after.st_size)
			break;
		rig_start_store(&r);
	}
	CHECK_U64_EQ((uint64_t)after.st_size, 0, "bytes");
	CHECK_U64_EQ(after.st_ino, before.st_ino, "file");
	rig_start_store(&r);
	CHECK_ERR_EQ(reader_mailbox(r.reader, ann, STR("INBOX"), r.arena, &m), OK,
	             "INBOX");
	CHECK_U64_EQ(m.exists, 1, "messages");
	rig_close(&r);
}

/* A row of the index changes as a flipped bit would change it. */
static void
change_index(struct rig *r, const char *sql)
{
	char bytes[256];
	struct strbuf path = strbuf_on(bytes);
	struct db *db;

	strbuf_add(&path, r->conf->data_dir);
	strbuf_lit(&path, "/index.db");
	CHECK_ERR_EQ(db_open(strbuf_cstr(&path), DB_WRITE, &db), OK, "index");
	db_keep_files(db);
	CHECK_ERR_EQ(db_run(db, sql, NO_VALUES), OK, sql);
	db_checkpoint(db);
	db_close(&db);
}

/* Overwrites the first page of a table's tree. */
static void
damage_table(struct rig *r, const char *table)
{
	char bytes[256], junk[64];
	struct strbuf path = strbuf_on(bytes);
	struct stmt *s;
	struct db *db;
	uint64_t page = 0;
	int fd;

	strbuf_add(&path, r->conf->data_dir);
	strbuf_lit(&path, "/index.db");
	CHECK_ERR_EQ(db_open(strbuf_cstr(&path), DB_READ, &db), OK, "index");
	if (CHECK_ERR_EQ(db_one(db, "SELECT rootpage FROM sqlite_schema WHERE name = $1",
	                        VALUES(V_S(str_from(table))), &s),
	                 OK, table))
		page = db_u64(s, 0);
	db_end(&s);
	db_close(&db);
	fd = open(strbuf_cstr(&path), O_WRONLY);
	memset(junk, 0x5a, sizeof(junk));
	CHECK_TRUE(pwrite(fd, junk, sizeof(junk), (off_t)(page - 1) * 4096) ==
	                   (ssize_t)sizeof(junk),
	           "write");
	(void)close(fd);
}

static void
test_segment_without_row(void)
{
	struct rig r;
	struct answer_accept answer;
	struct message m;
	struct body *body;

	rig_open(&r);
	CHECK_ERR_EQ(rig_deliver(&r, rig_account(&r), text, &answer), OK, "one");
	rig_stop_store(&r);
	change_index(&r, "UPDATE segment SET id = id + 1024");
	rig_start_store(&r);
	CHECK_ERR_EQ(rig_message(&r, answer.message_id, WANT_REF, &m), OK, "row");
	if (CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), OK, "its mail is there"))
		body_close(&body);
	rig_close(&r);
}

/* Pages that do not fit together any more are found and told of; the rest is served. */
static void
test_damaged_page(void)
{
	struct rig r;
	struct answer_accept answer;
	struct answer_stats stats = { 0 };
	struct op_stats op = { 0 };
	struct mailbox_info m;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "one");
	CHECK_ERR_EQ(rig_stats(&r, &op, &stats), OK, "stats");
	CHECK_TRUE(!stats.index_damaged, "nothing is damaged");
	rig_stop_store(&r);
	damage_table(&r, "segment");
	rig_start_store(&r);
	for (int i = 0; i < 6000 && !stats.index_damaged; i++) {
		rig_turn(&r, 20);
		CHECK_ERR_EQ(rig_stats(&r, &op, &stats), OK, "stats");
	}
	CHECK_TRUE(stats.index_damaged, "it is found");
	CHECK_ERR_EQ(reader_mailbox(r.reader, ann, STR("INBOX"), r.arena, &m), OK,
	             "the rest is readable");
	CHECK_U64_EQ(m.exists, 1, "messages");
	rig_close(&r);
}

static void
flip(struct rig *r, const struct body_ref *ref, uint64_t at)
{
	char bytes[256], byte;
	struct strbuf path = strbuf_on(bytes);
	int fd = open(segment_path(r->conf->data_dir, ref->segment, &path), O_RDWR);

	CHECK_TRUE(fd >= 0, "segment");
	CHECK_TRUE(pread(fd, &byte, 1, (off_t)(ref->offset + at)) == 1, "read");
	byte = (char)(byte ^ 0x20);
	CHECK_TRUE(pwrite(fd, &byte, 1, (off_t)(ref->offset + at)) == 1, "write");
	(void)close(fd);
}

/* Every single byte of a record, damaged: that message is told to be corrupt, or (bytes
   that mean nothing) is unharmed; its neighbours are well. */
static void
test_flipped_bytes(void)
{
	struct rig r;
	struct answer_accept first, second;
	struct message m, neighbour;
	struct body *body;
	uint64_t ann, end;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &first), OK, "one");
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &second), OK, "two");
	CHECK_ERR_EQ(rig_message(&r, first.message_id, WANT_REF, &m), OK, "row");
	CHECK_ERR_EQ(rig_message(&r, second.message_id, WANT_REF, &neighbour), OK, "row");
	end = neighbour.ref.offset - m.ref.offset;
	for (uint64_t at = 0; at < end; at++) {
		char what[32];

		(void)snprintf(what, sizeof(what), "byte %llu", (unsigned long long)at);
		flip(&r, &m.ref, at);
		CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_CORRUPT, what);
		flip(&r, &m.ref, at);
	}
	if (CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), OK, "mended"))
		body_close(&body);
	m.ref.offset += 3;
	CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_CORRUPT, "a wrong place");
	m.ref.offset = 1 << 30;
	CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_CORRUPT, "behind the end");
	m.ref.offset = UINT64_C(1) << 63;
	CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_IO, "cannot be read");
	m.ref.segment = 12345;
	CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_NOT_FOUND,
	             "no such segment");
	if (CHECK_ERR_EQ(body_open(r.bodies, &neighbour.ref, &body), OK, "neighbour"))
		body_close(&body);
	rig_close(&r);
}

/* What was read ahead is looked at again in the file before it is called damaged, and
   later changes there are seen only where it was. */
static void
test_read_ahead(void)
{
	enum { COUNT = 5, LATE = 3 };
	struct rig r;
	struct answer_accept answer;
	struct message m[COUNT];
	struct body *body;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	for (int i = 0; i < COUNT; i++) {
		CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "deliver");
		CHECK_ERR_EQ(rig_message(&r, answer.message_id, WANT_REF, &m[i]), OK,
		             "row");
		CHECK_TRUE(i == 0 || m[i].ref.offset > m[i - 1].ref.offset, "in order");
	}
	flip(&r, &m[LATE].ref, 100);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LATE; i++) {
			CHECK_ERR_EQ(body_open(r.bodies, &m[i].ref, &body), OK,
			             "in order");
			body_close(&body);
		}
		if (round == 0)
			CHECK_ERR_EQ(body_open(r.bodies, &m[LATE].ref, &body),
			             ERR_CORRUPT, "damaged in the file");
	}
	flip(&r, &m[LATE].ref, 100);
	for (int i = LATE; i < COUNT; i++) {
		if (CHECK_ERR_EQ(body_open(r.bodies, &m[i].ref, &body), OK, "mended"))
			body_close(&body);
	}
	rig_close(&r);
}

/* Below the reserve mail is put off, everything else goes on; with room again it comes in
   without a restart. */
static void
test_full_disk(void)
{
	struct rig r;
	struct answer_accept answer;
	struct op_flags flags = { .mode = FLAGS_ADD, .flags = FLAG_DELETED };
	struct uid_range range = { 1, UINT32_MAX };
	struct answer_expunge expunged;
	struct answer_stats stats;
	int64_t reserve;

	rig_open(&r);
	flags.account_id = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, flags.account_id, text, &answer), OK, "room");
	reserve = r.conf->limits.disk_reserve;
	r.conf->limits.disk_reserve = INT64_C(1) << 60;
	store_server_reload(r.server, r.conf);
	CHECK_ERR_EQ(rig_deliver(&r, flags.account_id, text, &answer), ERR_DISK_FULL,
	             "no room");
	CHECK_ERR_EQ(rig_stats(&r, &(struct op_stats){ 0 }, &stats), OK, "stats");
	CHECK_TRUE(stats.disk_full, "said so");
	flags.mailbox_id = answer.results_count ? answer.results[0].mailbox_id : 0;
	{
		struct mailbox_info m;

		CHECK_ERR_EQ(reader_mailbox(r.reader, flags.account_id, STR("INBOX"),
		                            r.arena, &m),
		             OK, "readable");
		flags.mailbox_id = m.id;
	}
	flags.uids = &range;
	flags.uids_count = 1;
	CHECK_ERR_EQ(rig_flags(&r, &flags, NULL), OK, "flags can be set");
	CHECK_ERR_EQ(rig_expunge(&r,
	                         &(struct op_expunge){ .account_id = flags.account_id,
	                                               .mailbox_id = flags.mailbox_id },
	                         &expunged),
	             OK, "room can be made");
	CHECK_U64_EQ(expunged.uids_count, 1, "it went");
	r.conf->limits.disk_reserve = reserve;
	store_server_reload(r.server, r.conf);
	CHECK_ERR_EQ(rig_deliver(&r, flags.account_id, text, &answer), OK, "room again");
	rig_close(&r);
}

/* One operation of a batch that fails after it has written takes nobody along. */
static void
test_failure_in_a_batch(void)
{
	struct rig r;
	struct accept_rcpt good = { .kind = RCPT_LOCAL, .rcpt = STR("ann@example.org") };
	struct accept_rcpt bad = { .kind = RCPT_LOCAL,
		                   .rcpt = STR("ann@example.org"),
		                   .mailbox = STR("a//b") };
	struct op_accept op = { .direction = TRACE_IN, .rcpts_count = 1 };
	struct told told[9] = { { .times = 0 } };
	struct mailbox_info m;

	rig_open(&r);
	good.account_id = bad.account_id = rig_account(&r);
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	op.body = r.body;
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		struct id trace = id_new("mtr_");

		op.trace_id = id_str(&trace);
		op.rcpts = i == 4 ? &bad : &good;
		(void)store_accept(r.client, &op, accepted, &told[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		CHECK_TRUE(rig_wait(&r, &told[i].is_done), "answered");
		CHECK_ERR_EQ(told[i].error, i == 4 ? ERR_INVALID : OK, "each for itself");
	}
	CHECK_ERR_EQ(reader_mailbox(r.reader, good.account_id, STR("INBOX"), r.arena, &m),
	             OK, "INBOX");
	CHECK_U64_EQ(m.exists, 8, "eight");
	CHECK_U64_EQ(m.uidnext, 9, "without a gap");
	rig_close(&r);
}

static bool
segment_is_there(struct rig *r, uint64_t segment)
{
	char bytes[256];
	struct strbuf path = strbuf_on(bytes);

	return access(segment_path(r->conf->data_dir, segment, &path), F_OK) == 0;
}

static void
compact(struct rig *r)
{
	rig_turn(r, 20);
	store_server_compact(r->server, -1000);
	rig_turn(r, 800);
}

static uint64_t
segment_of(struct rig *r, uint64_t message_id)
{
	struct message m = { 0 };

	CHECK_ERR_EQ(rig_message(r, message_id, WANT_REF, &m), OK, "row");
	return m.ref.segment;
}

/* As often as it takes on a machine that is busy with others. */
static void
compact_until_moved(struct rig *r, uint64_t message_id, uint64_t segment)
{
	for (int i = 0; i < LOOKS && segment_of(r, message_id) == segment; i++)
		compact(r);
	CHECK_TRUE(segment_of(r, message_id) != segment, "moved");
	for (int i = 0; i < LOOKS && segment_is_there(r, segment); i++)
		compact(r);
	CHECK_TRUE(!segment_is_there(r, segment), "dropped");
}

/* A segment that is mostly dead goes; what lives in it can be read all the time. */
static void
compaction_of(size_t size)
{
	enum { COUNT = 20, KEPT = 4, SIZE_MAX_BYTES = 2 * BODY_CARRIED_BYTES };
	static char noise[SIZE_MAX_BYTES];
	bool is_carried = size < BODY_CARRIED_BYTES;
	struct rig r;
	struct answer_accept answers[COUNT];
	struct uid_range dead = { 1, COUNT - KEPT };
	struct op_expunge expunge = { .uids = &dead, .uids_count = 1, .all_flags = true };
	struct answer_expunge expunged;
	struct message m;
	struct body *body;
	uint64_t ann, segment = 0;

	CHECK_TRUE(size <= sizeof(noise), "size");
	rig_open(&r);
	ann = rig_account(&r);
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t at = 0; at < size; at += 4096)
			random_bytes(noise + at, 4096);
		CHECK_ERR_EQ(rig_deliver(&r, ann, str_make(noise, size), &answers[i]), OK,
		             "deliver");
		CHECK_TRUE(is_carried == (r.body.record.n > 0), "its way");
		segment = segment_of(&r, answers[i].message_id);
	}
	expunge.account_id = ann;
	expunge.mailbox_id = answers[0].results[0].mailbox_id;
	CHECK_ERR_EQ(rig_expunge(&r, &expunge, &expunged), OK, "expunge");
	CHECK_U64_EQ(expunged.uids_count, COUNT - KEPT, "most of them");
	compact(&r);
	CHECK_TRUE(segment_is_there(&r, segment), "its writer is still there");
	if (is_carried) { /* one that is gone does not come back to its segment */
		rig_stop_store(&r);
		rig_start_store(&r);
	} else {
		bodies_free(&r.bodies); /* seals */
		r.bodies = bodies_new(r.loop, r.client, r.conf);
	}
	compact_until_moved(&r, answers[COUNT - 1].message_id, segment);
	for (size_t i = COUNT - KEPT; i < COUNT; i++) {
		CHECK_ERR_EQ(rig_message(&r, answers[i].message_id, WANT_REF, &m), OK,
		             "row");
		if (CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), OK, "body"))
			body_close(&body);
	}
	CHECK_STR_EQ(m.ref.sha256, r.body.ref.sha256, "the last one is what it was");
	rig_close(&r);
}

static void
test_compaction(void)
{
	compaction_of(4096);
	compaction_of(BODY_CARRIED_BYTES + 4096);
}

/* A body that an operation carries is what its reference says, or it is refused; the next
   one finds its place. */
static void
test_carried_lies(void)
{
	static const char *const lies[] = { "cut", "longer", "size", "digest",
		                            "no record" };
	struct rig r;
	struct accept_rcpt rcpt = { .kind = RCPT_LOCAL, .rcpt = STR("ann@example.org") };
	struct op_accept op = { .direction = TRACE_IN, .rcpts = &rcpt, .rcpts_count = 1 };
	struct answer_accept answer;
	struct strbuf longer;
	struct message m;
	struct body *body;

	rig_open(&r);
	rcpt.account_id = rig_account(&r);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct id trace = id_new("mtr_");

		CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
		op.trace_id = id_str(&trace);
		op.body = r.body;
		switch (i) {
		case 0:
			op.body.record.n--;
			break;
		case 1:
			longer = strbuf_arena(r.arena, 8192);
			strbuf_add(&longer, r.body.record);
			strbuf_byte(&longer, 'x');
			op.body.record = strbuf_str(&longer);
			break;
		case 2:
			op.body.ref.size++;
			break;
		case 3:
			op.body.ref.sha256 = STR("0123456789abcdef0123456789abcdef");
			break;
		default:
			op.body.record = STR("x");
		}
		CHECK_ERR_EQ(rig_accept(&r, &op, NULL), ERR_INVALID, lies[i]);
		CHECK_ERR_EQ(rig_deliver(&r, rcpt.account_id, text, &answer), OK, "next");
		CHECK_ERR_EQ(rig_message(&r, answer.message_id, WANT_REF, &m), OK, "row");
		if (CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), OK, "its body"))
			body_close(&body);
	}
	rig_close(&r);
}

/* The file of a segment is longer than its records while they are added; nobody finds the
   rest, and a stop cuts it off. */
static void
test_reserved(void)
{
	struct rig r;
	struct answer_accept answer;
	struct message m = { 0 };
	struct body *body;
	struct stat st = { 0 };
	char bytes[256];
	struct strbuf path = strbuf_on(bytes);
	uint64_t ann, end;

	rig_open(&r);
	ann = rig_account(&r);
	for (size_t i = 0; i < 3; i++) {
		CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "deliver");
		CHECK_ERR_EQ(rig_message(&r, answer.message_id, WANT_REF, &m), OK, "row");
	}
	(void)segment_path(r.conf->data_dir, m.ref.segment, &path);
	end = m.ref.offset + r.body.record.n;
	CHECK_TRUE(stat(path.p, &st) == 0 && (uint64_t)st.st_size > end, "longer");
	m.ref.offset = end;
	CHECK_ERR_EQ(body_open(r.bodies, &m.ref, &body), ERR_CORRUPT, "no record");
	rig_stop_store(&r);
	CHECK_TRUE(stat(path.p, &st) == 0, "there");
	CHECK_U64_EQ((uint64_t)st.st_size, end, "cut");
	rig_start_store(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "the next");
	rig_close(&r);
}

SUITE(store_fault, { "reserved room", test_reserved }, { "compaction", test_compaction },
      { "carried bodies that lie", test_carried_lies },
      { "lost answers", test_lost_answers }, { "flipped bytes", test_flipped_bytes },
      { "read ahead", test_read_ahead }, { "full disk", test_full_disk },
      { "failure in a batch", test_failure_in_a_batch },
      { "a segment without its row", test_segment_without_row },
      { "a damaged page", test_damaged_page },
      { "the log is empty after a stop", test_log_is_empty_after_a_stop },
      { "an own job after a stop", test_own_job_after_a_stop },
      { "nobody is away during a stall", test_nobody_is_away_during_a_stall });
