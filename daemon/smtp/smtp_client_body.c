#include "smtp/smtp_client_body.h"

/* The length of the run at the start of s without CR and LF. */
static size_t
plain_run(struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);
	size_t n = lf ? (size_t)(lf - s.p) : s.n;
	const char *cr = memchr(s.p, '\r', n);

	return cr ? (size_t)(cr - s.p) : n;
}

static void
end_line(struct smtp_body_writer *w, struct strbuf *out)
{
	strbuf_lit(out, "\r\n");
	w->in_line = false;
	w->has_cr = false;
}

/* The fast way through well-formed text: whole lines are copied in one go as long as
   they end in CRLF and do not begin with a dot. Returns the bytes copied. */
static size_t
copy_lines(struct str s, struct strbuf *out)
{
	size_t done = 0;

	while (done < s.n && s.p[done] != '.') {
		size_t run = plain_run(str_from_offset(s, done));
		size_t end = done + run;

		if (end + 1 >= s.n || s.p[end] != '\r' || s.p[end + 1] != '\n')
			break;
		done = end + 2;
	}
	strbuf_bytes(out, s.p, done);
	return done;
}

void
smtp_body_write(struct smtp_body_writer *w, struct str piece, struct strbuf *out)
{
	while (piece.n) {
		size_t run;

		if (w->has_cr) {
			end_line(w, out);
			if (piece.p[0] == '\n') {
				piece = str_from_offset(piece, 1);
				continue;
			}
		}
		if (!w->in_line) {
			piece = str_from_offset(piece, copy_lines(piece, out));
			if (!piece.n)
				return;
		}
		run = plain_run(piece);
		if (run) {
			if (!w->in_line && piece.p[0] == '.')
				strbuf_byte(out, '.');
			strbuf_bytes(out, piece.p, run);
			w->in_line = true;
		} else {
			if (piece.p[0] == '\n')
				end_line(w, out);
			else
				w->has_cr = true;
			run = 1;
		}
		piece = str_from_offset(piece, run);
	}
}

void
smtp_body_end(struct smtp_body_writer *w, struct strbuf *out)
{
	if (w->has_cr || w->in_line)
		end_line(w, out);
	strbuf_lit(out, ".\r\n");
}
