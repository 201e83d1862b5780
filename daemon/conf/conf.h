/* conf.h - the configuration file, as a plain struct.
 *
 * conf/keys.def (keys) and conf/limits.def (limits) are the schema: type, unit, range,
 * default, reload or restart, a paragraph of help. From them come the checks, the struct,
 * the JSON of GET /settings and the manual page. Everything wrong is found in one
 * pass, each with line and column; what was a key once (conf/retired.def) is no error.
 * A struct conf is read-only once loaded; all strs in it are NUL-terminated as well and
 * live as long as it.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/addr.h"
#include "base/err.h"
#include "base/event.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The protocols one can listen for, in the words of the `listen:` keys. */
enum conf_protocol {
#define PROTOCOL(id, word, role, tls, alpn) CONF_##id,
#include "conf/protocols.def"
#undef PROTOCOL
	CONF_PROTOCOL_COUNT
};
const char *conf_protocol_word(enum conf_protocol p); /* "submissions" */
const char *
conf_protocol_role(enum conf_protocol p);        /* the role that serves it: "smtp" */
bool conf_protocol_is_tls(enum conf_protocol p); /* TLS from the first byte */

struct conf_addrs {
	const struct addr *p;
	size_t n;
};
struct conf_nets {
	const struct net *p;
	size_t n;
};
struct arena;
struct conf_nets conf_nets_copy(struct arena *a, struct conf_nets nets);
struct conf_numbers {
	const int64_t *p;
	size_t n;
};

/* One field for each row of limits.def, in the unit that the row says. */
struct conf_limits {
#define LIMIT(name, unit, min, max, def, when, help) int64_t name;
#include "conf/limits.def"
#undef LIMIT
};

struct conf {
	struct str path; /* the file, absolute */
	struct str hostname;
	struct str data_dir, run_dir; /* absolute */
	struct str user;              /* "": stay who we are */
	struct conf_addrs listen[CONF_PROTOCOL_COUNT];
	struct str tls_certificate,
		tls_key;        /* both or none ("": self-signed in data_dir/keys) */
	struct str tls_ca_file; /* "": the system's */
	struct conf_addrs dns_servers; /* none: /etc/resolv.conf */
	bool dns_trusted;              /* believe the AD bit */
	int64_t delivery_port;
	struct conf_addrs delivery_source; /* none: the system chooses */
	bool delivery_private_targets;
	struct conf_numbers delivery_retry_ms; /* pauses; the last one repeats */
	int64_t delivery_lifetime_ms;
	struct conf_nets proxies, relay_networks, plaintext_auth;
	struct str incoming_sealers, incoming_forwarders; /* one space between */
	struct conf_nets incoming_networks;
	bool incoming_refuse_spf, incoming_defer;
	bool incoming_dsn;
	bool reports_dmarc_send, reports_tls_send;
	struct str reports_organization, reports_contact; /* "": from hostname */
	int64_t reports_hour, reports_keep_ms;
	struct str certificate_issuer;                         /* "": not known */
	struct str backup_mx;                                  /* one space between */
	struct str host_lists, host_lists_minor, host_targets; /* the same */
	int64_t processes_smtp, processes_imap; /* >= 1: the default is worked out */
	enum event_level log_level;
	struct conf_limits limits;
};

struct conf_row;

/* What was set in the dashboard: a key, and its value as it would stand in the file. */
struct conf_setting {
	struct str key, value;
};
struct conf_settings {
	const struct conf_setting *p;
	size_t n;
};

/* Each error found; diag->line and column say where, line 0: it is the whole file. */
typedef void conf_error_fn(void *arg, const struct diag *diag);
/* The error of the file at path as people read it: "FILE:LINE:COLUMN: text". */
void conf_error_format(struct strbuf *out, struct str path, const struct diag *diag);
/* A conf_error_fn that prints it to stderr; path: a NUL-terminated text. */
void conf_error_print(void *path, const struct diag *diag);

/* Reads and checks the file. On OK *conf_out is new (conf_free); else ERR_CONFIG (or
   ERR_IO: cannot be read) after on_error was called for each error. */
MUSTUSE enum err conf_load(const char *path, conf_error_fn *on_error, void *arg,
                           struct conf **conf_out);
/* The same from bytes; path is only kept. */
MUSTUSE enum err conf_parse(struct str text, const char *path, conf_error_fn *on_error,
                            void *arg, struct conf **conf_out);
/* The same with what was set in the dashboard laid over it. The file has the last word: a
   key that stands in it is not touched. A setting that does not fit (an older version's)
   is told to on_error with line 0, and the default holds: it must not keep a process from
   coming back. */
MUSTUSE enum err conf_parse_over(struct str text, const char *path,
                                 const struct conf_settings *over,
                                 conf_error_fn *on_error, void *arg,
                                 struct conf **conf_out);
void conf_free(struct conf **c);
/* Tells of each key of the file that was one only in an older version: place and advice. */
void conf_tell_retired(const struct conf *c, conf_error_fn *tell_fn, void *arg);

/* Where a value comes from. */
enum conf_source {
	CONF_SOURCE_DEFAULT,
	CONF_SOURCE_FILE,
	CONF_SOURCE_SETTING,
};
/* line_out: where it stands in the file; else 0. */
enum conf_source conf_source(const struct conf *c, const struct conf_row *row,
                             int *line_out);

/* Where the value of a key stands in the file, for errors that are found later; the
   beginning of the file where it does not. */
struct conf_place {
	int line, column;
};
struct conf_place conf_place(const struct conf *c, const char *key);

/* True when going from a to b needs a restart of the service; *key_out: the first such
   key, for the log. */
bool conf_needs_restart(const struct conf *a, const struct conf *b, const char **key_out);

/* A path below data_dir (run_dir), NUL-terminated, in out: "keys/tls.pem" gives
   "/var/lib/mailstead/keys/tls.pem". */
const char *conf_data_path(const struct conf *c, const char *name, struct strbuf *out);
const char *conf_run_path(const struct conf *c, const char *name, struct strbuf *out);

/* How long a DKIM signature is good, and so how long its key stays in the name service
   after it has made the last one: a week, and longer than mail may wait in a queue. */
int64_t conf_dkim_keep_ms(const struct conf *c);

/* The schema as a JSON array of {key, type, unit, min, max, default, apply, help}; with
   c, each has its "value" as well. */
void conf_schema_json(const struct conf *c, struct strbuf *out);
/* The same as the body of the manual page mailstead.yaml(5), roff. */
void conf_schema_man(struct strbuf *out);

#endif
