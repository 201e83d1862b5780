#include "store/reader.h"

#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

static void
add_alias(struct rig *r, const char *address, const char *one, const char *two)
{
	struct str targets[] = { str_from(one), str_from(two) };
	struct op_alias_put op = { .address = str_from(address),
		                   .targets = targets,
		                   .targets_count = two ? 2 : 1,
		                   .enabled = true };

	CHECK_ERR_EQ(rig_alias_put(r, &op, NULL), OK, address);
}

/* What is asked, the answer, and the recipients it must name. */
static void
test_resolve(void)
{
	static const struct {
		const char *address;
		enum err answer;
		const char *targets;
	} rows[] = {
		{ "ann@example.org", OK, "ann@example.org" },
		{ "ann+shop@example.org", OK, "ann@example.org" },
		{ "nobody@example.org", ERR_NO_SUCH_USER, "" },
		{ "ann@elsewhere.example", ERR_RELAY, "" },
		{ "ann@off.example", ERR_RELAY, "" },
		{ "info@example.org", OK, "ann@example.org" },
		{ "both@example.org", OK, "ann@example.org x@Elsewhere.example" },
		{ "twice@example.org", OK, "ann@example.org" },
		{ "deep@example.org", OK, "ann@example.org x@Elsewhere.example" },
		{ "loop-a@example.org", ERR_LOOP, "" },
		{ "info+x@example.org", OK, "ann@example.org" },
		{ "+x@example.org", ERR_NO_SUCH_USER, "" },
		{ "@example.org", ERR_NO_SUCH_USER, "" },
		{ "anything@catch.example", OK, "ann@example.org" },
		{ "dead@example.org", ERR_NO_SUCH_USER, "" },
		{ "half@example.org", OK, "ann@example.org" },
	};
	struct rig r;

	rig_open(&r);
	(void)rig_account(&r);
	CHECK_ERR_EQ(rig_domain_put(&r,
	                            &(struct op_domain_put){ .name = STR("off.example") },
	                            NULL),
	             OK, "a domain that is off");
	CHECK_ERR_EQ(rig_domain_put(&r,
	                            &(struct op_domain_put){ .name = STR("catch.example"),
	                                                     .enabled = true },
	                            NULL),
	             OK, "a catch-all's");
	add_alias(&r, "info@example.org", "ann@example.org", NULL);
	add_alias(&r, "both@example.org", "Ann@Example.ORG", "x@Elsewhere.example");
	add_alias(&r, "twice@example.org", "ann@example.org", "info@example.org");
	add_alias(&r, "deep@example.org", "twice@example.org", "both@example.org");
	add_alias(&r, "loop-a@example.org", "loop-b@example.org", NULL);
	add_alias(&r, "loop-b@example.org", "loop-a@example.org", NULL);
	add_alias(&r, "@catch.example", "ann@example.org", NULL);
	add_alias(&r, "dead@example.org", "gone@example.org", NULL);
	add_alias(&r, "half@example.org", "gone@example.org", "ann@example.org");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct resolution found;
		char bytes[256];
		struct strbuf all = strbuf_on(bytes);

		CHECK_ERR_EQ(reader_resolve(r.reader, str_from(rows[i].address), 0,
		                            r.arena, &found),
		             rows[i].answer, rows[i].address);
		for (size_t j = 0; j < found.count; j++) {
			if (j)
				strbuf_byte(&all, ' ');
			strbuf_add(&all, found.targets[j].rcpt);
			if (found.targets[j].kind == RCPT_REMOTE)
				CHECK_STR_EQ(found.targets[j].domain,
				             STR("elsewhere.example"), rows[i].address);
		}
		CHECK_STR_EQ(strbuf_str(&all), str_from(rows[i].targets),
		             rows[i].address);
	}
	rig_close(&r);
}

