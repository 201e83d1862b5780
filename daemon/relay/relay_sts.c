/* The MTA-STS policy of a destination: found in the store, compared with the record in
 * the DNS, fetched where that is another or the policy grows old (RFC 8461 3.3, 5.1).
 *
 *	ask -> TXT -> same and young: go on
 *	           -> same and old:   go on, and fetch beside it
 *	           -> another, none:  fetch -> keep -> go on
 *
 * A person may ask for a fetch as well (op_sts_ask): it begins with the record too, and
 * ends in a policy or in a failure that says why there is none.
 *
 * Whatever fails, a policy that was kept holds until it expires: who can break the
 * look-up or the fetch must not be able to take the demand away.
 */
#include "relay/relay_sts.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_event.h"
#include "relay/relay_https.h"
#include "relay/relay_jobs.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"

enum {
	STS_MAGIC = 0x53545331,
	TEXT_MAX = 32 << 10, /* of a policy as it is kept */
	READ_BUDGET = 256 << 10,
	AGAIN_MS = 5 * MINUTE_MS, /* after a fetch that failed */
	FRESH_MS = DAY_MS,        /* older ones are fetched again, and … */
	FRESH_PART = 2,           /* … those with this part of their time over */
	NAME_ROOM = 280,
	ASKED_MAX = 32, /* by persons, begun at once */
	ASKED_BUDGET = 64 << 10,
};

struct relay_sts {
	uint32_t magic;
	struct relay_dest *dest;
	struct link waiting; /* connections */
	struct dns_query *txt;
	struct relay_https *get;
	struct strbuf text, id, wanted; /* of the policy; the id that is being fetched */
	struct mta_sts_policy policy;   /* points into text */
	int64_t fetched_ms, expires_ms; /* Unix; expires_ms 0: there is none */
	int64_t failed_ms;              /* monotonic: when a fetch did, or 0 */
	bool is_unknown;                /* DNS or its server did not say */
	bool is_wanted;                 /* by a person: fetched in any case */
	const char *fault;              /* … and how, in the words of TLS reports */
};

static struct relay *
relay_of(const struct relay_sts *s)
{
	return s->dest->relay;
}

const struct mta_sts_policy *
relay_sts_policy(const struct relay_dest *d)
{
	struct relay_sts *s = d->sts;

	return s && s->expires_ms > relay_now(d->relay) ? &s->policy : NULL;
}

struct str
relay_sts_text(const struct relay_dest *d)
{
	return relay_sts_policy(d) ? strbuf_str(&d->sts->text) : STR("");
}

const char *
relay_sts_fault(const struct relay_dest *d)
{
	const struct relay_sts *s = d->sts;

	return s && s->failed_ms && !relay_sts_policy(d) ? s->fault : NULL;
}

bool
relay_sts_is_unknown(const struct relay_dest *d)
{
	return d->sts && d->sts->is_unknown && !relay_sts_policy(d);
}

bool
relay_sts_is_busy(const struct relay_dest *d)
{
	return d->sts && (d->sts->get || d->sts->is_wanted);
}

/* ── keeping ── */

static bool
keep(struct relay_sts *s, struct str body, struct str id)
{
	const char *fault;

	strbuf_clear(&s->text);
	strbuf_clear(&s->id);
	strbuf_add(&s->text, body);
	strbuf_add(&s->id, id);
	s->expires_ms = 0;
	return !s->text.overflow &&
	       mta_sts_policy_parse(strbuf_str(&s->text), &s->policy, &fault) == OK;
}

static void
load(struct relay_sts *s)
{
	struct arena *a = arena_new(READ_BUDGET);
	struct sts_row row;

	if (reader_sts(relay_of(s)->reader, relay_dest_name(s->dest), a, &row) == OK &&
	    keep(s, row.body, row.policy_id)) {
		s->fetched_ms = row.fetched_ms;
		s->expires_ms = row.expires_ms;
	}
	arena_free(&a);
}

static void
on_stored(void *arg, enum err e, const struct answer_none *answer)
{
	(void)arg;
	(void)answer;
	if (e != OK)
		log_line(LEVEL_WARN, "tls.policy.store", "error=%s", err_get(e)->word);
}

/* The answer to a person is in the store: there may be others who wait. */
static void
on_answered(void *arg, enum err e, const struct answer_none *answer)
{
	on_stored(NULL, e, answer);
	if (e == OK)
		relay_sts_changed(CAST(relay, RELAY_MAGIC, arg));
}

