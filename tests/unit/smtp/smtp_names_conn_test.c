#include "smtp/smtp_names_conn.h"

#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <string.h>

static void
put_alias(struct rig *r, const char *target)
{
	struct str targets[] = { str_from(target) };
	struct op_alias_put op = { .address = STR("info@example.org"),
		                   .targets = targets,
		                   .targets_count = 1,
		                   .enabled = true };

	CHECK_ERR_EQ(rig_alias_put(r, &op, NULL), OK, target);
	rig_turn(r, 20); /* the feed */
}

static void
check_resolves(struct rig *r, struct smtp_names *n, const char *address, enum err answer,
               const char *first_target)
{
	struct resolution found = { 0 };

	/* Once from the index and once from memory. */
	for (int i = 0; i < 2; i++) {
		CHECK_ERR_EQ(
			smtp_names_resolve(n, str_from(address), 0, r->arena, &found),
			answer, address);
		if (answer == OK && found.count)
			CHECK_STR_EQ(found.targets[0].rcpt, str_from(first_target),
			             address);
	}
}

static void
test_changes(void)
{
	struct rig r;
	struct smtp_names *n;

	rig_open(&r);
	(void)rig_account(&r);
	n = smtp_names_new(r.loop, r.client, r.reader);
	rig_turn(&r, 20);
	check_resolves(&r, n, "ann@example.org", OK, "ann@example.org");
	check_resolves(&r, n, "info@example.org", ERR_NO_SUCH_USER, "");
	put_alias(&r, "ann@example.org");
	check_resolves(&r, n, "info@example.org", OK, "ann@example.org");
	put_alias(&r, "eve@example.net");
	check_resolves(&r, n, "info@example.org", OK, "eve@example.net");
	rig_stop_store(&r);
	check_resolves(&r, n, "info@example.org", OK, "eve@example.net");
	rig_start_store(&r);
	put_alias(&r, "ann@example.org");
	check_resolves(&r, n, "info@example.org", OK, "ann@example.org");
	smtp_names_free(&n);
	rig_close(&r);
}

/* What depends on the room that is left must be asked each time. */
static void
test_quota(void)
{
	struct op_account_update op = { .address = STR("ann@example.org"),
		                        .fields = ACCOUNT_SET_QUOTA,
		                        .quota_bytes = 1000 };
	struct rig r;
	struct smtp_names *n;
	struct resolution found;

	rig_open(&r);
	(void)rig_account(&r);
	n = smtp_names_new(r.loop, r.client, r.reader);
	rig_turn(&r, 20);
	check_resolves(&r, n, "ann@example.org", OK, "ann@example.org");
	CHECK_ERR_EQ(rig_account_update(&r, &op, NULL), OK, "quota");
	rig_turn(&r, 20);
	check_resolves(&r, n, "ann@example.org", OK, "ann@example.org");
	CHECK_ERR_EQ(smtp_names_resolve(n, STR("ann@example.org"), 1001, r.arena, &found),
	             ERR_QUOTA, "larger than the quota");
	smtp_names_free(&n);
	rig_close(&r);
}

static void
test_domains(void)
{
	struct rig r;
	struct smtp_names *n;
	struct op_domain_put op = { .name = STR("example.com"), .enabled = true };

	rig_open(&r);
	(void)rig_account(&r);
	n = smtp_names_new(r.loop, r.client, r.reader);
	rig_turn(&r, 20);
	for (int i = 0; i < 5000; i++) {
		char bytes[64];
		struct strbuf name = strbuf_on(bytes);

		strbuf_printf(&name, "d%d.example.net", i);
		CHECK_ERR_EQ(smtp_names_is_local_domain(n, strbuf_str(&name)),
		             ERR_NOT_FOUND, "many domains");
	}
	CHECK_ERR_EQ(smtp_names_is_local_domain(n, STR("example.org")), OK, "ours");
	CHECK_ERR_EQ(smtp_names_is_local_domain(n, STR("example.com")), ERR_NOT_FOUND,
	             "not yet");
	CHECK_ERR_EQ(rig_domain_put(&r, &op, NULL), OK, "new domain");
	rig_turn(&r, 20);
	CHECK_ERR_EQ(smtp_names_is_local_domain(n, STR("example.com")), OK, "now it is");
	smtp_names_free(&n);
	rig_close(&r);
}

SUITE(smtp_names, { "changes", test_changes }, { "quota", test_quota },
      { "domains", test_domains });
