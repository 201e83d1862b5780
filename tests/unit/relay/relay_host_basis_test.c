/* What each check of the host goes by: a change of it is a reason to look again. */
#include "relay/relay_host_basis.h"

#include "tests/unit/check.h"

static const char before[] = "hostname: mail.example.org\n";

/* The rest of the file, and the checks that it concerns, a letter each. */
static const struct {
	const char *more, *checks;
} rows[] = {
	{ "", "" },
	{ "limits: {rcpt_max: 300}\n", "" },
	{ "delivery: {lifetime: 2d}\n", "" },
	{ "dns: {servers: [\"192.0.2.53:53\"]}\n", "apobr" },
	{ "dns: {trusted: true}\n", "r" },
	{ "delivery: {port: 2525}\n", "o" },
	{ "delivery: {source: [192.0.2.1]}\n", "o" },
	{ "delivery: {private_targets: true}\n", "o" },
	{ "host: {outbound_targets: []}\n", "o" },
	{ "host: {blocklists: []}\n", "b" },
	{ "host: {blocklists_minor: []}\n", "b" },
	{ "listen: {smtp: [\"192.0.2.1:25\"]}\n", "apoib" },
	{ "listen: {imaps: [\"192.0.2.1:993\"]}\n", "i" },
};

static const char letters[HOST_CHECKS] = {
	[HOST_ADDRESS] = 'a', [HOST_PTR] = 'p',        [HOST_OUTBOUND] = 'o',
	[HOST_INBOUND] = 'i', [HOST_BLOCKLISTS] = 'b', [HOST_RESOLVER] = 'r',
};

static void
on_error(void *arg, const struct diag *diag)
{
	(void)arg;
	CHECK_TRUE(false, diag->text);
}

static struct conf *
parse(const char *more)
{
	struct strbuf text = strbuf_heap(4096);
	struct conf *c = NULL;

	strbuf_printf(&text, "%s%s", before, more);
	CHECK_ERR_EQ(conf_parse(strbuf_str(&text), "test", on_error, NULL, &c), OK, more);
	strbuf_release(&text);
	return c;
}

static void
test_settings(void)
{
	struct conf *was = parse("");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *c = parse(rows[i].more);
		char bytes[HOST_CHECKS + 1];
		struct strbuf changed = strbuf_on(bytes);

		for (unsigned k = 0; k < HOST_CHECKS; k++) {
			enum host_check check = (enum host_check)k;

			CHECK_TRUE(relay_host_basis(c, check) > 0, "a number to be kept");
			if (relay_host_basis(c, check) != relay_host_basis(was, check))
				strbuf_byte(&changed, letters[k]);
		}
		CHECK_STR_EQ(strbuf_str(&changed), str_from(rows[i].checks),
		             rows[i].more);
		conf_free(&c);
	}
	conf_free(&was);
}

SUITE(relay_host_basis, { "settings", test_settings });
