#include "relay/relay_own_report.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/version.h"
#include "ext/gzip.h"
#include "relay/relay_own_report_priv.h"
#include "relay/relay_priv.h"

enum {
	PACKING_MAGIC = 0x524c5939,
	BUDGET = 64 << 20, /* of answers, mostly; it costs nothing until it is used */
	ROWS_BUDGET = 48 << 20,
	ROWS_SPARE = 1 << 20,
	ASK_MS = 30 * 1000,
	NAME_ROOM = 300,
};

struct row {
	struct row *next;
	struct str body;
	uint64_t count;
};

/* What a thread formats and packs; it outlives a report that was cancelled. */
struct packing {
	uint32_t magic;
	struct relay_own_report *report; /* NULL: nobody waits any more */
	struct arena *arena;
	struct report_head head;
	struct str policy;
	struct row *rows, **last;
	uint64_t count;
	struct strbuf packed; /* empty: it did not fit */
};

/* --- the end ------------------------------------------------------------------------ */

static void
report_free(struct relay_own_report *p)
{
	timer_stop(&p->retry);
	lookups_conn_free(&p->asking);
	dns_cancel(&p->txt);
	relay_https_cancel(&p->post);
	store_forget(p->relay->store, p->call);
	if (p->packing)
		p->packing->report = NULL;
	if (p->writer)
		body_writer_free(&p->writer);
	strbuf_release(&p->packed);
	p->magic = 0;
	arena_free(&p->arena);
	mem_free(p);
}

void
relay_own_report_finish(struct relay_own_report *p, enum relay_own_report_end end)
{
	relay_own_report_fn *done = p->done;
	void *arg = p->arg;

	report_free(p);
	done(arg, end);
}

void
relay_own_report_cancel(struct relay_own_report **report)
{
	if (*report)
		report_free(*report);
	*report = NULL;
}

/* --- its text ----------------------------------------------------------------------- */

static void
format_tls(struct packing *k, struct strbuf *out)
{
	struct report_tls_maker *m = report_make_tls_begin(out, k->arena, &k->head);

	for (const struct row *row = k->rows; row; row = row->next)
		report_make_tls_row(m, row->body, row->count);
	report_make_tls_end(m);
}

static void
format_dmarc(struct packing *k, struct strbuf *out)
{
	report_make_dmarc_begin(out, &k->head, k->policy);
	for (const struct row *row = k->rows; row; row = row->next)
		report_make_dmarc_row(out, row->body, row->count);
	report_make_dmarc_end(out);
}

/* On a thread. */
static void
work(void *arg)
{
	struct packing *k = CAST(packing, PACKING_MAGIC, arg);
	struct strbuf text = strbuf_heap(REPORT_BYTES_MAX);

	if (k->head.kind == REPORT_TLS)
		format_tls(k, &text);
	else
		format_dmarc(k, &text);
	if (text.overflow || !gzip_pack_always(strbuf_str(&text), &k->packed))
		strbuf_clear(&k->packed);
	strbuf_release(&text);
}

static void
on_packed(void *arg)
{
	struct packing *k = CAST(packing, PACKING_MAGIC, arg);
	struct relay_own_report *p = k->report;

	if (p) {
		p->packing = NULL;
		p->packed = k->packed;
		k->packed = (struct strbuf){ 0 };
	}
	strbuf_release(&k->packed);
	arena_free(&k->arena);
	k->magic = 0;
	mem_free(k);
	if (!p)
		return;
	relay_own_report_send(p);
}

static bool
take_row(void *arg, const struct seen_row *from)
{
	struct packing *k = arg;
	struct row *row = ARENA_NEW(k->arena, struct row);

	row->body = arena_str(k->arena, from->body);
	row->count = from->count;
	*k->last = row;
	k->last = &row->next;
	return arena_left(k->arena) > ROWS_SPARE;
}

static struct report_head
head_of(struct relay_own_report *p)
{
	const struct conf *conf = p->relay->conf;

	return (struct report_head){
		.kind = relay_own_report_is_tls(p) ? REPORT_TLS : REPORT_DMARC,
		.organization = conf->reports_organization.n ? conf->reports_organization
		                                             : conf->hostname,
		.contact = p->from,
		.submitter = p->submitter,
		.domain = p->seen.domain,
		.id = str_from_offset(id_str(&p->id), 4),
		.begin_s = p->seen.day * DAY_S,
		.end_s = (p->seen.day + 1) * DAY_S - 1,
		.generator = STR("Mailstead " MAILSTEAD_VERSION),
	};
}

