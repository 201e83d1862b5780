#include "store/body.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <stdio.h>

static const struct str hello = STR_INIT("Return-Path: <bob@example.net>\r\n"
                                         "From: Bob <bob@example.net>\r\n"
                                         "To: ann@example.org\r\n"
                                         "Subject: Hello\r\n"
                                         "Message-ID: <1@example.net>\r\n"
                                         "\r\n"
                                         "How are you?\r\n");

static struct mailbox_info
inbox_of(struct rig *r, uint64_t account_id)
{
	struct mailbox_info m = { 0 };

	(void)CHECK_ERR_EQ(
		reader_mailbox(r->reader, account_id, STR("inbox"), r->arena, &m), OK,
		"INBOX is there");
	return m;
}

static void
check_body(struct rig *r, uint64_t message_id, struct str want, const char *what)
{
	struct message m;
	struct body *body;

	if (!CHECK_ERR_EQ(rig_message(r, message_id, WANT_REF, &m), OK, what) ||
	    !CHECK_ERR_EQ(body_open(r->bodies, &m.ref, &body), OK, what))
		return;
	CHECK_STR_EQ(body_bytes(body), want, what);
	body_close(&body);
}

static void
test_deliver(void)
{
	struct rig r;
	struct answer_accept answer;
	struct mailbox_info m;
	struct entry entry;
	struct message message;
	uint64_t ann;
	size_t n;

	rig_open(&r);
	ann = rig_account(&r);
	m = inbox_of(&r, ann);
	CHECK_U64_EQ(m.exists, 0, "empty");
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &answer), OK, "accepted");
	CHECK_U64_EQ(answer.results_count, 1, "one result");
	CHECK_U64_EQ(answer.results[0].uid, 1, "first uid");
	CHECK_U64_EQ(answer.results[0].uidvalidity, m.uidvalidity, "uidvalidity");
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &answer), OK, "again");
	CHECK_U64_EQ(answer.results[0].uid, 2, "second uid");
	m = inbox_of(&r, ann);
	CHECK_U64_EQ(m.exists, 2, "exists");
	CHECK_U64_EQ(m.unseen, 2, "unseen");
	CHECK_U64_EQ(m.uidnext, 3, "uidnext");
	CHECK_U64_EQ(m.highestmodseq, 3, "modseq");
	CHECK_U64_EQ(m.size_bytes, 2 * hello.n, "size");
	CHECK_ERR_EQ(reader_entries(r.reader,
	                            &(struct entry_span){ m.id, 2, UINT32_MAX, 0 },
	                            &entry, 1, &n),
	             OK, "entries");
	CHECK_U64_EQ(n, 1, "one entry");
	CHECK_U64_EQ(entry.uid, 2, "entry uid");
	CHECK_U64_EQ(entry.size, hello.n, "entry size");
	check_body(&r, entry.message_id, hello, "body");
	CHECK_ERR_EQ(
		rig_message(&r, entry.message_id, WANT_FIELDS | WANT_ENVELOPE, &message),
		OK, "head");
	CHECK_STR_EQ(message.head.subject, STR("Hello"), "subject");
	CHECK_STR_EQ(message.head.message_id, STR("<1@example.net>"), "message id");
	CHECK_TRUE(str_starts(message.head.envelope, STR("(")), "envelope");
	rig_close(&r);
}

static void
test_bodies(void)
{
	static const size_t sizes[] = { 1,
		                        255,
		                        4096,
		                        BODY_CARRIED_BYTES - 100,
		                        BODY_CARRIED_BYTES + 1,
		                        BODY_MEMORY_BYTES - 1,
		                        BODY_MEMORY_BYTES,
		                        BODY_MEMORY_BYTES + 1,
		                        1 << 20,
		                        5 << 20 };
	struct rig r;
	struct strbuf big = strbuf_heap(8 << 20);
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int noisy = 0; noisy < 2; noisy++) {
			struct answer_accept answer;
			char what[64];

			(void)snprintf(what, sizeof(what), "%zu bytes, noisy %d",
			               sizes[i], noisy);
			strbuf_clear(&big);
			/* Long ones are body: a header has its bound. */
			if (sizes[i] > BODY_MEMORY_BYTES)
				strbuf_lit(&big, "\r\n");
			while (big.n < sizes[i]) {
				uint64_t x = random_u64();
				struct str line = STR("a line that comes again\r\n");

				if (noisy)
					line = str_make(&x, sizeof(x));
				strbuf_add(&big, str_first(line, sizes[i] - big.n));
			}
			if (!CHECK_ERR_EQ(rig_deliver(&r, ann, strbuf_str(&big), &answer),
			                  OK, what))
				continue;
			CHECK_TRUE((r.body.ref.codec == CODEC_NONE) ==
			                   (noisy || sizes[i] < 256),
			           what);
			check_body(&r, answer.message_id, strbuf_str(&big), what);
		}
	}
	strbuf_release(&big);
	rig_close(&r);
}

