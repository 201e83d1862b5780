/* reports_received.h - what others saw of our domains: what the routes on it share.
 *
 * Sums leave out reports whose mail was not proven to come from its sender: anybody can
 * write one. They are counted, and shown where they are asked for.
 */
#ifndef API_REPORTS_RECEIVED_H
#define API_REPORTS_RECEIVED_H

#include "api/page.h"
#include "policy/records.h"
#include "policy/report.h"

/* The parameters that all of them take. */
struct reports_query {
	struct report_query which;
	struct str domain; /* normalised; empty: all */
	struct str filter; /* for page_begin */
	struct str origin; /* of reports_dmarc; empty: all */
};

/* False: answered. */
MUSTUSE bool reports_query_read(struct api_request *r, uint32_t kind,
                                struct reports_query *out);
/* "from", "to", "domain", "unproven_reports": how many were left out. */
MUSTUSE enum err reports_write_which(struct page *p, const struct reports_query *q);
/* "totals", "days", "reporters"; good and bad are the names of the counts. */
MUSTUSE enum err reports_write_sums(struct page *p, const struct reports_query *q,
                                    const char *good, const char *bad);
/* Sums over rows (REPORT_ORIGINS and so on): then is called with them, later, unless the
   request ends before. */
struct reports_added {
	enum err error;
	const struct report_sum *sums;
	size_t count;
};
typedef void reports_then_fn(struct api_request *r, void *state,
                             const struct reports_added *added);
void reports_add_up(struct api_request *r, const struct report_sums_query *query,
                    reports_then_fn *then, void *state);
/* The key of a sum's cursor, and the other way round. */
struct str reports_cursor(struct api_request *r, const struct report_sum *sum);
struct report_after reports_after(struct str cursor);
/* In plain words what makes mail of that origin pass, if it is the owner's; empty: all of
   it passes. domain: whose; is_ours: it left from this server. */
struct str reports_advice(struct api_request *r, struct str domain,
                          const struct report_sum *sum, bool is_ours);
/* The addresses that our mail leaves from, as the name service has them for a domain. */
struct reports_own {
	struct addr ips[RECORDS_IPS_MAX];
	size_t count;
};
void reports_own_find(struct api_request *r, uint64_t domain_id, struct reports_own *out);
bool reports_own_has(const struct reports_own *own, struct str source);
/* "Mailchimp", or the address. */
struct str reports_origin_name(struct str origin);

/* "dmarc" or "tls" of enum report_kind, which counts as enum seen_kind does. */
const char *reports_kind_word(uint32_t kind);
/* The next item of a list, begun; false: there is no room for it. */
bool reports_begin_item(struct page *p, struct str id);
/* The document of a report, as it was sent, to be saved under its id. */
void reports_reply_document(struct api_request *r, struct str id, struct str packed,
                            bool is_json);

#endif
