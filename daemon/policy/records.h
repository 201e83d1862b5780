/* records.h - which records a domain must, should and may publish, and what is there.
 *
 * Pure: from the configuration a list of rows is made; from what the domain's own name
 * servers (and, for other people's names, the resolver) answered, each row is judged. A
 * row has one state, one cause with plain words (records.def), what was found, and the
 * values to publish. SPF is always merged into what is there. A server that does not
 * answer says nothing: its row is unknown, never missing.
 *
 * What was found was written by strangers: values are cut, rows and values bounded.
 * Owns nothing: all is in the caller's arena.
 */
#ifndef POLICY_RECORDS_H
#define POLICY_RECORDS_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "io/dns_answer.h"
#include "policy/lookups.h"

enum {
	RECORDS_MAX = 120,        /* rows of one domain */
	RECORDS_VALUES_MAX = 20,  /* values shown of one */
	RECORDS_VALUE_MAX = 4096, /* bytes of one value; the rest is cut */
	RECORDS_SERVERS_MAX = 16, /* authoritative servers looked at */
	RECORDS_IPS_MAX = 8,
	RECORDS_KEYS_MAX = 40,
	TXT_STRING_MAX = 255, /* RFC 1035 3.3.14 */
};

enum record_state {
	RECORD_UNKNOWN, /* nobody answered, or nobody looked */
	RECORD_OK,
	RECORD_MISSING,
	RECORD_DIFFERS,
	RECORD_CONFLICT,    /* with another record: two SPF, a CNAME beside it */
	RECORD_PROPAGATING, /* some servers have it */
	RECORD_OPTIONAL,    /* not there, and need not be */
};

enum record_need {
	RECORD_TO_RECEIVE, /* without it no mail comes in */
	RECORD_TO_SEND,    /* without it mail is not believed */
	RECORD_SHOULD,
	RECORD_MAY,
};

enum record_cause {
#define CAUSE(id, word, owner, text) CAUSE_##id,
#include "policy/records.def"
#undef CAUSE
	CAUSE_COUNT
};

/* A TCP service that mail programs look for. */
enum records_service {
	RECORDS_SUBMISSIONS,
	RECORDS_SUBMISSION,
	RECORDS_IMAPS,
	RECORDS_IMAP,
	RECORDS_POP3S,
	RECORDS_POP3,
	RECORDS_SERVICES
};

struct records_key {
	struct str selector;
	const char *algorithm; /* k= */
	struct str public_key; /* p= */
	bool is_revoked;       /* it should be gone */
	bool is_waiting;       /* made, not in use yet */
};

enum records_sts_mode {
	STS_NONE,
	STS_TESTING,
	STS_ENFORCE,
};

/* What our configuration says of a domain. */
struct records_conf {
	struct str domain, hostname; /* A-labels, lower case */
	const struct addr *ips;      /* of hostname, as the name service says */
	size_t ip_count;
	bool listens_v6;
	const struct records_key *keys;
	size_t key_count;
	/* the policies, as they stand in the dashboard */
	const char *dmarc_policy; /* "none", "quarantine", "reject" */
	bool dmarc_testing;       /* t=y */
	struct str dmarc_rua;     /* an address; empty: no reports */
	enum records_sts_mode sts_mode;
	struct str sts_id;
	struct str tls_rua; /* an address; empty: no TLS reports wanted */
	/* listeners: ports, 0 is off */
	uint16_t ports[RECORDS_SERVICES];
	bool has_https;
	struct str spki_sha256; /* of our certificate's key, 32 bytes; empty: not known */
	const struct dns_tlsa *tlsa; /* all that fit our certificate; empty: not known */
	size_t tlsa_count;
	const struct str *names; /* that the certificate covers */
	size_t name_count;
	struct str
		ca; /* who makes our certificates, for CAA ("letsencrypt.org"); or "" */
	struct str backup_mx; /* mail servers of others behind ours, one space between */
};