/* What is known at the end stands in front, in memory and in a spool file alike. */
static void
test_prefix(void)
{
	static const size_t sizes[] = { 0,
		                        1,
		                        9000,
		                        BODY_MEMORY_BYTES - 1,
		                        BODY_MEMORY_BYTES,
		                        BODY_MEMORY_BYTES + 1,
		                        3 << 20 };
	static const size_t prefixes[] = { 1, 700, BODY_PREFIX_MAX };
	struct strbuf whole = strbuf_heap(4 << 20);
	struct rig r;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(prefixes); i++) {
		size_t size = sizes[i / ARRAY_LEN(prefixes)],
		       prefix = prefixes[i % ARRAY_LEN(prefixes)];
		struct answer_accept answer;
		char what[64];
		struct str all;

		(void)snprintf(what, sizeof(what), "%zu bytes behind %zu", size, prefix);
		strbuf_clear(&whole);
		while (whole.n < prefix + size) {
			char line[64];
			size_t left = prefix + size - whole.n;

			(void)snprintf(line, sizeof(line), "line %zu\r\n", whole.n);
			strbuf_add(&whole, str_first(str_from(line), left));
		}
		all = strbuf_str(&whole);
		r.prefix = str_first(all, prefix);
		if (CHECK_ERR_EQ(
			    rig_deliver(&r, ann, str_from_offset(all, prefix), &answer),
			    OK, what)) {
			CHECK_U64_EQ(r.body.ref.size, all.n, what);
			check_body(&r, answer.message_id, all, what);
		}
	}
	strbuf_release(&whole);
	rig_close(&r);
}

static void
not_called(void *arg, enum err e, struct body *body)
{
	(void)e;
	(void)body;
	*(bool *)arg = true;
}

/* Who reads goes while the thread reads, and the process ends. */
static void
test_forgotten_at_the_end(void)
{
	struct rig r;
	struct strbuf big = strbuf_heap(1 << 20);
	struct body_reading *reading;
	struct answer_accept answer;
	struct message m;
	bool is_called = false;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	while (big.n < 2 * BODY_LATER_BYTES)
		strbuf_lit(&big, "a line that comes again\r\n");
	CHECK_ERR_EQ(rig_deliver(&r, ann, strbuf_str(&big), &answer), OK, "deliver");
	CHECK_ERR_EQ(rig_message(&r, answer.message_id, WANT_REF, &m), OK, "message");
	reading = body_open_later(r.bodies, &m.ref, ann, not_called, &is_called);
	body_reading_forget(&reading);
	rig_close(&r);
	CHECK_TRUE(!is_called, "nobody wants to know");
	strbuf_release(&big);
}

static void
test_too_large(void)
{
	struct rig r;
	struct body_writer *w;

	rig_open(&r);
	w = body_writer_new(r.bodies, 10);
	CHECK_ERR_EQ(body_write(w, STR("0123456789")), OK, "just so");
	CHECK_ERR_EQ(body_write(w, STR("x")), ERR_TOO_LARGE, "one more");
	CHECK_ERR_EQ(body_write(w, STR("")), ERR_TOO_LARGE, "sticky");
	body_writer_free(&w);
	rig_close(&r);
}

static void
on_finished(void *arg, enum err e, const struct new_body *body)
{
	size_t *good = arg;

	*good += e == OK && body->ref.size > 0;
}

/* Clients that begin large messages and never end them hold no more than that. */
static void
test_memory_of_all(void)
{
	enum {
		WRITERS = 400,
		EACH = 200 * 1024,
	};
	struct rig r;
	struct strbuf text = strbuf_heap(EACH);
	struct body_writer *w[WRITERS];
	struct body_about about = { .at_ms = clock_unix_ms() };
	size_t good = 0;

	rig_open(&r);
	while (text.n < EACH)
		strbuf_add(&text, str_first(hello, EACH - text.n));
	for (size_t i = 0; i < WRITERS; i++)
		w[i] = body_writer_new(r.bodies, 1 << 20);
	for (size_t at = 0; at < EACH; at += 10240) {
		for (size_t i = 0; i < WRITERS; i++)
			CHECK_ERR_EQ(
				body_write(w[i], str_first(str_from_offset(
								   strbuf_str(&text), at),
			                                   10240)),
				OK, "write");
	}
	CHECK_TRUE(bodies_held(r.bodies) < BODY_MEMORY_TOTAL + WRITERS * 16 * 1024,
	           "memory of all");
	CHECK_TRUE(bodies_held(r.bodies) > BODY_MEMORY_TOTAL / 2, "which is used");
	for (size_t i = 0; i < WRITERS; i += 50)
		body_finish(w[i], &about, on_finished, &good);
	for (int turns = 0; turns < 500 && good < WRITERS / 50; turns++)
		rig_turn(&r, 20);
	CHECK_U64_EQ(good, WRITERS / 50, "all of them end well");
	for (size_t i = 0; i < WRITERS; i++)
		body_writer_free(&w[i]);
	CHECK_U64_EQ(bodies_held(r.bodies), 0, "given back");
	rig_close(&r);
	strbuf_release(&text);
}

