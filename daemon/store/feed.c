#include "store/feed.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/loop.h"
#include "store/change.h"
#include "store/feed_priv.h"

/* Subscriptions of one topic (of one account, for FEED_ACCOUNT). */
struct topic {
	struct link feeds;
	uint64_t id;
};

struct feed {
	struct link link;
	struct feeds *owner; /* NULL: the client is gone */
	struct topic *topic; /* of FEED_ACCOUNT, else NULL */
	enum feed_topic kind;
	feed_fn *fn; /* NULL: closed while it was being called */
	void *arg;
};

struct feeds {
	struct store_client *client;
	struct map *accounts;          /* id -> struct topic */
	struct link others;            /* struct feed of the other topics */
	struct op_subscribe_feed told; /* what the store was told last */
	bool is_connected, is_due;
	unsigned depth; /* call-backs under way */
	size_t dead;
};

struct feeds *
feeds_new(struct store_client *c)
{
	struct feeds *f = mem_alloc(sizeof(*f));

	f->client = c;
	f->accounts = map_new();
	list_init(&f->others);
	return f;
}

static struct str
key_of(const uint64_t *id)
{
	return str_make(id, sizeof(*id));
}

/* --- telling the store what is wanted --------------------------------------------- */

static bool
has_topic(const struct feeds *f, enum feed_topic kind)
{
	LIST_EACH(&f->others, l)
	{
		const struct feed *feed = CONTAINER_OF(l, struct feed, link);

		if (feed->kind == kind && feed->fn)
			return true;
	}
	return false;
}

static void
subscribe(void *arg)
{
	struct feeds *f = arg;
	/* All accounts rather than a list: a process with 10,000 idle sessions would send
	   a long list with each login, and a change is 50 bytes. */
	struct op_subscribe_feed op = {
		.all_accounts = map_count(f->accounts) > 0 || has_topic(f, FEED_ACCOUNTS),
		.queue = has_topic(f, FEED_QUEUE),
		.settings = has_topic(f, FEED_SETTINGS),
		.events = has_topic(f, FEED_EVENTS),
	};

	f->is_due = false;
	if (!f->is_connected ||
	    (op.all_accounts == f->told.all_accounts && op.queue == f->told.queue &&
	     op.settings == f->told.settings && op.events == f->told.events))
		return;
	f->told = op;
	(void)store_subscribe_feed(f->client, &op, NULL, NULL);
}

static void
subscribe_soon(struct feeds *f)
{
	if (f->is_due)
		return;
	f->is_due = true;
	loop_defer(store_client_loop(f->client), subscribe, f);
}

/* --- telling subscribers ---------------------------------------------------------- */

static bool
is_for(const struct feed *feed, const struct change *c)
{
	switch ((enum change_kind)c->kind) {
	case CHANGE_RESET:
		return true;
	case CHANGE_MAILBOX:
	case CHANGE_MAILBOXES:
		return feed->kind == FEED_ACCOUNTS;
	case CHANGE_QUEUE:
		return feed->kind == FEED_QUEUE;
	case CHANGE_SETTINGS:
		return feed->kind == FEED_SETTINGS;
	case CHANGE_EVENT:
		return feed->kind == FEED_EVENTS;
	}
	return false;
}

static void
call(struct feed *feed, const struct change *c)
{
	if (feed->fn)
		feed->fn(feed->arg, c);
}

static void
call_topic(struct topic *t, const struct change *c)
{
	LIST_EACH(&t->feeds, l)
	call(CONTAINER_OF(l, struct feed, link), c);
}

static void
reset_topic(void *arg, struct str key, void *value)
{
	(void)key;
	call_topic(value, arg);
}

/* Those closed while changes were told are freed when all is told. */
static void
bury(struct feeds *f, struct link *head)
{
	LIST_EACH(head, l)
	{
		struct feed *feed = CONTAINER_OF(l, struct feed, link);

		if (feed->fn)
			continue;
		list_remove(&feed->link);
		mem_free(feed);
		f->dead--;
	}
}