static void
make(struct relay_own_report *p)
{
	struct packing *k;
	enum err e;

	p->head = head_of(p);
	if (!report_targets_good(&p->targets)) {
		relay_own_report_send(p);
		return;
	}
	k = mem_alloc(sizeof(*k));
	k->magic = PACKING_MAGIC;
	k->arena = arena_new(ROWS_BUDGET);
	k->packed = strbuf_heap(REPORT_BYTES_MAX);
	k->last = &k->rows;
	k->policy = arena_str(k->arena, p->seen.policy);
	e = reader_seen_rows(p->relay->reader, &p->seen, take_row, k);
	if (e != OK) {
		arena_free(&k->arena);
		mem_free(k);
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
		return;
	}
	k->head = p->head;
	k->head.organization = arena_str(k->arena, p->head.organization);
	k->head.contact = arena_str(k->arena, p->head.contact);
	k->head.submitter = arena_str(k->arena, p->head.submitter);
	k->head.domain = arena_str(k->arena, p->head.domain);
	k->head.id = arena_str(k->arena, p->head.id);
	k->report = p;
	p->packing = k;
	loop_work(p->relay->loop, work, on_packed, k);
}

/* --- who wants it ------------------------------------------------------------------- */

static void
on_asked(void *arg)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);

	/* Some may have it now, but then the others never could. */
	if (p->is_temp && !p->is_last)
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
	else
		make(p);
}

static enum policy_step
ask_consent(void *arg, struct lookups *l)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);

	return report_targets_consent(&p->targets, p->seen.domain, l, p->arena,
	                              &p->is_temp);
}

static void
ask_dmarc(struct relay_own_report *p)
{
	report_targets_read(REPORT_DMARC, p->seen.rua, p->arena, &p->targets);
	p->lookups = lookups_new(p->arena, LOOKUPS_MAX);
	p->asking = lookups_conn_new(p->relay->loop, p->relay->dns, p->lookups);
	lookups_conn_run(p->asking, ask_consent, on_asked, p);
	lookups_conn_limit(p->asking, ASK_MS);
}

static void
on_txt(void *arg, const struct dns_answer *answer)
{
	struct relay_own_report *p = CAST(relay_own_report, RELAY_OWN_REPORT_MAGIC, arg);
	struct str rua = { 0 };

	p->txt = NULL;
	if (answer->status == DNS_TEMP && !p->is_last) {
		relay_own_report_finish(p, RELAY_OWN_REPORT_LATER);
		return;
	}
	if (report_tls_record_find(answer, &rua) != OK) {
		relay_own_report_forget(p);
		return;
	}
	report_targets_read(REPORT_TLS, rua, p->arena, &p->targets);
	make(p);
}

static void
ask_tls(struct relay_own_report *p)
{
	char bytes[NAME_ROOM];
	struct strbuf name = strbuf_on(bytes);

	strbuf_lit(&name, "_smtp._tls.");
	strbuf_add(&name, p->seen.domain);
	p->txt = dns_ask(p->relay->dns, strbuf_str(&name), DNS_TXT, on_txt, p);
}

static bool
is_wanted(const struct relay_own_report *p)
{
	const struct conf *conf = p->relay->conf;

	return relay_own_report_is_tls(p) ? conf->reports_tls_send
	                                  : conf->reports_dmarc_send;
}

struct relay_own_report *
relay_own_report_begin(struct relay *r, const struct relay_own_report_ask *ask,
                       relay_own_report_fn *done, void *arg)
{
	struct relay_own_report *p = mem_alloc(sizeof(*p));
	struct arena *a = arena_new(BUDGET);

	p->magic = RELAY_OWN_REPORT_MAGIC;
	p->relay = r;
	p->done = done;
	p->arg = arg;
	p->arena = a;
	p->seen = *ask->seen;
	p->seen.domain = arena_str(a, ask->seen->domain);
	p->seen.policy = arena_str(a, ask->seen->policy);
	p->seen.rua = arena_str(a, ask->seen->rua);
	p->from = arena_str(a, ask->from);
	p->submitter = arena_str(a, ask->submitter);
	p->is_last = ask->is_last;
	p->id = id_new("mtr_");
	timer_init(&p->retry, r->loop, relay_own_report_retry, p);
	p->op = (struct op_report_made){ .kind = p->seen.kind,
		                         .day = p->seen.day,
		                         .domain = p->seen.domain };
	if (!p->seen.domain.n)
		relay_own_report_tell_cut(p);
	if (!p->seen.domain.n || !p->submitter.n || !is_wanted(p))
		relay_own_report_forget(p);
	else if (relay_own_report_is_tls(p))
		ask_tls(p);
	else
		ask_dmarc(p);
	return p;
}
