#include "io/limiter.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/tally.h"

enum {
	CLIENT_BITS_V6 = 64, /* what one client usually has */
	KEY_BYTES = 17,
	KEPT_PART = 32,   /* of all is kept for strangers */
	LOOKED_MAX = 256, /* strangers looked at for one to go */
};

struct limiter {
	struct limiter_max max;
	size_t count, known_count;
	struct tally *waiting;                 /* strangers, by address */
	struct tally *clients;                 /* all connections, by address */
	struct tally *accounts;                /* known ones, by account or address */
	struct link strangers, hosts, members; /* places, longest first */
};

static struct str
client_key(const struct addr *peer, char (*buffer)[KEY_BYTES])
{
	struct addr a = addr_masked(peer, peer->family == ADDR_V6 ? CLIENT_BITS_V6 : 32);

	(*buffer)[0] = (char)a.family;
	memcpy(*buffer + 1, a.ip, sizeof(a.ip));
	return str_make(*buffer, sizeof(*buffer));
}

/* Shorter than any of an address: they never meet. */
static struct str
known_key(const struct addr *client, const uint64_t *account, char (*buffer)[KEY_BYTES])
{
	return *account ? str_make((const char *)account, sizeof(*account))
	                : client_key(client, buffer);
}

struct limiter *
limiter_new(void)
{
	struct limiter *l = mem_alloc(sizeof(*l));

	l->waiting = tally_new();
	l->clients = tally_new();
	l->accounts = tally_new();
	list_init(&l->strangers);
	list_init(&l->hosts);
	list_init(&l->members);
	return l;
}

void
limiter_free(struct limiter **l)
{
	if (!*l)
		return;
	tally_free(&(*l)->waiting);
	tally_free(&(*l)->clients);
	tally_free(&(*l)->accounts);
	mem_free(*l);
	*l = NULL;
}

void
limiter_set(struct limiter *l, const struct limiter_max *max)
{
	l->max = *max;
}

size_t
limiter_count(const struct limiter *l)
{
	return l->count;
}

static bool
is_full(const struct limiter *l)
{
	return l->max.total && l->count >= l->max.total;
}

/* ---- who gives way ---------------------------------------------------------------- */

static bool
is_full_of_known(const struct limiter *l)
{
	size_t part = l->max.total / KEPT_PART;
	size_t kept = part || l->max.total < 2 ? part : 1;

	return l->max.total && l->known_count + kept >= l->max.total;
}

static struct limiter_place *
place_of(struct link *l)
{
	return CONTAINER_OF(l, struct limiter_place, link);
}

static size_t
held_by_client(const struct limiter_place *p)
{
	char buffer[KEY_BYTES];

	return tally_of(p->limiter->waiting, client_key(&p->client, &buffer));
}

static size_t
held_by_known(const struct limiter_place *p)
{
	char buffer[KEY_BYTES];

	return tally_of(p->limiter->accounts,
	                known_key(&p->client, &p->account, &buffer));
}

static void
dismiss(struct limiter_place *p)
{
	const struct limiter_ops *ops = p->ops;
	void *arg = p->arg;

	limiter_leave(p);
	ops->go(arg);
}

/* Those that may not go just now stand aside for the next look, or a few of them at the
   head would hide all others. */
static bool
dismiss_stranger(struct limiter *l)
{
	struct limiter_place *best = NULL;
	size_t most = 0, looked = 0;

	LIST_EACH(&l->strangers, link)
	{
		struct limiter_place *p = place_of(link);
		size_t held = held_by_client(p);

		if (looked++ == LOOKED_MAX)
			break;
		if (!p->ops->may_go(p->arg)) {
			list_remove(&p->link);
			list_add_last(&l->strangers, &p->link);
		} else if (held > most) {
			best = p;
			most = held;
		}
	}
	if (best)
		dismiss(best);
	return best != NULL;
}

/* Of those who may go now, one with the most, the longest of them, if it has more than
   `least`. A walk over all of them: a login costs far more than that. */
static struct limiter_place *
find_most(struct link *known, size_t least)
{
	struct limiter_place *best = NULL;
	size_t most = least;

	LIST_EACH(known, link)
	{
		struct limiter_place *p = place_of(link);
		size_t held = held_by_known(p);

		if (held > most && p->ops->may_go(p->arg)) {
			best = p;
			most = held;
		}
	}
	return best;
}

static bool
dismiss_member(struct limiter *l, size_t least)
{
	struct limiter_place *p = find_most(&l->members, least);

	if (p)
		dismiss(p);
	return p != NULL;
}

