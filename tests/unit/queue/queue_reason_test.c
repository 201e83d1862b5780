#include "queue/queue_reason.h"

#include "tests/unit/check.h"

/* clang-format off */
static const struct {
	enum queue_stage stage;
	int code;
	const char *enhanced, *text, *word;
} replies[] = {
	{ STAGE_RCPT, 550, "5.1.1", "The email account that you tried to reach does not exist", "no_such_user" },
	{ STAGE_RCPT, 550, "", "no", "no_such_user" },
	{ STAGE_MESSAGE, 550, "", "no", "policy_other" },
	{ STAGE_RCPT, 550, "5.7.1", "Relaying denied", "relay_denied" },
	{ STAGE_RCPT, 554, "5.7.1", "<a@b>: Relay access denied", "relay_denied" },
	{ STAGE_RCPT, 450, "4.2.0", "<a@b>: Recipient address rejected: Greylisted", "greylisted" },
	{ STAGE_RCPT, 450, "4.2.1", "mailbox busy", "account_disabled" },
	{ STAGE_RCPT, 452, "4.2.2", "mailbox full", "mailbox_full" },
	{ STAGE_RCPT, 552, "", "no room", "mailbox_full" },
	{ STAGE_MESSAGE, 552, "", "no room", "too_large" },
	{ STAGE_MESSAGE, 552, "5.3.4", "whatever", "too_large" },
	{ STAGE_SESSION, 421, "4.7.28", "our system has detected an unusual rate of unsolicited mail", "rate_limited" },
	{ STAGE_SESSION, 421, "4.3.2", "going down", "remote_temp" },
	{ STAGE_SESSION, 554, "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "reputation" },
	{ STAGE_SESSION, 554, "", "go away", "reputation" },
	{ STAGE_MESSAGE, 550, "5.7.26", "This mail is unauthenticated", "sender_unauthenticated" },
	{ STAGE_MESSAGE, 550, "5.7.1", "DMARC policy of the domain says reject", "sender_unauthenticated" },
	{ STAGE_MESSAGE, 554, "5.7.1", "rejected as spam", "content_spam" },
	{ STAGE_MESSAGE, 550, "5.7.0", "Eicar virus found", "virus" },
	{ STAGE_MESSAGE, 554, "5.4.6", "hop count", "loop" },
	{ STAGE_SENDER, 530, "5.7.0", "Must issue a STARTTLS command first", "tls_required" },
	{ STAGE_SENDER, 550, "5.7.30", "the next host does not offer it", "tls_required" },
	{ STAGE_RCPT, 556, "5.1.10", "no mail", "null_mx" },
	{ STAGE_MESSAGE, 451, "", "local error", "remote_temp" },
	{ STAGE_MESSAGE, 451, "4.7.1", "try later", "remote_temp" },
	{ STAGE_MESSAGE, 554, "5.9.9", "odd", "policy_other" },
};
/* clang-format on */

static void
test_replies(void)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		enum queue_reason r = queue_reason_from_reply(
			replies[i].stage, replies[i].code, str_from(replies[i].enhanced),
			str_from(replies[i].text));

		CHECK_CSTR_EQ(queue_reason_info(r)->word, replies[i].word,
		              replies[i].text);
	}
}

static void
test_causes(void)
{
	struct strbuf b = strbuf_heap(64);

	CHECK_U64_EQ(queue_reason_from_err(ERR_TIMEOUT, true), REASON_CONNECT_TIMEOUT,
	             "");
	CHECK_U64_EQ(queue_reason_from_err(ERR_TIMEOUT, false), REASON_REMOTE_TEMP, "");
	CHECK_U64_EQ(queue_reason_from_err(ERR_CONNECT, true), REASON_CONNECT_REFUSED,
	             "");
	CHECK_U64_EQ(queue_reason_from_err(ERR_CORRUPT, false), REASON_LOCAL_RESOURCE,
	             "");
	CHECK_U64_EQ(queue_reason_from_err(ERR_FORBIDDEN, true), REASON_PRIVATE_TARGET,
	             "an address that a setting forbids");
	CHECK_U64_EQ(queue_reason_from_err(ERR_NEED_SMTPUTF8, false),
	             REASON_NOT_SUPPORTED, "no rule of theirs");
	CHECK_U64_EQ(queue_reason_from_err(ERR_NEED_8BITMIME, false),
	             REASON_NOT_SUPPORTED, "no rule of theirs");
	queue_reason_status(REASON_NULL_MX, true, &b);
	CHECK_STR_EQ(strbuf_str(&b), STR("5.1.10"), "null MX");
	strbuf_clear(&b);
	queue_reason_status(REASON_SUPPRESSED, false, &b);
	CHECK_STR_EQ(strbuf_str(&b), STR("4.0.0"), "no row");
	strbuf_release(&b);
}

static void
test_words(void)
{
	for (int i = 1; i < REASON_COUNT; i++) {
		const struct queue_reason_info *info =
			queue_reason_info((enum queue_reason)i);

		CHECK_U64_EQ(queue_reason_find(str_from(info->word)), (uint64_t)i,
		             info->word);
		CHECK_TRUE(info->title[0] != '\0', info->word);
	}
	CHECK_U64_EQ(queue_reason_find(STR("nonsense")), REASON_COUNT, "no such word");
}

SUITE(queue_reason, { "replies", test_replies }, { "own findings", test_causes },
      { "words", test_words });
