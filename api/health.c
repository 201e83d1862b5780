/* /health, /healthz, /readyz: is it well, and whose move is it if not. */
#include "api/fields.h"
#include "api/health_host.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"
#include "store/store_files.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	PROCESSES_MAX = 64 * 1024,
	QUEUE_OLD_WARN_S = HOUR_S,
	QUEUE_OLD_FAIL_S = 8 * HOUR_S,
	OVERDUE_FAIL_S = 120,
	CERTIFICATE_WARN_DAYS = 21,
	CERTIFICATE_FAIL_DAYS = 7,
	CLOCK_WARN_MS = 2000,
	CLOCK_FAIL_MS = 30 * 1000,
};

enum check_state {
	CHECK_OK,
	CHECK_WARN,
	CHECK_FAIL,
	CHECK_UNKNOWN,
};

static const char *const state_words[] = { "ok", "warn", "fail", "unknown" };

struct check {
	enum check_state state;
	struct str text;
	const char *cause, *owner, *fix; /* NULL where all is well */
	struct str details;              /* JSON object */
};

/* What the checks look at, gathered once for all of them. */
struct facts {
	struct api_request *r;
	int64_t now_ms;
	bool has_stats;
	struct answer_stats stats;
	struct str processes; /* the supervisor's list; empty: none */
	struct str clock;     /* what the kernel says of it, or empty */
	enum err queue_error;
	struct queue_totals queue;
	struct health_host host;
};

typedef void check_fn(const struct facts *f, struct check *c);

/* --- the checks ------------------------------------------------------------------------ */

static void
set(struct check *c, enum check_state state, const char *cause, const char *owner,
    const char *fix)
{
	c->state = state;
	c->cause = cause;
	c->owner = owner;
	c->fix = fix;
}

/* Counts the lines of a role ("": all), and those that run. */
static void
count_processes(struct str list, struct str role, unsigned *all, unsigned *running)
{
	struct str line;

	*all = *running = 0;
	while (str_next(&list, '\n', &line)) {
		struct str name = str_first(line, str_find(line, ' '));

		if (role.n && !str_eq(name, role))
			continue;
		(*all)++;
		*running += str_ends(line, STR(" running"));
	}
}

static void
check_processes(const struct facts *f, struct check *c)
{
	struct arena *a = f->r->arena;
	unsigned all, running;

	count_processes(f->processes, STR(""), &all, &running);
	c->text = arena_printf(a, "%u of %u processes run", running, all);
	c->details = arena_printf(a, "{\"processes\":%u,\"running\":%u}", all, running);
	if (!all) {
		c->text = STR("the list of processes cannot be read");
		set(c, CHECK_UNKNOWN, "no_list", NULL, NULL);
	} else if (running < all) {
		set(c, CHECK_FAIL, "process_down", "wait",
		    "It is started again by itself; if this stays, look at the log.");
	}
}

static void
check_store(const struct facts *f, struct check *c)
{
	struct diag diag = { 0 };

	c->text = STR("the store answers");
	if (f->has_stats)
		c->details = arena_printf(
			f->r->arena,
			"{\"messages\":%llu,\"message_bytes\":%llu,\"log_backlog\":%llu}",
			(unsigned long long)f->stats.messages,
			(unsigned long long)f->stats.message_bytes,
			(unsigned long long)f->stats.journal_rows);
	if (f->has_stats && !f->stats.index_damaged)
		return;
	if (f->has_stats) {
		c->text =
			STR("the index is damaged; what is not touched by it is served");
		set(c, CHECK_FAIL, "index_damaged", "you",
		    "Look at the disk, then put a backup of data_dir in its place.");
		return;
	}
	if (store_files_check(f->r->api->conf->data_dir, &diag) != OK) {
		c->text = arena_printf(
			f->r->arena, "the store may not write its files: %s", diag.text);
		set(c, CHECK_FAIL, "store_files", "you",
		    "Give data_dir and what is in it to the user of the service.");
		return;
	}
	c->text = STR("the store does not answer");
	set(c, CHECK_FAIL, "store_away", "wait", "It is started again by itself.");
}

static struct str
size_words(const struct facts *f, uint64_t bytes)
{
	if (bytes < 10ULL << 30)
		return arena_printf(f->r->arena, "%llu MiB",
		                    (unsigned long long)(bytes >> 20));
	return arena_printf(f->r->arena, "%llu GiB", (unsigned long long)(bytes >> 30));
}

