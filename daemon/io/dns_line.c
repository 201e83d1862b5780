/* Whose turn it is: askers are groups, each with a line of flights; groups with a line
 * are in turn themselves. A group lives as long as it has a line or a place.
 */
#include "base/map.h"
#include "base/mem.h"
#include "io/dns_priv.h"

static struct group *
group_get(struct dns *d, uint64_t id)
{
	struct str key = str_make((const char *)&id, sizeof(id));
	struct group *g = map_find(d->groups, key);

	if (!g) {
		g = mem_alloc(sizeof(*g));
		g->id = id;
		list_init(&g->line);
		(void)map_set(d->groups, key, g);
	}
	return g;
}

static void
group_done(struct dns *d, struct group *g)
{
	if (g->held || g->lined)
		return;
	(void)map_remove(d->groups, str_make((const char *)&g->id, sizeof(g->id)));
	mem_free(g);
}

static void
join(struct flight *f, struct group *g)
{
	f->group = g;
	list_add_last(&g->line, &f->line);
	if (g->lined++ == 0)
		list_add_last(&f->dns->lines, &g->link);
}

void
dns_line_join(struct flight *f, uint64_t group)
{
	join(f, group_get(f->dns, group));
}

void
dns_line_leave(struct flight *f)
{
	struct group *g = f->group;

	f->group = NULL;
	list_remove(&f->line);
	if (--g->lined == 0)
		list_remove(&g->link);
	group_done(f->dns, g);
}

struct flight *
dns_line_next(struct dns *d)
{
	LIST_EACH(&d->lines, l)
	{
		struct group *g = CONTAINER_OF(l, struct group, link);

		if (d->conf.group_max && g->held >= d->conf.group_max)
			continue;
		list_remove(&g->link);
		list_add_last(&d->lines, &g->link);
		return CONTAINER_OF(g->line.next, struct flight, line);
	}
	return NULL;
}

void
dns_place_take(struct flight *f)
{
	struct group *g = f->group;

	g->held++;
	dns_line_leave(f);
	f->group = g;
	f->is_out = true;
	f->dns->in_flight++;
	list_add_last(&f->dns->out, &f->line);
}

void
dns_place_give(struct flight *f)
{
	struct group *g = f->group;

	f->group = NULL;
	f->is_out = false;
	f->dns->in_flight--;
	list_remove(&f->line);
	g->held--;
	group_done(f->dns, g);
}

void
dns_line_change(struct flight *f, uint64_t id)
{
	struct dns *d = f->dns;
	struct group *to = group_get(d, id);

	if (to->lined + to->held < f->group->lined + f->group->held) {
		dns_line_leave(f);
		join(f, to);
	}
	group_done(d, to);
}