static void
store(struct relay_sts *s)
{
	struct op_sts_put op = { .domain = relay_dest_name(s->dest),
		                 .policy_id = strbuf_str(&s->id),
		                 .body = strbuf_str(&s->text),
		                 .fetched_ms = s->fetched_ms,
		                 .expires_ms = s->expires_ms };

	(void)store_sts_put(relay_of(s)->store, &op,
	                    s->is_wanted ? on_answered : on_stored, relay_of(s));
	s->is_wanted = false;
}

/* Why there is none, or no newer one, for the log and for whoever looks at the list. */
static void
tell_failed(struct relay_sts *s, const char *fault)
{
	const char *then =
		relay_sts_policy(s->dest) ? "the old one stays" : "nothing is demanded";
	struct op_sts_failed op = { .domain = relay_dest_name(s->dest),
		                    .fault = str_from(fault),
		                    .at_ms = relay_now(relay_of(s)) };

	/* In this order: who hears of the event finds it in the store. */
	(void)store_sts_failed(relay_of(s)->store, &op,
	                       s->is_wanted ? on_answered : on_stored, relay_of(s));
	relay_tell_sts_failed(s->dest, fault, then);
	s->is_wanted = false;
}

/* What the policy says, without what else stood in it. */
static void
format(const struct mta_sts_policy *p, struct strbuf *out)
{
	strbuf_printf(out, "version: STSv1\nmode: %s\nmax_age: %lld\n",
	              mta_sts_mode_word(p->mode), (long long)p->max_age_s);
	for (size_t i = 0; i < p->mx_count; i++)
		strbuf_printf(out, "mx: %.*s\n", STR_ARG(p->mx[i]));
}

/* ── going on ── */

static void
go_on(struct relay_sts *s)
{
	while (!list_is_empty(&s->waiting)) {
		struct relay_conn *c =
			CONTAINER_OF(s->waiting.next, struct relay_conn, sts_link);

		CHECK(c->magic == RELAY_CONN_MAGIC);
		relay_sts_leave(c);
		relay_path_demanded(c);
	}
}

static void
failed(struct relay_sts *s, const char *fault)
{
	s->failed_ms = relay_mono(relay_of(s));
	s->is_unknown = true;
	tell_failed(s, fault);
	go_on(s);
}

static void
on_fetched(void *arg, enum err e, struct str body, const char *fault)
{
	struct relay_sts *s = CAST(relay_sts, STS_MAGIC, arg);
	struct mta_sts_policy policy;
	struct strbuf text = strbuf_heap(TEXT_MAX);
	int64_t now = relay_now(relay_of(s));

	s->get = NULL;
	s->fault = fault && str_starts(str_from(fault), STR(RELAY_HTTPS_BAD_CERTIFICATE))
	                   ? "sts-webpki-invalid"
	                   : "sts-policy-fetch-error";
	if (e == OK) {
		e = mta_sts_policy_parse(body, &policy, &fault);
		s->fault = "sts-policy-invalid";
	}
	if (e == OK)
		format(&policy, &text);
	if (e == OK && keep(s, strbuf_str(&text), strbuf_str(&s->wanted))) {
		s->failed_ms = 0;
		s->is_unknown = false;
		s->fetched_ms = now;
		s->expires_ms = now + s->policy.max_age_s * 1000;
		store(s);
		relay_tell_sts_fetched(s->dest, &s->policy);
		go_on(s);
	} else {
		failed(s, fault ? fault : "it is too long");
	}
	strbuf_release(&text);
}

static void
fetch(struct relay_sts *s, struct str id)
{
	struct relay_https_request request = { .path = "/.well-known/mta-sts.txt",
		                               .type = "text/plain",
		                               .body_max = MTA_STS_BODY_MAX };
	char bytes[NAME_ROOM];
	struct strbuf host = strbuf_on(bytes);

	strbuf_clear(&s->wanted);
	strbuf_add(&s->wanted, id);
	strbuf_lit(&host, "mta-sts.");
	strbuf_add(&host, relay_dest_name(s->dest));
	request.host = strbuf_str(&host);
	s->get = relay_https_get(relay_of(s), &request, on_fetched, s);
}

static bool
is_fresh(const struct relay_sts *s)
{
	int64_t now = relay_now(relay_of(s)), life = s->expires_ms - s->fetched_ms;
	int64_t age = now - s->fetched_ms;

	return age < FRESH_MS && age < life / FRESH_PART;
}

