#include "ext/charset.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <iconv.h>

/* The names are those of the IANA registry and what programs write instead of them. A
   charset that others extend is read as its extension, because that is what senders mean:
   ISO-8859-1 as windows-1252, GB2312 as GB18030, Shift_JIS as CP932. iconv is NULL where
   no conversion is needed. */
struct charset {
	const char *name, *iconv;
};

static const struct charset charsets[] = {
	{ "utf-8", NULL },
	{ "us-ascii", NULL },
	{ "iso-8859-1", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "CP874" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-874", "CP874" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "macintosh", "MACINTOSH" },
	{ "ibm437", "IBM437" },
	{ "ibm850", "IBM850" },
	{ "ibm852", "IBM852" },
	{ "ibm866", "IBM866" },
	{ "viscii", "VISCII" },
	{ "iso-2022-jp", "ISO-2022-JP-2" },
	{ "shift_jis", "CP932" },
	{ "euc-jp", "EUC-JP" },
	{ "gb18030", "GB18030" },
	{ "big5", "BIG5-HKSCS" },
	{ "euc-kr", "CP949" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "utf-16", "UTF-16" },
	{ "utf-16be", "UTF-16BE" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-32", "UTF-32" },
};

static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "utf8", "utf-8" },
	{ "unicode-1-1-utf-8", "utf-8" },
	{ "unknown-8bit", "utf-8" },
	{ "8bit", "utf-8" },
	{ "ascii", "us-ascii" },
	{ "ansi_x3.4-1968", "us-ascii" },
	{ "iso646-us", "us-ascii" },
	{ "latin1", "iso-8859-1" },
	{ "latin-1", "iso-8859-1" },
	{ "l1", "iso-8859-1" },
	{ "iso8859-1", "iso-8859-1" },
	{ "iso_8859-1", "iso-8859-1" },
	{ "latin2", "iso-8859-2" },
	{ "iso8859-2", "iso-8859-2" },
	{ "iso8859-5", "iso-8859-5" },
	{ "iso8859-7", "iso-8859-7" },
	{ "iso-8859-8-i", "iso-8859-8" },
	{ "iso-8859-8-e", "iso-8859-8" },
	{ "iso-8859-6-i", "iso-8859-6" },
	{ "latin5", "iso-8859-9" },
	{ "iso8859-9", "iso-8859-9" },
	{ "tis-620", "iso-8859-11" },
	{ "latin9", "iso-8859-15" },
	{ "iso8859-15", "iso-8859-15" },
	{ "cp1250", "windows-1250" },
	{ "cp1251", "windows-1251" },
	{ "cp1252", "windows-1252" },
	{ "cp1253", "windows-1253" },
	{ "cp1254", "windows-1254" },
	{ "cp1255", "windows-1255" },
	{ "cp1256", "windows-1256" },
	{ "cp1257", "windows-1257" },
	{ "cp1258", "windows-1258" },
	{ "cp874", "windows-874" },
	{ "koi8r", "koi8-r" },
	{ "koi8", "koi8-r" },
	{ "cp437", "ibm437" },
	{ "cp850", "ibm850" },
	{ "cp852", "ibm852" },
	{ "cp866", "ibm866" },
	{ "mac", "macintosh" },
	{ "x-mac-roman", "macintosh" },
	{ "iso-2022-jp-1", "iso-2022-jp" },
	{ "iso-2022-jp-2", "iso-2022-jp" },
	{ "sjis", "shift_jis" },
	{ "shift-jis", "shift_jis" },
	{ "x-sjis", "shift_jis" },
	{ "ms_kanji", "shift_jis" },
	{ "windows-31j", "shift_jis" },
	{ "cp932", "shift_jis" },
	{ "x-euc-jp", "euc-jp" },
	{ "gb2312", "gb18030" },
	{ "gbk", "gb18030" },
	{ "cp936", "gb18030" },
	{ "euc-cn", "gb18030" },
	{ "x-gbk", "gb18030" },
	{ "big5-hkscs", "big5" },
	{ "cp950", "big5" },
	{ "ks_c_5601-1987", "euc-kr" },
	{ "ks_c_5601", "euc-kr" },
	{ "cp949", "euc-kr" },
	{ "uhc", "euc-kr" },
	{ "utf16", "utf-16" },
	{ "ucs-2", "utf-16" },
};

/* An open converter is kept for each charset that was used: opening one costs more than
   converting a subject. Threads have their own. */
static _Thread_local iconv_t kept[ARRAY_LEN(charsets)];
static _Thread_local bool is_kept[ARRAY_LEN(charsets)];

enum {
	PIECE_BYTES = 4096, /* of input, for one call of iconv */
	KEPT_BYTES = 16,    /* of a character that is not whole yet */
};

struct charset_stream {
	const struct charset *charset;
	iconv_t cd;
	char kept[KEPT_BYTES];
	size_t kept_bytes;
};

