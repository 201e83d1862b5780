/* body_priv.h - what the writing and the reading half of store/body.h share. */
#ifndef STORE_BODY_PRIV_H
#define STORE_BODY_PRIV_H

#include "store/body.h"

struct writing; /* body.c */

struct writing *writing_new(struct bodies *b, struct loop *loop,
                            struct store_client *client);
void writing_free(struct writing **writing);
/* NULL: for reading only. */
struct writing *bodies_writing(struct bodies *b);
/* data_dir */
struct str bodies_dir(const struct bodies *b);
/* An unlinked file below data_dir/blobs; -1 and errno. */
int bodies_spool(struct bodies *b);

#endif
