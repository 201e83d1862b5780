#include "queue/queue_reason.h"

#include "base/panic.h"

#include <assert.h>

enum {
	TEXT_LOOKED_AT = 1024,
};

#define OWNER_SENDER          "sender"
#define OWNER_RECIPIENT       "recipient"
#define OWNER_YOU             "you"
#define OWNER_THEM            "them"
#define OWNER_WAIT            "wait"
#define BUCKET_WAIT           "wait"
#define BUCKET_ADDRESS        "address"
#define BUCKET_AUTHENTICATION "authentication"
#define BUCKET_CONTENT        "content"
#define BUCKET_REPUTATION     "reputation"
#define BUCKET_SETUP          "setup"

static const struct queue_reason_info reasons[] = {
#define REASON(id, word, owner, bucket, title)                                           \
	{ word, OWNER_##owner, BUCKET_##bucket, title },
#include "queue/reasons.def"
#undef REASON
};

static_assert(ARRAY_LEN(reasons) == REASON_COUNT, "one row a reason");

const struct queue_reason_info *
queue_reason_info(enum queue_reason r)
{
	CHECK((size_t)r < REASON_COUNT);
	return &reasons[r];
}

enum queue_reason
queue_reason_find(struct str word)
{
	for (size_t i = 1; i < REASON_COUNT; i++) {
		if (str_eq(word, str_from(reasons[i].word)))
			return (enum queue_reason)i;
	}
	return REASON_COUNT;
}

static const struct {
	int class;
	struct str words;
	enum queue_reason reason;
} patterns[] = {
#define PATTERN(class, words, reason) { class, STR_INIT(words), REASON_##reason },
#include "queue/patterns.def"
#undef PATTERN
};

/* Whether the parts of words, split at '*', stand in text in this order. */
static bool
has_words(struct str text, struct str words)
{
	struct str part;

	while (str_next(&words, '*', &part)) {
		size_t at = str_find_icase(text, part);

		if (at == SIZE_MAX)
			return false;
		text = str_from_offset(text, at + part.n);
	}
	return true;
}

/* Behind the first digit and its dot (RFC 3463, RFC 7372, the IANA registry); a row
   that ends in '.' stands for all below it. 4 and 5 as the class differ in few rows. */
static const struct {
	int class; /* 0: both */
	struct str detail;
	enum queue_reason reason;
} enhanced_codes[] = {
	{ 0, STR_INIT("1.10"), REASON_NULL_MX },
	{ 0, STR_INIT("1.1"), REASON_NO_SUCH_USER },
	{ 0, STR_INIT("1.2"), REASON_DNS_NXDOMAIN },
	{ 0, STR_INIT("1.3"), REASON_NO_SUCH_USER },
	{ 0, STR_INIT("1.6"), REASON_NO_SUCH_USER },
	{ 0, STR_INIT("1.7"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("1.8"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("2.1"), REASON_ACCOUNT_DISABLED },
	{ 0, STR_INIT("2.2"), REASON_MAILBOX_FULL },
	{ 0, STR_INIT("2.3"), REASON_TOO_LARGE },
	{ 0, STR_INIT("3.4"), REASON_TOO_LARGE },
	{ 0, STR_INIT("4.5"), REASON_RATE_LIMITED },
	{ 0, STR_INIT("4.6"), REASON_LOOP },
	{ 0, STR_INIT("5.3"), REASON_RATE_LIMITED },
	{ 0, STR_INIT("7.10"), REASON_TLS_REQUIRED },
	{ 0, STR_INIT("7.30"), REASON_TLS_REQUIRED }, /* RFC 8689 4.2.1 */
	{ 0, STR_INIT("7.2"), REASON_POLICY_OTHER },
	{ 0, STR_INIT("7.20"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.21"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.22"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.23"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.24"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.25"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.26"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.27"), REASON_SENDER_UNAUTHENTICATED },
	{ 0, STR_INIT("7.28"), REASON_RATE_LIMITED },
	{ 4, STR_INIT("2."), REASON_REMOTE_TEMP },
	{ 4, STR_INIT("3."), REASON_REMOTE_TEMP },
	{ 4, STR_INIT("4."), REASON_REMOTE_TEMP },
	{ 5, STR_INIT("6."), REASON_POLICY_OTHER },
	{ 5, STR_INIT("7."), REASON_POLICY_OTHER },
};

static enum queue_reason
from_enhanced(struct str enhanced)
{
	struct str detail = str_from_offset(enhanced, 2);

	for (size_t i = 0; detail.n && i < ARRAY_LEN(enhanced_codes); i++) {
		struct str row = enhanced_codes[i].detail;

		if (enhanced_codes[i].class &&
		    enhanced.p[0] != '0' + enhanced_codes[i].class)
			continue;
		if (row.p[row.n - 1] == '.' ? str_starts(detail, row)
		                            : str_eq(detail, row))
			return enhanced_codes[i].reason;
	}
	return REASON_NONE;
}

/* The reply code alone, by what it answered; 0 in stages: anywhere. */
#define AT(stage) (1u << STAGE_##stage)
static const struct {
	int code;
	unsigned stages;
	enum queue_reason reason;
} codes[] = {
	{ 521, 0, REASON_NULL_MX },
	{ 556, 0, REASON_NULL_MX },
	{ 530, 0, REASON_TLS_REQUIRED },
	{ 550, AT(RCPT), REASON_NO_SUCH_USER },
	{ 551, AT(RCPT), REASON_NO_SUCH_USER },
	{ 553, AT(RCPT), REASON_NO_SUCH_USER },
	{ 552, AT(RCPT), REASON_MAILBOX_FULL },
	{ 552, AT(SENDER) | AT(MESSAGE), REASON_TOO_LARGE },
	{ 553, AT(SENDER), REASON_SENDER_UNAUTHENTICATED },
	{ 554, AT(SESSION), REASON_REPUTATION },
	{ 550, AT(SESSION), REASON_REPUTATION },
};

static enum queue_reason
from_code(enum queue_stage stage, int code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i].code == code &&
		    (!codes[i].stages || (codes[i].stages & 1u << stage)))
			return codes[i].reason;
	}
	return code / 100 == 4 ? REASON_REMOTE_TEMP : REASON_POLICY_OTHER;
}

enum queue_reason
queue_reason_from_reply(enum queue_stage stage, int code, struct str enhanced,
                        struct str text)
{
	enum queue_reason r;

	text = str_first(text, TEXT_LOOKED_AT);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		if (patterns[i].class && patterns[i].class != code / 100)
			continue;
		if (has_words(text, patterns[i].words))
			return patterns[i].reason;
	}
	r = from_enhanced(enhanced);
	return r != REASON_NONE ? r : from_code(stage, code);
}

static const struct {
	enum err cause;
	enum queue_reason reason;
} causes[] = {
	{ ERR_DNS_NXDOMAIN, REASON_DNS_NXDOMAIN },
	{ ERR_DNS_NODATA, REASON_DNS_NXDOMAIN },
	{ ERR_FORBIDDEN, REASON_PRIVATE_TARGET },
	{ ERR_DNS_TEMP, REASON_DNS_TEMP },
	{ ERR_NULL_MX, REASON_NULL_MX },
	{ ERR_CONNECT, REASON_CONNECT_REFUSED },
	{ ERR_TLS, REASON_TLS_CERT },
	{ ERR_TLS_UNAVAILABLE, REASON_TLS_REQUIRED },
	{ ERR_NEED_REQUIRETLS, REASON_TLS_REQUIRED },
	{ ERR_TIMEOUT, REASON_REMOTE_TEMP },
	{ ERR_CLOSED, REASON_REMOTE_TEMP },
	{ ERR_PROTOCOL, REASON_REMOTE_TEMP },
	{ ERR_LOOP, REASON_LOOP },
	{ ERR_EXPIRED, REASON_EXPIRED },
	{ ERR_TOO_LARGE, REASON_TOO_LARGE },
	{ ERR_NEED_SMTPUTF8, REASON_NOT_SUPPORTED },
	{ ERR_NEED_8BITMIME, REASON_NOT_SUPPORTED },
	{ ERR_ADDRESS, REASON_NO_SUCH_USER },
	{ ERR_SENDER_ADDRESS, REASON_LOCAL_CONFIG },
	{ ERR_CONFIG, REASON_LOCAL_CONFIG },
};

enum queue_reason
queue_reason_from_err(enum err cause, bool is_connecting)
{
	if (is_connecting && cause == ERR_TIMEOUT)
		return REASON_CONNECT_TIMEOUT;
	if (is_connecting && cause == ERR_CLOSED)
		return REASON_CONNECT_REFUSED;
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		if (causes[i].cause == cause)
			return causes[i].reason;
	}
	return REASON_LOCAL_RESOURCE;
}

