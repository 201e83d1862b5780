#include "smtp/smtp_data.h"

/* Where in a line the next byte stands. There is one way to the end of DATA: CRLF (or
   the start), ".", CR, LF. A bare LF leads to AT_TEXT and not to AT_LINE, so a dot behind
   it is text.

             any                 CR                LF
   AT_LINE   -> TEXT ('.': DOT)  -> CR             bare LF -> TEXT
   AT_TEXT   -> TEXT             -> CR             bare LF -> TEXT
   AT_CR     bare CR -> TEXT     bare CR -> CR     -> LINE
   AT_DOT    -> TEXT             -> DOT_CR         bare LF -> TEXT
   AT_DOT_CR bare CR -> TEXT     bare CR -> CR     the end                           */
enum at {
	AT_LINE,
	AT_TEXT,
	AT_CR,
	AT_DOT,
	AT_DOT_CR,
};

void
smtp_data_init(struct smtp_data *d, bool has_dots, uint64_t size_max)
{
	*d = (struct smtp_data){ .size_max = size_max,
		                 .has_dots = has_dots,
		                 .at = AT_LINE };
}

/* What a message is refused for must not depend on how the network cut it, so the kinds
   of errors have ranks; within one, the first that comes counts. */
static int
rank(enum err e)
{
	if (e == ERR_BARE_NEWLINE || e == ERR_NUL_BYTE)
		return 3;
	if (e == ERR_TOO_LARGE)
		return 2;
	return e == OK ? 0 : 1;
}

static void
refuse(struct smtp_data *d, enum err e)
{
	if (rank(e) > rank(d->err))
		d->err = e;
}

static void
pass(struct smtp_data *d, struct str run, smtp_data_sink *sink, void *arg)
{
	if (run.n == 0)
		return;
	d->size += run.n;
	if (d->size > d->size_max)
		refuse(d, ERR_TOO_LARGE);
	if (d->err == OK)
		d->err = sink(arg, run);
}

static void
check_text(struct smtp_data *d, struct str text, bool has_nul)
{
	size_t nul = has_nul ? str_find(text, '\0') : SIZE_MAX;

	if (str_find(text, '\r') < nul)
		refuse(d, ERR_BARE_NEWLINE);
	else if (nul != SIZE_MAX)
		refuse(d, ERR_NUL_BYTE);
}

/* From AT_LINE or AT_TEXT to behind the next LF or to the end of `in`; returns where. */
static size_t
take_text(struct smtp_data *d, struct str in, size_t from, bool has_nul)
{
	const char *p = in.p + from, *lf = memchr(p, '\n', in.n - from);
	size_t n = lf ? (size_t)(lf - p) : in.n - from;
	bool has_cr = n > 0 && p[n - 1] == '\r';

	check_text(d, str_make(p, has_cr ? n - 1 : n), has_nul);
	if (!lf) {
		d->at = has_cr ? AT_CR : AT_TEXT;
		return in.n;
	}
	if (!has_cr)
		refuse(d, ERR_BARE_NEWLINE);
	d->at = has_cr ? AT_LINE : AT_TEXT;
	return from + n + 1;
}

size_t
smtp_data_input(struct smtp_data *d, struct str in, smtp_data_sink *sink, void *arg,
                bool *is_end_out)
{
	/* One look at all of it instead of one at each line: there hardly ever is one. */
	bool has_nul = str_find(in, '\0') != SIZE_MAX;
	size_t i = 0, run = 0;

	*is_end_out = false;
	while (i < in.n) {
		char c = in.p[i];

		if (d->at == AT_LINE && d->has_dots && c == '.') {
			pass(d, str_make(in.p + run, i - run), sink, arg);
			run = ++i;
			d->at = AT_DOT;
		} else if (d->at == AT_LINE || d->at == AT_TEXT) {
			i = take_text(d, in, i, has_nul);
		} else if (d->at == AT_CR && c == '\n') {
			d->at = AT_LINE;
			i++;
		} else if (d->at == AT_DOT && c == '\r') {
			/* Not passed on while it may belong to the end. */
			d->at = AT_DOT_CR;
			run = ++i;
		} else if (d->at == AT_DOT_CR && c == '\n') {
			*is_end_out = true;
			return i + 1;
		} else {
			if (d->at != AT_DOT)
				refuse(d, ERR_BARE_NEWLINE);
			d->at = AT_TEXT;
		}
	}
	pass(d, str_make(in.p + run, i - run), sink, arg);
	return i;
}

void
smtp_data_finish(struct smtp_data *d, smtp_data_sink *sink, void *arg)
{
	if (d->at == AT_CR)
		refuse(d, ERR_BARE_NEWLINE);
	else if (d->at == AT_TEXT)
		pass(d, STR("\r\n"), sink, arg);
	d->at = AT_LINE;
}
