/* Claims what is due, and begins and ends the rest.
 *
 * Claims are made when the feed or the clock says that something is due and there is
 * room in memory; never row by row, never by polling. One claim is out at a time.
 */
#include "relay/relay.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/socket.h"
#include "relay/relay_conn.h"
#include "relay/relay_dns.h"
#include "relay/relay_domains.h"
#include "relay/relay_host.h"
#include "relay/relay_jobs.h"
#include "relay/relay_own_reports.h"
#include "relay/relay_priv.h"
#include "relay/relay_report.h"
#include "relay/relay_result.h"
#include "relay/relay_sign.h"
#include "relay/relay_sts.h"

#include <ifaddrs.h>
#include <netinet/in.h>

enum {
	SWEEP_MS = 1000,
	LOOK_MS = 100,         /* the store is asked what comes next at most so often */
	CLAIM_RETRY_MS = 1000, /* after a claim that failed */
	WAKE_MAX_MS = MINUTE_MS,
	STOP_SPARE_MS = 1500, /* before the supervisor loses patience */
};

int64_t
relay_now(struct relay *r)
{
	bool jumped;
	int64_t now =
		queue_clock_now(&r->clock, clock_unix_ms(), clock_mono_ms(), &jumped);

	if (jumped)
		log_line(LEVEL_WARN, "queue.clock", "step_ms=%lld",
		         (long long)r->clock.jump_ms);
	return now;
}

int64_t
relay_mono(const struct relay *r)
{
	return loop_now_ms(r->loop);
}

const struct conf_limits *
relay_limits(const struct relay *r)
{
	return &r->conf->limits;
}

struct queue_schedule
relay_schedule(const struct relay *r)
{
	const struct conf *conf = r->conf;

	return (struct queue_schedule){ conf->delivery_retry_ms.p,
		                        conf->delivery_retry_ms.n,
		                        conf->delivery_lifetime_ms };
}

struct queue_destination_conf
relay_dest_conf(const struct relay *r)
{
	enum {
		FIRST_MS = MINUTE_MS,
		LONGEST_MS = 15 * MINUTE_MS,
	};
	struct queue_schedule s = relay_schedule(r);
	int64_t first = s.pauses_ms[0], longest = s.pauses_ms[s.count - 1];

	/* A destination is never paused for longer than a single row would wait. */
	return (struct queue_destination_conf){
		.connections_max =
			(size_t)relay_limits(r)->delivery_connections_destination,
		.first_pause_ms = first < FIRST_MS ? first : FIRST_MS,
		.longest_pause_ms = longest < LONGEST_MS ? longest : LONGEST_MS,
	};
}

struct addr
relay_source_for(const struct relay *r, const struct addr *to)
{
	const struct conf_addrs *own = &r->conf->delivery_source;

	for (size_t i = 0; i < own->n; i++) {
		if (own->p[i].family == to->family)
			return own->p[i];
	}
	return (struct addr){ 0 };
}

static void
set_wake(struct relay *r)
{
	int64_t in_ms =
		r->next_due_ms == INT64_MAX ? WAKE_MAX_MS : r->next_due_ms - relay_now(r);

	if (in_ms > WAKE_MAX_MS)
		in_ms = WAKE_MAX_MS;
	timer_set(&r->wake, in_ms > 0 ? in_ms : 0);
}

void
relay_due(struct relay *r, int64_t due_ms)
{
	if (due_ms >= r->next_due_ms && timer_is_set(&r->wake))
		return;
	if (due_ms < r->next_due_ms)
		r->next_due_ms = due_ms;
	set_wake(r);
}

/* All that is due is claimed: asks the store when the next row is. */
static void
look_ahead(struct relay *r)
{
	int64_t due_ms;
	int64_t wait = r->looked_ms + LOOK_MS - relay_mono(r);

	r->next_due_ms = INT64_MAX;
	if (wait > 0) {
		r->next_due_ms = relay_now(r) + wait;
		set_wake(r);
		return;
	}
	r->looked_ms = relay_mono(r);
	if (reader_queue_next_due(r->reader, &due_ms) != OK)
		r->next_due_ms = relay_now(r) + CLAIM_RETRY_MS;
	else if (due_ms)
		r->next_due_ms = due_ms;
	set_wake(r);
}

