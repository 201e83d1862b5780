/* Looking at what the name service says of our domains, for the records page and for DKIM
 * keys, which may not sign before every server has them.
 *
 *   the zone's servers (resolver) -> their addresses, those of our host -> every question
 *   to every server -> judged (policy/records.h) -> the store
 *
 * A few domains at a time, a few questions at a time, each with its own time limit, so
 * neither a thousand domains nor a dead server holds anything up. When a look is due
 * again is in the store: soon while something is missing, then less and less often.
 */
#include "relay/relay_dns.h"

#include "api/domain_records.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_look_priv.h"
#include "relay/relay_priv.h"

enum {
	LOOKS_MAGIC = 0x524c5937,
	LOOKS_MAX = 4,
	FIRST_MS = 20 * 1000, /* until the next look, while something is missing … */
	SLOWEST_MS = 30 * MINUTE_MS, /* … and at most, */
	GOOD_MS = HOUR_MS,           /* or when all is well */
	IDLE_MS = MINUTE_MS,         /* between two searches for what is due */
	RETRY_MS = 10 * 1000,
	ROW_JSON_MAX = 60 * 1024,
	WANTED_MAX = 16 * 1024, /* of the settings that records are made of */
};

/* --- telling ------------------------------------------------------------------------ */

static void tell_keys(struct look *l);

static void
on_key_told(void *arg, enum err e, const struct answer_none *answer)
{
	struct look *l = CAST(look, LOOK_MAGIC, arg);

	(void)answer;
	l->call = 0;
	if (e != OK && e != ERR_NOT_FOUND)
		log_line(LEVEL_WARN, "dns.key", "error=%s", err_get(e)->word);
	tell_keys(l);
}

struct key_search {
	struct str selector;
	uint64_t id;
};

static bool
find_key(void *arg, const struct dkim_key *k)
{
	struct key_search *s = arg;

	if (!str_eq(k->selector, s->selector))
		return true;
	s->id = k->id;
	return false;
}

/* Each key of whose servers all answered, one after the other. */
static void
tell_keys(struct look *l)
{
	while (l->key < l->records->count) {
		const struct record_row *row = &l->records->rows[l->key++];
		struct str selector = row->key;
		struct key_search s = { .id = 0 };
		struct op_dkim_key_checked op = { .servers_ok = row->servers_ok,
			                          .servers_total = row->servers_total,
			                          .at_ms = l->started_ms };

		if (!str_skip(&selector, STR("dkim:")) || row->servers_silent ||
		    !row->servers_total)
			continue;
		s.selector = selector;
		if (reader_dkim_keys(l->looks->relay->reader, l->domain_id, DKIM_KEY_ANY,
		                     find_key, &s) != OK ||
		    !s.id)
			continue;
		op.id = s.id;
		l->call = store_dkim_key_checked(l->looks->relay->store, &op, on_key_told,
		                                 l);
		return;
	}
	relay_look_free(l);
}

static void
on_told(void *arg, enum err e, const struct answer_none *answer)
{
	struct look *l = CAST(look, LOOK_MAGIC, arg);

	(void)answer;
	l->call = 0;
	if (e != OK) {
		log_line(LEVEL_WARN, "dns.result", "error=%s", err_get(e)->word);
		timer_set(&l->looks->search, RETRY_MS);
		relay_look_free(l);
		return;
	}
	l->key = 0;
	tell_keys(l);
}

static bool
is_all_well(const struct look *l)
{
	for (size_t i = 0; i < l->records->count; i++) {
		const struct record_row *row = &l->records->rows[i];

		if (row->state != RECORD_OK && row->state != RECORD_OPTIONAL &&
		    row->need <= RECORD_SHOULD)
			return false;
	}
	return true;
}

/* Longer and longer while nothing moves; a tenth more or less, so that domains which were
   made together do not stay together. */
static int64_t
pause_ms(const struct look *l)
{
	int64_t ms = l->was_asked ? 0 : l->last_pause_ms;

	if (is_all_well(l))
		ms = GOOD_MS;
	else
		ms = ms * 3 / 2 < FIRST_MS     ? FIRST_MS
		     : ms * 3 / 2 > SLOWEST_MS ? SLOWEST_MS
		                               : ms * 3 / 2;
	return ms - ms / 10 + (int64_t)(random_u64() % (uint64_t)(ms / 5 + 1));
}

static struct str
row_json(const struct record_row *row, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, ROW_JSON_MAX);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	domain_records_row(&j, row);
	json_close_object(&j);
	return b.overflow ? STR("{}") : strbuf_str(&b);
}

static struct str
servers_text(const struct look *l)
{
	struct strbuf b = strbuf_arena(l->arena, 8192);
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < l->server_count; i++) {
		if (i)
			strbuf_lit(&b, ", ");
		strbuf_add(&b, l->server_names[i]);
		strbuf_byte(&b, ' ');
		strbuf_add(&b, addr_ip_text(&l->servers[i], &text));
	}
	return strbuf_str(&b);
}

