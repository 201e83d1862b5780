/* The life of a key, step by step, on a real store: what may follow on what, what the
 * name service moves, and what becomes of the private half. */
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include "base/clock.h"
#include "ext/crypto.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
key_dir(struct rig *r, char *path, size_t n, const char *file)
{
	(void)snprintf(path, n, "%s/keys/dkim/%s", r->dir, file);
}

static void
open_rig(struct rig *r)
{
	char path[200];

	rig_open(r);
	(void)snprintf(path, sizeof(path), "%s/keys", r->dir);
	(void)mkdir(path, 0700);
	key_dir(r, path, sizeof(path), "");
	(void)mkdir(path, 0700);
	(void)rig_account(r);
}

static unsigned
count_files(struct rig *r)
{
	char path[200];
	unsigned n = 0;
	struct dirent *entry;
	DIR *dir;

	key_dir(r, path, sizeof(path), "");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return n;
}

static struct dkim_key
get(struct rig *r, uint64_t id)
{
	struct dkim_key k = { 0 };

	CHECK_ERR_EQ(reader_dkim_key(r->reader, id, r->arena, &k), OK, "a key");
	return k;
}

static uint64_t
create(struct rig *r, enum dkim_algorithm algorithm, bool is_automatic, const char *what)
{
	struct op_dkim_key_create op = { .domain = STR("example.org"),
		                         .algorithm = algorithm,
		                         .is_published = true,
		                         .auto_activate = is_automatic };
	struct answer_id answer = { 0 };

	CHECK_ERR_EQ(rig_dkim_key_create(r, &op, &answer), OK, what);
	return answer.id;
}

static enum err
step(struct rig *r, uint64_t id, enum dkim_key_state to, bool is_emergency)
{
	return rig_dkim_key_state(
		r,
		&(struct op_dkim_key_state){
			.id = id, .state = to, .is_emergency = is_emergency },
		NULL);
}

static void
look(struct rig *r, uint64_t id, uint32_t ok, uint32_t total)
{
	struct op_dkim_key_checked op = {
		.id = id, .servers_ok = ok, .servers_total = total, .at_ms = 1
	};

	CHECK_ERR_EQ(rig_dkim_key_checked(r, &op, NULL), OK, "a look");
}

static void
test_life(void)
{
	struct rig r;
	struct stat st;
	char path[200];
	uint64_t id, next;
	struct dkim_key k;

	open_rig(&r);
	id = create(&r, DKIM_ED25519, false, "a key");
	k = get(&r, id);
	CHECK_U64_EQ(k.state, DKIM_KEY_PUBLISH, "it waits to be published");
	CHECK_U64_EQ(k.public_key.n, 44, "the public half of Ed25519 is 32 bytes");
	key_dir(&r, path, sizeof(path), k.file.p);
	CHECK_TRUE(stat(path, &st) == 0, "the private half is in a file");
	CHECK_U64_EQ(st.st_mode & 0777, 0600, "that only we may read");

	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_ACTIVE, false), ERR_CONFLICT,
	             "what nobody has looked up does not sign");
	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_VERIFIED, false), ERR_CONFLICT,
	             "nobody can say that it is verified");
	look(&r, id, 1, 2);
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_PUBLISH, "one server has it not");
	look(&r, id, 0, 0);
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_PUBLISH, "no server was asked");
	look(&r, id, 2, 2);
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_VERIFIED, "all have it");
	look(&r, id, 1, 2);
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_PUBLISH, "and one has lost it");
	look(&r, id, 2, 2);
	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_ACTIVE, false), OK, "now it signs");
	look(&r, id, 1, 2);
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_ACTIVE, "one that signs goes on");

	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_REVOKED, false), ERR_CONFLICT,
	             "what signs is not revoked");
	CHECK_ERR_EQ(
		rig_dkim_key_remove(&r, &(struct op_dkim_key_remove){ .id = id }, NULL),
		ERR_CONFLICT, "nor forgotten");

	next = create(&r, DKIM_ED25519, true, "its successor");
	look(&r, next, 2, 2);
	CHECK_U64_EQ(get(&r, next).state, DKIM_KEY_ACTIVE, "goes to work by itself");
	k = get(&r, id);
	CHECK_U64_EQ(k.state, DKIM_KEY_RETIRING, "and the old one retires");
	CHECK_TRUE(k.keep_until_ms - k.changed_ms >= INT64_C(7) * 86400 * 1000,
	           "for a week at least");
	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_REVOKED, false), ERR_CONFLICT,
	             "its mail may be under way");
	CHECK_U64_EQ(count_files(&r), 2, "two private halves");
	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_REVOKED, true), OK, "but in an emergency");
	CHECK_U64_EQ(get(&r, id).state, DKIM_KEY_REVOKED, "it is revoked");
	CHECK_U64_EQ(count_files(&r), 1, "and its private half is gone");
	CHECK_ERR_EQ(step(&r, id, DKIM_KEY_ACTIVE, false), ERR_CONFLICT, "for ever");
	CHECK_ERR_EQ(
		rig_dkim_key_remove(&r, &(struct op_dkim_key_remove){ .id = id }, NULL),
		OK, "now it can be forgotten");
	rig_close(&r);
}

