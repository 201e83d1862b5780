/* reader.h - the named reads: this process's own read-only view of the index.
 *
 * One reader per thread. Each call sees everything committed before it began, and runs in
 * a short transaction of its own; nothing is held between calls but by reader_hold. Calls
 * block for as long as SQLite reads pages: functions over ranges therefore take a limit,
 * and the caller goes on in slices of its own.
 *
 * Strings come out in the arena the caller gives (which must have room: ERR_LIMIT), or
 * are borrowed for the time of a call-back. A call-back returns false to stop; that is no
 * error. Call-backs must not use the same reader.
 * Errors all functions can have: ERR_STORE_TEMP (no database, or busy), ERR_CORRUPT (a
 * damaged row or page), ERR_IO. Those that find one thing: ERR_NOT_FOUND.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "base/arena.h"
#include "base/macros.h"
#include "store/types.h"

struct conf;
struct reader;

/* Never NULL; opens the database when first used, so the store may start later. */
struct reader *reader_open(const struct conf *conf);
/* The same by directory, for tests and tools. */
struct reader *reader_open_dir(struct str data_dir);
void reader_close(struct reader **r);

/* Until reader_release all calls see one state of the index. For a few short calls that
   belong together, within one turn of the loop: pages that it sees stay in the log, which
   grows meanwhile. Errors as above; then nothing is held. */
MUSTUSE enum err reader_hold(struct reader *r);
/* May be called where nothing is held. */
void reader_release(struct reader *r);

/* --- addresses ---------------------------------------------------------------------- */

enum {
	RESOLVE_MAX = 1000, /* recipients one address may stand for */
	RESOLVE_DEPTH = 10, /* aliases of aliases */
};

struct target {
	uint32_t kind;     /* enum rcpt_kind of store/ops_mail.h */
	struct str rcpt;   /* account's address, or the external one as written */
	struct str domain; /* external: normalised */
	uint64_t account_id;
};

struct resolution {
	struct target *targets; /* each once; at least one where the result is OK */
	size_t count;
	bool is_alias;  /* targets differ from the address that was asked for */
	bool has_quota; /* the answer hung on the room somebody has left */
};

/* Where mail for this address goes. address: normalised (address_normalize), with its
   detail: "ann+shop@example.org" is looked up as it is and then as "ann@…"; then the
   catch-all. size: of the message, 0 if not known, for the quota.
     OK               see targets
     ERR_RELAY        the domain is none of ours (or disabled): nobody here
     ERR_NO_SUCH_USER the domain is ours
     ERR_ACCOUNT_OFF, ERR_QUOTA  of an account asked for directly; accounts behind an
                      alias that cannot take mail are left out while others can
     ERR_LOOP         aliases that only lead to each other */
MUSTUSE enum err reader_resolve(struct reader *r, struct str address, uint64_t size,
                                struct arena *a, struct resolution *out);
/* Is it one of the names that reports on a domain of ours go to ("dmarc-reports",
   "tls-reports", with any detail)? In a domain of ours, reader_resolve gives it a target
   of the kind RCPT_REMOTE whose domain is REPORTS_DOMAIN, beside what an account or alias
   of that name makes of it; the catch-all is not asked. */
bool reader_is_for_reports(struct str address);
/* As reader_resolve for the postmaster of a domain of ours: where nobody made one, it is
   whoever was there first, for a domain that takes mail has one (RFC 5321 4.5.1). */
MUSTUSE enum err reader_postmaster(struct reader *r, struct str domain, struct arena *a,
                                   struct resolution *out);
/* Is the (normalised) domain ours and enabled? OK or ERR_NOT_FOUND. */
MUSTUSE enum err reader_is_local_domain(struct reader *r, struct str domain);
/* What it does with mail that is not proven; as above. */
MUSTUSE enum err reader_domain_incoming(struct reader *r, struct str domain,
                                        enum domain_incoming *incoming_out);
/* The key that rewritten senders are signed with (policy/srs.h): 32 bytes, made once with
   the index. Keep it out of logs and answers. */
MUSTUSE enum err reader_srs_secret(struct reader *r, struct arena *a,
                                   struct str *secret_out);
/* May this account send as this normalised address? Its own, with any detail, and every
   alias that has it among its targets. OK or ERR_SENDER_DENIED. */
