/* Our domains and their keys, looked after: a domain without any key gets a pair, a
 * retired one is revoked when nothing it signed can be under way any more, and the owner
 * is reminded of one that has signed for long.
 *
 * One thing at a time, so that a thousand new domains do not hold up a single message.
 */
#include "relay/relay_domains.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_priv.h"

enum {
	DOMAINS_MAGIC = 0x524c5936,
	LOOK_MS = HOUR_MS, /* without news */
	SOON_MS = 20,
	RETRY_MS = 5000,
	REMIND_DAYS = 180,
};

static const struct actor self = { STR_INIT("queue"), { NULL, 0 }, { NULL, 0 } };

struct relay_domains {
	uint32_t magic;
	struct relay *relay;
	struct timer look;
	uint64_t call;            /* of the store that is out */
	int64_t reminded_day;     /* since 1970: when the last reminders went out */
	int64_t revoke_due_ms;    /* the next one is; INT64_MAX: none */
	enum dkim_algorithm next; /* of the pair that is being made; 0: none */
	struct strbuf domain;     /* … and whose it is; heap */
};

static void
look_in(struct relay_domains *d, int64_t ms)
{
	if (!d->relay->is_stopping)
		timer_set(&d->look, ms > 0 ? ms : 0);
}

/* --- making ------------------------------------------------------------------------- */

static bool
take_name(void *arg, const struct domain *domain)
{
	struct relay_domains *d = arg;

	strbuf_clear(&d->domain);
	strbuf_add(&d->domain, domain->name);
	d->next = DKIM_RSA;
	return false;
}

static void
on_made(void *arg, enum err e, const struct answer_id *answer)
{
	struct relay_domains *d = CAST(relay_domains, DOMAINS_MAGIC, arg);

	(void)answer;
	d->call = 0;
	if (e != OK && e != ERR_EXISTS && e != ERR_NOT_FOUND && e != ERR_LIMIT) {
		log_line(LEVEL_WARN, "dkim.create", "error=%s", err_get(e)->word);
		d->next = 0;
		look_in(d, RETRY_MS);
		return;
	}
	d->next = d->next == DKIM_RSA && e != ERR_NOT_FOUND ? DKIM_ED25519 : 0;
	look_in(d, SOON_MS);
}

/* A pair is made by two operations; after a restart between them the domain has one key
   and signs with that. */
static bool
make_keys(struct relay_domains *d)
{
	struct op_dkim_key_create op = { .actor = self,
		                         .is_published = true,
		                         .auto_activate = true,
		                         .if_none = true };

	if (!d->next &&
	    reader_domains_without_key(d->relay->reader, 1, take_name, d) != OK)
		return false;
	if (!d->next)
		return false;
	op.domain = strbuf_str(&d->domain);
	op.algorithm = d->next;
	d->call = store_dkim_key_create(d->relay->store, &op, on_made, d);
	return true;
}

/* --- revoking ----------------------------------------------------------------------- */

struct oldest {
	uint64_t id;
	int64_t until_ms;
};

static bool
find_oldest(void *arg, const struct dkim_key *k)
{
	struct oldest *o = arg;

	if (k->keep_until_ms < o->until_ms)
		*o = (struct oldest){ k->id, k->keep_until_ms };
	return true;
}

static void
on_revoked(void *arg, enum err e, const struct answer_id *answer)
{
	struct relay_domains *d = CAST(relay_domains, DOMAINS_MAGIC, arg);

	(void)answer;
	d->call = 0;
	if (e != OK)
		log_line(LEVEL_WARN, "dkim.revoke", "error=%s", err_get(e)->word);
	look_in(d, e == OK ? SOON_MS : RETRY_MS);
}

static bool
revoke_old(struct relay_domains *d)
{
	struct op_dkim_key_state op = { .actor = self, .state = DKIM_KEY_REVOKED };
	struct oldest o = { 0, INT64_MAX };

	if (reader_dkim_keys(d->relay->reader, 0, DKIM_KEY_RETIRING, find_oldest, &o) !=
	    OK)
		return false;
	d->revoke_due_ms = o.until_ms;
	if (!o.id || o.until_ms > clock_unix_ms())
		return false;
	op.id = o.id;
	d->call = store_dkim_key_state(d->relay->store, &op, on_revoked, d);
	return true;
}

/* --- reminding ---------------------------------------------------------------------- */

static bool
remind(void *arg, const struct dkim_key *k)
{
	int64_t days = (clock_unix_ms() - k->activated_ms) / DAY_MS;
	struct event e;

	(void)arg;
	/* Then, and every thirty days. */
	if (days < REMIND_DAYS || days % 30 != 0)
		return true;
	event_init(&e, EV_DKIM_REMINDER, str_from(NULL), str_from(NULL));
	event_str(&e, "domain", k->domain);
	event_str(&e, "selector", k->selector);
	event_i64(&e, "days", days);
	event_tell(&e);
	return true;
}

static void
remind_all(struct relay_domains *d)
{
	int64_t day = clock_unix_ms() / DAY_MS;

	if (day == d->reminded_day)
		return;
	if (reader_dkim_keys(d->relay->reader, 0, DKIM_KEY_ACTIVE, remind, d) == OK)
		d->reminded_day = day;
}

/* --- the whole ---------------------------------------------------------------------- */

static void
on_look(void *arg)
{
	struct relay_domains *d = CAST(relay_domains, DOMAINS_MAGIC, arg);
	int64_t wait = LOOK_MS;

	if (d->call || d->relay->is_stopping)
		return;
	if (make_keys(d) || revoke_old(d))
		return;
	remind_all(d);
	if (d->revoke_due_ms != INT64_MAX && d->revoke_due_ms - clock_unix_ms() < wait)
		wait = d->revoke_due_ms - clock_unix_ms();
	look_in(d, wait);
}

void
relay_domains_changed(struct relay *r, const struct change *change)
{
	if (change->kind == CHANGE_RESET || str_starts(change->key, STR("domain:")) ||
	    str_starts(change->key, STR("dkim:")))
		look_in(r->domains, SOON_MS);
}

void
relay_domains_new(struct relay *r)
{
	struct relay_domains *d = mem_alloc(sizeof(*d));

	d->magic = DOMAINS_MAGIC;
	d->relay = r;
	d->domain = strbuf_heap(1024);
	d->revoke_due_ms = INT64_MAX;
	timer_init(&d->look, r->loop, on_look, d);
	r->domains = d;
}

void
relay_domains_start(struct relay *r)
{
	look_in(r->domains, SOON_MS);
}

void
relay_domains_free(struct relay *r)
{
	struct relay_domains *d = r->domains;

	timer_stop(&d->look);
	store_forget(r->store, d->call);
	strbuf_release(&d->domain);
	d->magic = 0;
	mem_free(d);
	r->domains = NULL;
}
