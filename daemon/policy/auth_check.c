/* The policies one after the other, in the order in which they need each other: iprev and
 * SPF need the envelope, DKIM and ARC the message, DMARC their verdicts. Each is called
 * until it has its verdict and then no more; DMARC's questions are asked early, with
 * what is known of the others so far, so that all names are resolved side by side.
 */
#include "policy/auth_check.h"

#include "base/panic.h"
#include "base/strbuf.h"
#include "mail/header.h"
#include "policy/auth_results.h"

struct auth_check {
	struct arena *arena;
	struct auth_request request;
	struct auth_verdict verdict;
	struct dkim_verifier *dkim;
	struct arc_validator *arc;
	struct str header_from;
	unsigned from_fields;
	bool has_header, has_body;
	bool has_envelope, has_dkim, has_arc, has_dmarc; /* verdicts */
};

struct auth_check *
auth_check_new(struct arena *a, const struct auth_request *request)
{
	struct auth_check *c = ARENA_NEW(a, struct auth_check);

	c->arena = a;
	c->request = *request;
	c->request.helo = arena_str(a, request->helo);
	c->request.sender = arena_str(a, request->sender);
	c->request.authserv_id = arena_str(a, request->authserv_id);
	c->request.trusted_sealers = arena_str(a, request->trusted_sealers);
	c->dkim = dkim_verifier_new(a);
	c->arc = arc_validator_new(a);
	return c;
}

void
auth_check_free(struct auth_check **cp)
{
	struct auth_check *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	dkim_verifier_free(&c->dkim);
	arc_validator_free(&c->arc);
}

struct str
auth_check_host(const struct auth_check *c)
{
	return c->verdict.iprev.host;
}

const struct auth_request *
auth_check_request(const struct auth_check *c)
{
	return &c->request;
}

/* ---- the message ------------------------------------------------------------------ */

void
auth_check_header(struct auth_check *c, struct str header)
{
	struct header_field field;
	struct str rest = header;

	CHECK(!c->has_header);
	c->has_header = true;
	while (header_next(&rest, &field)) {
		if (str_eq_icase(field.name, STR("From")) && c->from_fields++ == 0)
			c->header_from = field.value;
	}
	dkim_verifier_header(c->dkim, header);
	arc_validator_header(c->arc, header);
}

void
auth_check_body(struct auth_check *c, struct str bytes)
{
	CHECK(c->has_header && !c->has_body);
	dkim_verifier_body(c->dkim, bytes);
	arc_validator_body(c->arc, bytes);
}

void
auth_check_end(struct auth_check *c)
{
	CHECK(c->has_header && !c->has_body);
	c->has_body = true;
	dkim_verifier_end(c->dkim);
	arc_validator_end(c->arc);
}

struct str
auth_message_normalize(struct str text, struct arena *a)
{
	struct strbuf b;
	struct str line;

	if (str_find_str(text, STR("\r\n")) != SIZE_MAX)
		return text;
	b = strbuf_arena(a, 2 * text.n + 2);
	while (str_next(&text, '\n', &line)) {
		strbuf_add(&b, line);
		strbuf_lit(&b, "\r\n");
	}
	return strbuf_str(&b);
}

void
auth_message_split(struct str message, struct str *header, struct str *body)
{
	size_t n = header_size(message);

	*body = str_from_offset(message, n);
	*header = str_first(message, n);
	if (str_ends(*header, STR("\r\n\r\n")) || str_eq(*header, STR("\r\n")))
		header->n -= 2;
}

void
auth_check_message(struct auth_check *c, struct str message)
{
	struct str header, body;

	auth_message_split(message, &header, &body);
	auth_check_header(c, header);
	auth_check_body(c, body);
	auth_check_end(c);
}

/* ---- envelope --------------------------------------------------------------------- */

enum policy_step
auth_check_envelope(struct auth_check *c, struct lookups *l)
{
	struct auth_verdict *v = &c->verdict;
	struct spf_request spf = {
		.ip = c->request.ip,
		.helo = c->request.helo,
		.receiver = c->request.authserv_id,
		.now_ms = c->request.now_ms,
	};
	bool is_done = true;

	if (c->has_envelope)
		return POLICY_DONE;
	if (iprev_check(&c->request.ip, l, c->arena, &v->iprev) == POLICY_NEED)
		is_done = false;
	if (spf_check(&spf, l, c->arena, &v->spf_helo) == POLICY_NEED)
		is_done = false;
	v->has_spf_from = c->request.sender.n > 0;
	spf.sender = c->request.sender;
	if (v->has_spf_from && spf_check(&spf, l, c->arena, &v->spf_from) == POLICY_NEED)
		is_done = false;
	c->has_envelope = is_done;
	return is_done ? POLICY_DONE : POLICY_NEED;
}