void
relay_look_done(struct look *l)
{
	struct op_dns_result op = { .domain = l->domain, .checked_ms = l->started_ms };
	struct strbuf facts = strbuf_arena(l->arena, 1024);

	op.rows = ARENA_ARRAY(l->arena, struct dns_row_new, l->records->count + 1);
	for (size_t i = 0; i < l->records->count; i++) {
		const struct record_row *row = &l->records->rows[i];

		op.rows[op.rows_count++] = (struct dns_row_new){
			.name = row->key,
			.state = str_from(record_state_word(row->state)),
			.cause = str_from(record_cause_word(row->cause)),
			.body = row_json(row, l->arena),
		};
	}
	domain_records_facts(l->ips, l->ip_count, &facts);
	op.facts = strbuf_str(&facts);
	op.servers = servers_text(l);
	op.next_ms = l->is_stale ? 0 : l->started_ms + pause_ms(l);
	l->call = store_dns_result(l->looks->relay->store, &op, on_told, l);
}

/* --- which domains ------------------------------------------------------------------ */

static bool
is_looked_at(const struct relay_looks *looks, uint64_t domain_id)
{
	LIST_EACH(&looks->all, p)
	{
		if (CONTAINER_OF(p, struct look, link)->domain_id == domain_id)
			return true;
	}
	return false;
}

static bool
start_look(void *arg, const struct dns_zone *z)
{
	struct relay_looks *looks = arg;

	if (looks->count == LOOKS_MAX)
		return false;
	if (is_looked_at(looks, z->domain_id))
		return true;
	(void)relay_look_new(looks, z);
	return true;
}

static void
on_search(void *arg)
{
	struct relay_looks *looks = CAST(relay_looks, LOOKS_MAGIC, arg);
	int64_t now_ms = clock_unix_ms();

	timer_set(&looks->search, IDLE_MS);
	if (looks->relay->is_stopping || looks->count == LOOKS_MAX)
		return;
	if (reader_dns_due(looks->relay->reader, now_ms, 2 * LOOKS_MAX, start_look,
	                   looks) != OK)
		return;
	LIST_EACH(&looks->all, p)
	{
		struct look *l = CONTAINER_OF(p, struct look, link);

		if (!l->then)
			relay_look_begin(l);
	}
}

/* Those of one domain that are under way; empty: all. */
static void
make_stale(struct relay_looks *looks, struct str domain)
{
	LIST_EACH(&looks->all, p)
	{
		struct look *l = CONTAINER_OF(p, struct look, link);

		if (!domain.n || str_eq(l->domain, domain))
			l->is_stale = true;
	}
}

void
relay_dns_changed(struct relay *r, const struct change *change)
{
	static const char *const starts[] = { "domain:", "dkim:", "policy:", "dns_ask:" };

	if (change->kind == CHANGE_RESET) {
		timer_set(&r->looks->search, LOOK_SOON_MS);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct str domain = change->key;

		if (!str_skip(&domain, str_from(starts[i])))
			continue;
		timer_set(&r->looks->search, LOOK_SOON_MS);
		make_stale(r->looks, domain);
	}
}

/* What of the configuration all domains' records are made of (domain_records_conf). */
static void
add_wanted(const struct conf *c, struct strbuf *out)
{
	strbuf_clear(out);
	strbuf_printf(out, "%.*s\n%.*s\n%d", STR_ARG(c->certificate_issuer),
	              STR_ARG(c->backup_mx), c->listen[CONF_HTTPS].n > 0);
}

static void
on_again(void *arg, enum err e, const struct answer_none *answer)
{
	(void)arg;
	(void)answer;
	if (e != OK)
		log_line(LEVEL_WARN, "dns.again", "error=%s", err_get(e)->word);
}

void
relay_dns_reload(struct relay *r)
{
	struct strbuf now = strbuf_heap(WANTED_MAX), *was = &r->looks->wanted;
	struct op_dns_again op = { .at_ms = clock_unix_ms() };

	add_wanted(r->conf, &now);
	if (!str_eq(strbuf_str(&now), strbuf_str(was))) {
		strbuf_clear(was);
		strbuf_add(was, strbuf_str(&now));
		make_stale(r->looks, STR(""));
		(void)store_dns_again(r->store, &op, on_again, NULL);
	}
	strbuf_release(&now);
}

void
relay_dns_new(struct relay *r)
{
	struct relay_looks *looks = mem_alloc(sizeof(*looks));

	looks->magic = LOOKS_MAGIC;
	looks->relay = r;
	looks->wanted = strbuf_heap(WANTED_MAX);
	add_wanted(r->conf, &looks->wanted);
	list_init(&looks->all);
	timer_init(&looks->search, r->loop, on_search, looks);
	r->looks = looks;
}

void
relay_dns_start(struct relay *r)
{
	timer_set(&r->looks->search, LOOK_SOON_MS);
}

void
relay_dns_free(struct relay *r)
{
	struct relay_looks *looks = r->looks;

	r->is_stopping = true;
	while (!list_is_empty(&looks->all))
		relay_look_free(CONTAINER_OF(looks->all.next, struct look, link));
	timer_stop(&looks->search);
	strbuf_release(&looks->wanted);
	looks->magic = 0;
	mem_free(looks);
	r->looks = NULL;
}