/* "7 s", "12 min", "5 h", "3 d": the largest unit only. */
static struct str
age_words(const struct facts *f, int64_t s)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = { { DAY_S, "d" }, { HOUR_S, "h" }, { MINUTE_S, "min" } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (s >= units[i].s)
			return arena_printf(f->r->arena, "%lld %s",
			                    (long long)(s / units[i].s), units[i].name);
	}
	return arena_printf(f->r->arena, "%lld s", (long long)(s > 0 ? s : 0));
}

static void
check_disk(const struct facts *f, struct check *c)
{
	if (!f->has_stats) {
		c->text = STR("not known while the store is away");
		set(c, CHECK_UNKNOWN, "store_away", "wait", NULL);
		return;
	}
	c->text = arena_printf(f->r->arena, "%.*s free, new mail stops at %.*s",
	                       STR_ARG(size_words(f, f->stats.disk_free_bytes)),
	                       STR_ARG(size_words(f, f->stats.disk_reserve_bytes)));
	c->details =
		arena_printf(f->r->arena, "{\"free_bytes\":%llu,\"reserve_bytes\":%llu}",
	                     (unsigned long long)f->stats.disk_free_bytes,
	                     (unsigned long long)f->stats.disk_reserve_bytes);
	if (f->stats.disk_full)
		set(c, CHECK_FAIL, "disk_full", "you",
		    "Make room on the disk of data_dir: new mail is put off until then.");
	else if (f->stats.disk_free_bytes / 10 < f->stats.disk_reserve_bytes)
		set(c, CHECK_WARN, "disk_low", "you",
		    "Make room on the disk of data_dir.");
}

static void
check_queue(const struct facts *f, struct check *c)
{
	int64_t oldest_s =
		f->queue.oldest_ms ? (f->now_ms - f->queue.oldest_ms) / 1000 : 0;
	int64_t overdue_s =
		f->queue.next_due_ms ? (f->now_ms - f->queue.next_due_ms) / 1000 : 0;
	unsigned long long total = 0;

	if (f->queue_error != OK) {
		c->text = STR("the queue cannot be read");
		set(c, CHECK_UNKNOWN, "store_away", "wait", NULL);
		return;
	}
	for (unsigned s = 0; s < QUEUE_STATE_COUNT; s++)
		total += f->queue.by_state[s];
	c->text = total ? arena_printf(f->r->arena, "%llu waiting, the oldest for %.*s",
	                               total, STR_ARG(age_words(f, oldest_s)))
	                : STR("nothing waits");
	c->details = arena_printf(f->r->arena, "{\"total\":%llu,\"oldest_age_s\":%lld}",
	                          total, (long long)oldest_s);
	if (overdue_s > OVERDUE_FAIL_S)
		set(c, CHECK_FAIL, "queue_idle", "you",
		    "Mail is due and nobody sends it: look at the log of the queue "
		    "process.");
	else if (oldest_s > QUEUE_OLD_FAIL_S)
		set(c, CHECK_FAIL, "queue_old", "you",
		    "See why the oldest messages wait.");
	else if (oldest_s > QUEUE_OLD_WARN_S)
		set(c, CHECK_WARN, "queue_old", "you",
		    "See why the oldest messages wait.");
}

static void
check_certificate(const struct facts *f, struct check *c)
{
	const struct api *a = f->r->api;
	int64_t expires_ms = a->tls ? tls_server_expires_ms(a->tls) : 0;
	int64_t days = (expires_ms - f->now_ms) / 1000 / DAY_S;

	if (!expires_ms) {
		c->text = STR("no certificate is loaded");
		set(c, CHECK_FAIL, "no_certificate", "you",
		    "Name one under tls: in the configuration.");
		return;
	}
	c->text = arena_printf(f->r->arena, "%sgood for %lld more days",
	                       a->conf->tls_certificate.n ? "" : "signed by itself, ",
	                       (long long)days);
	c->details = arena_printf(f->r->arena, "{\"days\":%lld,\"self_signed\":%s}",
	                          (long long)days,
	                          a->conf->tls_certificate.n ? "false" : "true");
	if (days < CERTIFICATE_FAIL_DAYS)
		set(c, CHECK_FAIL, "certificate_expires", "you",
		    "Renew the certificate.");
	else if (days < CERTIFICATE_WARN_DAYS)
		set(c, CHECK_WARN, "certificate_expires", "you",
		    "Renew the certificate.");
	else if (!a->conf->tls_certificate.n)
		set(c, CHECK_WARN, "self_signed", "you",
		    "Mail programs will ask whether to trust it. Name a certificate of a "
		    "known authority under \"tls\" in the configuration.");
}