static void
test_send_as(void)
{
	static const struct {
		const char *address;
		enum err answer;
	} rows[] = {
		{ "ann@example.org", OK },
		{ "ann+list@example.org", OK },
		{ "info@example.org", OK },
		{ "other@example.org", ERR_SENDER_DENIED },
		{ "ann@elsewhere.example", ERR_SENDER_DENIED },
		{ "annx@example.org", ERR_SENDER_DENIED },
		{ "", ERR_SENDER_DENIED },
	};
	struct rig r;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	add_alias(&r, "info@example.org", "x@elsewhere.example", "ann@example.org");
	add_alias(&r, "other@example.org", "x@elsewhere.example", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ERR_EQ(reader_may_send_as(r.reader, ann, str_from(rows[i].address)),
		             rows[i].answer, rows[i].address);
	rig_close(&r);
}

static bool
take_audit(void *arg, const struct audit_entry *entry)
{
	struct strbuf *b = arg;

	strbuf_printf(b, "%.*s %.*s;", STR_ARG(entry->action), STR_ARG(entry->target));
	return true;
}

static void
test_administration(void)
{
	struct rig r;
	struct actor actor = { .name = STR("admin:root"), .ip = STR("192.0.2.9") };
	struct op_domain_put domain = { .actor = actor,
		                        .name = STR("example.org"),
		                        .enabled = true,
		                        .if_absent = true };
	struct op_account_create account = { .actor = actor,
		                             .address = STR("bob@example.org"),
		                             .password = STR("long enough") };
	struct op_account_update update = { .actor = actor,
		                            .address = STR("bob@example.org"),
		                            .fields = ACCOUNT_SET_STATE,
		                            .state = ACCOUNT_DISABLED,
		                            .if_version = 7 };
	struct op_domain_remove remove_domain = { .actor = actor,
		                                  .name = STR("example.org") };
	struct account found;
	struct answer_id id;
	char bytes[2048];
	struct strbuf audit = strbuf_on(bytes);

	rig_open(&r);
	CHECK_ERR_EQ(rig_account_create(&r, &account, &id), ERR_NOT_FOUND,
	             "no domain yet");
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), OK, "domain");
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), ERR_EXISTS, "twice");
	domain.name = STR("-bad-.example");
	CHECK_ERR_EQ(rig_domain_put(&r, &domain, &id), ERR_INVALID, "no domain name");
	CHECK_ERR_EQ(rig_account_create(&r, &account, &id), OK, "account");
	CHECK_ERR_EQ(rig_account_create(&r, &account, &id), ERR_EXISTS, "twice");
	account.address = STR("c@example.org");
	account.password = STR("short");
	CHECK_ERR_EQ(rig_account_create(&r, &account, &id), ERR_INVALID,
	             "short password");
	account.address = STR("c d@example.org");
	account.password = STR("long enough");
	CHECK_ERR_EQ(rig_account_create(&r, &account, &id), ERR_INVALID, "no login name");
	CHECK_ERR_EQ(rig_account_update(&r, &update, &id), ERR_ETAG, "wrong version");
	update.if_version = 1;
	CHECK_ERR_EQ(rig_account_update(&r, &update, &id), OK, "right version");
	CHECK_U64_EQ(id.version, 2, "next version");
	CHECK_ERR_EQ(reader_account(r.reader, STR("bob@example.org"), r.arena, &found),
	             OK, "found");
	CHECK_U64_EQ(found.state, ACCOUNT_DISABLED, "off");
	CHECK_ERR_EQ(rig_domain_remove(&r, &remove_domain, NULL), ERR_CONFLICT,
	             "has accounts");
	remove_domain.with_accounts = true;
	CHECK_ERR_EQ(rig_domain_remove(&r, &remove_domain, NULL), OK, "with all in it");
	CHECK_ERR_EQ(reader_account(r.reader, STR("bob@example.org"), r.arena, &found),
	             ERR_NOT_FOUND, "gone");
	CHECK_ERR_EQ(reader_audit(r.reader, STR(""), 0, 10, take_audit, &audit), OK,
	             "audit");
	CHECK_STR_EQ(strbuf_str(&audit),
	             STR("domain.remove example.org;account.update bob@example.org;"
	                 "account.create bob@example.org;domain.create example.org;"),
	             "newest first");
	rig_close(&r);
}