static void
on_txt(void *arg, const struct dns_answer *answer)
{
	struct relay_sts *s = CAST(relay_sts, STS_MAGIC, arg);
	bool has_policy = relay_sts_policy(s->dest) != NULL, may_fetch;
	struct str id = { 0 };
	enum err e = mta_sts_record_find(answer, &id);

	s->txt = NULL;
	/* RFC 8461 5.1: without a record, and with one that cannot be had, what is known
	   still holds. */
	if (e != OK) {
		s->fault = NULL; /* RFC 8461 3.1: as if there were none */
		s->is_unknown = answer->status == DNS_TEMP;
		if (e == ERR_SYNTAX) {
			failed(s, "its record in the DNS is broken");
			return;
		}
		if (s->is_wanted)
			tell_failed(s, answer->status == DNS_TEMP
			                       ? "the name service does not answer"
			                       : "it has no record in the DNS");
		go_on(s);
		return;
	}
	may_fetch = !s->get && (s->is_wanted || !s->failed_ms ||
	                        relay_mono(relay_of(s)) - s->failed_ms > AGAIN_MS);
	if (has_policy && str_eq(id, strbuf_str(&s->id)) && !s->is_wanted) {
		if (may_fetch && !is_fresh(s))
			fetch(s, id);
		go_on(s);
		return;
	}
	if (may_fetch)
		fetch(s, id);
	else if (!s->get)
		go_on(s);
}

static struct relay_sts *
sts_get(struct relay_dest *d)
{
	struct relay_sts *s = d->sts;

	if (s)
		return s;
	s = mem_alloc(sizeof(*s));
	s->magic = STS_MAGIC;
	s->dest = d;
	s->text = strbuf_heap(TEXT_MAX);
	s->id = strbuf_heap(MTA_STS_ID_MAX);
	s->wanted = strbuf_heap(MTA_STS_ID_MAX);
	list_init(&s->waiting);
	d->sts = s;
	load(s);
	return s;
}

static void
ask_txt(struct relay_sts *s)
{
	char bytes[NAME_ROOM];
	struct strbuf name = strbuf_on(bytes);

	strbuf_lit(&name, "_mta-sts.");
	strbuf_add(&name, relay_dest_name(s->dest));
	s->txt = dns_ask(relay_of(s)->dns, strbuf_str(&name), DNS_TXT, on_txt, s);
}

void
relay_sts_ask(struct relay_conn *c)
{
	struct relay_sts *s = sts_get(c->dest);

	list_add_last(&s->waiting, &c->sts_link);
	c->is_asking_sts = true;
	/* A fetch that is under way may go on beside a look-up, not the other way round. */
	if (!s->txt)
		ask_txt(s);
}

/* ── what persons ask for ── */

struct asked {
	struct arena *arena;
	struct str names[ASKED_MAX];
	size_t count;
};

static bool
take_asked(void *arg, const struct sts_row *row)
{
	struct asked *a = arg;

	if (a->count < ASKED_MAX)
		a->names[a->count++] = arena_str(a->arena, row->domain);
	return a->count < ASKED_MAX;
}

void
relay_sts_changed(struct relay *r)
{
	struct asked asked = { .arena = arena_new(ASKED_BUDGET) };

	/* One that cannot be read now is seen with the next one that is asked for. */
	if (!r->is_stopping &&
	    reader_sts_asked(r->reader, ASKED_MAX, take_asked, &asked) != OK)
		asked.count = 0;
	for (size_t i = 0; i < asked.count; i++) {
		struct relay_sts *s = sts_get(relay_dest_get(r, asked.names[i]));

		if (s->is_wanted)
			continue;
		s->is_wanted = true;
		if (s->get)
			continue; /* its answer is new enough */
		if (s->txt)
			continue;
		ask_txt(s);
		dns_query_fresh(s->txt);
	}
	arena_free(&asked.arena);
}

void
relay_sts_leave(struct relay_conn *c)
{
	if (!c->is_asking_sts)
		return;
	c->is_asking_sts = false;
	list_remove(&c->sts_link);
}

void
relay_sts_free(struct relay_dest *d)
{
	struct relay_sts *s = d->sts;

	if (!s)
		return;
	d->sts = NULL;
	CHECK(list_is_empty(&s->waiting));
	dns_cancel(&s->txt);
	relay_https_cancel(&s->get);
	strbuf_release(&s->text);
	strbuf_release(&s->id);
	strbuf_release(&s->wanted);
	s->magic = 0;
	mem_free(s);
}
