#include "store/body_room.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"

struct owner {
	uint64_t id, bytes, seats; /* taken */
	struct link line;
};

struct body_room {
	uint64_t owner_max_bytes;
	struct map *owners; /* that have seats or a line */
};

static struct str
key_of(const uint64_t *id)
{
	return str_make((const char *)id, sizeof(*id));
}

struct body_room *
body_room_new(uint64_t owner_max_bytes)
{
	struct body_room *r = mem_alloc(sizeof(*r));

	r->owner_max_bytes = owner_max_bytes;
	r->owners = map_new();
	return r;
}

void
body_room_free(struct body_room **r)
{
	if (!*r)
		return;
	CHECK(map_count((*r)->owners) == 0);
	map_free(&(*r)->owners);
	mem_free(*r);
	*r = NULL;
}

static struct owner *
owner_get(struct body_room *r, uint64_t id)
{
	struct owner *o = map_find(r->owners, key_of(&id));

	if (o)
		return o;
	o = mem_alloc(sizeof(*o));
	o->id = id;
	list_init(&o->line);
	(void)map_set(r->owners, key_of(&id), o);
	return o;
}

static bool
fits(const struct body_room *r, const struct owner *o, uint64_t bytes)
{
	return o->seats == 0 ||
	       (bytes <= r->owner_max_bytes && o->bytes <= r->owner_max_bytes - bytes);
}

static void
seat_take(struct owner *o, struct body_seat *seat)
{
	o->seats++;
	o->bytes += seat->bytes;
	seat->is_waiting = false;
}

bool
body_room_take(struct body_room *r, struct body_seat *seat, uint64_t owner,
               uint64_t bytes, body_room_fn *turn, void *arg)
{
	struct owner *o = owner_get(r, owner);

	CHECK(!seat->room);
	*seat = (struct body_seat){ .room = r,
		                    .owner = owner,
		                    .bytes = bytes,
		                    .is_waiting = true,
		                    .turn = turn,
		                    .arg = arg };
	/* Small ones do not overtake a large one, which would wait for ever. */
	if (list_is_empty(&o->line) && fits(r, o, bytes)) {
		seat_take(o, seat);
		return true;
	}
	list_add_last(&o->line, &seat->link);
	return false;
}

bool
body_room_is_waited_for(const struct body_seat *seat)
{
	return seat->room && !list_is_empty(&owner_get(seat->room, seat->owner)->line);
}

void
body_room_give(struct body_seat *seat)
{
	struct body_room *r = seat->room;
	struct owner *o;

	if (!r)
		return;
	o = owner_get(r, seat->owner);
	if (seat->is_waiting) {
		list_remove(&seat->link);
	} else {
		CHECK(o->seats && o->bytes >= seat->bytes);
		o->seats--;
		o->bytes -= seat->bytes;
	}
	seat->room = NULL;
	while (!list_is_empty(&o->line)) {
		struct body_seat *next =
			CONTAINER_OF(o->line.next, struct body_seat, link);

		if (!fits(r, o, next->bytes))
			return;
		list_remove(&next->link);
		seat_take(o, next);
		next->turn(next->arg);
	}
	if (o->seats == 0) {
		(void)map_remove(r->owners, key_of(&o->id));
		mem_free(o);
	}
}