static void
test_access(void)
{
	static const char digest[33] = "0123456789abcdef0123456789abcdef";
	struct rig r;
	struct op_admin_create admin = { .name = STR("root"),
		                         .password = STR("long enough"),
		                         .role = STR("owner") };
	struct op_session_create session = { .hash = { digest, 32 },
		                             .csrf = STR("x"),
		                             .expires_ms = INT64_MAX };
	struct op_token_create token = { .name = STR("ci"),
		                         .hash = { digest, 32 },
		                         .scopes = STR("domains:read") };
	struct answer_id id;
	struct token found_token;
	struct web_session found_session;

	rig_open(&r);
	CHECK_ERR_EQ(rig_admin_create(&r, &admin, &id), OK, "owner");
	CHECK_ERR_EQ(rig_admin_update(
			     &r, &(struct op_admin_update){ .name = STR("root") }, NULL),
	             ERR_CONFLICT, "the last owner stays");
	session.admin_id = token.admin_id = id.id;
	CHECK_ERR_EQ(rig_session_create(&r, &session, &id), OK, "session");
	CHECK_ERR_EQ(reader_session(r.reader, session.hash, r.arena, &found_session), OK,
	             "found");
	CHECK_STR_EQ(found_session.csrf, STR("x"), "csrf");
	CHECK_ERR_EQ(rig_session_touch(
			     &r, &(struct op_session_touch){ .id = id.id, .used_ms = 5 },
			     NULL),
	             OK, "touched");
	CHECK_ERR_EQ(rig_admin_password(&r,
	                                &(struct op_admin_password){
						.name = STR("root"),
						.password = STR("another one") },
	                                NULL),
	             OK, "new password");
	CHECK_ERR_EQ(reader_session(r.reader, session.hash, r.arena, &found_session),
	             ERR_NOT_FOUND, "ends the sessions");
	CHECK_ERR_EQ(rig_token_create(&r, &token, &id), OK, "token");
	CHECK_ERR_EQ(rig_token_create(&r, &token, NULL), ERR_EXISTS, "the same secret");
	CHECK_ERR_EQ(rig_token_revoke(&r, &(struct op_token_revoke){ .id = id.id }, NULL),
	             OK, "revoke");
	CHECK_ERR_EQ(reader_token(r.reader, token.hash, r.arena, &found_token), OK,
	             "found");
	CHECK_TRUE(found_token.revoked, "revoked");
	rig_close(&r);
}

/* Puts two settings; what comes of it, and the value and version of "a.b" after it. */
static const struct {
	uint64_t if_version;
	bool of_one;
	const char *a, *c;
	enum err want;
	const char *value;
	uint64_t version;
} settings[] = {
	{ 1, false, "1", "", OK, "1", 1 },
	{ 1, false, "2", "", ERR_ETAG, "1", 1 },
	{ 0, false, "1", "x", OK, "1", 1 },
	{ 2, false, "2", "", ERR_ETAG, "1", 1 },
	/* Of the first alone: the other one's change does not count. */
	{ 2, true, "2", "x", OK, "2", 3 },
	{ 4, false, "", "x", OK, "", 4 },
	{ 4, false, "3", "x", ERR_ETAG, "", 4 },
};

struct one_setting {
	struct rig *rig;
	struct setting *found;
};

static bool
take_setting(void *arg, const struct setting *setting)
{
	const struct one_setting *one = arg;

	if (!str_eq(setting->key, STR("a.b")))
		return true;
	*one->found = *setting;
	one->found->value = arena_str(one->rig->arena, setting->value);
	one->found->changed_by = arena_str(one->rig->arena, setting->changed_by);
	return false;
}

static void
test_settings(void)
{
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		struct setting_new items[] = { { STR("a.b"), str_from(settings[i].a) },
			                       { STR("c"), str_from(settings[i].c) } };
		struct op_settings_put op = { .actor = { .name = STR("admin:ann") },
			                      .items = items,
			                      .items_count = ARRAY_LEN(items),
			                      .of_one = settings[i].of_one,
			                      .if_version = settings[i].if_version };
		struct setting found = { 0 };
		struct answer_id id;
		struct one_setting one = { &r, &found };

		CHECK_ERR_EQ(rig_settings_put(&r, &op, &id), settings[i].want,
		             settings[i].a);
		CHECK_ERR_EQ(reader_settings(r.reader, take_setting, &one), OK, "get");
		CHECK_STR_EQ(found.value, str_from(settings[i].value), "value");
		CHECK_U64_EQ(found.version, settings[i].version, "version of one");
		CHECK_STR_EQ(found.changed_by, STR("admin:ann"), "who");
	}
	rig_close(&r);
}

