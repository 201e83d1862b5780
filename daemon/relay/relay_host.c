/* The host as others see it: its name, the name of its address, blocklists, the way out
 * (policy/host.h). Each check is run when it is due, or when somebody asks for it
 * (op_host_ask), alone and in five seconds at most; what came of it goes to the store.
 *
 *	due -> names (lookups_conn) -> [connections: greeting, QUIT] -> host_damp -> store
 *
 * To other mail servers goes nothing but a connection and QUIT. A run that would make
 * what is shown worse is soon done again before it is believed.
 */
#include "relay/relay_host.h"

#include "api/health_host.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/stream.h"
#include "policy/lookups_conn.h"
#include "relay/relay_host_basis.h"
#include "relay/relay_priv.h"
#include "smtp/smtp_client_reply.h"

enum {
	HOSTS_MAGIC = 0x484f5354,
	RUN_MAGIC = 0x484f5352,
	DIAL_MAGIC = 0x484f5344,
	FIRST_MS =
		2 * MINUTE_MS, /* after the first start: the network may still come up */
	SOON_MS = 20,
	IDLE_MS = MINUTE_MS,    /* between two searches for what is due */
	LIMIT_MS = 5000,        /* of one run */
	CONFIRM_MS = MINUTE_MS, /* until a run that found something worse is repeated, */
	CONFIRM_ASKED_MS = 500, /* or while somebody looks */
	ASKED_PAUSE_MS = 5000,  /* between two runs that are asked for */
	READ_BUDGET = 256 << 10,
	RUN_BUDGET = 4 << 20,
	BODY_MAX = 30 << 10,
	TEXT_MAX = 200, /* of a greeting */
};

/* A connection to one target. */
struct dial {
	uint32_t magic;
	struct run *run;
	struct host_target *target;
	struct stream *stream;
	struct smtp_reply_parser parser;
	bool is_connected;
};

/* One check that is being run. */
struct run {
	uint32_t magic;
	struct relay_hosts *hosts;
	enum host_check check;
	struct arena *arena;
	struct host_conf conf;
	struct lookups *lookups;
	struct lookups_conn *lookups_conn;
	struct host_verdict verdict;
	bool was_asked;
	int64_t basis;
	int64_t started_ms;        /* Unix */
	int64_t began_ms, took_ms; /* monotonic; -1: no answer yet */
	/* the way out */
	struct host_targets targets;
	struct dial dials[HOST_TARGETS_MAX];
	size_t dialing;
	struct addr from;
	struct timer limit;
	uint64_t call;
};

struct relay_hosts {
	uint32_t magic;
	struct relay *relay;
	struct timer search;
	int64_t first_ms; /* Unix: what was never run is due then */
	struct run *runs[HOST_CHECKS];
	int64_t basis[HOST_CHECKS]; /* of the settings as they are */
};

/* --- the end ------------------------------------------------------------------------ */

static void
dial_end(struct dial *d)
{
	if (!d->magic)
		return;
	stream_free(&d->stream);
	smtp_reply_fini(&d->parser);
	d->magic = 0;
	d->run->dialing--;
}

static void
run_free(struct run *run)
{
	struct relay_hosts *hosts = run->hosts;

	for (size_t i = 0; i < HOST_TARGETS_MAX; i++)
		dial_end(&run->dials[i]);
	lookups_conn_free(&run->lookups_conn);
	store_forget(hosts->relay->store, run->call);
	timer_stop(&run->limit);
	hosts->runs[run->check] = NULL;
	arena_free(&run->arena);
	run->magic = 0;
	mem_free(run);
	if (!hosts->relay->is_stopping)
		timer_set(&hosts->search, SOON_MS);
}

static void
on_told(void *arg, enum err e, const struct answer_none *answer)
{
	struct run *run = CAST(run, RUN_MAGIC, arg);
	struct relay_hosts *hosts = run->hosts;

	(void)answer;
	run->call = 0;
	if (e != OK)
		log_line(LEVEL_WARN, "host.result", "error=%s", err_get(e)->word);
	run_free(run);
	/* Not at once again: the store has its own trouble. */
	if (e != OK && !hosts->relay->is_stopping)
		timer_set(&hosts->search, IDLE_MS);
}

