/* The words of all results in one place, as Authentication-Results has them (RFC 8601
   2.7), and those of policies (RFC 9989 4.7). */
#include "policy/arc.h"
#include "policy/dkim_verify.h"
#include "policy/dmarc.h"
#include "policy/iprev.h"
#include "policy/spf.h"

const char *
spf_result_word(enum spf_result r)
{
	static const char *const words[] = {
		[SPF_NONE] = "none",           [SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass",           [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail",   [SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
	};

	return words[r];
}

const char *
iprev_result_word(enum iprev_result r)
{
	static const char *const words[] = {
		[IPREV_PASS] = "pass",
		[IPREV_FAIL] = "fail",
		[IPREV_TEMPERROR] = "temperror",
		[IPREV_PERMERROR] = "permerror",
	};

	return words[r];
}

const char *
dkim_result_word(enum dkim_result r)
{
	static const char *const words[] = {
		[DKIM_NONE] = "none",           [DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail",           [DKIM_POLICY] = "policy",
		[DKIM_NEUTRAL] = "neutral",     [DKIM_TEMPERROR] = "temperror",
		[DKIM_PERMERROR] = "permerror",
	};

	return words[r];
}

const char *
arc_result_word(enum arc_result r)
{
	static const char *const words[] = {
		[ARC_NONE] = "none",
		[ARC_PASS] = "pass",
		[ARC_FAIL] = "fail",
	};

	return words[r];
}

const char *
dmarc_result_word(enum dmarc_result r)
{
	static const char *const words[] = {
		[DMARC_NONE] = "none",           [DMARC_PASS] = "pass",
		[DMARC_FAIL] = "fail",           [DMARC_TEMPERROR] = "temperror",
		[DMARC_PERMERROR] = "permerror",
	};

	return words[r];
}

const char *
dmarc_policy_word(enum dmarc_policy p)
{
	static const char *const words[] = {
		[DMARC_POLICY_NONE] = "none",
		[DMARC_POLICY_QUARANTINE] = "quarantine",
		[DMARC_POLICY_REJECT] = "reject",
	};

	return words[p];
}