/* A request of the API by its key. */
static const struct {
	const char *what;
	uint64_t epoch;
	char print;
	int64_t since_ms;
	enum api_again want;
	bool ends; /* answered after it */
} agains[] = {
	{ "first", 1, 'p', 0, API_NEW, false },
	{ "under way", 1, 'p', 0, API_RUNNING, false },
	{ "another one, under way", 1, 'q', 0, API_OTHER, false },
	{ "its process is gone", 2, 'p', 0, API_NEW, true },
	{ "done", 2, 'p', 0, API_DONE, false },
	{ "done, to another process", 3, 'p', 0, API_DONE, false },
	{ "another one", 3, 'q', 0, API_OTHER, false },
	{ "a day later", 3, 'q', INT64_MAX, API_NEW, false },
};

static void
test_requests_again(void)
{
	char name[32], print[32];
	struct answer_api answer;
	struct rig r;

	rig_open(&r);
	memset(name, 'n', sizeof(name));
	for (size_t i = 0; i < ARRAY_LEN(agains); i++) {
		struct op_api_begin op = { .name = { name, 32 },
			                   .print = { print, 32 },
			                   .deed = { print, 32 },
			                   .epoch = agains[i].epoch,
			                   .keep_since_ms = agains[i].since_ms };
		struct op_api_end end = { .name = { name, 32 },
			                  .deed = { print, 32 },
			                  .status = 201,
			                  .headers = STR("ETag: x\n"),
			                  .body = STR("{}") };

		memset(print, agains[i].print, sizeof(print));
		CHECK_ERR_EQ(rig_api_begin(&r, &op, &answer), OK, agains[i].what);
		CHECK_U64_EQ(answer.again, agains[i].want, agains[i].what);
		if (answer.again == API_DONE) {
			CHECK_U64_EQ(answer.status, 201, "status");
			CHECK_STR_EQ(answer.headers, STR("ETag: x\n"), "headers");
			CHECK_STR_EQ(answer.body, STR("{}"), "body");
		}
		if (agains[i].ends)
			CHECK_ERR_EQ(rig_api_end(&r, &end, NULL), OK, "end");
	}
	CHECK_ERR_EQ(rig_api_end(&r, &(struct op_api_end){ .name = { name, 32 } }, NULL),
	             OK, "it did not happen");
	CHECK_ERR_EQ(rig_api_begin(&r,
	                           &(struct op_api_begin){ .name = { name, 32 },
	                                                   .print = { print, 32 },
	                                                   .deed = { print, 32 },
	                                                   .epoch = 3 },
	                           &answer),
	             OK, "again");
	CHECK_U64_EQ(answer.again, API_NEW, "so it is carried out");
	rig_close(&r);
}

/* What a request with a key has done is not done twice, and its answer is the first one,
   until the request is answered. */