/* ---- the whole -------------------------------------------------------------------- */

static bool
check_dkim(struct auth_check *c, struct lookups *l)
{
	const struct dkim_verdict **list;

	if (c->has_dkim)
		return true;
	if (dkim_verifier_check(c->dkim, c->request.now_ms, l) == POLICY_NEED)
		return false;
	c->has_dkim = true;
	c->verdict.dkim_count = dkim_verifier_count(c->dkim);
	list = ARENA_ARRAY(c->arena, const struct dkim_verdict *,
	                   c->verdict.dkim_count + 1);
	for (size_t i = 0; i < c->verdict.dkim_count; i++)
		list[i] = dkim_verifier_verdict(c->dkim, i);
	c->verdict.dkim = list;
	return true;
}

static bool
check_arc(struct auth_check *c, struct lookups *l)
{
	if (!c->has_arc)
		c->has_arc = arc_validator_check(c->arc, c->request.now_ms, l,
		                                 &c->verdict.arc) == POLICY_DONE;
	return c->has_arc;
}

/* is_final: the other verdicts are there; else only the questions matter. */
static bool
check_dmarc(struct auth_check *c, struct lookups *l, bool is_final)
{
	static const struct spf_verdict no_spf = { .result = SPF_NONE };
	struct auth_verdict *v = &c->verdict;
	struct dmarc_request request = {
		.header_from = c->header_from,
		.from_fields = c->from_fields,
		.spf = !c->has_envelope  ? &no_spf
		       : v->has_spf_from ? &v->spf_from
		                         : &v->spf_helo,
		.dkim = v->dkim,
		.dkim_count = v->dkim_count,
	};
	struct dmarc_verdict early;

	return dmarc_check(&request, l, c->arena, is_final ? &v->dmarc : &early) ==
	       POLICY_DONE;
}

/* ---- trusted sealers -------------------------------------------------------------- */

static bool
is_trusted(struct str trusted, struct str name)
{
	struct str one;

	while (str_next(&trusted, ' ', &one)) {
		if (one.n && iprev_is_below(name, one))
			return true;
	}
	return false;
}

/* Did the sealer of this set see DMARC pass for the domain that stands in From now? */
static bool
had_passed(const struct auth_check *c, const struct arc_set *set)
{
	const struct auth_result *dmarc;
	struct auth_results results;

	if (auth_results_parse(set->results, c->arena, &results) != OK)
		return false;
	dmarc = auth_results_find(&results, STR("dmarc"), 0);
	return dmarc && str_eq_icase(dmarc->result, STR("pass")) &&
	       str_eq_icase(auth_result_property(dmarc, STR("header"), STR("from")),
	                    c->verdict.dmarc.from_domain);
}

/* From the last sealer back, as far as they are trusted: who comes behind one that is
   not may have put anything into the message, and what earlier sets say is of another
   message then (RFC 8617 7.2). */
static void
check_sealers(struct auth_check *c)
{
	struct auth_verdict *v = &c->verdict;

	if (v->arc.result != ARC_PASS || !v->dmarc.from_domain.n)
		return;
	for (size_t i = v->arc.count; i-- > 0;) {
		const struct arc_set *set = &v->arc.sets[i];

		if (!is_trusted(c->request.trusted_sealers, set->seal_domain))
			return;
		if (had_passed(c, set)) {
			v->is_arc_trusted = true;
			v->arc_trusted_domain = set->seal_domain;
			return;
		}
	}
}

enum policy_step
auth_check_step(struct auth_check *c, struct lookups *l)
{
	bool is_done = auth_check_envelope(c, l) == POLICY_DONE;

	CHECK(c->has_body);
	if (c->has_dmarc)
		return POLICY_DONE;
	if (!check_dkim(c, l))
		is_done = false;
	if (!check_arc(c, l))
		is_done = false;
	if (!check_dmarc(c, l, is_done) || !is_done)
		return POLICY_NEED;
	c->has_dmarc = true;
	check_sealers(c);
	return POLICY_DONE;
}

const struct auth_verdict *
auth_check_verdict(const struct auth_check *c)
{
	CHECK(c->has_dmarc);
	return &c->verdict;
}