const struct charset *
charset_find(struct str name)
{
	name = str_trim(name);
	if (!name.n)
		return &charsets[1];
	if (str_eq_icase(name, STR("utf-8"))) /* nearly always */
		return &charsets[0];
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (str_eq_icase(name, str_from(aliases[i].alias)))
			name = str_from(aliases[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++) {
		if (str_eq_icase(name, str_from(charsets[i].name)))
			return &charsets[i];
	}
	return NULL;
}

bool
charset_is_utf8(const struct charset *c)
{
	return !c->iconv;
}

/* Converts as much of in as has whole characters; gives back how much is left over. */
static size_t
convert(iconv_t cd, char *in, size_t n, struct strbuf *out)
{
	while (n) {
		size_t room = n * 3 + 16, left = room;
		char *p = strbuf_reserve(out, room);
		char *to = p;
		size_t result;

		if (!p)
			return 0;
		result = iconv(cd, &in, &n, &to, &left);
		out->n += room - left;
		if (result != (size_t)-1)
			continue;
		if (errno == EINVAL)
			return n;
		if (errno == E2BIG)
			continue;
		utf8_add(out, 0xfffd);
		in++;
		n--;
	}
	return 0;
}

static void
feed(struct charset_stream *stream, struct str s, struct strbuf *out)
{
	char buf[PIECE_BYTES];

	while (s.n) {
		size_t n = s.n, have = stream->kept_bytes, left;

		if (n > sizeof(buf) - have)
			n = sizeof(buf) - have;
		memcpy(buf, stream->kept, have);
		memcpy(buf + have, s.p, n);
		s = str_from_offset(s, n);
		left = convert(stream->cd, buf, have + n, out);
		/* More than any character has bytes: the converter waits for nothing
		 * real. */
		if (left > KEPT_BYTES / 2) {
			utf8_add(out, 0xfffd);
			left = 0;
		}
		memcpy(stream->kept, buf + have + n - left, left);
		stream->kept_bytes = left;
	}
}

void
charset_convert(const struct charset *c, struct str s, struct strbuf *out)
{
	struct charset_stream stream = { .charset = c };
	size_t i;

	if (!c || !c->iconv) {
		utf8_clean(out, s);
		return;
	}
	i = (size_t)(c - charsets);
	if (!is_kept[i]) {
		kept[i] = iconv_open("UTF-8", c->iconv);
		is_kept[i] = kept[i] != (iconv_t)-1;
	}
	if (!is_kept[i]) {
		utf8_clean(out, s);
		return;
	}
	(void)iconv(kept[i], NULL, NULL, NULL, NULL);
	stream.cd = kept[i];
	feed(&stream, s, out);
	if (stream.kept_bytes)
		utf8_add(out, 0xfffd);
}

struct charset_stream *
charset_open(const struct charset *c)
{
	struct charset_stream *stream = mem_alloc(sizeof(*stream));

	stream->charset = c;
	stream->cd = (iconv_t)-1;
	if (c && c->iconv)
		stream->cd = iconv_open("UTF-8", c->iconv);
	return stream;
}

/* How many bytes at the end of s are the beginning of a character that is not whole. */
static size_t
cut_utf8(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		unsigned char c = (unsigned char)s.p[s.n - n];

		if ((c & 0xc0) == 0x80)
			continue;
		return (c >= 0xf0 && n < 4) || (c >= 0xe0 && n < 3) ||
		                       (c >= 0xc0 && n < 2)
		               ? n
		               : 0;
	}
	return 0;
}

static void
feed_utf8(struct charset_stream *stream, struct str piece, struct strbuf *out)
{
	size_t cut;

	/* Byte by byte until nothing is kept. */
	while (stream->kept_bytes && piece.n) {
		stream->kept[stream->kept_bytes++] = piece.p[0];
		piece = str_from_offset(piece, 1);
		cut = cut_utf8(str_make(stream->kept, stream->kept_bytes));
		utf8_clean(out, str_make(stream->kept, stream->kept_bytes - cut));
		memmove(stream->kept, stream->kept + stream->kept_bytes - cut, cut);
		stream->kept_bytes = cut;
	}
	if (!piece.n)
		return;
	cut = cut_utf8(piece);
	utf8_clean(out, str_first(piece, piece.n - cut));
	memcpy(stream->kept, piece.p + piece.n - cut, cut);
	stream->kept_bytes = cut;
}

void
charset_feed(struct charset_stream *stream, struct str piece, struct strbuf *out)
{
	if (!piece.n)
		return;
	if (stream->cd == (iconv_t)-1)
		feed_utf8(stream, piece, out);
	else
		feed(stream, piece, out);
}

void
charset_finish(struct charset_stream *stream, struct strbuf *out)
{
	if (stream->kept_bytes && stream->cd == (iconv_t)-1)
		utf8_clean(out, str_make(stream->kept, stream->kept_bytes));
	else if (stream->kept_bytes)
		utf8_add(out, 0xfffd);
	stream->kept_bytes = 0;
}

void
charset_close(struct charset_stream **stream)
{
	if (!*stream)
		return;
	if ((*stream)->cd != (iconv_t)-1)
		(void)iconv_close((*stream)->cd);
	mem_free(*stream);
	*stream = NULL;
}
