/* host.h - is this machine one that others take mail from, and find?
 *
 * Pure: each check is a function over the configuration, the answers of the name service
 * (policy/lookups.h) and, for the way out, what came of the connections that its driver
 * made. A check has one state, one cause with plain words (host_causes.def, or
 * records.def for what is a record) and a line for each address, list or server. Silence
 * of a name server is never a defect of what was asked for.
 *
 * Owns nothing: all is in the caller's arena. Follows: RFC 5782 (dnsbl.h), RFC 5321 5.1.
 */
#ifndef POLICY_HOST_H
#define POLICY_HOST_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/macros.h"
#include "policy/lookups.h"

enum {
	HOST_LINES_MAX = 64,
	HOST_IPS_MAX = 4,
	HOST_ZONES_MAX = 12,  /* blocklists looked at */
	HOST_TARGETS_MAX = 5, /* mail servers of others that are tried */
	HOST_RUNS_MAX = 3,    /* remembered, see host_damp */
};

enum host_state {
	HOST_UNKNOWN,
	HOST_OK,
	HOST_WARN,
	HOST_FAIL,
	HOST_OFF,
};

enum host_check {
#define HOST_CHECK(id, word, title, every_ms) HOST_##id,
#include "policy/host_checks.def"
#undef HOST_CHECK
	HOST_CHECKS
};

enum host_cause {
#define HOST_CAUSE(id, word, state, owner, text) HOST_CAUSE_##id,
#include "policy/host_causes.def"
#undef HOST_CAUSE
	HOST_CAUSE_COUNT
};

/* One address, list or server. */
struct host_line {
	struct str name;
	enum host_state state;
	struct str text;
};

struct host_verdict {
	enum host_state state;
	const char *cause;  /* a word; "" where all is well */
	struct str text;    /* what was found, in one line */
	struct str request; /* what to send to whose move it is; or empty */
	struct str name; /* HOST_PTR: the name that the address has and that leads back,
	                       where it is another than ours; or empty */
	struct host_line lines[HOST_LINES_MAX];
	size_t count;
};

struct host_conf {
	struct str hostname;
	bool listens_v6;
	const struct addr *own; /* where we take mail; those of the Internet count where
	                           the name has no address */
	size_t own_count;
	struct str lists, minor_lists; /* zones, one space between */
	struct str targets;            /* domains, one space between */
};

/* --- checks ------------------------------------------------------------------------- */

/* The lookups are the check's own: HOST_LOOKUPS of them. */
enum {
	HOST_LOOKUPS = 180,
};

/* A and AAAA of the name. */
MUSTUSE enum policy_step host_address(const struct host_conf *c, struct lookups *l,
                                      struct arena *a, struct host_verdict *out);
/* The names of its addresses: there, ours, and leading back. */
MUSTUSE enum policy_step host_ptr(const struct host_conf *c, struct lookups *l,
                                  struct arena *a, struct host_verdict *out);
/* Its addresses on the lists. */
MUSTUSE enum policy_step host_blocklists(const struct host_conf *c, struct lookups *l,
                                         struct arena *a, struct host_verdict *out);
/* took_ms: until the first answer, which is the one to A of the name; -1: none came. */
MUSTUSE enum policy_step host_resolver(const struct host_conf *c, struct lookups *l,
                                       struct arena *a, int64_t took_ms,
                                       struct host_verdict *out);

/* --- the way out -------------------------------------------------------------------- */

enum host_reached {
	HOST_NOT_TRIED,   /* there is no address to try; text says why */
	HOST_GREETED,     /* code and text are of the greeting */
	HOST_UNREACHABLE, /* text says how it failed */
	HOST_SILENT,      /* connected, and no greeting in time */
	HOST_STRANGE,     /* what answered speaks no SMTP */
};

struct host_target {
	struct str domain, host; /* host: its first mail server, or empty */
	struct addr addr;        /* port 0; ADDR_NONE: there is none to try */
	enum host_reached reached;
	unsigned code;
	struct str text;
};

struct host_targets {
	struct host_target p[HOST_TARGETS_MAX];
	size_t count;
};

/* Where to connect to: the first mail server of each domain. An address of ours proves
   nothing and is not tried. */
MUSTUSE enum policy_step host_targets(const struct host_conf *c, struct lookups *l,
                                      struct host_targets *out);
/* What came of it. from: our end of a connection; ADDR_NONE: not known. */
void host_outbound(const struct host_conf *c, const struct host_targets *t,
                   const struct addr *from, struct arena *a, struct host_verdict *out);

/* --- the way in --------------------------------------------------------------------- */

/* Who came last from the Internet to a service that listens: no better proof is to be had
   that it can be reached, and none that needs anybody else. */
struct host_seen {
	struct str service; /* "smtp", "submission", "imap", "pop3", "http" */
	struct str ip;
	int64_t at_ms; /* Unix; 0: nobody ever */
};
void host_inbound(const struct host_seen *seen, size_t count, int64_t now_ms,
                  struct arena *a, struct host_verdict *out);

/* --- what is shown ------------------------------------------------------------------ */

/* What is shown after one more run, so that one lost packet alarms nobody: a state gets
   worse, or unknown, only when two of the last HOST_RUNS_MAX runs say so; it gets better,
   and is first known, at once. runs: the last ones before, a letter each, oldest first. */
enum host_state host_damp(enum host_state shown, struct str runs, enum host_state run);
char host_state_letter(enum host_state s);

const char *host_state_word(enum host_state s);
/* HOST_UNKNOWN for what is none. */
enum host_state host_state_find(struct str word);
const char *host_check_word(enum host_check c);
const char *host_check_title(enum host_check c);
int64_t host_check_every_ms(enum host_check c);
/* False: there is none of that name. */
bool host_check_find(struct str word, enum host_check *check_out);
/* Owner and text of a cause by its word; "none" and "" for one that is not known. */
void host_cause_words(struct str cause, const char **owner_out, const char **text_out);

#endif
