/* Signatures in front of what leaves (policy/dkim_sign.h), with the keys of our domains.
 *
 * Which keys: those of the domain in From, or of its nearest parent among ours, so that
 * the signature is aligned (RFC 9989 4.4.1). A login may write any From; so its envelope
 * sender, which was checked when it came in, must belong to the same family, or the
 * sender's own domain signs. Mail that only passes through is not signed: it is not ours.
 * Where an alias sends it on, it is sealed instead (relay_seal.c).
 *
 * Keys (relay_keys.c) are read when the feed says that they have changed. A long text is
 * hashed in slices, so that others get their turn. What was signed for one destination is
 * kept a while for the others of the same message.
 */
#include "relay/relay_sign.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "ext/crypto.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "policy/dkim_sign.h"
#include "relay/relay_conn.h"
#include "relay/relay_dns.h"
#include "relay/relay_domains.h"
#include "relay/relay_host.h"
#include "relay/relay_jobs.h"
#include "relay/relay_keys.h"
#include "relay/relay_priv.h"
#include "relay/relay_seal.h"
#include "relay/relay_sts.h"
#include "relay/relay_talk.h"
#include "relay/relay_text.h"

enum {
	KEYS_MESSAGE_MAX = 4, /* that sign one message */
	SIGN_BUDGET = 2 << 20,
	HEADER_MAX = 256 * 1024, /* a longer one is neither signed nor sealed */
	FIELDS_MAX = 64 * 1024,
	SLICE_BYTES = 2 << 20,
	PIECE_BYTES = 64 * 1024,
	FROM_MAX = 4,
	KEPT = 64,
	KEPT_MS = 10 * MINUTE_MS,
	TELL_MS = HOUR_MS, /* between two events about one domain without a key */
	PATH_BYTES = 4200,
};

/* The fields of one message, for its other destinations. */
struct kept {
	uint64_t message_id, generation;
	struct strbuf sealer; /* the domain that sealed it; empty: it is signed */
	int64_t at_ms;        /* monotonic */
	struct strbuf fields;
};

struct relay_signing {
	struct relay_keys *keys;
	struct feed *feed;
	struct kept kept[KEPT];
	struct map *told; /* domain -> struct told: signed nothing for it lately */
	uint64_t generation;
};

struct told {
	int64_t at_ms;
};

/* A message that is being signed or sealed. */
struct relay_signer {
	struct arena *arena;
	struct dkim_signer *signer; /* NULL: it is sealed */
	struct relay_seal *seal;    /* NULL: it is signed */
	struct str header;          /* as it is stored */
	struct dkim_signing_key keys[KEYS_MESSAGE_MAX];
	size_t count;
	uint64_t generation;
	struct str rest;
	struct relay_text text;
};

static void
read_keys(struct relay *r)
{
	struct relay_signing *s = r->signing;

	relay_keys_read(r, ++s->generation, &s->keys);
}

static void
on_settings(void *arg, const struct change *change)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	if (change->kind == CHANGE_RESET || str_starts(change->key, STR("dkim:")) ||
	    str_starts(change->key, STR("domain:")))
		read_keys(r);
	relay_domains_changed(r, change);
	relay_dns_changed(r, change);
	relay_host_changed(r, change);
	if (change->kind == CHANGE_RESET || str_starts(change->key, STR("sts_ask:")))
		relay_sts_changed(r);
}

/* --- whose keys --------------------------------------------------------------------- */

static bool
is_below(struct str name, struct str parent)
{
	return name.n > parent.n && str_ends(name, parent) &&
	       name.p[name.n - parent.n - 1] == '.';
}

static bool
is_family(struct str a, struct str b)
{
	return str_eq(a, b) || is_below(a, b) || is_below(b, a);
}

/* The domain of the visible sender, normalised; empty where there is not exactly one. */
static struct str
from_domain(struct str header, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, ADDRESS_KEY_MAX);
	struct header_field from;
	struct address_list list;
	size_t mailboxes = 0;

	if (header_count(header, STR("From"), 2) != 1 ||
	    !header_find(header, STR("From"), &from))
		return str_from(NULL);
	address_list_parse(from.value, FROM_MAX, a, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (list.entries[i].kind != LIST_MAILBOX)
			continue;
		if (mailboxes++ || domain_normalize(list.entries[i].domain, &b) != OK)
			return str_from(NULL);
	}
	return strbuf_str(&b);
}

static struct str
sender_domain(struct str sender, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, ADDRESS_KEY_MAX);
	size_t at = str_find_last(sender, '@');

	if (at == SIZE_MAX || domain_normalize(str_from_offset(sender, at + 1), &b) != OK)
		return str_from(NULL);
	return strbuf_str(&b);
}