static struct str
body_of(const struct run *run)
{
	struct strbuf b = strbuf_arena(run->arena, BODY_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	health_host_body(&j, &run->verdict);
	json_close_object(&j);
	return b.overflow ? STR("{}") : strbuf_str(&b);
}

/* What the last runs were, and this one. */
static struct str
runs_of(const struct run *run, struct str before)
{
	if (before.n >= HOST_RUNS_MAX)
		before = str_from_offset(before, before.n - (HOST_RUNS_MAX - 1));
	return arena_printf(run->arena, "%.*s%c", STR_ARG(before),
	                    host_state_letter(run->verdict.state));
}

static void
run_done(struct run *run)
{
	struct relay *r = run->hosts->relay;
	struct host_row was = { 0 };
	struct op_host_result op = { .name = str_from(host_check_word(run->check)),
		                     .checked_ms = run->started_ms,
		                     .basis = run->basis };
	enum host_state shown;

	timer_stop(&run->limit);
	if (reader_host(r->reader, op.name, run->arena, &was) != OK)
		was = (struct host_row){ 0 };
	shown = host_damp(host_state_find(was.state), was.runs, run->verdict.state);
	op.state = str_from(host_state_word(shown));
	op.runs = runs_of(run, was.runs);
	if (shown == run->verdict.state) {
		op.cause = str_from(run->verdict.cause);
		op.text = run->verdict.text;
		op.body = body_of(run);
		op.next_ms = run->started_ms + host_check_every_ms(run->check);
	} else {
		op.cause = was.cause;
		op.text = was.text;
		op.body = was.body;
		op.next_ms = run->started_ms +
		             (run->was_asked ? CONFIRM_ASKED_MS : CONFIRM_MS);
	}
	run->call = store_host_result(r->store, &op, on_told, run);
}

/* --- the way out -------------------------------------------------------------------- */

static void
dial_done(struct dial *d, enum host_reached reached, struct str text)
{
	struct run *run = d->run;

	d->target->reached = reached;
	d->target->text = arena_str(run->arena, str_first(text, TEXT_MAX));
	dial_end(d);
	if (run->dialing)
		return;
	host_outbound(&run->conf, &run->targets, &run->from, run->arena, &run->verdict);
	run_done(run);
}

static void
on_connected(void *arg)
{
	struct dial *d = CAST(dial, DIAL_MAGIC, arg);

	d->is_connected = true;
	d->run->from = stream_local(d->stream);
}

/* The first line says who it is. QUIT goes out with the goodbye of the stream. */
static void
on_data(void *arg)
{
	struct dial *d = CAST(dial, DIAL_MAGIC, arg);
	struct str in = stream_input(d->stream), all = in;
	struct smtp_reply_line line;
	enum smtp_reply_result result;
	struct str text = { 0 };

	while ((result = smtp_reply_next(&d->parser, &in, &line)) == REPLY_LINE) {
		if (!text.n)
			text = arena_str(d->run->arena, str_first(line.text, TEXT_MAX));
		if (line.is_last)
			break;
	}
	stream_consume(d->stream, all.n - in.n);
	if (text.n && !d->target->text.n)
		d->target->text = text;
	if (result == REPLY_MORE)
		return;
	if (result == REPLY_BAD) {
		dial_done(d, HOST_STRANGE, STR(""));
		return;
	}
	d->target->code = (unsigned)line.code;
	d->target->reached = HOST_GREETED;
	stream_write(d->stream, STR("QUIT\r\n"));
	stream_close(d->stream);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct dial *d = CAST(dial, DIAL_MAGIC, arg);
	struct str words = str_from(detail && detail[0] ? detail : stream_end_text(why));

	if (d->target->reached == HOST_GREETED)
		dial_done(d, HOST_GREETED, d->target->text);
	else
		dial_done(d, d->is_connected ? HOST_SILENT : HOST_UNREACHABLE, words);
}

static const struct stream_ops dial_ops = {
	.data = on_data,
	.connected = on_connected,
	.closed = on_closed,
};

static void
dial(struct run *run, size_t i)
{
	struct relay *r = run->hosts->relay;
	struct host_target *t = &run->targets.p[i];
	struct dial *d = &run->dials[i];
	struct stream_target to = { .to = t->addr, .timeout_ms = LIMIT_MS };

	to.to.port = (uint16_t)r->conf->delivery_port;
	to.from = relay_source_for(r, &t->addr);
	d->magic = DIAL_MAGIC;
	d->run = run;
	d->target = t;
	t->text = str_from(NULL);
	smtp_reply_init(&d->parser);
	d->stream = stream_connect(r->loop, &to, &dial_ops, NULL, d);
	run->dialing++;
}

/* Time is over: who has not greeted by now does not. */
static void
on_limit(void *arg)
{
	struct run *run = CAST(run, RUN_MAGIC, arg);

	for (size_t i = 0; i < HOST_TARGETS_MAX; i++) {
		struct dial *d = &run->dials[i];
		bool is_last = run->dialing == 1;

		if (!d->magic)
			continue;
		if (d->target->reached == HOST_GREETED)
			dial_done(d, HOST_GREETED, d->target->text);
		else
			dial_done(d, d->is_connected ? HOST_SILENT : HOST_UNREACHABLE,
			          STR("it takes too long"));
		if (is_last)
			return;
	}
}

static void
dial_all(struct run *run)
{
	for (size_t i = 0; i < run->targets.count; i++) {
		struct host_target *t = &run->targets.p[i];

		if (addr_is_special(&t->addr) && t->addr.family != ADDR_NONE &&
		    !run->hosts->relay->conf->delivery_private_targets) {
			t->reached = HOST_UNREACHABLE;
			t->text = STR("its address is none of the Internet "
			              "(delivery.private_targets)");
		} else if (t->addr.family != ADDR_NONE) {
			dial(run, i);
		}
	}
	if (run->dialing)
		return;
	host_outbound(&run->conf, &run->targets, &run->from, run->arena, &run->verdict);
	run_done(run);
}

/* --- the way in --------------------------------------------------------------------- */

static const struct {
	enum conf_protocol protocol;
	const char *service; /* of the events (store/outside.h) */
} services[] = {
	{ CONF_SMTP, "smtp" },
	{ CONF_SUBMISSION, "submission" },
	{ CONF_SUBMISSIONS, "submission" },
	{ CONF_IMAP, "imap" },
	{ CONF_IMAPS, "imap" },
	{ CONF_POP3, "pop3" },
	{ CONF_POP3S, "pop3" },
	{ CONF_HTTPS, "http" },
};

struct visitors {
	struct arena *arena;
	struct host_seen p[ARRAY_LEN(services)];
	size_t count;
};

static bool
take_visitor(void *arg, const struct outside_seen *seen)
{
	struct visitors *v = arg;

	for (size_t i = 0; i < v->count; i++) {
		if (!str_eq(v->p[i].service, seen->service))
			continue;
		v->p[i].ip = arena_str(v->arena, seen->ip);
		v->p[i].at_ms = seen->at_ms;
	}
	return true;
}

/* One on a loopback address is not meant for outside. */
static bool
is_open(const struct conf *conf, enum conf_protocol protocol)
{
	for (size_t i = 0; i < conf->listen[protocol].n; i++) {
		if (!addr_is_loopback(&conf->listen[protocol].p[i]))
			return true;
	}
	return false;
}

static void
look_at_visitors(struct run *run)
{
	struct relay *r = run->hosts->relay;
	struct visitors v = { .arena = run->arena };

	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct str service = str_from(services[i].service);

		if (is_open(r->conf, services[i].protocol) &&
		    (!v.count || !str_eq(v.p[v.count - 1].service, service)))
			v.p[v.count++] = (struct host_seen){ .service = service };
	}
	if (reader_outside(r->reader, take_visitor, &v) != OK)
		log_line(LEVEL_WARN, "host.visitors", "error=read");
	host_inbound(v.p, v.count, run->started_ms, run->arena, &run->verdict);
}