static void
on_claimed(void *arg, enum err e, const struct answer_queue *answer)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	r->is_claiming = false;
	if (e != OK) {
		log_line(LEVEL_WARN, "queue.claim", "error=%s", err_get(e)->word);
		relay_due(r, relay_now(r) + CLAIM_RETRY_MS);
		return;
	}
	relay_take(r, answer->items, answer->items_count, r->counts_attempt);
	if (answer->items_count == RELAY_CLAIM)
		r->want_claim = true;
	else if (!r->want_claim)
		look_ahead(r);
	relay_moved(r);
}

void
relay_claim(struct relay *r)
{
	struct op_queue_claim op;
	size_t busy = r->rows > r->congested_rows ? r->rows - r->congested_rows : 0;

	r->want_claim = true;
	if (!r->is_ready || r->is_stopping || r->is_claiming || busy >= RELAY_ROWS_LOW ||
	    r->rows + RELAY_CLAIM > RELAY_ROWS_MAX)
		return;
	r->want_claim = false;
	r->is_claiming = true;
	r->counts_attempt = !relay_is_troubled(r);
	op = (struct op_queue_claim){ .now_ms = relay_now(r),
		                      .limit = RELAY_CLAIM,
		                      .lease_ms = RELAY_LEASE_MS,
		                      .is_attempt = r->counts_attempt };
	(void)store_queue_claim(r->store, &op, on_claimed, r);
}

static void
on_wake(void *arg)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	r->next_due_ms = INT64_MAX;
	relay_claim(r);
	if (!timer_is_set(&r->wake))
		set_wake(r);
}

static void
on_change(void *arg, const struct change *change)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	if (change->kind == CHANGE_RESET || change->due_ms <= relay_now(r))
		relay_claim(r);
	else
		relay_due(r, change->due_ms);
}

static void
on_sweep(void *arg)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	relay_sweep(r);
	timer_set(&r->sweep, SWEEP_MS);
	relay_moved(r);
}

static void
on_released(void *arg, enum err e, const struct answer_count *answer)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	if (e != OK) {
		/* The store restarts; without it nothing can be claimed either. */
		struct op_queue_release op = { .now_ms = relay_now(r) };

		log_line(LEVEL_WARN, "queue.release", "error=%s", err_get(e)->word);
		if (!r->is_stopping)
			(void)store_queue_release(r->store, &op, on_released, r);
		return;
	}
	if (answer->count)
		log_line(LEVEL_INFO, "queue.release", "rows=%llu",
		         (unsigned long long)answer->count);
	r->is_ready = true;
	relay_claim(r);
}

static void
stopped(void *arg)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);
	loop_fn *fn = r->stopped;

	r->stopped = NULL;
	if (fn)
		fn(r->stopped_arg);
}

void
relay_moved(struct relay *r)
{
	if (!r->is_stopping) {
		if (r->want_claim)
			relay_claim(r);
		return;
	}
	if (r->conns || r->writing || r->is_claiming || r->report || r->is_flushing)
		return;
	r->is_flushing = true;
	store_flush(r->store, stopped, r);
}

void
relay_stop(struct relay *r, loop_fn *done, void *arg)
{
	int64_t patience = relay_limits(r)->stop_timeout - STOP_SPARE_MS;

	r->is_stopping = true;
	r->stopped = done;
	r->stopped_arg = arg;
	timer_stop(&r->wake);
	/* What hangs is left: its rows keep their lease, which the next start takes back. */
	timer_set(&r->stop, patience > 0 ? patience : 0);
	relay_return_all(r);
	relay_report_return_all(r);
	relay_conn_stop_all(r);
	relay_moved(r);
}

static void
add_own(struct relay *r, struct addr a)
{
	a.port = 0;
	if (a.family != ADDR_NONE && r->own_count < RELAY_OWN_MAX)
		r->own[r->own_count++] = a;
}