static void
bury_topic(void *arg, struct str key, void *value)
{
	struct feeds *f = arg;
	struct topic *t = value;

	bury(f, &t->feeds);
	if (!list_is_empty(&t->feeds))
		return;
	(void)map_remove(f->accounts, key);
	mem_free(t);
}

static void
tell(struct feeds *f, const struct change *c)
{
	struct topic *t = NULL;

	f->depth++;
	if (c->kind == CHANGE_RESET)
		map_each(f->accounts, reset_topic, (void *)(uintptr_t)c);
	else if (c->kind == CHANGE_MAILBOX || c->kind == CHANGE_MAILBOXES)
		t = map_find(f->accounts, key_of(&c->account_id));
	if (t)
		call_topic(t, c);
	LIST_EACH(&f->others, l)
	{
		struct feed *feed = CONTAINER_OF(l, struct feed, link);

		if (is_for(feed, c))
			call(feed, c);
	}
	f->depth--;
	if (f->depth || !f->dead)
		return;
	bury(f, &f->others);
	if (t)
		bury_topic(f, key_of(&c->account_id), t);
	if (f->dead)
		map_each(f->accounts, bury_topic, f);
}

void
feeds_connected(struct feeds *f)
{
	struct change reset = { .kind = CHANGE_RESET };

	f->is_connected = true;
	f->told = (struct op_subscribe_feed){ 0 };
	subscribe(f);
	tell(f, &reset);
}

void
feeds_changed(struct feeds *f, struct str packed)
{
	struct change c;

	while (change_next(&packed, &c))
		tell(f, &c);
}

/* --- opening and closing ---------------------------------------------------------- */

struct feed *
feed_open(struct store_client *c, enum feed_topic kind, uint64_t id, feed_fn *fn,
          void *arg)
{
	struct feeds *f = store_client_feeds(c);
	struct feed *feed = mem_alloc(sizeof(*feed));

	feed->owner = f;
	feed->kind = kind;
	feed->fn = fn;
	feed->arg = arg;
	if (kind == FEED_ACCOUNT) {
		struct topic *t = map_find(f->accounts, key_of(&id));

		if (!t) {
			t = mem_alloc(sizeof(*t));
			t->id = id;
			list_init(&t->feeds);
			(void)map_set(f->accounts, key_of(&id), t);
		}
		feed->topic = t;
		list_add_last(&t->feeds, &feed->link);
	} else {
		list_add_last(&f->others, &feed->link);
	}
	subscribe_soon(f);
	return feed;
}

void
feed_close(struct feed **feed)
{
	struct feed *d = *feed;
	struct feeds *f;
	struct topic *t;

	if (!d)
		return;
	*feed = NULL;
	f = d->owner;
	t = d->topic;
	if (!f) {
		mem_free(d);
		return;
	}
	subscribe_soon(f);
	if (f->depth) {
		d->fn = NULL;
		f->dead++;
		return;
	}
	list_remove(&d->link);
	mem_free(d);
	if (t && list_is_empty(&t->feeds)) {
		(void)map_remove(f->accounts, key_of(&t->id));
		mem_free(t);
	}
}

static void
orphan(struct link *head)
{
	LIST_EACH(head, l)
	{
		struct feed *feed = CONTAINER_OF(l, struct feed, link);

		list_remove(&feed->link);
		feed->owner = NULL;
		feed->topic = NULL;
	}
}

static void
orphan_topic(void *arg, struct str key, void *value)
{
	struct topic *t = value;

	(void)key;
	(void)arg;
	orphan(&t->feeds);
	mem_free(t);
}

void
feeds_free(struct feeds **feeds)
{
	struct feeds *f = *feeds;

	if (!f)
		return;
	CHECK(!f->depth);
	loop_defer_cancel(store_client_loop(f->client), subscribe, f);
	orphan(&f->others);
	map_each(f->accounts, orphan_topic, NULL);
	map_free(&f->accounts);
	mem_free(f);
	*feeds = NULL;
}