static enum err
set_flags(struct rig *r, struct op_flags op, uint32_t uid, struct str keyword,
          struct answer_flags *answer)
{
	struct uid_range range = { uid, uid };

	op.uids = &range;
	op.uids_count = 1;
	op.keywords = &keyword;
	op.keywords_count = keyword.n > 0;
	return rig_flags(r, &op, answer);
}

static void
test_flags(void)
{
	struct rig r;
	struct answer_accept accepted;
	struct answer_flags answer;
	struct mailbox_info m;
	struct keyword *keywords;
	size_t n;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "one");
	m = inbox_of(&r, ann);
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = FLAG_SEEN },
	                       1, STR(""), &answer),
	             OK, "seen");
	CHECK_U64_EQ(answer.rows_count, 1, "rows");
	CHECK_U64_EQ(answer.rows[0].flags, FLAG_SEEN, "flags");
	CHECK_U64_EQ(answer.rows[0].modseq, 3, "modseq");
	CHECK_U64_EQ(answer.rows[0].prior_modseq, 2, "that of its coming");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = FLAG_SEEN },
	                       1, STR(""), &answer),
	             OK, "seen again");
	CHECK_U64_EQ(answer.highestmodseq, 3, "nothing changed, no modseq");
	CHECK_U64_EQ(answer.rows[0].prior_modseq, 3, "nor a prior one");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = 0 },
	                       1, STR("$Work"), &answer),
	             OK, "keyword");
	CHECK_TRUE(answer.has_new_keywords, "it is new");
	CHECK_U64_EQ(answer.rows[0].flags, FLAG_SEEN | 1 << 8, "its bit");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_REPLACE,
	                                          .flags = FLAG_DELETED },
	                       1, STR("$work"), &answer),
	             OK, "replace");
	CHECK_U64_EQ(answer.rows[0].flags, FLAG_DELETED | 1 << 8, "replaced");
	CHECK_TRUE(!answer.has_new_keywords, "known without case");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_REMOVE,
	                                          .flags = 0 },
	                       1, STR("nobody"), &answer),
	             OK, "remove unknown");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = 0 },
	                       1, STR("a b"), &answer),
	             ERR_INVALID, "no keyword");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann + 1,
	                                          .mailbox_id = m.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = FLAG_SEEN },
	                       1, STR(""), &answer),
	             ERR_NOT_FOUND, "somebody else's mailbox");
	CHECK_ERR_EQ(reader_keywords(r.reader, m.id, r.arena, &keywords, &n), OK,
	             "names");
	CHECK_U64_EQ(n, 1, "one name");
	CHECK_STR_EQ(keywords[0].name, STR("$Work"), "as first written");
	m = inbox_of(&r, ann);
	CHECK_U64_EQ(m.unseen, 1, "replace took \\Seen away");
	CHECK_U64_EQ(m.deleted, 1, "deleted");
	rig_close(&r);
}

/* One mailbox, and which of its five messages are seen. */
static void
test_unseen_seq(void)
{
	static const struct {
		const char *what;
		uint32_t seen[2]; /* from UID to UID */
		uint32_t look, seq;
	} rows[] = {
		{ "all unseen", { 0, 0 }, 1, 1 },
		{ "the second", { 1, 1 }, 2, 2 },
		{ "too far from both ends", { 1, 2 }, 2, 0 },
		{ "the third from the end", { 1, 2 }, 3, 3 },
		{ "the last", { 1, 4 }, 1, 5 },
		{ "none", { 1, 5 }, 9, 0 },
	};
	struct rig r;
	struct answer_accept accepted;
	struct answer_flags answer;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	for (int i = 0; i < 5; i++)
		CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "deliver");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox_info m = inbox_of(&r, ann);
		struct op_flags op = { .account_id = ann,
			               .mailbox_id = m.id,
			               .mode = FLAGS_ADD,
			               .flags = FLAG_SEEN };
		uint32_t seq = 77;

		for (uint32_t uid = rows[i].seen[0]; uid && uid <= rows[i].seen[1]; uid++)
			CHECK_ERR_EQ(set_flags(&r, op, uid, STR(""), &answer), OK,
			             "seen");
		CHECK_ERR_EQ(reader_hold(r.reader), OK, rows[i].what);
		m = inbox_of(&r, ann);
		CHECK_ERR_EQ(reader_unseen_seq(r.reader, &m, rows[i].look, &seq), OK,
		             rows[i].what);
		reader_release(r.reader);
		CHECK_U64_EQ(seq, rows[i].seq, rows[i].what);
	}
	rig_close(&r);
}