/* --- names -------------------------------------------------------------------------- */

static enum policy_step
step(void *arg, struct lookups *l)
{
	struct run *run = CAST(run, RUN_MAGIC, arg);
	const struct host_conf *c = &run->conf;

	switch (run->check) {
	case HOST_ADDRESS:
		return host_address(c, l, run->arena, &run->verdict);
	case HOST_PTR:
		return host_ptr(c, l, run->arena, &run->verdict);
	case HOST_BLOCKLISTS:
		return host_blocklists(c, l, run->arena, &run->verdict);
	case HOST_OUTBOUND:
		return host_targets(c, l, &run->targets);
	case HOST_INBOUND:
		look_at_visitors(run);
		return POLICY_DONE;
	case HOST_RESOLVER:
		if (run->took_ms < 0 && lookups_find(l, c->hostname, DNS_A))
			run->took_ms = relay_mono(run->hosts->relay) - run->began_ms;
		return host_resolver(c, l, run->arena, run->took_ms, &run->verdict);
	case HOST_CHECKS:
		break;
	}
	CHECK(false);
	return POLICY_DONE;
}

static void
on_names(void *arg)
{
	struct run *run = CAST(run, RUN_MAGIC, arg);

	if (run->check == HOST_OUTBOUND)
		dial_all(run);
	else
		run_done(run);
}

/* --- which, and when ---------------------------------------------------------------- */

static bool
listens_v6(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen[CONF_SMTP].n; i++) {
		if (conf->listen[CONF_SMTP].p[i].family == ADDR_V6)
			return true;
	}
	return false;
}