struct record_row {
	struct str key; /* "mx", "dkim:s1", "ptr:192.0.2.7": stable */
	enum record_need need;
	enum dns_type type;
	struct str name;     /* full, without a final dot */
	struct str relative; /* "@", "_dmarc"; empty: not in this domain's zone */
	int priority;        /* MX; -1: none */
	/* Values to publish in master file form, but TXT unquoted and in one piece. */
	const struct str *expected;
	size_t expected_count;
	const char *why; /* what it is for */
	bool is_going;   /* a revoked key: better gone */
	/* what is there */
	enum record_state state;
	enum record_cause cause;
	struct str detail; /* more about the cause: a name, a number; or empty */
	const struct str *found;
	size_t found_count;
	uint32_t ttl_s;
	unsigned servers_ok, servers_total, servers_silent;
	uint32_t cached_s; /* PROPAGATING: caches may have the old answer so long */
};

struct records {
	const struct records_conf *conf;
	struct record_row rows[RECORDS_MAX];
	size_t count;
};

/* All rows, unjudged (UNKNOWN, NOT_CHECKED). conf must live as long. */
struct records *records_make(const struct records_conf *conf, struct arena *a);
/* Only those of the host: its addresses and their names. domain is the hostname as well. */
struct records *records_make_host(const struct records_conf *conf, struct arena *a);

/* --- looking ------------------------------------------------------------------------ */

/* A question to be asked, of every authoritative server of the domain or, where
   is_resolver, of the resolver. */
struct records_question {
	struct str name;
	enum dns_type type;
	bool is_resolver;
};
/* All questions of these rows, each once; up to max. */
size_t records_questions(const struct records *r, struct arena *a,
                         struct records_question *out, size_t max);

/* What one of them said. server: 0 … server_count - 1; the resolver: 0. */
struct records_answer {
	struct str name;
	enum dns_type type;
	bool is_resolver;
	unsigned server;
	struct dns_answer answer;
};
struct records_answers {
	const struct records_answer *p;
	size_t count;
	unsigned server_count; /* of the zone; 0: none could be found */
	bool has_no_zone;      /* and the name service says that there is none */
	bool is_signed;        /* there is a DS record */
};

/* Judges all rows. SPF may need more names: POLICY_NEED, see lookups.h; only names that
   are not among the answers are asked for. Copies what it keeps. */
MUSTUSE enum policy_step records_judge(struct records *r,
                                       const struct records_answers *answers,
                                       struct lookups *l, struct arena *a,
                                       int64_t now_ms);

/* --- SPF ---------------------------------------------------------------------------- */

/* One record out of what is there (none, one or several) that allows these addresses:
   terms kept in their order, ours behind "v=spf1", what is harmful mended ("+all" becomes
   "~all", "ptr" goes). host stands in where no address is known. With too many terms for
   that it is the first of them as it is, or where there is none, host instead of the
   addresses. */
struct str records_spf_merge(const struct str *found, size_t count,
                             const struct addr *ips, size_t ip_count, struct str host,
                             struct arena *a);

/* --- forms of values ---------------------------------------------------------------- */

enum records_style {
	RECORDS_FULL,     /* names with a final dot */
	RECORDS_RELATIVE, /* names relative to the domain, "@" for itself */
};

/* The value as a master file wants it: TXT quoted and split at 255 (RFC 1035 5.1). */
void records_value_format(enum dns_type type, int priority, struct str value,
                          struct strbuf *out);
/* A zone file of the rows of this zone: all, or those that are not yet as they should be.
   Revoked keys are left out. */
void records_zone_format(const struct records *r, bool only_missing,
                         enum records_style style, struct strbuf *out);

/* --- words -------------------------------------------------------------------------- */

const char *record_state_word(enum record_state s);
/* RECORD_UNKNOWN for what is none. */
enum record_state record_state_find(struct str word);
const char *record_need_word(enum record_need n);
const char *record_cause_word(enum record_cause c);
/* CAUSE_NONE for what is none. */
enum record_cause record_cause_find(struct str word);
const char *record_cause_owner(enum record_cause c);
const char *record_cause_text(enum record_cause c);

/* Does one of these names ("*.example.org" too) cover the host (RFC 9525 6.3)? */
bool records_covers(const struct str *names, size_t count, struct str host);

#endif