/* Mail that arrives between two calls is seen by both or by neither. */
static void
test_one_state(void)
{
	struct rig r;
	struct answer_accept accepted;
	struct answer_flags answer;
	struct op_flags op = { .mode = FLAGS_ADD, .flags = FLAG_SEEN };
	struct mailbox_info m;
	uint32_t seq, uids[8];
	size_t n;

	rig_open(&r);
	op.account_id = rig_account(&r);
	for (int i = 0; i < 5; i++)
		CHECK_ERR_EQ(rig_deliver(&r, op.account_id, hello, &accepted), OK,
		             "deliver");
	op.mailbox_id = inbox_of(&r, op.account_id).id;
	for (uint32_t uid = 1; uid <= 5; uid++)
		CHECK_ERR_EQ(uid == 4 ? OK : set_flags(&r, op, uid, STR(""), &answer), OK,
		             "all are seen but the fourth");
	CHECK_ERR_EQ(reader_hold(r.reader), OK, "hold");
	m = inbox_of(&r, op.account_id);
	CHECK_ERR_EQ(rig_deliver(&r, op.account_id, hello, &accepted), OK, "one more");
	CHECK_ERR_EQ(reader_unseen_seq(r.reader, &m, 3, &seq), OK, "from the end");
	CHECK_U64_EQ(seq, 4, "the fourth, not the new one");
	CHECK_ERR_EQ(reader_uids(r.reader, &(struct entry_span){ m.id, 1, 9, 0 }, uids,
	                         ARRAY_LEN(uids), &n),
	             OK, "uids");
	CHECK_U64_EQ(n, m.exists, "as many as the row says");
	reader_release(r.reader);
	CHECK_U64_EQ(inbox_of(&r, op.account_id).exists, 6, "released");
	rig_close(&r);
}

static void
test_move_and_expunge(void)
{
	struct rig r;
	struct answer_accept accepted;
	struct answer_flags flags;
	struct answer_copy copied;
	struct answer_expunge expunged;
	struct mailbox_info inbox, trash;
	struct uid_range range = { 2, 3 };
	struct op_copy copy = { .uids = &range, .uids_count = 1 };
	struct op_expunge expunge = { 0 };
	struct account account;
	uint32_t uids[4];
	size_t n;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	for (int i = 0; i < 4; i++)
		CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "deliver");
	inbox = inbox_of(&r, ann);
	CHECK_ERR_EQ(reader_mailbox(r.reader, ann, STR("Trash"), r.arena, &trash), OK,
	             "Trash");
	CHECK_U64_EQ(trash.special_use, USE_TRASH, "its use");
	CHECK_TRUE(trash.subscribed, "subscribed");
	CHECK_ERR_EQ(set_flags(&r,
	                       (struct op_flags){ .account_id = ann,
	                                          .mailbox_id = inbox.id,
	                                          .mode = FLAGS_ADD,
	                                          .flags = FLAG_SEEN },
	                       2, STR("later"), &flags),
	             OK, "flag");
	copy.account_id = ann;
	copy.mailbox_id = inbox.id;
	copy.to_mailbox_id = trash.id;
	copy.is_move = true;
	CHECK_ERR_EQ(rig_copy(&r, &copy, &copied), OK, "move");
	CHECK_U64_EQ(copied.from_uids_count, 2, "two");
	CHECK_U64_EQ(copied.from_uids[1], 3, "source");
	CHECK_U64_EQ(copied.to_uids[1], 2, "destination");
	CHECK_U64_EQ(copied.uidvalidity, trash.uidvalidity, "uidvalidity");
	CHECK_ERR_EQ(reader_uids(r.reader,
	                         &(struct entry_span){ inbox.id, 1, UINT32_MAX, 0 }, uids,
	                         4, &n),
	             OK, "uids");
	CHECK_U64_EQ(n, 2, "left");
	CHECK_U64_EQ(uids[1], 4, "1 and 4");
	CHECK_ERR_EQ(reader_expunged(r.reader, inbox.id, 0, uids, 4, &n), OK, "expunged");
	CHECK_U64_EQ(n, 2, "2 and 3");
	copy.is_move = false;
	copy.mailbox_id = trash.id;
	copy.to_mailbox_id = inbox.id;
	range = (struct uid_range){ 1, UINT32_MAX };
	CHECK_ERR_EQ(rig_copy(&r, &copy, &copied), OK, "copy back");
	inbox = inbox_of(&r, ann);
	CHECK_U64_EQ(inbox.exists, 4, "four again");
	CHECK_U64_EQ(inbox.unseen, 3, "seen came along");
	CHECK_U64_EQ(inbox.uidnext, 7, "no UID twice");
	expunge.account_id = ann;
	expunge.mailbox_id = trash.id;
	CHECK_ERR_EQ(rig_expunge(&r, &expunge, &expunged), OK, "nothing deleted");
	CHECK_U64_EQ(expunged.uids_count, 0, "none");
	expunge.all_flags = true;
	CHECK_ERR_EQ(rig_expunge(&r, &expunge, &expunged), OK, "all");
	CHECK_U64_EQ(expunged.uids_count, 2, "both");
	check_body(&r, accepted.message_id, hello, "others keep their body");
	CHECK_ERR_EQ(reader_account_by_id(r.reader, ann, r.arena, &account), OK,
	             "account");
	CHECK_U64_EQ(account.message_count, 4, "messages");
	CHECK_U64_EQ(account.used_bytes, 4 * hello.n, "bytes");
	rig_close(&r);
}