/* The sockets are open while the service runs; who serves them may be down. */
static void
check_listeners(const struct facts *f, struct check *c)
{
	const struct conf *conf = f->r->api->conf;
	struct strbuf off = strbuf_arena(f->r->arena, 256);
	unsigned count = 0;

	for (unsigned p = 0; p < CONF_PROTOCOL_COUNT; p++) {
		unsigned all, running;

		if (!conf->listen[p].n)
			continue;
		count += (unsigned)conf->listen[p].n;
		count_processes(f->processes,
		                str_from(conf_protocol_role((enum conf_protocol)p)), &all,
		                &running);
		if (!running)
			strbuf_printf(&off, "%s%s", off.n ? ", " : "",
			              conf_protocol_word((enum conf_protocol)p));
	}
	c->text = arena_printf(f->r->arena, "%u addresses", count);
	c->details = arena_printf(f->r->arena, "{\"addresses\":%u}", count);
	if (off.n && f->processes.n) {
		c->text = arena_printf(f->r->arena, "nobody answers on: %.*s",
		                       STR_ARG(strbuf_str(&off)));
		set(c, CHECK_FAIL, "not_served", "wait",
		    "The process is started again by itself; if this stays, look at the "
		    "log.");
	}
}

/* How far off it is nobody knows without asking somebody else; the kernel knows how far
   off it may be while a time service keeps it. */
static void
check_clock(const struct facts *f, struct check *c)
{
	struct str text = str_trim(f->clock);
	uint64_t error_ms = 0;

	if (!str_skip(&text, STR("kept ")) || !str_parse_u64(text, &error_ms)) {
		bool is_free = str_eq(text, STR("free"));

		c->text = is_free ? STR("no time service keeps it")
		                  : STR("the system does not say who keeps it");
		set(c, CHECK_UNKNOWN, is_free ? "clock_free" : "clock_unknown", "you",
		    "Let a time service (chrony, systemd-timesyncd) keep the clock, "
		    "unless "
		    "the machine below does: signatures and one-time codes hang on it.");
		return;
	}
	c->text = arena_printf(f->r->arena,
	                       "kept by a time service, off by at most %llu ms",
	                       (unsigned long long)error_ms);
	c->details = arena_printf(f->r->arena, "{\"error_ms\":%llu}",
	                          (unsigned long long)error_ms);
	if (error_ms > CLOCK_WARN_MS)
		set(c, error_ms > CLOCK_FAIL_MS ? CHECK_FAIL : CHECK_WARN, "clock_off",
		    "you", "The time service has had no answer for long: look at it.");
}

static const struct {
	const char *id, *title;
	check_fn *run;
} checks[] = {
	{ "processes", "Processes", check_processes },
	{ "store", "Store", check_store },
	{ "disk", "Disk", check_disk },
	{ "queue", "Queue", check_queue },
	{ "certificate", "Certificate", check_certificate },
	{ "listeners", "Ports", check_listeners },
	{ "clock", "Clock", check_clock },
};

/* --- gathering ------------------------------------------------------------------------- */