MUSTUSE enum err reader_may_send_as(struct reader *r, uint64_t account_id,
                                    struct str address);

/* --- mailboxes ---------------------------------------------------------------------- */

MUSTUSE enum err reader_mailbox(struct reader *r, uint64_t account_id, struct str name,
                                struct arena *a, struct mailbox_info *out);
MUSTUSE enum err reader_mailbox_by_id(struct reader *r, uint64_t account_id,
                                      uint64_t mailbox_id, struct arena *a,
                                      struct mailbox_info *out);
typedef bool reader_mailbox_fn(void *arg, const struct mailbox_info *m);
/* All of an account by name (INBOX first), and the names that are only subscribed. */
MUSTUSE enum err reader_mailboxes(struct reader *r, uint64_t account_id,
                                  reader_mailbox_fn *fn, void *arg);
/* The keyword names of a mailbox, by bit. */
MUSTUSE enum err reader_keywords(struct reader *r, uint64_t mailbox_id, struct arena *a,
                                 struct keyword **out, size_t *count_out);
/* The number of the first message without \Seen, for SELECT's UNSEEN, where it is among
   the first or the last `look` entries of this mailbox; 0: it is not, or all are seen.
   The row was read under the same reader_hold: its counts are what is counted from. */
MUSTUSE enum err reader_unseen_seq(struct reader *r, const struct mailbox_info *m,
                                   uint32_t look, uint32_t *seq_out);

/* Entries of a mailbox with first <= uid <= last. */
struct entry_span {
	uint64_t mailbox_id;
	uint32_t first, last;
	uint64_t after_modseq; /* reader_entries: only with a higher modseq */
};
/* Ascending, up to max. *count_out < max: that was all. Go on with first = last uid + 1. */
MUSTUSE enum err reader_entries(struct reader *r, const struct entry_span *span,
                                struct entry *out, size_t max, size_t *count_out);
/* UIDs only, the cheapest way to make a sequence map. */
MUSTUSE enum err reader_uids(struct reader *r, const struct entry_span *span,
                             uint32_t *out, size_t max, size_t *count_out);
/* UIDs expunged after a modseq (kept for the last 100,000 of a mailbox), for those who
   were away. */
MUSTUSE enum err reader_expunged(struct reader *r, uint64_t mailbox_id,
                                 uint64_t after_modseq, uint32_t *out, size_t max,
                                 size_t *count_out);

/* What of a message is read: the less, the faster. */
enum head_want {
	WANT_ENVELOPE = 1,
	WANT_STRUCTURE = 2,  /* bodystructure */
	WANT_PARTS = 4,      /* parts, header_bytes */
	WANT_FIELDS = 8,     /* from … references, date, flags */
	WANT_REF = 16,       /* ref; with others also what stands beside it */
	WANT_BODY_FORM = 32, /* body: the structure without extensions */
};
typedef bool reader_message_fn(void *arg, const struct entry *e, const struct message *m);
/* Entries of a range with their messages, ascending, up to max. m borrows for the call.
 */
MUSTUSE enum err reader_messages(struct reader *r, const struct entry_span *span,
                                 unsigned want, size_t max, reader_message_fn *fn,
                                 void *arg);

/* --- who there is ------------------------------------------------------------------- */
/* Lists are in order of name; after: the last name of the page before, empty at first.
   is_down: in the other order, those before it. */
struct names_from {
	struct str after;
	bool is_down;
};

MUSTUSE enum err reader_domain(struct reader *r, struct str name, struct arena *a,
                               struct domain *out);
typedef bool reader_domain_fn(void *arg, const struct domain *d);
MUSTUSE enum err reader_domains(struct reader *r, struct names_from from, size_t limit,
                                reader_domain_fn *fn, void *arg);

MUSTUSE enum err reader_account(struct reader *r, struct str address, struct arena *a,
                                struct account *out);
MUSTUSE enum err reader_account_by_id(struct reader *r, uint64_t id, struct arena *a,
                                      struct account *out);
typedef bool reader_account_fn(void *arg, const struct account *account);
/* domain_id 0: of all domains. */
MUSTUSE enum err reader_accounts(struct reader *r, uint64_t domain_id,
                                 struct names_from from, size_t limit,
                                 reader_account_fn *fn, void *arg);

