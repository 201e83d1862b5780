/* Reports on what we saw of others: once a day, one after the other, those of the days
 * that are over.
 *
 * What there is to do stands in the index alone (seen_domain): a report that is made
 * takes its rows away in one transaction, so a restart goes on where the last process
 * died.
 */
#include "relay/relay_own_reports.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "mail/address.h"
#include "policy/dkim_sign.h"
#include "relay/relay_own_report.h"
#include "relay/relay_priv.h"
#include "relay/relay_sign.h"

enum {
	REPORTS_MAGIC = 0x524c5937,
	LOOK_MS = MINUTE_MS, /* the clock may be set */
	NEXT_MS = 10,        /* mail goes first */
	COUNTING_MS = 2000,
	LATER_MS = HOUR_MS,
	FIRST_MIN = 10, /* minutes after the hour: what comes late counts till then */
	SPREAD_MIN = 50,
	TRIES_DAYS = 3, /* then what is still not known counts as no */
	BUDGET = 64 * 1024,
};

struct relay_own_reports {
	uint32_t magic;
	struct relay *relay;
	struct timer look;
	struct relay_own_report *report; /* that is being made */
	struct arena *arena;             /* of this round: */
	struct seen_domain seen;         /* the one at hand, or the last */
	struct str from[2], submitter;
	bool has_later;
	int64_t waited_day; /* when it was told that they wait */
};

static void on_look(void *arg);

static void
look_in(struct relay_own_reports *p, int64_t ms)
{
	if (!p->relay->is_stopping)
		timer_set(&p->look, ms > 0 ? ms : 0);
}

/* --- who we are --------------------------------------------------------------------- */

/* The first of our domains that can sign. */
static bool
take_signer(void *arg, const struct domain *d)
{
	struct relay_own_reports *p = arg;
	struct dkim_signing_key key;

	if (!d->enabled || !relay_sign_key(p->relay, d->name, p->arena, &key))
		return arena_left(p->arena) > BUDGET / 2;
	p->submitter = arena_str(p->arena, d->name);
	return false;
}

static struct str
domain_of(struct str address)
{
	return str_from_offset(address, str_find(address, '@') + 1);
}

/* Reports are believed where they are signed by the domain that they come from (RFC 9990
   3.5, RFC 8460 3), so this must be one with a key. */
static bool
find_identity(struct relay_own_reports *p)
{
	struct str contact = p->relay->conf->reports_contact;
	struct dkim_signing_key key;

	p->submitter = STR("");
	if (contact.n) {
		if (relay_sign_key(p->relay, domain_of(contact), p->arena, &key))
			p->submitter = arena_str(p->arena, domain_of(contact));
		p->from[0] = p->from[1] = arena_str(p->arena, contact);
		return p->submitter.n > 0;
	}
	if (relay_sign_key(p->relay, p->relay->conf->hostname, p->arena, &key))
		p->submitter = key.domain;
	else if (reader_domains(p->relay->reader, (struct names_from){ .is_down = false },
	                        1000, take_signer, p) != OK)
		return false;
	p->from[0] = arena_printf(p->arena, "dmarc-reports@%.*s", STR_ARG(p->submitter));
	p->from[1] = arena_printf(p->arena, "tls-reports@%.*s", STR_ARG(p->submitter));
	return p->submitter.n > 0;
}

static void
tell_waiting(struct relay_own_reports *p, int64_t today)
{
	struct event e;

	if (p->waited_day == today)
		return;
	p->waited_day = today;
	event_init(&e, EV_REPORTS_WAIT, str_from(NULL), str_from(NULL));
	event_str(&e, "reason",
	          STR("no domain that they can come from has a DKIM key "
	              "that signs"));
	event_tell(&e);
}

/* --- when --------------------------------------------------------------------------- */