static void
test_deeds(void)
{
	struct op_domain_put op = { .actor = { .name = STR("test") },
		                    .name = STR("deed.example"),
		                    .enabled = true,
		                    .if_absent = true };
	struct op_domain_remove removal = { .actor = { .name = STR("test") },
		                            .name = STR("deed.example") };
	struct deed deed = { .n = 0 };
	struct op_api_begin begin = { .epoch = 1 };
	struct op_api_end end = { .status = 0 };
	struct answer_id first, second;
	struct answer_api answer;
	struct rig r;

	rig_open(&r);
	memset(deed.name, 'd', sizeof(deed.name));
	begin.name = begin.print = begin.deed = str_make(deed.name, sizeof(deed.name));
	end.name = end.deed = begin.name;
	CHECK_ERR_EQ(rig_api_begin(&r, &begin, &answer), OK, "begun");
	CHECK_TRUE(!answer.has_deeds, "nothing is done");
	store_set_deed(r.client, &deed);
	CHECK_ERR_EQ(rig_domain_put(&r, &op, &first), OK, "done");
	CHECK_U64_EQ(deed.n, 1, "counted");
	CHECK_ERR_EQ(rig_domain_put(&r, &op, &second), ERR_EXISTS,
	             "its second is another");

	/* The process is gone; the next one carries the request out again. */
	begin.epoch = 2;
	store_set_deed(r.client, NULL);
	CHECK_ERR_EQ(rig_api_begin(&r, &begin, &answer), OK, "again");
	CHECK_U64_EQ(answer.again, API_NEW, "again");
	CHECK_TRUE(answer.has_deeds, "some of it is done");
	rig_stop_store(&r);
	rig_start_store(&r);
	deed.n = 0;
	store_set_deed(r.client, &deed);
	CHECK_ERR_EQ(rig_domain_put(&r, &op, &second), OK, "the first answer");
	CHECK_U64_EQ(second.id, first.id, "the same domain");
	CHECK_ERR_EQ(rig_domain_put(&r, &op, &second), ERR_EXISTS,
	             "what failed is no deed");

	/* Another operation at that place is no deed of that kind. */
	deed.n = 0;
	CHECK_ERR_EQ(rig_domain_remove(&r, &removal, NULL), OK, "is done");
	deed.n = 0;
	CHECK_ERR_EQ(rig_domain_remove(&r, &removal, NULL), OK, "and not done again");

	/* Forgotten answers leave the deeds, answers that are kept end them. */
	store_set_deed(r.client, NULL);
	CHECK_ERR_EQ(rig_api_end(&r, &end, NULL), OK, "forgotten");
	begin.epoch = 3;
	CHECK_ERR_EQ(rig_api_begin(&r, &begin, &answer), OK, "tried again");
	CHECK_TRUE(answer.has_deeds, "it knows");
	end.status = 201;
	CHECK_ERR_EQ(rig_api_end(&r, &end, NULL), OK, "answered");
	deed.n = 0;
	store_set_deed(r.client, &deed);
	CHECK_ERR_EQ(rig_domain_remove(&r, &removal, NULL), ERR_NOT_FOUND, "history");
	store_set_deed(r.client, NULL);
	rig_close(&r);
}

static enum err
login(struct rig *r, const char *name, const char *password, const char *ip,
      struct answer_auth *answer)
{
	struct op_auth op = { .kind = LOGIN_ACCOUNT,
		              .protocol = STR("imap"),
		              .name = str_from(name),
		              .password = str_from(password),
		              .ip = str_from(ip) };

	return rig_auth(r, &op, answer);
}

static void
test_login(void)
{
	struct rig r;
	struct answer_auth answer;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(login(&r, "Ann@Example.org", "correct horse", "192.0.2.1", &answer),
	             OK, "right");
	CHECK_U64_EQ(answer.id, ann, "who");
	CHECK_STR_EQ(answer.address, STR("ann@example.org"), "normalised");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "correct horse", "192.0.2.1", &answer),
	             OK, "remembered");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "correct hors", "192.0.2.1", &answer),
	             ERR_AUTH, "wrong");
	CHECK_ERR_EQ(login(&r, "bob@example.org", "correct horse", "192.0.2.1", &answer),
	             ERR_AUTH, "nobody");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "", "192.0.2.1", &answer), ERR_AUTH,
	             "empty");
	CHECK_ERR_EQ(rig_account_password(&r,
	                                  &(struct op_account_password){
						  .address = STR("ann@example.org"),
						  .password = STR("battery staple") },
	                                  NULL),
	             OK, "changed");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "correct horse", "192.0.2.1", &answer),
	             ERR_AUTH, "the old one is forgotten at once");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "battery staple", "192.0.2.1", &answer),
	             OK, "the new one");
	CHECK_ERR_EQ(rig_account_update(&r,
	                                &(struct op_account_update){
						.address = STR("ann@example.org"),
						.fields = ACCOUNT_SET_STATE,
						.state = ACCOUNT_DISABLED },
	                                NULL),
	             OK, "off");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "battery staple", "192.0.2.1", &answer),
	             ERR_ACCOUNT_OFF, "off, told to who knows the password");
	CHECK_ERR_EQ(login(&r, "ann@example.org", "nonsense", "192.0.2.1", &answer),
	             ERR_AUTH, "and to nobody else");
	rig_close(&r);
}

SUITE(store_names, { "resolve", test_resolve }, { "send as", test_send_as },
      { "administration", test_administration }, { "access", test_access },
      { "settings", test_settings }, { "requests again", test_requests_again },
      { "deeds", test_deeds }, { "login", test_login });