static void
begin(struct relay_hosts *hosts, enum host_check check, bool was_asked)
{
	struct relay *r = hosts->relay;
	const struct conf *conf = r->conf;
	struct run *run = mem_alloc(sizeof(*run));
	int64_t names_ms = check == HOST_OUTBOUND ? LIMIT_MS / 2 : LIMIT_MS;

	run->magic = RUN_MAGIC;
	run->hosts = hosts;
	run->check = check;
	run->was_asked = was_asked;
	run->basis = hosts->basis[check];
	run->arena = arena_new(RUN_BUDGET);
	/* A reload may change the configuration meanwhile. */
	run->conf = (struct host_conf){
		.hostname = arena_str(run->arena, conf->hostname),
		.listens_v6 = listens_v6(conf),
		.own = r->own,
		.own_count = r->own_count,
		.lists = arena_str(run->arena, conf->host_lists),
		.minor_lists = arena_str(run->arena, conf->host_lists_minor),
		.targets = arena_str(run->arena, conf->host_targets),
	};
	run->lookups = lookups_new(run->arena, HOST_LOOKUPS);
	run->lookups_conn = lookups_conn_new(r->loop, r->dns, run->lookups);
	run->started_ms = clock_unix_ms();
	run->began_ms = relay_mono(r);
	run->took_ms = -1;
	timer_init(&run->limit, r->loop, on_limit, run);
	hosts->runs[check] = run;
	lookups_conn_fresh(run->lookups_conn);
	lookups_conn_run(run->lookups_conn, step, on_names, run);
	lookups_conn_limit(run->lookups_conn, names_ms);
	timer_set(&run->limit, LIMIT_MS);
}

struct due {
	const struct relay_hosts *hosts;
	int64_t now_ms; /* Unix, as are the others */
	int64_t at_ms[HOST_CHECKS];
	bool is_asked[HOST_CHECKS];
};

static bool
take_row(void *arg, const struct host_row *row)
{
	struct due *due = arg;
	enum host_check check;

	if (!host_check_find(row->name, &check))
		return true;
	/* Whoever changed a setting wants to see what the new one says. */
	due->is_asked[check] =
		row->asked_ms > row->checked_ms || row->basis != due->hosts->basis[check];
	/* A run in the future says that the clock was ahead: nobody waits until then. */
	if (row->checked_ms > due->now_ms)
		due->at_ms[check] = due->now_ms;
	else if (row->checked_ms)
		due->at_ms[check] = row->next_ms;
	/* Whoever asks again and again has others asked no more often. */
	if (due->is_asked[check] && due->at_ms[check] > row->checked_ms + ASKED_PAUSE_MS)
		due->at_ms[check] = row->checked_ms + ASKED_PAUSE_MS;
	return true;
}

static void
on_search(void *arg)
{
	struct relay_hosts *hosts = CAST(relay_hosts, HOSTS_MAGIC, arg);
	int64_t now_ms = clock_unix_ms(), wait_ms = IDLE_MS;
	struct due due = { .hosts = hosts, .now_ms = now_ms };

	if (hosts->relay->is_stopping)
		return;
	for (size_t i = 0; i < HOST_CHECKS; i++)
		due.at_ms[i] = hosts->first_ms;
	if (reader_host_list(hosts->relay->reader, take_row, &due) != OK) {
		timer_set(&hosts->search, IDLE_MS);
		return;
	}
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		if (hosts->runs[i])
			continue;
		if (due.at_ms[i] <= now_ms)
			begin(hosts, (enum host_check)i, due.is_asked[i]);
		else if (due.at_ms[i] - now_ms < wait_ms)
			wait_ms = due.at_ms[i] - now_ms;
	}
	timer_set(&hosts->search, wait_ms);
}

void
relay_host_changed(struct relay *r, const struct change *change)
{
	if (change->kind == CHANGE_RESET || str_starts(change->key, STR("host_ask:")))
		timer_set(&r->hosts->search, SOON_MS);
}

static void
take_basis(struct relay_hosts *hosts)
{
	for (unsigned i = 0; i < HOST_CHECKS; i++)
		hosts->basis[i] =
			relay_host_basis(hosts->relay->conf, (enum host_check)i);
}

void
relay_host_reload(struct relay *r)
{
	take_basis(r->hosts);
	timer_set(&r->hosts->search, SOON_MS);
}

void
relay_host_new(struct relay *r)
{
	struct relay_hosts *hosts = mem_alloc(sizeof(*hosts));

	hosts->magic = HOSTS_MAGIC;
	hosts->relay = r;
	hosts->first_ms = clock_unix_ms() + FIRST_MS;
	take_basis(hosts);
	timer_init(&hosts->search, r->loop, on_search, hosts);
	r->hosts = hosts;
}

void
relay_host_start(struct relay *r)
{
	timer_set(&r->hosts->search, SOON_MS);
}

void
relay_host_free(struct relay *r)
{
	struct relay_hosts *hosts = r->hosts;

	r->is_stopping = true;
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		if (hosts->runs[i])
			run_free(hosts->runs[i]);
	}
	timer_stop(&hosts->search);
	hosts->magic = 0;
	mem_free(hosts);
	r->hosts = NULL;
}