MUSTUSE enum err reader_alias(struct reader *r, struct str address, struct arena *a,
                              struct alias *out);
typedef bool reader_alias_fn(void *arg, const struct alias *alias);
MUSTUSE enum err reader_aliases(struct reader *r, uint64_t domain_id,
                                struct names_from from, size_t limit, reader_alias_fn *fn,
                                void *arg);

MUSTUSE enum err reader_admin(struct reader *r, struct str name, struct arena *a,
                              struct admin *out);
MUSTUSE enum err reader_admin_by_id(struct reader *r, uint64_t id, struct arena *a,
                                    struct admin *out);
typedef bool reader_admin_fn(void *arg, const struct admin *admin);
/* All, in order of name; is_down: the last one first. */
MUSTUSE enum err reader_admins(struct reader *r, bool is_down, reader_admin_fn *fn,
                               void *arg);

/* By the SHA-256 of the whole token. Revoked and expired ones are found too. */
MUSTUSE enum err reader_token(struct reader *r, struct str hash, struct arena *a,
                              struct token *out);
typedef bool reader_token_fn(void *arg, const struct token *token);
/* All, the oldest first; is_down: the newest. */
MUSTUSE enum err reader_tokens(struct reader *r, bool is_down, reader_token_fn *fn,
                               void *arg);

/* By the SHA-256 of the cookie's secret. Expired ones are found too. */
MUSTUSE enum err reader_session(struct reader *r, struct str hash, struct arena *a,
                                struct web_session *out);

typedef bool reader_setting_fn(void *arg, const struct setting *setting);
MUSTUSE enum err reader_settings(struct reader *r, reader_setting_fn *fn, void *arg);

/* --- keys, policies, names of domains ------------------------------------------------ */

typedef bool reader_dkim_key_fn(void *arg, const struct dkim_key *k);
/* In order of domain and age. domain_id 0: of all; state DKIM_KEY_ANY: all. */
MUSTUSE enum err reader_dkim_keys(struct reader *r, uint64_t domain_id,
                                  enum dkim_key_state state, reader_dkim_key_fn *fn,
                                  void *arg);
MUSTUSE enum err reader_dkim_key(struct reader *r, uint64_t id, struct arena *a,
                                 struct dkim_key *out);
/* Enabled domains that have no key at all, in order of name. */
MUSTUSE enum err reader_domains_without_key(struct reader *r, size_t limit,
                                            reader_domain_fn *fn, void *arg);
MUSTUSE enum err reader_domain_policy(struct reader *r, uint64_t domain_id,
                                      struct str name, struct arena *a,
                                      struct domain_policy *out);
/* ERR_NOT_FOUND: nobody has looked yet, or asked for a look. */
MUSTUSE enum err reader_dns_zone(struct reader *r, uint64_t domain_id, struct arena *a,
                                 struct dns_zone *out);
typedef bool reader_dns_zone_fn(void *arg, const struct dns_zone *z);
/* Enabled domains that are to be looked at: never yet, asked for, or due at now_ms. Those
   that are asked for first. */
MUSTUSE enum err reader_dns_due(struct reader *r, int64_t now_ms, size_t limit,
                                reader_dns_zone_fn *fn, void *arg);
typedef bool reader_dns_row_fn(void *arg, const struct dns_row *row);
MUSTUSE enum err reader_dns_rows(struct reader *r, uint64_t domain_id,
                                 reader_dns_row_fn *fn, void *arg);
typedef bool reader_dns_mute_fn(void *arg, const struct dns_mute *mute);
MUSTUSE enum err reader_dns_mutes(struct reader *r, uint64_t domain_id,
                                  reader_dns_mute_fn *fn, void *arg);
typedef bool reader_dns_change_fn(void *arg, const struct dns_change *change);
/* Newest first; id: of the last one of the page before, 0 at first. is_up: in the other
   order, those after it. */
struct dns_changes_from {
	uint64_t id;
	bool is_up;
};
MUSTUSE enum err reader_dns_changes(struct reader *r, uint64_t domain_id,
                                    struct dns_changes_from from, size_t limit,
                                    reader_dns_change_fn *fn, void *arg);

typedef bool reader_audit_fn(void *arg, const struct audit_entry *entry);
/* Newest first; before: id of the last one of the page before, 0 at first. target empty:
   all. */