/* When the reports on yesterday are due, in the day. */
static int64_t
due_in_day_ms(const struct relay_own_reports *p)
{
	static const uint64_t key[2] = { 0x7265706f72747331, 0x6d61696c73746561 };
	const struct conf *conf = p->relay->conf;
	uint64_t minute = FIRST_MIN + siphash24(key, conf->hostname) % SPREAD_MIN;

	return conf->reports_hour * HOUR_MS + (int64_t)minute * MINUTE_MS;
}

/* Events of the days that are over may still be on their way to the sums. */
static bool
is_counted(struct relay_own_reports *p, int64_t today)
{
	int64_t oldest_ms;

	return reader_journal_oldest(p->relay->reader, &oldest_ms) == OK &&
	       (!oldest_ms || oldest_ms >= today * DAY_MS);
}

/* --- one after the other ------------------------------------------------------------ */

static void
on_done(void *arg, enum relay_own_report_end end)
{
	struct relay_own_reports *p = CAST(relay_own_reports, REPORTS_MAGIC, arg);

	p->report = NULL;
	p->has_later = p->has_later || end == RELAY_OWN_REPORT_LATER;
	look_in(p, NEXT_MS);
}

static void
begin(struct relay_own_reports *p, int64_t today)
{
	bool is_tls = p->seen.kind == SEEN_TLS;
	struct relay_own_report_ask ask = {
		.seen = &p->seen,
		.from = p->from[is_tls],
		.submitter = p->submitter,
		.is_last = p->seen.day < today - TRIES_DAYS,
	};

	p->report = relay_own_report_begin(p->relay, &ask, on_done, p);
}

/* A round is over. */
static void
rest(struct relay_own_reports *p)
{
	int64_t ms = p->has_later ? LATER_MS : LOOK_MS;

	p->seen = (struct seen_domain){ 0 };
	p->has_later = false;
	look_in(p, ms);
}

static void
on_look(void *arg)
{
	struct relay_own_reports *p = CAST(relay_own_reports, REPORTS_MAGIC, arg);
	int64_t now = clock_unix_ms(), today = now / DAY_MS;
	struct seen_domain after = p->seen;
	char name_bytes[ADDRESS_KEY_MAX];
	struct strbuf name = strbuf_on(name_bytes);
	enum err e;

	if (p->report || p->relay->is_stopping)
		return;
	if (now < today * DAY_MS + due_in_day_ms(p)) {
		rest(p);
		return;
	}
	if (!is_counted(p, today)) {
		look_in(p, COUNTING_MS);
		return;
	}
	strbuf_add(&name, after.domain);
	after.domain = strbuf_str(&name);
	arena_rewind(p->arena);
	e = reader_seen_next(p->relay->reader, today, &after, p->arena, &p->seen);
	if (e != OK) {
		rest(p);
		return;
	}
	if (!find_identity(p)) {
		tell_waiting(p, today);
		p->submitter = STR("");
		/* What waits too long goes; what is younger is further on. */
		if (p->seen.day >= today - TRIES_DAYS && p->seen.domain.n) {
			p->has_later = true;
			look_in(p, NEXT_MS);
			return;
		}
	}
	begin(p, today);
}

void
relay_own_reports_new(struct relay *r)
{
	struct relay_own_reports *p = mem_alloc(sizeof(*p));

	p->magic = REPORTS_MAGIC;
	p->relay = r;
	p->arena = arena_new(4 * BUDGET);
	timer_init(&p->look, r->loop, on_look, p);
	r->own_reports = p;
}

void
relay_own_reports_start(struct relay *r)
{
	look_in(r->own_reports, COUNTING_MS);
}

void
relay_own_reports_reload(struct relay *r)
{
	if (!r->own_reports->report)
		look_in(r->own_reports, NEXT_MS);
}

void
relay_own_reports_free(struct relay *r)
{
	struct relay_own_reports *p = r->own_reports;

	timer_stop(&p->look);
	relay_own_report_cancel(&p->report);
	arena_free(&p->arena);
	p->magic = 0;
	mem_free(p);
	r->own_reports = NULL;
}