static void
test_limits(void)
{
	struct op_dkim_key_create op = { .domain = STR("example.org"),
		                         .algorithm = DKIM_ED25519,
		                         .selector = STR("s1") };
	struct rig r;

	open_rig(&r);
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), OK, "a selector of one's own");
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), ERR_EXISTS, "twice");
	op.selector = STR("s2");
	op.if_none = true;
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), ERR_EXISTS, "there is one");
	op.if_none = false;
	op.selector = STR("a.b c");
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), ERR_INVALID, "no selector");
	op.selector = STR("s3");
	op.algorithm = 7;
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), ERR_INVALID, "no algorithm");
	op.algorithm = DKIM_ED25519;
	op.domain = STR("nobody.example");
	CHECK_ERR_EQ(rig_dkim_key_create(&r, &op, NULL), ERR_NOT_FOUND, "no domain");
	CHECK_U64_EQ(count_files(&r), 1, "what no row took leaves no file");
	rig_close(&r);
}

/* A file without a row is what a crash between the two leaves. */
static void
test_sweep(void)
{
	struct rig r;
	char path[200];
	FILE *f;

	open_rig(&r);
	(void)create(&r, DKIM_ED25519, true, "a key");
	key_dir(&r, path, sizeof(path), "0123456789abcdef.pem");
	f = fopen(path, "w");
	if (f)
		(void)fclose(f);
	CHECK_U64_EQ(count_files(&r), 2, "one too many");
	rig_stop_store(&r);
	rig_start_store(&r);
	CHECK_U64_EQ(count_files(&r), 1, "after a start it is gone");
	CHECK_ERR_EQ(
		rig_domain_remove(&r,
	                          &(struct op_domain_remove){ .name = STR("example.org"),
	                                                      .with_accounts = true },
	                          NULL),
		OK, "the domain goes");
	CHECK_U64_EQ(count_files(&r), 0, "and its key with it");
	rig_close(&r);
}

/* A request that comes again is answered as before; the key made for it goes. */
static void
test_asked_again(void)
{
	struct deed deed = { .n = 0 };
	struct rig r;
	uint64_t id;

	open_rig(&r);
	memset(deed.name, 'k', sizeof(deed.name));
	store_set_deed(r.client, &deed);
	id = create(&r, DKIM_ED25519, true, "a key");
	CHECK_U64_EQ(count_files(&r), 1, "its file");
	deed.n = 0;
	CHECK_U64_EQ(create(&r, DKIM_ED25519, true, "again"), id, "the same key");
	CHECK_U64_EQ(count_files(&r), 1, "and no other file");
	store_set_deed(r.client, NULL);
	rig_close(&r);
}

