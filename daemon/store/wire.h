/* wire.h - what the frames between a store client and the store mean.
 *
 * kind               id      payload                      direction
 * WIRE_HELLO         epoch   -                            client: first on a connection
 * WIRE_HELLO         0       -                            store: it knows the client, who
 *                                                         asks for nothing before
 * WIRE_OP + enum op  seq     u64 floor, str events,      client
 *                            str and u32 of its deed,
 *                            arguments
 * WIRE_OP + enum op  seq     u32 error, answer or nothing store
 * WIRE_CHANGES       0       packed struct change, many   store
 */
#ifndef STORE_WIRE_H
#define STORE_WIRE_H

enum {
	WIRE_HELLO = 1,
	WIRE_CHANGES = 2,
	WIRE_OP = 16,
};

#endif
