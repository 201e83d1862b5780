/* secure.h - how one host of a domain must be reached: DANE before MTA-STS before "if it
 * can be had" (RFC 7672 2.2, RFC 8461 2, RFC 8689 4).
 *
 * Facts in, a verdict out: what the name service said and how sure that is, the policy
 * that was fetched, what the sender demands. What the verdict asks for is checked by
 * io/tls.c on the connection.
 */
#ifndef POLICY_SECURE_H
#define POLICY_SECURE_H

#include "io/dns_answer.h"
#include "policy/mta_sts.h"

enum {
	SECURE_TLSA_MAX = 16,        /* records of a host that are used */
	SECURE_TLSA_DATA_MAX = 4096, /* bytes of a whole certificate in one */
};

/* In the order of what is demanded. */
enum secure_level {
	SECURE_TRY,     /* encrypt where it is offered and works; else in plain */
	SECURE_TEST,    /* the same, and say what SECURE_NAME would have refused */
	SECURE_ENCRYPT, /* encrypted, whoever it is */
	SECURE_NAME,    /* and a certificate for the host that the system trusts */
	SECURE_DANE,    /* and one that a TLSA record names */
	SECURE_NEVER,   /* this host is not to be used */
};

struct secure_facts {
	struct str host;
	bool is_mx_authentic;             /* the names of the hosts are signed */
	bool is_own_name;                 /* the host is the domain itself */
	bool is_host_authentic;           /* its addresses are */
	bool is_alias;                    /* CNAMEs lead from it to them */
	bool is_alias_authentic;          /* the first of these is signed */
	const struct dns_answer *tlsa;    /* of _25._tcp.HOST; NULL: not asked for */
	const struct mta_sts_policy *sts; /* NULL: none */
	bool is_sts_unknown;              /* it could not be looked for or fetched */
	bool is_required;                 /* REQUIRETLS (RFC 8689 2) */
	bool is_plain_fine;               /* TLS-Required: No (RFC 8689 3) */
};

struct secure_verdict {
	enum secure_level level;
	const char *policy; /* "dane", "mta-sts", "requiretls", "none" */
	const char *reason; /* in plain words; of SECURE_NEVER: why */
	bool is_passing;    /* of SECURE_NEVER: another time it may be different */
	struct dns_tlsa tlsa[SECURE_TLSA_MAX]; /* SECURE_DANE */
	size_t tlsa_count;
};

/* Should the TLSA records of the host be asked for? */
bool secure_wants_tlsa(const struct secure_facts *facts);
/* Must its CNAME be asked for first? The answer about its addresses says that something
   on the way to them is not signed, and not what (RFC 7672 2.1.3). */
bool secure_wants_alias(const struct secure_facts *facts);
/* Does the answer decide, whatever other names of the host have? Records that are signed,
   and silence (RFC 7672 2.2.3). */
bool secure_has_tlsa(const struct dns_answer *tlsa);
/* The strings of the verdict are literals or the answer's. */
void secure_decide(const struct secure_facts *facts, struct secure_verdict *verdict_out);

const char *secure_level_word(enum secure_level level);

#endif
