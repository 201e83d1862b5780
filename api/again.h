/* again.h - Idempotency-Key: a request that may come again is carried out once.
 *
 * The key, and with it a print of the whole request, is noted in the store before the
 * handler runs; its answer before it is sent. The same request again within 24 hours gets
 * that answer, another one with the same key 422, one whose first is under way 409. Where
 * the client goes away meanwhile the request goes on, for that is what the key is for.
 *
 * Each operation of the store that it takes is noted as a deed in its own transaction
 * (store/job.h). Where the process dies before the answer is kept, the request is carried
 * out again by the next one, but no deed of it twice: the handler gets the answers that
 * the first run had, looks at If-Match no more, and answers what it would have then (but
 * 200 where a PUT has made something).
 *
 * Keys belong to a token or a sign-in: both digests are keyed with its secret, so what is
 * kept says nothing of a password in the body, and nobody meets another's key. An answer
 * that shows a secret is not kept. What failed here (5xx, 429) is forgotten, but for its
 * deeds, and may be tried again.
 */
#ifndef API_AGAIN_H
#define API_AGAIN_H

#include "api/api.h"

/* Calls r's handler, at once or when its key is noted; or answers. */
void again_begin(struct api_request *r);
/* An answer is about to be sent. True: it is kept first, and sent() is called then. */
MUSTUSE bool again_keep(struct api_request *r, int status, struct str body,
                        void (*sent)(struct api_request *r));
/* Goes on with a request that has waited: r->next is called. */
void again_next(struct api_request *r);
/* It was carried out before, at least in part, and what it finds may be its own work. */
bool again_has_deeds(const struct api_request *r);
/* The client is gone. True: the request goes on without it. */
bool again_goes_on(struct api_request *r);

#endif
