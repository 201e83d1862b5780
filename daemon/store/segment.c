#include "store/segment.h"

#include "base/map.h"
#include "base/pack.h"
#include "base/panic.h"
#include "store/types.h"

#include <errno.h>
#include <sys/uio.h>

/* offset  bytes
        0      4  "MSr1"
        4      4  header_bytes
        8      4  codec
       12      8  stored_bytes
       20      8  size
       28     32  sha256
       60      8  at_ms
       68      8  flags
       76      4  prefix_len
       80      4  (0)
       84         five strings, each with its length
              8   checksum */
static const struct str magic = STR_INIT("MSr1");
static const uint64_t check_key[2] = { UINT64_C(0x4d61696c73746561),
	                               UINT64_C(0x645265636f726431) };

enum {
	CHECK_BYTES = 8,
	DIGEST_BYTES = 32,
	SHORT_MAX = 1024, /* of the other strings */
};

void
record_format(struct record *r, struct strbuf *out)
{
	struct str trace_id = str_first(r->trace_id, SHORT_MAX);
	struct str sender = str_first(r->sender, SHORT_MAX);
	struct str rcpts = str_first(r->rcpts, RECORD_RCPTS_MAX);
	struct str account = str_first(r->account, SHORT_MAX);
	struct str mailbox = str_first(r->mailbox, SHORT_MAX);
	size_t start = out->n;

	CHECK(r->sha256.n == DIGEST_BYTES);
	r->header_bytes = (uint32_t)(RECORD_FIXED_BYTES + 5 * 4 + trace_id.n + sender.n +
	                             rcpts.n + account.n + mailbox.n + CHECK_BYTES);
	strbuf_add(out, magic);
	pack_u32(out, r->header_bytes);
	pack_u32(out, r->codec);
	pack_u64(out, r->stored_bytes);
	pack_u64(out, r->size);
	strbuf_add(out, r->sha256);
	pack_i64(out, r->at_ms);
	pack_u64(out, r->flags);
	pack_u32(out, r->prefix_len);
	pack_u32(out, 0);
	pack_str(out, trace_id);
	pack_str(out, sender);
	pack_str(out, rcpts);
	pack_str(out, account);
	pack_str(out, mailbox);
	if (out->overflow)
		return;
	pack_u64(out, siphash24(check_key, str_from_offset(strbuf_str(out), start)));
	CHECK(out->overflow || out->n - start == r->header_bytes);
}

enum err
record_parse(struct str bytes, struct record *r_out)
{
	struct unpack u = unpack_from(bytes);
	struct str header;

	*r_out = (struct record){ 0 };
	if (bytes.n < RECORD_FIXED_BYTES)
		return ERR_LIMIT;
	if (!str_skip(&u.rest, magic))
		return ERR_CORRUPT;
	r_out->header_bytes = unpack_u32(&u);
	if (r_out->header_bytes < RECORD_FIXED_BYTES + 5 * 4 + CHECK_BYTES ||
	    r_out->header_bytes > RECORD_HEADER_MAX)
		return ERR_CORRUPT;
	if (bytes.n < r_out->header_bytes)
		return ERR_LIMIT;
	header = str_first(bytes, r_out->header_bytes - CHECK_BYTES);
	u = unpack_from(str_first(str_from_offset(bytes, header.n), CHECK_BYTES));
	if (unpack_u64(&u) != siphash24(check_key, header))
		return ERR_CORRUPT;
	u = unpack_from(str_from_offset(header, 8));
	r_out->codec = unpack_u32(&u);
	r_out->stored_bytes = unpack_u64(&u);
	r_out->size = unpack_u64(&u);
	r_out->sha256 = str_first(u.rest, DIGEST_BYTES);
	u.rest = str_from_offset(u.rest, DIGEST_BYTES);
	r_out->at_ms = unpack_i64(&u);
	r_out->flags = unpack_u64(&u);
	r_out->prefix_len = unpack_u32(&u);
	(void)unpack_u32(&u);
	r_out->trace_id = unpack_str(&u);
	r_out->sender = unpack_str(&u);
	r_out->rcpts = unpack_str(&u);
	r_out->account = unpack_str(&u);
	r_out->mailbox = unpack_str(&u);
	return unpack_done(&u) ? OK : ERR_CORRUPT;
}

enum err
segment_write(int fd, struct iovec *parts, int count, uint64_t at)
{
	while (count) {
		ssize_t n = pwritev(fd, parts, count, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL
			                                          : ERR_IO;
		at += (uint64_t)n;
		for (; count && (size_t)n >= parts->iov_len; parts++, count--)
			n -= (ssize_t)parts->iov_len;
		if (count) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return OK;
}

const char *
segment_path(struct str data_dir, uint64_t segment, struct strbuf *out)
{
	strbuf_clear(out);
	strbuf_add(out, data_dir);
	strbuf_printf(out, "/blobs/%06llu.seg", (unsigned long long)segment);
	return strbuf_cstr(out);
}
