/* body_priv.h - inside of store/body.h: taking bodies (body.c), their records
 * (body_record.c), the segments these go to (body_target.c), and reading (body_read.c).
 */
#ifndef STORE_BODY_PRIV_H
#define STORE_BODY_PRIV_H

#include "base/arena.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "ext/crypto.h"
#include "io/loop.h"
#include "store/body.h"

#include <sys/uio.h>

enum {
	BODY_SPOOL_HEAD = BODY_PREFIX_MAX, /* where the content begins in a spool file */
};

/* The segment this process appends to. There are two: large bodies are written by a
   thread, and those in memory that are too large to be carried must not wait for that. */
struct body_target {
	struct bodies *bodies;
	uint64_t number; /* 0: none */
	int fd;
	uint64_t size; /* where the next record goes */
	bool is_asked, is_busy;
	uint64_t call;
	struct link waiting; /* struct body_writer */
};

struct writing {
	struct loop *loop;
	struct store_client *client;
	struct body_target small, large;
	struct compressor *compressor, *thread_compressor;
	struct strbuf packed; /* scratch for small bodies */
	size_t held;          /* memory of all buffers */
};

enum body_step {
	BODY_STEP_OPEN,    /* taking bytes */
	BODY_STEP_WAITING, /* finished, in a target's list */
	BODY_STEP_WORKING, /* a thread has it */
	BODY_STEP_TELLING, /* done is due */
	BODY_STEP_DONE,
};

struct body_writer {
	struct link link;
	struct bodies *bodies;
	enum body_step step;
	bool is_abandoned; /* freed while a thread had it */
	struct strbuf buffer;
	size_t held; /* of it, as counted in struct writing */
	int spool;
	uint64_t size, max;
	enum err error;
	/* finished */
	struct body_about about;
	struct arena *arena; /* about, and what was prepared */
	struct str message;  /* all bytes: the buffer, or in the spool file mapped */
	void *map;           /* of the spool file */
	struct sha256 digest;
	struct new_body body;
	struct strbuf record; /* of a body in memory */
	uint64_t written;     /* bytes of the record */
	body_done_fn *done;
	void *arg;
	/* for the thread: where its target stands */
	int fd;
	uint64_t at, number;
	struct compressor *compressor;
};

struct writing *writing_new(struct bodies *b, struct loop *loop,
                            struct store_client *client);
void writing_free(struct writing **writing);
/* NULL: for reading only. */
struct writing *bodies_writing(struct bodies *b);
/* data_dir */
struct str bodies_dir(const struct bodies *b);
/* An unlinked file below data_dir/blobs; -1 and errno. */
int bodies_spool(struct bodies *b);

/* --- body.c */

/* What errno says of a file of ours. */
enum err body_error(int number);
/* The end of a body, told in a while. */
void body_tell_soon(struct body_writer *w, enum err e);

/* --- body_record.c */

/* The whole record of a body in memory. */
void body_record_form(struct body_writer *w);
/* For a thread (loop_work): writes that of a body in a spool file to where it goes. */
void body_record_work(void *arg);
static inline struct iovec
body_iovec(struct str s)
{
	return (struct iovec){ (void *)(uintptr_t)s.p, s.n };
}

/* --- body_target.c */

/* The body is finished: its record goes to that segment, in its turn. */
void body_target_add(struct body_target *t, struct body_writer *w);

#endif