/* Once in a while for a domain. */
static void
tell_unsigned(struct relay *r, const struct queue_item *item, struct str domain,
              const char *why)
{
	struct relay_signing *s = r->signing;
	struct told *t = map_find(s->told, domain);
	struct event e;

	if (t && relay_mono(r) - t->at_ms < TELL_MS)
		return;
	if (!t) {
		if (map_count(s->told) >= RELAY_ROWS_MAX)
			return;
		t = mem_alloc(sizeof(*t));
		(void)map_set(s->told, domain, t);
	}
	t->at_ms = relay_mono(r);
	event_init(&e, EV_DKIM_UNSIGNED, item->trace_id, str_from(NULL));
	event_str(&e, "domain", domain);
	event_str(&e, "reason", str_from(why));
	event_tell(&e);
}

/* Chooses the keys; none: the message leaves as it is. */
static void
choose_keys(struct relay *r, const struct queue_item *item, struct str header,
            struct relay_signer *g)
{
	struct str from = from_domain(header, g->arena);
	struct str sender = sender_domain(item->sender, g->arena);
	struct str domain = from.n ? from : sender;
	struct relay_key *k = relay_keys_find(r->signing->keys, domain);

	if (item->sender.n && (!k || !is_family(sender, k->domain))) {
		domain = sender;
		k = relay_keys_find(r->signing->keys, sender);
	}
	if (!k && domain.n)
		tell_unsigned(r, item, domain, "the domain has no active key");
	for (; k && g->count < KEYS_MESSAGE_MAX; k = k->next) {
		if (!relay_key_load(r, k)) {
			tell_unsigned(r, item, domain, "the private key cannot be read");
			continue;
		}
		g->keys[g->count++] =
			(struct dkim_signing_key){ arena_str(g->arena, k->domain),
			                           arena_str(g->arena, k->selector),
			                           k->key };
	}
}

bool
relay_sign_key(struct relay *r, struct str domain, struct arena *a,
               struct dkim_signing_key *key_out)
{
	struct relay_key *found = NULL;

	for (struct relay_key *k = relay_keys_find(r->signing->keys, domain); k;
	     k = k->next) {
		if (relay_key_load(r, k) &&
		    (!found || crypto_key_kind(k->key) == CRYPTO_RSA))
			found = k;
	}
	if (found)
		*key_out = (struct dkim_signing_key){ arena_str(a, found->domain),
			                              arena_str(a, found->selector),
			                              found->key };
	return found != NULL;
}

/* --- the text ----------------------------------------------------------------------- */

static void
take(void *arg, struct str bytes)
{
	struct relay_signer *g = arg;

	if (g->seal)
		relay_seal_body(g->seal, bytes);
	else
		dkim_signer_body(g->signer, bytes);
}

/* --- kept signatures ---------------------------------------------------------------- */

static bool
find_kept(struct relay *r, uint64_t message_id, struct str sealer, struct strbuf *out)
{
	const struct kept *k = &r->signing->kept[message_id % KEPT];

	if (k->message_id != message_id ||
	    k->generation != relay_keys_generation(r->signing->keys) ||
	    !str_eq(strbuf_str(&k->sealer), sealer) || relay_mono(r) - k->at_ms > KEPT_MS)
		return false;
	strbuf_add(out, strbuf_str(&k->fields));
	return true;
}

static void
keep(struct relay *r, uint64_t message_id, uint64_t generation, struct str sealer,
     struct str fields)
{
	struct kept *k = &r->signing->kept[message_id % KEPT];

	k->message_id = message_id;
	k->generation = generation;
	k->at_ms = relay_mono(r);
	strbuf_clear(&k->sealer);
	strbuf_add(&k->sealer, sealer);
	strbuf_clear(&k->fields);
	strbuf_add(&k->fields, fields);
}

/* --- signing ------------------------------------------------------------------------ */

/* Who seals it; empty: it is signed, or leaves as it is. */
static struct str
sealer_of(const struct queue_item *item)
{
	return item->message_flags & MESSAGE_OURS ? str_from(NULL) : item->forward_domain;
}

void
relay_sign_cancel(struct relay_conn *c)
{
	struct relay_signer *g = c->signer;

	if (!g)
		return;
	c->signer = NULL;
	loop_defer_cancel(c->dest->relay->loop, relay_conn_signing, c);
	dkim_signer_free(&g->signer);
	relay_seal_free(&g->seal);
	arena_free(&g->arena);
	mem_free(g);
}

static bool
sign(struct relay *r, const struct queue_item *item, struct relay_signer *g,
     struct strbuf *out)
{
	enum err e;

	if (g->generation != relay_keys_generation(r->signing->keys)) {
		/* Keys were retired while the text was hashed; theirs are gone. */
		g->count = 0;
		choose_keys(r, item, g->header, g);
		if (!g->count)
			return false;
	}
	e = dkim_signer_end(g->signer, g->keys, g->count, clock_unix_ms(),
	                    conf_dkim_keep_ms(r->conf) / 1000, out);
	if (e == OK && out->overflow)
		e = ERR_LIMIT;
	if (e != OK)
		tell_unsigned(r, item, g->keys[0].domain, err_get(e)->text);
	return e == OK;
}

