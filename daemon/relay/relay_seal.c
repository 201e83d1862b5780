/* A seal in front of what an alias sends on (RFC 8617 5.1): what was found when the
 * message came in, signed by the domain of the alias, so that the next server can go
 * by it where SPF and DKIM no longer pass.
 *
 * What was found is in our own Authentication-Results field; where there is none, nobody
 * looked, and nothing is vouched for. The key is asked for when the text is hashed: keys
 * may come and go in between.
 */
#include "relay/relay_seal.h"

#include "base/clock.h"
#include "ext/crypto.h"
#include "policy/arc.h"
#include "policy/dkim_sign.h"
#include "relay/relay_priv.h"
#include "relay/relay_sign.h"

struct relay_seal {
	struct arena *arena;
	struct arc_sealer *sealer;
	struct arc_verdict verdict;
	struct str domain, results;
};

void
relay_tell_unsealed(const struct queue_item *item, const char *why)
{
	struct event e;

	event_init(&e, EV_UNSEALED, item->trace_id, (struct str){ 0 });
	event_str(&e, "domain", item->forward_domain);
	event_str(&e, "reason", str_from(why));
	event_tell(&e);
}

static void
tell_sealed(const struct queue_item *item, const struct relay_seal *s)
{
	struct event e;

	event_init(&e, EV_SEALED, item->trace_id, (struct str){ 0 });
	event_str(&e, "domain", item->forward_domain);
	event_i64(&e, "instance", (int64_t)s->verdict.count + 1);
	event_tell(&e);
}

/* Of what cannot be sealed. */
static const char *
reason_of(enum err e)
{
	switch (e) {
	case ERR_NOT_FOUND:
		return "nothing says what was found when it came in";
	case ERR_CONFLICT:
		return "the chain of seals that it came with has ended";
	case ERR_DNS_TEMP:
		return "the chain of seals that it came with could not be checked: DNS "
		       "did not answer";
	case ERR_LIMIT:
		return "it has too many seals or results already";
	case ERR_MESSAGE_SYNTAX:
		return "its header cannot be read";
	default:
		return err_get(e)->text;
	}
}

struct relay_seal *
relay_seal_begin(struct relay *r, const struct queue_item *item, struct str header,
                 struct arena *a)
{
	struct relay_seal *s = ARENA_NEW(a, struct relay_seal);
	struct dkim_signing_key key;
	enum err e;

	s->arena = a;
	s->domain = item->forward_domain;
	s->results = arc_results_of(header, r->conf->hostname, a);
	e = arc_verdict_of(header, s->results, a, &s->verdict);
	if (e != OK) {
		relay_tell_unsealed(item, reason_of(e));
		return NULL;
	}
	if (!relay_sign_key(r, s->domain, a, &key)) {
		relay_tell_unsealed(item, "the domain has no active key");
		return NULL;
	}
	s->sealer = arc_sealer_new(a);
	arc_sealer_header(s->sealer, header);
	return s;
}

void
relay_seal_body(struct relay_seal *s, struct str bytes)
{
	arc_sealer_body(s->sealer, bytes);
}

bool
relay_seal_end(struct relay_seal *s, struct relay *r, const struct queue_item *item,
               struct strbuf *out)
{
	struct dkim_signing_key key;
	struct arc_seal seal = {
		.authserv_id = r->conf->hostname,
		.results = s->results,
		.now_ms = clock_unix_ms(),
	};
	enum err e;

	if (!relay_sign_key(r, s->domain, s->arena, &key)) {
		relay_tell_unsealed(item, "the domain has no active key");
		return false;
	}
	seal.domain = key.domain;
	seal.selector = key.selector;
	seal.key = key.key;
	e = arc_sealer_end(s->sealer, &seal, &s->verdict, out);
	if (e != OK) {
		relay_tell_unsealed(item, reason_of(e));
		return false;
	}
	tell_sealed(item, s);
	return true;
}

void
relay_seal_free(struct relay_seal **sp)
{
	struct relay_seal *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	arc_sealer_free(&s->sealer);
}