/* A host goes among the strangers, and goes on. */
static bool
demote_host(struct limiter *l, size_t least)
{
	struct limiter_place *p = find_most(&l->hosts, least);

	if (!p && !least && !list_is_empty(&l->hosts))
		p = place_of(l->hosts.next);
	if (p)
		limiter_forget(p);
	return p != NULL;
}

/* ---- places ----------------------------------------------------------------------- */

/* False: it has all that it may have. */
static bool
count_client(struct limiter *l, const struct addr *peer)
{
	char buffer[KEY_BYTES];

	return peer->family == ADDR_NONE ||
	       tally_enter(l->clients, client_key(peer, &buffer), l->max.per_ip);
}

static void
uncount_client(struct limiter *l, const struct addr *peer)
{
	char buffer[KEY_BYTES];

	if (peer->family != ADDR_NONE)
		tally_leave(l->clients, client_key(peer, &buffer));
}

enum err
limiter_take(struct limiter *l, const struct addr *peer)
{
	/* First: who is refused anyhow is in nobody's way. */
	if (!count_client(l, peer))
		return ERR_LIMIT;
	if (is_full(l) && !dismiss_stranger(l)) {
		uncount_client(l, peer);
		return ERR_BUSY;
	}
	l->count++;
	return OK;
}

static void
line_up(struct limiter_place *p)
{
	char buffer[KEY_BYTES];

	CHECK(tally_enter(p->limiter->waiting, client_key(&p->client, &buffer), 0));
	list_add_last(&p->limiter->strangers, &p->link);
}

static void
step_out(struct limiter_place *p)
{
	char buffer[KEY_BYTES];

	tally_leave(p->limiter->waiting, client_key(&p->client, &buffer));
	list_remove(&p->link);
}

void
limiter_hold(struct limiter *l, struct limiter_place *p, const struct addr *peer,
             const struct limiter_ops *ops, void *arg)
{
	*p = (struct limiter_place){
		.limiter = l, .client = *peer, .ops = ops, .arg = arg
	};
	if (l)
		line_up(p);
}

/* From the strangers to those who are known. */
static void
enter_known(struct limiter_place *p, uint64_t account)
{
	struct limiter *l = p->limiter;
	char buffer[KEY_BYTES];

	CHECK(tally_enter(l->accounts, known_key(&p->client, &account, &buffer), 0));
	l->known_count++;
	p->account = account;
	p->is_known = true;
	step_out(p);
	list_add_last(account ? &l->members : &l->hosts, &p->link);
}

/* For a stranger. */
static enum err
may_be_known(struct limiter *l, const struct addr *client, uint64_t account)
{
	char buffer[KEY_BYTES];
	size_t held = tally_of(l->accounts, known_key(client, &account, &buffer));

	if (account && l->max.per_account && held >= l->max.per_account)
		return ERR_LIMIT;
	if (!is_full_of_known(l))
		return OK;
	if (!account)
		return demote_host(l, held + 1) ? OK : ERR_BUSY;
	return demote_host(l, 0) || dismiss_member(l, held + 1) ? OK : ERR_BUSY;
}

enum err
limiter_know(struct limiter_place *p, uint64_t account)
{
	bool was_known = p->is_known;
	uint64_t old = p->account;
	enum err e;

	if (!p->limiter || (was_known && old == account))
		return OK;
	limiter_forget(p);
	e = may_be_known(p->limiter, &p->client, account);
	if (e == OK)
		enter_known(p, account);
	else if (was_known)
		enter_known(p, old);
	return e;
}

void
limiter_forget(struct limiter_place *p)
{
	struct limiter *l = p->limiter;
	char buffer[KEY_BYTES];

	if (!p->is_known)
		return;
	tally_leave(l->accounts, known_key(&p->client, &p->account, &buffer));
	l->known_count--;
	p->account = 0;
	p->is_known = false;
	list_remove(&p->link);
	line_up(p);
}

enum err
limiter_move(struct limiter_place *p, const struct addr *peer)
{
	struct limiter *l = p->limiter;
	char old[KEY_BYTES], buffer[KEY_BYTES];
	struct str key = client_key(peer, &buffer);

	if (!l)
		return OK;
	limiter_forget(p);
	if (str_eq(client_key(&p->client, &old), key))
		return OK;
	if (!count_client(l, peer))
		return ERR_LIMIT;
	step_out(p);
	uncount_client(l, &p->client);
	p->client = *peer;
	line_up(p);
	return OK;
}

void
limiter_leave(struct limiter_place *p)
{
	struct limiter *l = p->limiter;

	if (!l)
		return;
	limiter_forget(p);
	CHECK(l->count);
	l->count--;
	uncount_client(l, &p->client);
	step_out(p);
	p->limiter = NULL;
}