/* What the supervisor wrote for us. */
static struct str
read_run_file(struct api_request *r, const char *name)
{
	struct strbuf path = strbuf_arena(r->arena, 4096);
	struct strbuf text = strbuf_arena(r->arena, PROCESSES_MAX);
	int fd = open(conf_run_path(r->api->conf, name, &path),
	              O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *p = strbuf_reserve(&text, PROCESSES_MAX);
	ssize_t n = 0;

	if (fd < 0)
		return STR("");
	if (p)
		n = read(fd, p, PROCESSES_MAX);
	(void)close(fd);
	text.n = n > 0 ? (size_t)n : 0;
	return strbuf_str(&text);
}

static void
stats_done(void *arg, enum err e, const struct answer_stats *answer)
{
	struct api_request *r = arg;
	struct facts *f = r->state;

	f->has_stats = e == OK;
	if (e == OK)
		f->stats = *answer;
	api_continue(r, OK);
}

/* Asks the store, which is away for a moment now and then: then that is the answer. */
static void
gather(struct api_request *r, void (*next)(struct api_request *r))
{
	static const struct op_stats op = { 0 };
	struct facts *f = ARENA_NEW(r->arena, struct facts);

	f->r = r;
	f->now_ms = clock_unix_ms();
	f->processes = read_run_file(r, "processes");
	f->clock = read_run_file(r, "clock");
	f->queue_error = reader_queue_totals(r->api->reader, &f->queue);
	if (health_host_read(r->api->reader, r->arena, &f->host) != OK)
		f->host = (struct health_host){ .rows = { { .asked_ms = 0 } } };
	r->state = f;
	r->next = next;
	if (store_is_connected(r->api->store))
		r->call = store_stats(r->api->store, &op, stats_done, r);
	else
		next(r);
}

/* --- answers --------------------------------------------------------------------------- */

static void
write_check(struct json_out *j, size_t i, const struct facts *f, const struct check *c)
{
	json_open_object(j, NULL);
	json_cstr(j, "id", checks[i].id);
	json_cstr(j, "title", checks[i].title);
	json_cstr(j, "state", state_words[c->state]);
	json_str(j, "text", c->text);
	json_cstr(j, "cause", c->cause);
	json_cstr(j, "owner", c->owner);
	json_cstr(j, "fix", c->fix);
	json_time(j, "checked_at", f->now_ms);
	json_raw(j, "details", c->details.n ? c->details : STR("{}"));
	json_close_object(j);
}

static void
reply_all(struct api_request *r)
{
	const struct facts *f = r->state;
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	enum check_state worst = CHECK_OK;
	int64_t needs_you = 0;

	json_open_object(&j, NULL);
	json_open_array(&j, "items");
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct check c = { .state = CHECK_OK };

		checks[i].run(f, &c);
		write_check(&j, i, f, &c);
		needs_you += c.state == CHECK_WARN || c.state == CHECK_FAIL;
		if (c.state < CHECK_UNKNOWN && c.state > worst)
			worst = c.state;
	}
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		enum host_state state = host_state_find(f->host.rows[i].state);

		health_host_check(&j, (enum host_check)i, &f->host);
		if (f->host.mutes[i].at_ms)
			continue;
		needs_you += state == HOST_WARN || state == HOST_FAIL;
		if (state == HOST_FAIL)
			worst = CHECK_FAIL;
		else if (state == HOST_WARN && worst == CHECK_OK)
			worst = CHECK_WARN;
	}
	json_close_array(&j);
	json_cstr(&j, "state", state_words[worst]);
	json_i64(&j, "needs_you", needs_you);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

/* One that is looked at, not looked up: its status is the answer's. */
static void
reply_host(struct api_request *r, enum host_check check, int status)
{
	const struct facts *f = r->state;
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	health_host_check(&j, check, &f->host);
	api_reply_json(r, status, strbuf_str(&b));
}

static void
reply_one(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	enum host_check host;

	if (host_check_find(r->params[0], &host)) {
		reply_host(r, host, 200);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct check c = { .state = CHECK_OK };

		if (!str_eq(r->params[0], str_from(checks[i].id)))
			continue;
		checks[i].run(r->state, &c);
		write_check(&j, i, r->state, &c);
		api_reply_json(r, 200, strbuf_str(&b));
		return;
	}
	api_problem(r, PROBLEM_NOT_FOUND, NULL);
}

void
health_get(struct api_request *r)
{
	gather(r, reply_all);
}

void
health_check(struct api_request *r)
{
	gather(r, reply_one);
}

static void
reply_asked(struct api_request *r)
{
	enum host_check host;

	if (host_check_find(r->params[0], &host))
		reply_host(r, host, 202);
	else
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
}

static void
asked(struct api_request *r)
{
	gather(r, reply_asked);
}

static void
ask_done(void *arg, enum err e, const struct answer_none *answer)
{
	(void)answer;
	api_continue(arg, e);
}

static bool
is_worked_out(struct str id)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (str_eq(id, str_from(checks[i].id)))
			return true;
	}
	return false;
}

void
health_run(struct api_request *r)
{
	struct op_host_ask op = { .name = r->params[0] };
	enum host_check host;

	if (is_worked_out(r->params[0])) {
		/* Whenever it is shown: it need not be asked for. */
		gather(r, reply_one);
		return;
	}
	if (!host_check_find(r->params[0], &host)) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, "health.run", r->params[0]);
		return;
	}
	r->next = asked;
	r->call = store_host_ask(r->api->store, &op, ask_done, r);
}

