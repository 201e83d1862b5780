/* ops_admin.h - operations on people and settings: logins, domains, accounts, aliases,
 * administrators, tokens, sessions (what holds for all: ops.h).
 *
 * *_put creates or changes. if_version != 0: ERR_ETAG where the row has another one (or
 * is not there). if_absent: ERR_EXISTS where it is there. Ids in answers.
 */
#ifndef STORE_OPS_ADMIN_H
#define STORE_OPS_ADMIN_H

#include "store/ops_base.h"
#include "store/types.h"

/* --- logins ------------------------------------------------------------------------- */

enum login_kind {
	LOGIN_ACCOUNT = 1, /* mail */
	LOGIN_ADMIN = 2,   /* dashboard */
};
/* Checks a password, slowly and in other threads. ERR_AUTH for a wrong name or password
   alike, after the same time and some delay; ERR_AUTH_RATE after too many failures from
   there; ERR_ACCOUNT_OFF only with the right password; ERR_AUTH_TEMP when overloaded.
   Tells AUTH_OK and AUTH_FAILED. */
struct op_auth {
	uint32_t kind;       /* enum login_kind */
	struct str protocol; /* "smtp", "imap", "pop3", "http" */
	struct str name, password;
	struct str ip; /* of the client, as text */
	struct str session_id;
};
struct answer_auth {
	uint64_t id;        /* of the account or admin */
	struct str address; /* normalised login name */
	struct str role;    /* of an admin */
};

/* --- administration ----------------------------------------------------------------- */

struct op_domain_put {
	struct actor actor;
	struct str name; /* normalised by domain_normalize of mail/address.h */
	bool enabled;
	uint32_t incoming; /* enum domain_incoming */
	bool if_absent;
	uint64_t if_version;
};
/* With everything in it: accounts, mailboxes, aliases. ERR_NOT_FOUND; ERR_CONFLICT where
   it has accounts and with_accounts is not set. */
struct op_domain_remove {
	struct actor actor;
	struct str name;
	bool with_accounts;
	uint64_t if_version;
};
/* Makes an account with INBOX, Drafts, Sent, Junk, Trash and Archive, the last five
   subscribed and with their special use. ERR_NOT_FOUND: no such domain; ERR_EXISTS: an
   account or alias has the address; ERR_INVALID: no login name (address_is_login), or a
   password shorter than 8 or longer than 1024 bytes. */
struct op_account_create {
	struct actor actor;
	struct str address, password, display_name;
	uint64_t quota_bytes;
};
enum account_field {
	ACCOUNT_SET_DISPLAY_NAME = 1,
	ACCOUNT_SET_QUOTA = 2,
	ACCOUNT_SET_STATE = 4,
};
struct op_account_update {
	struct actor actor;
	struct str address;
	uint32_t fields; /* enum account_field bits: which of the next are meant */
	struct str display_name;
	uint64_t quota_bytes;
	uint32_t state; /* enum account_state */
	uint64_t if_version;
};
struct op_account_password {
	struct actor actor;
	struct str address, password;
};
struct op_account_remove {
	struct actor actor;
	struct str address;
	uint64_t if_version;
};
/* targets: addresses, normalised or at least parsed by the caller. ERR_EXISTS: an account
   has the address; ERR_INVALID: no targets, or one of them is the alias itself. */
struct op_alias_put {
	struct actor actor;
	struct str address; /* normalised; "@domain" for the catch-all */
	struct str *targets;
	size_t targets_count;
	bool enabled;
	bool if_absent;
	uint64_t if_version;
};
struct op_alias_remove {
	struct actor actor;
	struct str address;
	uint64_t if_version;
};
struct op_admin_create {
	struct actor actor;
	struct str name, password, role;
};
struct op_admin_update {
	struct actor actor;
	struct str name, role; /* role empty: as it is */
	bool enabled;
	uint64_t if_version;
};
/* Ends all his sessions as well. */
struct op_admin_password {
	struct actor actor;
	struct str name, password;
};
struct op_admin_remove {
	struct actor actor;
	struct str name;
};
struct op_token_create {
	struct actor actor;
	struct str name, hash, scopes, domains, networks; /* as in struct token */
	uint64_t admin_id;
	int64_t expires_ms; /* 0: never */
};
struct op_token_revoke {
	struct actor actor;
	uint64_t id;
};
/* Send it now and then, not with every request. */
struct op_token_used {
	uint64_t id;
	int64_t at_ms;
	struct str ip;
};
struct op_session_create {
	struct actor actor;
	uint64_t admin_id;
	struct str hash, csrf, ip, user_agent;
	int64_t expires_ms;
};
struct op_session_touch {
	uint64_t id;
	int64_t used_ms, expires_ms, step_up_ms; /* 0: as it is */
};
struct op_session_remove {
	struct actor actor;
	uint64_t id;
};
/* value: as it would stand in the configuration file, judged by the caller; empty: back
   to the default (the row stays, for who did it and when). */
struct setting_new {
	struct str key, value;
};
/* All or none. There is one version for all settings, and each has the one that its last
   change brought, 0 before the first. if_version: one more than the version of all, or
   with `of_one` than that of the first key; 0: any. What is as it was changes nothing. */
struct op_settings_put {
	struct actor actor;
	const struct setting_new *items;
	size_t items_count;
	bool of_one;
	uint64_t if_version;
};
/* A request of the API with an Idempotency-Key (api/again.h). */
enum api_again {
	API_NEW,     /* carry it out */
	API_RUNNING, /* the first one is not answered yet */
	API_DONE,    /* here is its answer */
	API_OTHER,   /* the key belongs to another request */
};
struct op_api_begin {
	struct str name, print; /* 32 bytes each: caller and key; the whole request */
	struct str deed;        /* as many: the name of its deeds */
	uint64_t epoch;         /* of the asking process: one that is gone does not run */
	int64_t keep_since_ms;  /* older ones are forgotten */
};
struct answer_api {
	uint32_t again; /* enum api_again */
	uint32_t status;
	struct str headers; /* "Name: value", one a line */
	struct str body;
	bool has_deeds; /* API_NEW: some of it has been done before */
};
/* status 0: it did not happen, or not all of it: forget the answer, but no deed. */
struct op_api_end {
	struct str name, deed;
	uint32_t status;
	struct str headers, body;
};

#endif
