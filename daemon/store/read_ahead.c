#include "store/read_ahead.h"

#include "base/panic.h"

#include <errno.h>
#include <unistd.h>

enum {
	GAP_BYTES = 4096, /* others' records between two of ours */
};

struct read_ahead
read_ahead_make(void)
{
	return (struct read_ahead){ .bytes = strbuf_heap(READ_AHEAD_BYTES) };
}

void
read_ahead_free(struct read_ahead *r)
{
	strbuf_release(&r->bytes);
}

void
read_ahead_forget(struct read_ahead *r)
{
	strbuf_clear(&r->bytes);
}

enum err
read_file_at(int fd, uint64_t at, size_t n, struct strbuf *out)
{
	char *p = strbuf_reserve(out, n);

	if (!p)
		return ERR_LIMIT;
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			break;
		out->n += (size_t)got;
		p += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return OK;
}

enum err
read_ahead(struct read_ahead *r, int fd, struct read_range want, struct str *bytes_out,
           bool *is_old_out)
{
	bool is_same = r->segment == want.segment;
	bool is_next = is_same && want.at > r->last && want.at < r->end + GAP_BYTES;
	size_t n = is_next ? READ_AHEAD_BYTES : want.n;
	enum err e;

	CHECK(want.n <= READ_AHEAD_BYTES);
	r->last = want.at;
	r->end = want.at + want.n;
	*is_old_out = is_same && want.at >= r->at && r->end <= r->at + r->bytes.n;
	if (*is_old_out) {
		*bytes_out = str_first(
			str_from_offset(strbuf_str(&r->bytes), want.at - r->at), want.n);
		return OK;
	}
	strbuf_clear(&r->bytes);
	e = read_file_at(fd, want.at, n, &r->bytes);
	if (e != OK)
		strbuf_clear(&r->bytes);
	r->segment = want.segment;
	r->at = want.at;
	*bytes_out = str_first(strbuf_str(&r->bytes), want.n);
	return e;
}
