/* Which process may ask for what. */
#include "store/rights.h"

#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <unistd.h>

static void
test_table(void)
{
	static const struct {
		const char *role;
		enum op op;
		bool is_right;
	} rows[] = {
		{ "smtp", OP_accept, true },
		{ "smtp", OP_events, true },
		{ "smtp", OP_account_password, false },
		{ "smtp", OP_queue_claim, false },
		{ "smtp", OP_expunge, false },
		{ "imap", OP_expunge, true },
		{ "imap", OP_accept, false },
		{ "imap", OP_admin_create, false },
		{ "queue", OP_queue_result, true },
		{ "queue", OP_auth, false },
		{ "queue", OP_append, false },
		{ "web", OP_account_password, true },
		{ "web", OP_append, false },
		{ "web", OP_segment_drop, false },
		{ "dns", OP_events, false },
		{ "store", OP_events, false },
		{ "", OP_stats, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned rights = rights_of_role(str_from(rows[i].role));

		CHECK_TRUE(rights_have(rights, rows[i].op) == rows[i].is_right,
		           rows[i].role);
	}
	/* What the store does for itself nobody may ask for. */
	CHECK_TRUE(!rights_have(BY_ALL, OP_login_noted) &&
	                   !rights_have(BY_ALL, OP_segment_moved),
	           "own operations");
}

static void
test_feeds(void)
{
	struct op_subscribe_feed events = { .events = true };
	struct op_subscribe_feed queue = { .queue = true };
	struct op_subscribe_feed accounts = { .all_accounts = true };
	struct op_subscribe_feed settings = { .settings = true };

	CHECK_TRUE(rights_have_feed(BY_WEB, &events), "web: events");
	CHECK_TRUE(!rights_have_feed(BY_SMTP, &events), "smtp: events");
	CHECK_TRUE(rights_have_feed(BY_QUEUE, &queue), "queue: queue");
	CHECK_TRUE(!rights_have_feed(BY_IMAP, &queue), "imap: queue");
	CHECK_TRUE(rights_have_feed(BY_IMAP, &accounts), "imap: accounts");
	CHECK_TRUE(!rights_have_feed(BY_SMTP, &accounts), "smtp: accounts");
	CHECK_TRUE(rights_have_feed(BY_SMTP, &settings), "smtp: settings");
}

static void
test_peers(void)
{
	struct peers *p = peers_new();

	peers_set(p, 7, STR("smtp"), BY_SMTP);
	peers_set(p, 8, STR("a name that is far too long"), BY_WEB);
	CHECK_TRUE(peers_find(p, 7) && peers_find(p, 7)->rights == BY_SMTP, "seven");
	CHECK_CSTR_EQ(peers_find(p, 8)->role, "a name that is ", "cut");
	peers_set(p, 7, STR("web"), BY_WEB);
	CHECK_TRUE(peers_find(p, 7)->rights == BY_WEB, "the number is another's now");
	peers_remove(p, 7);
	peers_remove(p, 7);
	CHECK_TRUE(!peers_find(p, 7) && peers_find(p, 8), "gone");
	for (int i = 0; i < PEERS_MAX + 10; i++)
		peers_set(p, 100 + i, STR("imap"), BY_IMAP);
	CHECK_TRUE(!peers_find(p, 100 + PEERS_MAX), "no more than may be");
	peers_set(p, 0, STR("web"), BY_WEB);
	peers_set(p, -1, STR("web"), BY_WEB);
	CHECK_TRUE(!peers_find(p, 0) && !peers_find(p, -1), "nobody's number");
	peers_free(&p);
	CHECK_TRUE(rights_epoch(1, 99) == rights_epoch(1, 99), "the same");
	CHECK_TRUE(rights_epoch(1, 99) != rights_epoch(2, 99), "of another process");
}

/* The same client with other rights, at each of its connections. */
static void
test_refused(void)
{
	struct rig r;
	struct op_domain_put domain = { .name = STR("example.org"), .enabled = true };
	struct op_subscribe_feed feed = { .events = true };
	struct op_queue_release release = { 0 };
	struct answer_id id;

	rig_open(&r);
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), OK, "with all rights");
	rig_stop_store(&r);
	rig_start_store(&r);
	store_server_peer(r.server, getpid(), STR("smtp"), BY_SMTP);
	domain.name = STR("example.net");
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), ERR_FORBIDDEN, "as smtp");
	CHECK_ERR_EQ(rig_subscribe_feed(&r, &feed, NULL), ERR_FORBIDDEN, "feed as smtp");
	CHECK_ERR_EQ(rig_queue_release(&r, &release, NULL), ERR_FORBIDDEN,
	             "queue as smtp");
	rig_stop_store(&r);
	rig_start_store(&r);
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), OK, "the name is still free");
	rig_close(&r);
}

static void
put(void *arg, enum err e, const struct answer_id *answer)
{
	(void)answer;
	*(bool *)arg = e == OK;
}

/* A process nobody told of is not spoken with; once told of, it is. */
static void
test_stranger(void)
{
	struct rig r;
	struct op_domain_put domain = { .name = STR("example.org"), .enabled = true };
	bool is_done = false;

	rig_open(&r);
	store_server_peer(r.server, getpid(), STR(""), 0);
	(void)store_domain_put(r.client, &domain, put, &is_done);
	rig_turn(&r, 150);
	CHECK_TRUE(!is_done, "nobody answers");
	store_server_peer(r.server, getpid(), STR("web"), BY_WEB);
	CHECK_TRUE(rig_wait(&r, &is_done), "now it is known");
	rig_close(&r);
}

SUITE(store_rights, { "table", test_table }, { "feeds", test_feeds },
      { "peers", test_peers }, { "refused", test_refused },
      { "stranger", test_stranger });
