/* body_room.h - how much of large bodies one owner may have open at a time.
 *
 * A large body stays open while it is sent, and its client may take hours for that. So
 * that a hundred connections of one account do not hold a hundred bodies, each owner has
 * room for so many bytes, or for one body of any size; who asks for more stands in line
 * until another body of the same owner is closed. Nobody else waits for that.
 *
 * Owns: nothing of its seats, which lie in what they are for.
 */
#ifndef STORE_BODY_ROOM_H
#define STORE_BODY_ROOM_H

#include "base/list.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct body_room;

typedef void body_room_fn(void *arg);

/* Set it to zero before it is first used. */
struct body_seat {
	struct link link;       /* in the line of its owner */
	struct body_room *room; /* NULL: neither taken nor in line */
	uint64_t owner, bytes;
	bool is_waiting;
	body_room_fn *turn;
	void *arg;
};

struct body_room *body_room_new(uint64_t owner_max_bytes);
/* All seats must have been given back. */
void body_room_free(struct body_room **r);
/* True: taken. False: it stands in line, and turn(arg) is called, inside the
   body_room_give of another seat, when it has been taken for it. */
MUSTUSE bool body_room_take(struct body_room *r, struct body_seat *seat, uint64_t owner,
                            uint64_t bytes, body_room_fn *turn, void *arg);
/* A taken one: others of its owner stand in line. */
bool body_room_is_waited_for(const struct body_seat *seat);
/* Gives it back, or leaves the line. */
void body_room_give(struct body_seat *seat);

#endif
