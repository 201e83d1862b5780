/* dns_frame.h - questions and answers between our processes and the resolver's, pure.
 *
 * A question is the key of io/dns_priv.h (type in two bytes, name as labels); its answer
 * is the DNS message as it came, with the query it belongs to, so that the asker reads it
 * with the same parser and trusts the resolver's process no more than a name server.
 * Frames are those of io/ipc.h; the id is the asker's.
 */
#ifndef IO_DNS_FRAME_H
#define IO_DNS_FRAME_H

#include "base/macros.h"
#include "io/dns_priv.h"

enum dns_frame {
	DNS_FRAME_ASK = 1,    /* to the resolver: a key */
	DNS_FRAME_ANSWER = 2, /* from it: struct dns_raw */
	DNS_FRAME_CANCEL = 3, /* to it: nobody waits for the answer any more */
};

enum {
	DNS_ANSWER_MAX = 2 * DNS_MESSAGE_MAX + 64, /* bytes of an answer */
};

/* Whether it is a type and a name in lower case that dns_name_parse could have made. */
MUSTUSE bool dns_key_check(struct str key);
void dns_answer_pack(const struct dns_raw *raw, struct strbuf *out);
/* Borrows from bytes. False: damaged. */
MUSTUSE bool dns_answer_unpack(struct str bytes, struct dns_raw *raw_out);

#endif
