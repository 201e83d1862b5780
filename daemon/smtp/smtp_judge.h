/* smtp_judge.h - what is done with a message, now that it is known who sent it.
 *
 * The domain in From says what it wants done with mail that is not proven (DMARC); who
 * runs this server says whom they trust more, and what each of their domains does with
 * it. Pure; the words go to the arena.
 */
#ifndef SMTP_SMTP_JUDGE_H
#define SMTP_SMTP_JUDGE_H

#include "base/addr.h"
#include "base/err.h"
#include "policy/auth_check.h"
#include "store/types.h"

struct smtp_judge_conf {
	struct str forwarders;      /* domains, one space between */
	const struct net *networks; /* … and addresses that may break DMARC */
	size_t networks_count;
	bool refuse_spf_fail; /* also where DMARC says nothing */
	bool defer_unresolved;
};

struct smtp_judgement {
	enum err error;           /* OK, or what refuses the message for all */
	struct str words;         /* of the reply where error is not OK */
	enum dmarc_policy wanted; /* by the domain in From, once those whom we trust more
	                             were asked */
	struct str why;           /* why it is not what the policy says; or empty */
	const char *override;     /* the same as a word for reports (RFC 9990), or "" */
};

/* from_fields: how many From fields the message has. */
void smtp_judge(const struct smtp_judge_conf *conf, const struct auth_request *request,
                const struct auth_verdict *verdict, unsigned from_fields, struct arena *a,
                struct smtp_judgement *judgement_out);

/* What a recipient's domain does where `wanted` is asked for. */
enum dmarc_policy smtp_judge_for(enum dmarc_policy wanted, enum domain_incoming incoming);

/* "pass" where one signature is good, else the result of the first, or "none". */
const char *smtp_judge_dkim_word(const struct auth_verdict *verdict);
/* Of MAIL FROM, or of HELO where that was null. */
const struct spf_verdict *smtp_judge_spf(const struct auth_verdict *verdict);

#endif