MUSTUSE enum err reader_audit(struct reader *r, struct str target, uint64_t before,
                              size_t limit, reader_audit_fn *fn, void *arg);

/* --- what other domains demand ------------------------------------------------------ */

struct sts_row {
	struct str domain, policy_id, body;
	int64_t fetched_ms, expires_ms; /* 0: none was ever had */
	int64_t failed_ms;              /* since then, last; 0: it did not */
	struct str fault;
	int64_t asked_ms; /* since when somebody waits for a fetch; 0: nobody does */
};
/* The last MTA-STS policy of a domain, expired or not. */
MUSTUSE enum err reader_sts(struct reader *r, struct str domain, struct arena *a,
                            struct sts_row *out);
typedef bool reader_sts_fn(void *arg, const struct sts_row *row);
MUSTUSE enum err reader_sts_list(struct reader *r, struct names_from from, size_t limit,
                                 reader_sts_fn *fn, void *arg);
/* Those that somebody waits for, longest first. */
MUSTUSE enum err reader_sts_asked(struct reader *r, size_t limit, reader_sts_fn *fn,
                                  void *arg);

/* --- the host as others see it ------------------------------------------------------ */

/* One check of policy/host.h. */
struct host_row {
	struct str name, state, cause, text;
	struct str body; /* JSON: what was found (api/health_host.h) */
	struct str runs; /* the last ones, a letter each */
	int64_t since_ms, checked_ms, next_ms;
	int64_t asked_ms; /* later than checked_ms: somebody waits for a run */
	int64_t basis;    /* of the last run; 0: not known */
};
MUSTUSE enum err reader_host(struct reader *r, struct str name, struct arena *a,
                             struct host_row *out);
typedef bool reader_host_fn(void *arg, const struct host_row *row);
/* Those that were ever run or asked for. */
MUSTUSE enum err reader_host_list(struct reader *r, reader_host_fn *fn, void *arg);

struct outside_seen; /* store/ops_store.h */
typedef bool reader_outside_fn(void *arg, const struct outside_seen *seen);
/* Who came last from the Internet, by service. */
MUSTUSE enum err reader_outside(struct reader *r, reader_outside_fn *fn, void *arg);

/* --- what reports are made of ------------------------------------------------------- */

/* What was seen of the next domain, in the order of kind, day and domain, behind `after`
   (all zero at first), on days before that one. A domain that is empty stands for the
   whole day: its left_out is what found no domain to count for. ERR_NOT_FOUND: no more. */
MUSTUSE enum err reader_seen_next(struct reader *r, int64_t before_day,
                                  const struct seen_domain *after, struct arena *a,
                                  struct seen_domain *out);
typedef bool reader_seen_row_fn(void *arg, const struct seen_row *row);
MUSTUSE enum err reader_seen_rows(struct reader *r, const struct seen_domain *domain,
                                  reader_seen_row_fn *fn, void *arg);
/* Reports that were made, newest first; before: id of the last one of the page before, 0
   at first. kind 0: of both; domain empty: of all; state REPORT_ANY: in any. */
struct sent_query {
	uint32_t kind;  /* enum seen_kind */
	uint32_t state; /* enum report_state */
	struct str domain;
	uint64_t before;
};
typedef bool reader_sent_report_fn(void *arg, const struct sent_report *report);
MUSTUSE enum err reader_sent_reports(struct reader *r, const struct sent_query *query,
                                     size_t limit, reader_sent_report_fn *fn, void *arg);
MUSTUSE enum err reader_sent_report(struct reader *r, uint64_t id, struct arena *a,
                                    struct sent_report *out);
/* When the oldest events came that are not counted yet; 0: there are none. */
MUSTUSE enum err reader_journal_oldest(struct reader *r, int64_t *at_ms_out);
/* --- what others saw of our domains -------------------------------------------------- */

/* Which reports are meant. */
struct report_query {
	uint64_t domain_id;     /* 0: of all domains */
	uint32_t kind;          /* enum report_kind of policy/report.h */
	bool with_unproven;     /* those whose sender nobody proved as well */
	int64_t from_ms, to_ms; /* their beginning: from_ms <= it < to_ms */
};

