#include "role/settings.h"

#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "store/feed.h"

enum {
	SETTINGS_MAGIC = 0x73657474,
	LIST_BYTES = 64 << 20,
	LIST_MAX = 1000,
};

struct role_settings {
	uint32_t magic;
	struct role *role;
	struct reader *reader;
	struct feed *feed;
};

struct list {
	struct arena *arena;
	struct conf_setting *p;
	size_t n;
};

/* An empty value is a setting that somebody took back. */
static bool
collect(void *arg, const struct setting *s)
{
	struct list *l = arg;

	if (s->value.n)
		l->p[l->n++] = (struct conf_setting){ arena_str(l->arena, s->key),
			                              arena_str(l->arena, s->value) };
	return l->n < LIST_MAX;
}

void
role_settings_read(struct role *r, struct reader *reader)
{
	struct list l = { .arena = arena_new(LIST_BYTES) };
	enum err e;

	l.p = ARENA_ARRAY(l.arena, struct conf_setting, LIST_MAX);
	e = reader_settings(reader, collect, &l);
	if (e == OK)
		role_set_settings(r, &(struct conf_settings){ l.p, l.n });
	else
		log_line(LEVEL_WARN, "config.settings", "reason=%s", err_get(e)->word);
	arena_free(&l.arena);
}

static void
on_change(void *arg, const struct change *change)
{
	struct role_settings *s = CAST(role_settings, SETTINGS_MAGIC, arg);
	struct str key = change->key;

	if (change->kind == CHANGE_RESET) {
		role_settings_read(s->role, s->reader);
	} else if (change->kind == CHANGE_SETTINGS && str_skip(&key, STR("setting:"))) {
		role_settings_read(s->role, s->reader);
		log_line(LEVEL_DEBUG, "config.setting", "key=%.*s", STR_ARG(key));
	}
}

struct role_settings *
role_settings_open(struct role *r, struct store_client *store, struct reader *reader)
{
	struct role_settings *s = mem_alloc(sizeof(*s));

	s->magic = SETTINGS_MAGIC;
	s->role = r;
	s->reader = reader;
	s->feed = feed_open(store, FEED_SETTINGS, 0, on_change, s);
	role_settings_read(r, reader);
	return s;
}

void
role_settings_close(struct role_settings **s)
{
	if (!*s)
		return;
	feed_close(&(*s)->feed);
	mem_free(*s);
	*s = NULL;
}