/* RFC 3463; what is left out is "5.0.0". */
static const struct {
	enum queue_reason reason;
	const char *detail;
} statuses[] = {
	{ REASON_DNS_NXDOMAIN, "1.2" },     { REASON_NULL_MX, "1.10" },
	{ REASON_DNS_TEMP, "4.3" },         { REASON_CONNECT_REFUSED, "4.1" },
	{ REASON_CONNECT_TIMEOUT, "4.1" },  { REASON_TLS_REQUIRED, "7.10" },
	{ REASON_TLS_CERT, "7.5" },         { REASON_RATE_LIMITED, "4.5" },
	{ REASON_MAILBOX_FULL, "2.2" },     { REASON_NO_SUCH_USER, "1.1" },
	{ REASON_ACCOUNT_DISABLED, "2.1" }, { REASON_RELAY_DENIED, "7.1" },
	{ REASON_TOO_LARGE, "3.4" },        { REASON_REMOTE_TEMP, "4.2" },
	{ REASON_LOCAL_RESOURCE, "3.0" },   { REASON_LOCAL_CONFIG, "3.5" },
	{ REASON_PRIVATE_TARGET, "3.5" },   { REASON_LOOP, "4.6" },
	{ REASON_EXPIRED, "4.7" },          { REASON_POLICY_OTHER, "7.0" },
	{ REASON_CANCELLED, "7.0" },
};

void
queue_reason_status(enum queue_reason r, bool is_permanent, struct strbuf *out)
{
	const char *detail = "0.0";

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (statuses[i].reason == r)
			detail = statuses[i].detail;
	}
	strbuf_printf(out, "%c.%s", is_permanent ? '5' : '4', detail);
}