static void
finish(struct relay_conn *c)
{
	struct relay *r = c->dest->relay;
	const struct queue_item *item = &c->job->rows[0].item;
	struct relay_signer *g = c->signer;
	struct strbuf fields = strbuf_heap(FIELDS_MAX);

	relay_text_end(&g->text);
	if (g->seal ? relay_seal_end(g->seal, r, item, &fields)
	            : sign(r, item, g, &fields)) {
		strbuf_add(&c->lead, strbuf_str(&fields));
		keep(r, item->message_id, relay_keys_generation(r->signing->keys),
		     sealer_of(item), strbuf_str(&fields));
	}
	strbuf_release(&fields);
	relay_sign_cancel(c);
}

bool
relay_sign_step(struct relay_conn *c)
{
	struct relay_signer *g = c->signer;
	size_t left = SLICE_BYTES;

	while (g->rest.n && left) {
		struct str piece = str_first(g->rest, PIECE_BYTES);

		relay_text_feed(&g->text, piece);
		g->rest = str_from_offset(g->rest, piece.n);
		left -= left < piece.n ? left : piece.n;
	}
	if (g->rest.n)
		return false;
	finish(c);
	return true;
}

static void
tell_too_long(struct relay *r, const struct queue_item *item)
{
	static const char why[] = "its header is longer than 256 KiB";
	struct arena *a;
	struct str sender;

	if (sealer_of(item).n) {
		relay_tell_unsealed(item, why);
		return;
	}
	a = arena_new(PATH_BYTES);
	sender = sender_domain(item->sender, a);
	tell_unsigned(r, item, sender.n ? sender : r->conf->hostname, why);
	arena_free(&a);
}

/* Begins to sign or seal; false: it leaves as it is. */
static bool
begin(struct relay *r, const struct queue_item *item, struct relay_signer *g)
{
	struct str clean = relay_text_header(g->header, g->arena);

	if (sealer_of(item).n) {
		g->seal = relay_seal_begin(r, item, clean, g->arena);
		return g->seal != NULL;
	}
	choose_keys(r, item, g->header, g);
	if (!g->count)
		return false;
	g->signer = dkim_signer_new(g->arena);
	dkim_signer_header(g->signer, clean);
	return true;
}

bool
relay_sign_begin(struct relay_conn *c)
{
	struct relay *r = c->dest->relay;
	const struct queue_item *item = &c->job->rows[0].item;
	size_t header_bytes = header_size(c->rest);
	struct relay_signer *g;

	if (!c->lead.max)
		c->lead = strbuf_heap(FIELDS_MAX);
	strbuf_clear(&c->lead);
	if ((!(item->message_flags & MESSAGE_OURS) && !item->forward_domain.n) ||
	    find_kept(r, item->message_id, sealer_of(item), &c->lead))
		return true;
	if (header_bytes > HEADER_MAX) {
		tell_too_long(r, item);
		return true;
	}
	g = mem_alloc(sizeof(*g));
	g->arena = arena_new(SIGN_BUDGET + 4 * header_bytes);
	g->generation = relay_keys_generation(r->signing->keys);
	g->text = (struct relay_text){ .sink = take, .arg = g };
	g->header = str_first(c->rest, header_bytes);
	g->rest = str_from_offset(c->rest, header_bytes);
	c->signer = g;
	if (begin(r, item, g))
		return relay_sign_step(c);
	relay_sign_cancel(c);
	return true;
}

/* --- the whole ---------------------------------------------------------------------- */

void
relay_signing_new(struct relay *r)
{
	struct relay_signing *s = mem_alloc(sizeof(*s));

	s->keys = relay_keys_new(0);
	s->told = map_new();
	for (size_t i = 0; i < KEPT; i++) {
		s->kept[i].fields = strbuf_heap(FIELDS_MAX);
		s->kept[i].sealer = strbuf_heap(ADDRESS_KEY_MAX);
	}
	r->signing = s;
}

void
relay_signing_start(struct relay *r)
{
	r->signing->feed = feed_open(r->store, FEED_SETTINGS, 0, on_settings, r);
	read_keys(r);
}

static void
free_told(void *arg, struct str key, void *value)
{
	(void)arg;
	(void)key;
	mem_free(value);
}

void
relay_signing_free(struct relay *r)
{
	struct relay_signing *s = r->signing;

	if (s->feed)
		feed_close(&s->feed);
	relay_keys_free(&s->keys);
	map_each(s->told, free_told, NULL);
	map_free(&s->told);
	for (size_t i = 0; i < KEPT; i++) {
		strbuf_release(&s->kept[i].fields);
		strbuf_release(&s->kept[i].sealer);
	}
	r->signing = NULL;
	mem_free(s);
}