typedef bool reader_report_fn(void *arg, const struct received_report *report);
/* Newest first; before: id of the last one of the page before, 0 at first. */
MUSTUSE enum err reader_reports(struct reader *r, const struct report_query *query,
                                uint64_t before, size_t limit, reader_report_fn *fn,
                                void *arg);
MUSTUSE enum err reader_report(struct reader *r, uint64_t id, struct arena *a,
                               struct received_report *out);
typedef bool reader_report_row_fn(void *arg, const struct received_row *row);
MUSTUSE enum err reader_report_rows(struct reader *r, uint64_t id,
                                    reader_report_row_fn *fn, void *arg);
/* The document as it came. */
MUSTUSE enum err reader_report_raw(struct reader *r, uint64_t id, struct arena *a,
                                   struct str *raw_out);

/* Sums over what is meant. */
struct report_sum {
	struct str key;  /* what they are of; empty: of all */
	struct str more; /* failures: the MX host */
	uint64_t reports, good, bad;
	/* DMARC */
	uint64_t spf, dkim, quarantined, rejected;
	struct str name, domains; /* one of them */
	int64_t first_ms, last_ms;
};
enum report_group {
	REPORT_ALL,  /* one sum */
	REPORT_DAYS, /* by the day on which they begin, first_ms (UTC); in their order */
	REPORT_REPORTERS, /* by domain of the sender; good, bad, most reports first */
	REPORT_ORIGINS,   /* DMARC: services and addresses, most messages first */
	REPORT_SOURCES,   /* … the addresses of one origin */
	REPORT_FAILURES,  /* TLS: kind and MX host of failures */
};
/* Where a page of sums begins: behind the last one of the page before. */
struct report_after {
	uint64_t count; /* good + bad of it; 0: at the beginning */
	struct str key, more;
};
typedef bool reader_report_sum_fn(void *arg, const struct report_sum *sum);
/* origin: for REPORT_SOURCES. */
struct report_sums_query {
	struct report_query which;
	enum report_group group;
	struct str origin;
	struct report_after after; /* REPORT_ORIGINS, REPORT_SOURCES, REPORT_FAILURES */
	size_t limit;
};
MUSTUSE enum err reader_report_sums(struct reader *r,
                                    const struct report_sums_query *query,
                                    reader_report_sum_fn *fn, void *arg);

/* --- the queue ---------------------------------------------------------------------- */

/* What rows are in order of; rows that are alike in it, in order of id. */
enum queue_sort {
	QUEUE_BY_AGE, /* the id, which grows with time */
	QUEUE_BY_NEXT,
	QUEUE_BY_SIZE,
	QUEUE_BY_ATTEMPTS,
	QUEUE_BY_DOMAIN,
	QUEUE_SORT_COUNT,
};

struct queue_query {
	uint32_t state_mask; /* bit 1 << enum queue_state; 0: all */
	struct str domain;   /* normalised; empty: all */
	struct str sender;   /* exact; empty: all; "<>": the null sender */
	struct str rcpt;     /* exact */
	struct str trace_id;
	/* what stands anywhere in the address, in ASCII lower case; empty: anything */
	struct str sender_part, rcpt_part;
	uint64_t after;            /* id of the last one of the page before */
	bool is_down;              /* greatest first: those before `after`; 0: all */
	int64_t created_before_ms; /* 0: any age */
	enum queue_sort sort;
	int64_t after_number; /* what the row `after` has there */
	struct str after_text;
};
typedef bool reader_queue_fn(void *arg, const struct queue_item *item);
/* Oldest first, or as query->sort has it. Orders other than by age and next look at all
   rows. */
MUSTUSE enum err reader_queue(struct reader *r, const struct queue_query *query,
                              size_t limit, reader_queue_fn *fn, void *arg);
MUSTUSE enum err reader_queue_item(struct reader *r, uint64_t id, struct arena *a,
                                   struct queue_item *out);
/* Exact up to max. */
MUSTUSE enum err reader_queue_count(struct reader *r, const struct queue_query *query,
                                    uint64_t max, uint64_t *count_out);
MUSTUSE enum err reader_queue_totals(struct reader *r, struct queue_totals *out);
/* The earliest due_ms of rows that wait; 0: there are none. Cheap at any size. */
MUSTUSE enum err reader_queue_next_due(struct reader *r, int64_t *due_ms_out);

#endif