static bool
is_any(const struct addr *a)
{
	static const uint8_t zero[sizeof(a->ip)];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

/* The addresses at which we take mail on the port that we deliver to: an MX that leads
   there leads back here. */
static void
find_own(struct relay *r)
{
	const struct conf *conf = r->conf;
	const struct conf_addrs *listen = &conf->listen[CONF_SMTP];
	struct ifaddrs *all = NULL;

	/* A process that is sandboxed by now may not be able to look again. */
	if (getifaddrs(&all) != 0)
		return;
	r->own_count = 0;
	for (size_t i = 0; i < listen->n; i++) {
		const struct addr *a = &listen->p[i];

		if (a->port != conf->delivery_port)
			continue;
		if (!is_any(a)) {
			add_own(r, *a);
			continue;
		}
		for (const struct ifaddrs *p = all; p; p = p->ifa_next) {
			struct sockaddr_storage sa = { 0 };
			struct addr own;

			if (!p->ifa_addr || (p->ifa_addr->sa_family != AF_INET &&
			                     p->ifa_addr->sa_family != AF_INET6))
				continue;
			memcpy(&sa, p->ifa_addr,
			       p->ifa_addr->sa_family == AF_INET
			               ? sizeof(struct sockaddr_in)
			               : sizeof(struct sockaddr_in6));
			own = socket_to_addr(&sa);
			if (own.family == a->family)
				add_own(r, own);
		}
	}
	freeifaddrs(all);
}

void
relay_set_conf(struct relay *r, const struct conf *conf)
{
	r->conf = conf;
	relay_conn_leave_idle(r);
	find_own(r);
	relay_dns_reload(r);
	relay_own_reports_reload(r);
	relay_host_reload(r);
}

struct relay *
relay_new(const struct relay_parts *parts)
{
	struct relay *r = mem_alloc(sizeof(*r));

	*r = (struct relay){
		.magic = RELAY_MAGIC,
		.conf = parts->conf,
		.loop = parts->loop,
		.tls = parts->tls,
		.store = parts->store,
		.reader = parts->reader,
		.bodies = parts->bodies,
		.dns = parts->dns,
		.next_due_ms = INT64_MAX,
		.looked_ms = INT64_MIN / 2,
	};
	list_init(&r->dest_list);
	list_init(&r->waiting);
	list_init(&r->reports);
	list_init(&r->results);
	list_init(&r->telling);
	list_init(&r->batches);
	r->dests = map_new();
	r->shares = queue_shares_new();
	queue_clock_init(&r->clock, clock_unix_ms(), clock_mono_ms());
	timer_init(&r->wake, r->loop, on_wake, r);
	timer_init(&r->sweep, r->loop, on_sweep, r);
	timer_init(&r->stop, r->loop, stopped, r);
	timer_init(&r->retry, r->loop, relay_retry, r);
	find_own(r);
	relay_signing_new(r);
	relay_domains_new(r);
	relay_dns_new(r);
	relay_host_new(r);
	relay_own_reports_new(r);
	return r;
}

void
relay_start(struct relay *r)
{
	struct op_queue_release release = { .now_ms = relay_now(r) };

	r->feed = feed_open(r->store, FEED_QUEUE, 0, on_change, r);
	relay_signing_start(r);
	relay_domains_start(r);
	relay_dns_start(r);
	relay_host_start(r);
	relay_sts_changed(r);
	relay_own_reports_start(r);
	(void)store_queue_release(r->store, &release, on_released, r);
	timer_set(&r->sweep, SWEEP_MS);
}

void
relay_free(struct relay **rp)
{
	struct relay *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	relay_dispatch_cancel(r);
	relay_conn_free_all(r);
	relay_results_free(r);
	relay_report_free(r);
	relay_dests_free(r);
	timer_stop(&r->wake);
	timer_stop(&r->sweep);
	timer_stop(&r->stop);
	timer_stop(&r->retry);
	relay_own_reports_free(r);
	relay_host_free(r);
	relay_dns_free(r);
	relay_domains_free(r);
	relay_signing_free(r);
	if (r->feed)
		feed_close(&r->feed);
	map_free(&r->dests);
	queue_shares_free(&r->shares);
	r->magic = 0;
	mem_free(r);
}
