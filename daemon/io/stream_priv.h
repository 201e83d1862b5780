/* stream_priv.h - what the files of a stream share, and nobody else.
 *
 * stream.c: coming and going, output, events, what the owner calls. stream_input.c: all
 * reading. stream_tls.c: from plain to TLS.
 */
#ifndef IO_STREAM_PRIV_H
#define IO_STREAM_PRIV_H

#include "base/macros.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/stream.h"

enum {
	STREAM_MAGIC = 0x7374726d,
	SCRATCH_BYTES = 64 << 10,
};

enum state {
	CONNECTING,
	OPEN,
	STARTING, /* TLS was asked for; plain output goes out first */
	HANDSHAKE,
	CLOSING, /* output goes out, then the goodbye */
	LINGER,  /* waiting for the peer's end */
	ENDED,
};

struct stream {
	uint32_t magic;
	int fd;
	enum state state;
	enum stream_end why;
	const char *detail;
	struct loop *loop;
	struct watch *watch;
	struct tls_conn *tls;
	const struct stream_ops *ops;
	const struct stream_limits *limits;
	void *arg;
	struct strbuf in;   /* unread input, where there is any between callbacks */
	const char *unread; /* into `in`, or into the scratch buffer while that is read */
	size_t unread_n;
	struct strbuf out;
	size_t out_sent; /* of out, taken by the kernel */
	struct timer deadline;
	struct timer
		guard; /* connect, handshake, stalled output, linger: one at a time */
	uint64_t bytes_out;
	size_t lingered;
	unsigned busy; /* callbacks of ours on the stack */
	bool is_taking, is_at_eof, is_full, is_freed, is_leaving;
	bool will_flush, will_retake; /* a deferred call is on its way */
	bool wants_write_to_read;     /* TLS reads need the descriptor writable */
};

/* Ends it: lets everything go now, and `closed` follows by a deferred call. Nothing where
   it has ended already. */
void stream_finish(struct stream *s, enum stream_end why, const char *detail);
/* Sends what the kernel takes, and does what was waiting for the output to be gone. */
void stream_flush(struct stream *s);
void stream_on_flush(void *arg);

/* Forgets unread input and its buffer. */
void stream_drop_input(struct stream *s);
/* Reads while there is something and the owner wants it; flushes what he said to it. */
void stream_read_turn(struct stream *s);
void stream_on_retake(void *arg);
/* Throws away what the peer still sends after our goodbye. */
void stream_linger_step(struct stream *s);

/* One step of the handshake; the last one opens the stream. */
void stream_handshake_step(struct stream *s);

/* Around each callback: a stream freed inside one goes when the last has returned. */
static inline void
enter(struct stream *s)
{
	s->busy++;
}

static inline void
leave(struct stream *s)
{
	if (--s->busy || !s->is_freed)
		return;
	s->magic = 0;
	mem_free(s);
}

/* False once the owner has freed it or it has ended: touch nothing more. */
static inline bool
is_live(const struct stream *s)
{
	return !s->is_freed && s->state != ENDED;
}

static inline unsigned
armed(const struct stream *s)
{
	return s->watch ? watch_events(s->watch) : 0;
}

static inline void
arm(struct stream *s, unsigned events)
{
	if (s->watch)
		watch_set(s->watch, events);
}

static inline void
disarm(struct stream *s, unsigned events)
{
	arm(s, armed(s) & ~events);
}

static inline bool
wants_input(const struct stream *s)
{
	return s->state == OPEN && s->is_taking && !s->is_at_eof &&
	       s->unread_n < s->limits->in_max;
}

#endif
