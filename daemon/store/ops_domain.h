/* ops_domain.h - operations on what stands in the DNS: keys, records and policies of our
 * domains, policies of other domains, checks of the host (what holds for all: ops.h).
 */
#ifndef STORE_OPS_DOMAIN_H
#define STORE_OPS_DOMAIN_H

#include "store/ops_base.h"
#include "store/types.h"

/* --- keys, records and policies of our domains -------------------------------------- */

/* A key pair for a domain: made in another thread, its private half written to
   data_dir/keys/dkim and synced, then the row. ERR_NOT_FOUND: no such domain; ERR_EXISTS:
   it has that selector, or, with if_none, a key of that algorithm that is not retiring
   or revoked; ERR_LIMIT: it has too many keys; ERR_INVALID: no selector. */
struct op_dkim_key_create {
	struct actor actor;
	struct str domain;   /* normalised */
	struct str selector; /* empty: one is chosen */
	uint32_t algorithm;  /* enum dkim_algorithm */
	bool is_published;   /* PUBLISH at once, else GENERATED */
	bool auto_activate;
	bool if_none;
	struct str file, public_key; /* filled in by the store */
};
/* Another state. ERR_CONFLICT where the life of a key has no such step, or not yet: what
   is not verified never becomes active, what is active or may still be looked up is not
   revoked. is_emergency revokes all the same. Activating retires the active key of the
   same domain and algorithm. */
struct op_dkim_key_state {
	struct actor actor;
	uint64_t id;
	uint32_t state; /* enum dkim_key_state */
	bool is_emergency;
	uint64_t if_version;
};
/* Forgets a key that has never signed, or one that is revoked; else ERR_CONFLICT. */
struct op_dkim_key_remove {
	struct actor actor;
	uint64_t id;
	uint64_t if_version;
};
/* What the authoritative servers of its domain said: how many have it, of how many that
   all answered. PUBLISH becomes VERIFIED when all have it (and ACTIVE, where it wants
   to), VERIFIED goes back to PUBLISH when one has not. */
struct op_dkim_key_checked {
	uint64_t id;
	uint32_t servers_ok, servers_total;
	int64_t at_ms;
};
/* A look at the domain's records is wanted now. */
struct op_dns_ask {
	struct str domain;
};
/* Every domain whose last look began before that is looked at again, now. */
struct op_dns_again {
	int64_t at_ms;
};
struct dns_row_new {
	struct str name, state, cause, body;
};
/* What a look found. Rows that are not named any more go; what differs from before is one
   struct dns_change and the event DNS_CHANGED each. */
struct op_dns_result {
	struct str domain;
	int64_t checked_ms, next_ms;
	struct str servers, facts;
	struct dns_row_new *rows;
	size_t rows_count;
};
/* A record that is to be left as it is: nobody is reminded of it any more. */
struct op_dns_mute {
	struct actor actor;
	struct str domain, name; /* name: of the row, "spf" */
	bool is_muted;
};
/* value: JSON, judged by the caller; empty: back to what holds without one. */
struct op_domain_policy_put {
	struct actor actor;
	struct str domain, name, value;
	uint64_t if_version;
};

/* --- what other domains demand (MTA-STS) -------------------------------------------- */

/* A domain's MTA-STS policy, as it was fetched; those that have expired go. */
struct op_sts_put {
	struct str domain, policy_id, body;
	int64_t fetched_ms, expires_ms;
};
/* It could not be fetched: that is kept beside what there is, for a week. */
struct op_sts_failed {
	struct str domain, fault;
	int64_t at_ms;
};
/* Somebody wants it fetched now. ERR_NOT_FOUND: nothing is known of that domain. */
struct op_sts_ask {
	struct str domain;
};

/* --- the host ----------------------------------------------------------------------- */

/* Somebody wants a check of the host run now (policy/host.h), by its word. */
struct op_host_ask {
	struct str name;
};
/* A check that its owner leaves as it is, or looks after again. */
struct op_host_mute {
	struct actor actor;
	struct str name;
	bool is_muted;
};
/* What came of a run that began at checked_ms: the state to be shown, with the last runs
   as host_damp wants them. A state that is another one than before is an event. */
struct op_host_result {
	struct str name, state, cause, text, body, runs;
	int64_t checked_ms, next_ms;
	int64_t basis; /* of the settings that the run went by */
};

#endif
