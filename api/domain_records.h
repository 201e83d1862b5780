/* domain_records.h - what configuration and store say of a domain, for policy/records.h.
 *
 * The queue process looks with it, the API shows with it: so both make the same rows.
 */
#ifndef API_DOMAIN_RECORDS_H
#define API_DOMAIN_RECORDS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "ext/json.h"
#include "io/tls.h"
#include "policy/records.h"
#include "store/reader.h"

/* The policies of a domain, with what holds where nothing is set. */
struct domain_policies {
	const char *dmarc_policy; /* "none", "quarantine", "reject" */
	bool dmarc_testing;
	struct str dmarc_rua;
	enum records_sts_mode sts_mode;
	struct str sts_id;
	int64_t sts_max_age_s;
	struct str tls_rua;
	uint64_t dmarc_version, sts_version, tls_version; /* 0: nothing is set */
};

MUSTUSE enum err domain_policies_read(struct reader *r, uint64_t domain_id,
                                      struct str domain, struct arena *a,
                                      struct domain_policies *out);

/* The host that the records lead to. */
struct domain_records_host {
	const struct conf *conf;
	struct tls_server *tls; /* whose certificate is shown; NULL: not known */
	const struct addr *ips; /* as the name service says */
	size_t ip_count;
};

/* Everything lives in the arena. */
MUSTUSE enum err domain_records_conf(struct reader *r,
                                     const struct domain_records_host *host,
                                     uint64_t domain_id, struct str domain,
                                     struct arena *a, struct records_conf *out);

/* What the last look found of the host: the addresses in facts (struct dns_zone). */
size_t domain_records_ips(struct str facts, struct addr *out, size_t max);
/* … and how facts are written. */
void domain_records_facts(const struct addr *ips, size_t count, struct strbuf *out);

/* A row as JSON: what it is, what should be, what is there. */
void domain_records_row(struct json_out *j, const struct record_row *row);
/* What a look found of a row, as domain_records_row wrote it: state, values, cause. */
void domain_records_take(struct record_row *row, const struct dns_row *stored,
                         struct arena *a);

#endif