static void
test_quota(void)
{
	struct rig r;
	struct op_account_update update = { .address = STR("ann@example.org"),
		                            .fields = ACCOUNT_SET_QUOTA,
		                            .quota_bytes = hello.n + 1 };
	struct answer_accept accepted;
	struct resolution resolution;
	struct id trace = id_new("mtr_");
	struct accept_rcpt rcpts[2] = { { .kind = RCPT_LOCAL,
		                          .rcpt = STR("ann@example.org") },
		                        { .kind = RCPT_REMOTE,
		                          .rcpt = STR("x@y.example"),
		                          .domain = STR("y.example") } };
	struct op_accept op = { .direction = TRACE_IN,
		                .expires_ms = INT64_C(1) << 60,
		                .rcpts = rcpts,
		                .rcpts_count = 2 };
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_account_update(&r, &update, NULL), OK, "quota");
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "first fits");
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), ERR_QUOTA,
	             "second does not");
	CHECK_ERR_EQ(reader_resolve(r.reader, STR("ann@example.org"), hello.n, r.arena,
	                            &resolution),
	             ERR_QUOTA, "and RCPT knows");
	CHECK_ERR_EQ(reader_resolve(r.reader, STR("ann+x@example.org"), 1, r.arena,
	                            &resolution),
	             OK, "a small one would fit");
	rcpts[0].account_id = ann;
	op.trace_id = id_str(&trace);
	op.body = r.body;
	CHECK_ERR_EQ(rig_accept(&r, &op, &accepted), OK, "the other recipient is good");
	CHECK_U64_EQ(accepted.results[0].error, ERR_QUOTA, "one is over");
	CHECK_U64_EQ(accepted.results[1].error, OK, "one is queued");
	CHECK_TRUE(accepted.results[1].queue_id > 0, "with a number");
	op.all_or_none = true;
	CHECK_ERR_EQ(rig_accept(&r, &op, &accepted), ERR_QUOTA, "all or none");
	rig_close(&r);
}

static void
test_restart(void)
{
	struct rig r;
	struct answer_accept accepted;
	struct mailbox_info m;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "before");
	rig_stop_store(&r);
	rig_start_store(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, hello, &accepted), OK, "after, same segment");
	CHECK_U64_EQ(accepted.results[0].uid, 2, "next uid");
	m = inbox_of(&r, ann);
	CHECK_U64_EQ(m.exists, 2, "two");
	check_body(&r, accepted.message_id, hello, "body");
	rig_close(&r);
}

SUITE(store_mail, { "deliver", test_deliver }, { "bodies of all sizes", test_bodies },
      { "a reader that goes at the end", test_forgotten_at_the_end },
      { "prefix", test_prefix }, { "too large", test_too_large },
      { "memory of all", test_memory_of_all }, { "flags", test_flags },
      { "the first unseen", test_unseen_seq },
      { "one state for several reads", test_one_state },
      { "move and expunge", test_move_and_expunge }, { "quota", test_quota },
      { "restart", test_restart });
