/* auth_check.h - all that can be known about who sent a message, in one object.
 *
 * iprev, HELO, SPF, DKIM, ARC and DMARC over one streamed message, and the one field
 * that says what was found (RFC 8601). The smtp process, the API and `mailstead verify
 * auth` use the same code. Pure: see lookups.h for who resolves.
 *
 *	auth_check_new, _header, _body …, _end, then _step until POLICY_DONE
 */
#ifndef POLICY_AUTH_CHECK_H
#define POLICY_AUTH_CHECK_H

#include "base/strbuf.h"
#include "policy/arc.h"
#include "policy/dkim_verify.h"
#include "policy/dmarc.h"
#include "policy/iprev.h"
#include "policy/lookups.h"
#include "policy/spf.h"

struct auth_check;

struct auth_request {
	struct addr ip;
	struct str helo;
	struct str sender;      /* local@domain; empty: <> */
	struct str authserv_id; /* our name (RFC 8601 2.5) */
	/* Domains whose ARC seals count where DMARC fails, one space between. */
	struct str trusted_sealers;
	int64_t now_ms;
};

struct auth_verdict {
	struct iprev_verdict iprev; /* with the name that leads back */
	struct spf_verdict spf_helo, spf_from;
	bool has_spf_from; /* false: null sender, spf_helo stands for it */
	size_t dkim_count;
	const struct dkim_verdict *const *dkim;
	struct arc_verdict arc;
	struct dmarc_verdict dmarc;
	/* A trusted sealer says that DMARC had passed before it changed the message. */
	bool is_arc_trusted;
	struct str arc_trusted_domain;
};

/* request is copied. */
struct auth_check *auth_check_new(struct arena *a, const struct auth_request *request);
/* The name of the client that leads back to its address, as soon as that is known; else
   empty. */
struct str auth_check_host(const struct auth_check *c);
const struct auth_request *auth_check_request(const struct auth_check *c);
/* What needs no message: iprev, SPF. May be stepped before the header is there. */
MUSTUSE enum policy_step auth_check_envelope(struct auth_check *c, struct lookups *l);
void auth_check_header(struct auth_check *c, struct str header);
void auth_check_body(struct auth_check *c, struct str bytes);
void auth_check_end(struct auth_check *c);
MUSTUSE enum policy_step auth_check_step(struct auth_check *c, struct lookups *l);
/* A message that is there whole, in place of header, body and end. */
void auth_check_message(struct auth_check *c, struct str message);
/* A message as files and people have it: where all its lines end in LF alone, a copy that
   ends them in CRLF. */
struct str auth_message_normalize(struct str text, struct arena *a);
/* What is header, without the empty line, and what is body. */
void auth_message_split(struct str message, struct str *header_out, struct str *body_out);
/* After POLICY_DONE. */
const struct auth_verdict *auth_check_verdict(const struct auth_check *c);
void auth_check_free(struct auth_check **c);

#endif