struct seen {
	unsigned rows, changes;
	char last[64];
};

static bool
see_row(void *arg, const struct dns_row *row)
{
	struct seen *s = arg;

	(void)row;
	s->rows++;
	return true;
}

static bool
see_change(void *arg, const struct dns_change *c)
{
	struct seen *s = arg;

	if (!s->changes++)
		(void)snprintf(s->last, sizeof(s->last), "%.*s: %.*s -> %.*s",
		               STR_ARG(c->name), STR_ARG(c->old_state),
		               STR_ARG(c->state));
	return true;
}

static void
test_dns(void)
{
	struct dns_row_new rows[2] = {
		{ STR("mx"), STR("missing"), STR("absent"), STR("{}") },
		{ STR("spf"), STR("ok"), STR(""), STR("{}") },
	};
	struct op_dns_result op = { .domain = STR("example.org"),
		                    .checked_ms = 1000,
		                    .next_ms = 2000,
		                    .rows = rows,
		                    .rows_count = 2 };
	struct seen seen = { 0 };
	struct domain d;
	struct rig r;

	open_rig(&r);
	CHECK_ERR_EQ(reader_domain(r.reader, STR("example.org"), r.arena, &d), OK, "it");
	CHECK_ERR_EQ(rig_dns_result(&r, &op, NULL), OK, "a first look");
	op.checked_ms = 1500;
	rows[0].state = STR("ok");
	op.rows_count = 1;
	CHECK_ERR_EQ(rig_dns_result(&r, &op, NULL), OK, "a second one");
	CHECK_ERR_EQ(reader_dns_rows(r.reader, d.id, see_row, &seen), OK, "rows");
	CHECK_U64_EQ(seen.rows, 1, "what was not seen again is gone");
	CHECK_ERR_EQ(reader_dns_changes(r.reader, d.id, (struct dns_changes_from){ 0 },
	                                10, see_change, &seen),
	             OK, "");
	CHECK_U64_EQ(seen.changes, 1, "one change");
	CHECK_CSTR_EQ(seen.last, "mx: missing -> ok", "the change");
	rig_close(&r);
}

/* Whoever asks is seen until a look that began after it has ended, whatever the clock
   does. */
static void
test_dns_asked(void)
{
	static const struct op_dns_ask ask = { .domain = STR_INIT("example.org") };
	struct op_dns_result op = { .domain = STR("example.org") };
	struct dns_zone zone;
	struct domain d;
	struct rig r;

	open_rig(&r);
	CHECK_ERR_EQ(reader_domain(r.reader, STR("example.org"), r.arena, &d), OK, "it");
	op.checked_ms = clock_unix_ms() + 1000000;
	CHECK_ERR_EQ(rig_dns_result(&r, &op, NULL), OK, "a look from the future");
	CHECK_ERR_EQ(rig_dns_ask(&r, &ask, NULL), OK, "asked");
	CHECK_ERR_EQ(reader_dns_zone(r.reader, d.id, r.arena, &zone), OK, "zone");
	CHECK_TRUE(zone.asked_ms > zone.checked_ms, "somebody waits");
	op.checked_ms = clock_unix_ms();
	CHECK_ERR_EQ(rig_dns_result(&r, &op, NULL), OK, "a look by the right clock");
	CHECK_ERR_EQ(reader_dns_zone(r.reader, d.id, r.arena, &zone), OK, "zone");
	CHECK_TRUE(zone.asked_ms <= zone.checked_ms, "nobody waits for the future");
	rig_close(&r);
}

SUITE(store_dkim, { "the life of a key", test_life }, { "limits", test_limits },
      { "asked again", test_asked_again }, { "files without rows", test_sweep },
      { "looks at the name service", test_dns },
      { "looks that are asked for", test_dns_asked });