static void
reply_muted(struct api_request *r)
{
	enum host_check host;

	if (host_check_find(r->params[0], &host))
		reply_host(r, host, 200);
	else
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
}

static void
muted(struct api_request *r)
{
	gather(r, reply_muted);
}

/* What is looked at, only: what is worked out here is our own trouble. */
void
health_mute(struct api_request *r)
{
	static const struct field_spec spec = { .name = "muted",
		                                .kind = FIELD_BOOL,
		                                .flags = FIELD_MUST };
	struct op_host_mute op = { .actor = api_actor(r), .name = r->params[0] };
	enum host_check host;
	struct field f;

	if (!fields_read(r, &spec, 1, &f))
		return;
	if (!host_check_find(r->params[0], &host)) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	op.is_muted = f.b;
	if (r->dry_run) {
		api_reply_dry_run(r, f.b ? "health.mute" : "health.unmute", op.name);
		return;
	}
	r->next = muted;
	r->call = store_host_mute(r->api->store, &op, ask_done, r);
}

void
healthz(struct api_request *r)
{
	api_reply_text(r, 200, "text/plain; charset=utf-8", STR("ok\n"));
}

/* No detail: anybody may ask. A role that is not configured is not missing. */
void
readyz(struct api_request *r)
{
	static const char *const roles[] = { "smtp", "imap", "queue", "dns" };
	struct str processes = read_run_file(r, "processes");
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	bool is_ready = store_is_connected(r->api->store), all_ready = is_ready;

	json_open_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		unsigned all, running;

		count_processes(processes, str_from(roles[i]), &all, &running);
		json_bool(&j, roles[i], processes.n && running == all);
		all_ready &= processes.n && running == all;
	}
	json_bool(&j, "store", is_ready);
	json_close_object(&j);
	if (all_ready)
		api_reply_json(r, 200, strbuf_str(&b));
	else
		api_reply_json(r, 503, strbuf_str(&b));
}

/* --- /metrics -------------------------------------------------------------------------- */

static void
add_metric(struct strbuf *b, const char *name, const char *type, const char *help,
           uint64_t value)
{
	strbuf_printf(b, "# HELP mailstead_%s %s\n# TYPE mailstead_%s %s\nmailstead_%s ",
	              name, help, name, type, name);
	strbuf_u64(b, value);
	strbuf_byte(b, '\n');
}

static void
add_store_metrics(struct strbuf *b, const struct answer_stats *s)
{
	add_metric(b, "store_operations_total", "counter", "Operations done by the store",
	           s->operations);
	add_metric(b, "store_batches_total", "counter", "Transactions they took",
	           s->batches);
	add_metric(b, "store_syncs_total", "counter", "Files synced to disk", s->syncs);
	add_metric(b, "messages", "gauge", "Messages stored", s->messages);
	add_metric(b, "message_bytes", "gauge", "Their bytes", s->message_bytes);
	add_metric(b, "disk_free_bytes", "gauge", "Free on the disk of data_dir",
	           s->disk_free_bytes);
	add_metric(b, "disk_full", "gauge", "1 while new mail is put off", s->disk_full);
}

static void
reply_metrics(struct api_request *r)
{
	const struct facts *f = r->state;
	struct strbuf b = api_buffer(r);
	unsigned all, running;

	if (f->has_stats)
		add_store_metrics(&b, &f->stats);
	strbuf_lit(&b, "# HELP mailstead_queue Recipients waiting\n"
	               "# TYPE mailstead_queue gauge\n");
	for (unsigned s = 0; f->queue_error == OK && s < QUEUE_STATE_COUNT; s++)
		strbuf_printf(&b, "mailstead_queue{state=\"%s\"} %llu\n",
		              queue_state_name((enum queue_state)s),
		              (unsigned long long)f->queue.by_state[s]);
	count_processes(f->processes, STR(""), &all, &running);
	add_metric(&b, "processes", "gauge", "Processes there should be", all);
	add_metric(&b, "processes_running", "gauge", "Processes that run", running);
	add_metric(&b, "http_requests_total", "counter", "Requests answered",
	           r->api->counts.requests);
	add_metric(&b, "http_client_errors_total", "counter", "… with 4xx",
	           r->api->counts.errors_client);
	add_metric(&b, "http_server_errors_total", "counter", "… with 5xx",
	           r->api->counts.errors_server);
	api_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8",
	               strbuf_str(&b));
}

void
metrics(struct api_request *r)
{
	gather(r, reply_metrics);
}
