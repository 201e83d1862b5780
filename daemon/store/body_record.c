/* body_record.c - the record of a body: small ones in memory, large ones piece by piece
 * on a thread.
 */
#include "ext/compress.h"
#include "ext/crypto.h"
#include "mail/header.h"
#include "mail/prepare.h"
#include "store/body_priv.h"
#include "store/segment.h"

#include <sys/mman.h>

enum {
	RECORD_HEADER_USUAL = 512, /* most are shorter */
	PIECE_BYTES = 256 * 1024,
};

static struct record
record_of(const struct body_writer *w)
{
	const struct body_about *a = &w->about;

	return (struct record){
		.codec = w->body.ref.codec,
		.stored_bytes = w->body.ref.stored_bytes,
		.size = w->size,
		.sha256 = sha256_str(&w->digest),
		.at_ms = a->at_ms,
		.flags = a->flags,
		.prefix_len = a->prefix_len,
		.trace_id = a->trace_id,
		.sender = a->sender,
		.rcpts = a->rcpts,
		.account = a->account,
		.mailbox = a->mailbox,
	};
}

static void
prepare(struct body_writer *w)
{
	struct message_head *h = &w->body.head;
	struct prepared p;

	mail_prepare(w->message, w->arena, &p);
	*h = (struct message_head){
		.envelope = p.envelope,
		.body = p.body,
		.bodystructure = p.bodystructure,
		.parts = p.parts,
		.from = p.from,
		.to = p.to,
		.cc = p.cc,
		.subject = p.subject,
		.preview = p.preview,
		.from_address = p.from_address,
		.subject_base = p.subject_base,
		.message_id = p.message_id,
		.in_reply_to = p.in_reply_to,
		.references = p.references,
		.date_ms = p.has_date ? p.date_ms : 0,
		.date_zone = p.has_date ? (uint32_t)(p.date_zone_min + 1440) : 0,
		.header_bytes = (uint32_t)p.header_bytes,
		.flags = (p.has_attachment ? MESSAGE_ATTACHMENT : 0U) |
		         (p.has_8bit ? MESSAGE_8BIT : 0U) |
		         (p.has_8bit_header ? MESSAGE_8BIT_HEADER : 0U) |
		         (p.is_ambiguous ? MESSAGE_AMBIGUOUS : 0U) |
		         (p.is_tls_optional ? MESSAGE_TLS_OPTIONAL : 0U),
	};
}

void
body_record_form(struct body_writer *w)
{
	struct writing *wr = bodies_writing(w->bodies);
	struct record record;
	struct str stored;

	prepare(w);
	w->digest = sha256_of(w->message);
	strbuf_clear(&wr->packed);
	w->body.ref.codec = CODEC_NONE;
	stored = w->message;
	if (compress_small(wr->compressor, w->message, &wr->packed)) {
		w->body.ref.codec = CODEC_ZSTD;
		stored = strbuf_str(&wr->packed);
	}
	w->body.ref.stored_bytes = stored.n;
	record = record_of(w);
	w->record = strbuf_heap(RECORD_HEADER_MAX + BODY_MEMORY_BYTES);
	(void)!strbuf_reserve(&w->record, RECORD_HEADER_USUAL + stored.n);
	record_format(&record, &w->record);
	strbuf_add(&w->record, stored);
	w->written = w->record.n;
}

/* --- large bodies, on a thread ---------------------------------------------------- */

static enum err
piece_write(void *arg, struct str piece)
{
	struct body_writer *w = arg;
	struct iovec part = body_iovec(piece);
	enum err e = segment_write(w->fd, &part, 1, w->at + w->written);

	w->written += piece.n;
	return e;
}

static enum err
write_plain(struct body_writer *w)
{
	struct str rest = w->message;
	enum err e = OK;

	while (rest.n && e == OK) {
		struct str piece = str_first(rest, PIECE_BYTES);

		e = piece_write(w, piece);
		rest = str_from_offset(rest, piece.n);
	}
	return e;
}

/* The header's length does not depend on what is packed: the body goes behind its place,
   the header comes last, when the lengths are known. */
static enum err
write_large(struct body_writer *w)
{
	struct strbuf header = strbuf_heap(RECORD_HEADER_MAX);
	struct record record = record_of(w);
	struct iovec part;
	enum err e;

	record_format(&record, &header);
	w->written = record.header_bytes;
	if (compress_pays(w->compressor, w->message)) {
		w->body.ref.codec = CODEC_ZSTD;
		e = compress_large(w->compressor, w->message, piece_write, w);
	} else {
		w->body.ref.codec = CODEC_NONE;
		e = write_plain(w);
	}
	w->body.ref.stored_bytes = w->written - record.header_bytes;
	strbuf_clear(&header);
	record = record_of(w);
	record_format(&record, &header);
	part = body_iovec(strbuf_str(&header));
	if (e == OK)
		e = segment_write(w->fd, &part, 1, w->at);
	strbuf_release(&header);
	return e;
}

void
body_record_work(void *arg)
{
	struct body_writer *w = arg;
	/* The content ends at its end; what was put in front lies before BODY_SPOOL_HEAD. */
	size_t end = BODY_SPOOL_HEAD + w->size - w->about.prefix.n;

	w->map = mmap(NULL, end, PROT_READ, MAP_PRIVATE | MAP_POPULATE, w->spool, 0);
	if (w->map == MAP_FAILED) {
		w->map = NULL;
		w->error = ERR_IO;
		return;
	}
	w->message = str_make((const char *)w->map + end - w->size, w->size);
	if (header_size(w->message) > BODY_HEADER_MAX) {
		w->error = ERR_TOO_LARGE;
		return;
	}
	w->digest = sha256_of(w->message);
	prepare(w);
	w->error = write_large(w);
}
