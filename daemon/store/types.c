#include "store/types.h"

#include "base/macros.h"

static const char *const verdicts[] = {
	[VERDICT_ANY] = "",
	[VERDICT_ACCEPTED] = "accepted",
	[VERDICT_DELIVERED] = "delivered",
	[VERDICT_DISCARDED] = "discarded",
	[VERDICT_CANCELLED] = "cancelled",
	[VERDICT_DEFERRED] = "deferred",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_EXPIRED] = "expired",
	[VERDICT_BOUNCED] = "bounced",
};
_Static_assert(ARRAY_LEN(verdicts) == VERDICT_COUNT, "one word for each verdict");

static const char *const directions[] = { "", "in", "out", "own" };

static const char *const queue_states[] = {
	[QUEUE_SCHEDULED] = "scheduled",
	[QUEUE_ACTIVE] = "active",
	[QUEUE_DEFERRED] = "deferred",
	[QUEUE_HELD] = "held",
};
_Static_assert(ARRAY_LEN(queue_states) == QUEUE_STATE_COUNT, "one word for each state");

static const char *const uses[] = {
	[USE_NONE] = "",       [USE_ARCHIVE] = "\\Archive", [USE_DRAFTS] = "\\Drafts",
	[USE_JUNK] = "\\Junk", [USE_SENT] = "\\Sent",       [USE_TRASH] = "\\Trash",
};
_Static_assert(ARRAY_LEN(uses) == USE_COUNT, "one word for each use");

static const char *const report_states[] = { "any", "queued", "sent", "failed",
	                                     "refused" };

const char *
report_state_name(uint32_t state)
{
	return state < ARRAY_LEN(report_states) ? report_states[state] : "unknown";
}

const char *
verdict_name(enum trace_verdict v)
{
	return v < VERDICT_COUNT ? verdicts[v] : "";
}

enum trace_verdict
verdict_find(struct str name)
{
	for (unsigned v = VERDICT_ANY + 1; v < VERDICT_COUNT; v++) {
		if (str_eq_icase(name, str_from(verdicts[v])))
			return (enum trace_verdict)v;
	}
	return VERDICT_ANY;
}

const char *
direction_name(enum trace_direction d)
{
	return (size_t)d < ARRAY_LEN(directions) ? directions[d] : "";
}

const char *
queue_state_name(enum queue_state s)
{
	return s < QUEUE_STATE_COUNT ? queue_states[s] : "";
}

static const char *const key_states[] = {
	[DKIM_KEY_ANY] = "",
	[DKIM_KEY_GENERATED] = "generated",
	[DKIM_KEY_PUBLISH] = "publish",
	[DKIM_KEY_VERIFIED] = "verified",
	[DKIM_KEY_ACTIVE] = "active",
	[DKIM_KEY_RETIRING] = "retiring",
	[DKIM_KEY_REVOKED] = "revoked",
};
_Static_assert(ARRAY_LEN(key_states) == DKIM_KEY_STATES, "one word for each state");

const char *
dkim_key_state_name(enum dkim_key_state s)
{
	return s < DKIM_KEY_STATES ? key_states[s] : "";
}

const char *
dkim_algorithm_name(enum dkim_algorithm a)
{
	return a == DKIM_RSA ? "rsa" : a == DKIM_ED25519 ? "ed25519" : "";
}

const char *
queue_verb_name(uint32_t verb)
{
	static const char *const verbs[] = {
		[0] = "",
		[QUEUE_RETRY] = "retry",
		[QUEUE_HOLD] = "hold",
		[QUEUE_UNHOLD] = "release",
		[QUEUE_BOUNCE] = "bounce",
		[QUEUE_DELETE] = "delete",
	};

	return verb < ARRAY_LEN(verbs) ? verbs[verb] : "";
}

const char *
domain_incoming_name(enum domain_incoming incoming)
{
	static const char *const words[INCOMING_COUNT] = {
		[INCOMING_HONOUR] = "honour",
		[INCOMING_JUNK] = "junk",
		[INCOMING_MARK] = "mark",
	};

	return incoming < INCOMING_COUNT ? words[incoming] : "";
}

const char *
special_use_name(enum special_use use)
{
	return use < USE_COUNT ? uses[use] : "";
}
