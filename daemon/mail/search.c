#include "mail/search.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "ext/charset.h"
#include "ext/unicode.h"
#include "mail/encoded.h"
#include "mail/header.h"
#include "mail/mime.h"

#include <string.h>

/* A body goes through four stations, a chunk at a time:
 *   raw -> transfer decoding -> charset to UTF-8 -> case folding -> window
 * The window keeps the last bytes of the chunk before, so that a match over the border of
 * two is found. */

enum {
	CHUNK_BYTES = 64 * 1024,
	TREE_BYTES = 1024 * 1024,
	VALUE_MAX = 64 * 1024, /* bytes of one header field that are searched */
	DECODED_MAX = 256 * 1024,
	FOLDED_MAX = 8 * 1024 * 1024, /* what a chunk may become at the very most */
	KEY_FOLDED_MAX = SEARCH_KEY_MAX * 32,
	PLAIN_MAX = 4 * 1024 * 1024, /* a message that is looked over as it lies there */
};

struct search_key {
	struct str folded;
	struct str word; /* its longest run that no decoding can make or part */
};

struct search {
	struct str message;
	const struct search_key *key;
	enum search_scope scope;
	struct arena *arena;
	struct mime_tree tree;
	uint32_t part;
	bool is_header_done; /* of that part */
	size_t at;           /* how far its body has been looked at */
	struct charset_stream *charset;
	struct strbuf decoded, text, window;
};

/* Folds and the space behind a field's name are written anew before a header is searched,
   controls become spaces: what stands between such bytes stays as it is. */
static struct str
longest_word(struct str folded)
{
	struct str best = str_first(folded, 0);
	size_t begin = 0;

	for (size_t i = 0; i <= folded.n; i++) {
		unsigned char c = i < folded.n ? (unsigned char)folded.p[i] : ' ';

		if (c >= 0x80)
			return str_first(folded, 0);
		if (c > ' ' && c != ':' && c != 0x7f)
			continue;
		if (i - begin > best.n)
			best = str_make(folded.p + begin, i - begin);
		begin = i + 1;
	}
	return best;
}

enum err
search_key_new(struct str text, struct str charset, struct arena *a,
               const struct search_key **key_out)
{
	const struct charset *c = charset_find(charset);
	struct search_key *key;
	struct strbuf utf8, folded;

	if (!c)
		return ERR_CHARSET;
	if (text.n > SEARCH_KEY_MAX)
		return ERR_LIMIT;
	utf8 = strbuf_heap((size_t)SEARCH_KEY_MAX * 4 + 16);
	folded = strbuf_heap(KEY_FOLDED_MAX);
	charset_convert(c, text, &utf8);
	unicode_fold(strbuf_str(&utf8), &folded);
	key = arena_try(a, sizeof(*key));
	if (key && arena_left(a) > folded.n + 64)
		*key = (struct search_key){ arena_str(a, strbuf_str(&folded)), { 0 } };
	else
		key = NULL;
	if (key)
		key->word = longest_word(key->folded);
	*key_out = key;
	strbuf_release(&utf8);
	strbuf_release(&folded);
	return key ? OK : ERR_LIMIT;
}

static bool
holds(struct str folded, const struct search_key *key)
{
	return str_find_str(folded, key->folded) != SIZE_MAX;
}

bool
search_text(struct str utf8, const struct search_key *key)
{
	struct strbuf folded = strbuf_heap(FOLDED_MAX);
	bool is_found;

	unicode_fold(str_first(utf8, DECODED_MAX), &folded);
	is_found = holds(strbuf_str(&folded), key);
	strbuf_release(&folded);
	return is_found;
}

/* Decodes a field value (after `prefix`) and looks into it. */
static bool
value_holds(struct str prefix, struct str value, const struct search_key *key)
{
	struct strbuf text = strbuf_heap(DECODED_MAX);
	bool is_found;

	strbuf_add(&text, str_first(prefix, VALUE_MAX));
	if (prefix.n)
		strbuf_lit(&text, ": ");
	encoded_decode(str_first(value, VALUE_MAX), &text);
	is_found = search_text(strbuf_str(&text), key);
	strbuf_release(&text);
	return is_found;
}

bool
search_header(struct str header, struct str name, const struct search_key *key)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (str_eq_icase(field.name, name) &&
		    (!key->folded.n || value_holds(STR(""), field.value, key)))
			return true;
	}
	return false;
}

/* Every field of a header, name and all. */
static bool
header_holds(struct str header, const struct search_key *key)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (value_holds(field.name, field.value, key))
			return true;
	}
	return false;
}

struct search *
search_new(struct str message, const struct search_key *key, enum search_scope scope)
{
	struct search *s = mem_alloc(sizeof(*s));

	s->message = message.n ? message : STR("");
	s->key = key;
	s->scope = scope;
	s->arena = arena_new(TREE_BYTES);
	s->decoded = strbuf_heap(CHUNK_BYTES);
	s->text = strbuf_heap((size_t)CHUNK_BYTES * 4 + 64);
	s->window = strbuf_heap(FOLDED_MAX);
	mime_parse(message, s->arena, &s->tree);
	return s;
}

void
search_free(struct search **s)
{
	if (!*s)
		return;
	charset_close(&(*s)->charset);
	strbuf_release(&(*s)->decoded);
	strbuf_release(&(*s)->text);
	strbuf_release(&(*s)->window);
	arena_free(&(*s)->arena);
	mem_free(*s);
	*s = NULL;
}

static bool
is_base64_byte(char c)
{
	return byte_is_alnum(c) || c == '+' || c == '/';
}

/* How much of s can be decoded by itself: whole lines of quoted-printable, whole groups
   of base 64. */
static size_t
whole_bytes(struct str s, enum mime_encoding encoding)
{
	size_t count = 0, n = s.n;

	if (encoding == MIME_7BIT)
		return n;
	if (encoding == MIME_QUOTED_PRINTABLE) {
		n = str_find_last(s, '\n');
		return n == SIZE_MAX ? s.n : n + 1;
	}
	for (size_t i = 0; i < s.n; i++)
		count += is_base64_byte(s.p[i]);
	for (count %= 4; count > 0 && n > 0; n--)
		count -= is_base64_byte(s.p[n - 1]);
	return n;
}

/* Opens the charset of a part. */
static void
open_charset(struct search *s, const struct mime_part *part)
{
	struct arena *a = arena_new(TREE_BYTES);
	struct str name = STR("");

	if (part->content_type.name.p)
		(void)encoded_param(part->content_type.value, STR("charset"), a, &name);
	s->charset = charset_open(charset_find(name));
	arena_free(&a);
}

/* Looks at the next chunk of a part's body. */
static bool
chunk_holds(struct search *s, const struct mime_part *part)
{
	struct str rest =
		str_first(str_from_offset(s->message, part->body_at), part->body_bytes);
	struct str chunk;
	size_t keep = s->key->folded.n - 1;
	bool is_last;

	rest = str_from_offset(rest, s->at);
	is_last = rest.n <= CHUNK_BYTES;
	chunk = str_first(rest, CHUNK_BYTES);
	if (!is_last)
		chunk = str_first(chunk, whole_bytes(chunk, part->encoding));
	if (!chunk.n)
		chunk = str_first(rest, CHUNK_BYTES);
	s->at += chunk.n;
	strbuf_clear(&s->text);
	if (part->encoding != MIME_7BIT) {
		strbuf_clear(&s->decoded);
		if (part->encoding == MIME_BASE64)
			base64_parse_lax(chunk, &s->decoded);
		else
			quoted_printable_decode(chunk, &s->decoded);
		chunk = strbuf_str(&s->decoded);
	}
	charset_feed(s->charset, chunk, &s->text);
	if (is_last)
		charset_finish(s->charset, &s->text);
	if (s->window.n > keep)
		strbuf_consume(&s->window, s->window.n - keep);
	unicode_fold(strbuf_str(&s->text), &s->window);
	return holds(strbuf_str(&s->window), s->key);
}

static bool
is_searched(const struct mime_part *part)
{
	return part->kind == MIME_LEAF && (str_eq_icase(part->type, STR("text")) ||
	                                   str_eq_icase(part->type, STR("message")));
}

/* The header of a part: its own for TEXT, those inside for both. */
static bool
part_header_holds(struct search *s, const struct mime_part *part)
{
	if (s->part == 0 && s->scope == SEARCH_BODY)
		return false;
	return header_holds(str_first(str_from_offset(s->message, part->header_at),
	                              part->header_bytes),
	                    s->key);
}

static void
next_part(struct search *s)
{
	charset_close(&s->charset);
	strbuf_clear(&s->window);
	s->part++;
	s->is_header_done = false;
	s->at = 0;
}

/* One header or one chunk of a body; false where nothing is left. */
static bool
advance(struct search *s, size_t *looked_out, bool *found_out)
{
	const struct mime_part *part;
	size_t at = s->at;

	if (s->part >= s->tree.count)
		return false;
	part = &s->tree.parts[s->part];
	if (!s->is_header_done) {
		*found_out = part_header_holds(s, part);
		*looked_out = part->header_bytes;
		s->is_header_done = true;
		return true;
	}
	*looked_out = 1;
	if (!is_searched(part) || s->at >= part->body_bytes) {
		next_part(s);
		return true;
	}
	if (!s->charset)
		open_charset(s, part);
	*found_out = chunk_holds(s, part);
	*looked_out = s->at - at;
	return true;
}

bool
search_step(struct search *s, bool *found_out)
{
	size_t budget = SEARCH_SLICE_BYTES;

	*found_out = s->key->folded.n == 0;
	while (!*found_out) {
		size_t looked = 0;

		if (!advance(s, &looked, found_out))
			return true;
		if (looked >= budget && !*found_out)
			return false;
		budget -= *found_out ? 0 : looked;
	}
	return true;
}

/* --- messages that need no decoding */

static bool
is_7bit(struct str s)
{
	uint64_t all = 0, x;
	size_t i = 0;

	for (; s.n - i >= sizeof(x); i += sizeof(x)) {
		memcpy(&x, s.p + i, sizeof(x));
		all |= x;
	}
	for (; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return (all & 0x8080808080808080U) == 0;
}

/* Stands one of `values` behind each place where `word` does? */
static bool
is_followed_by(struct str folded, struct str word, const struct str *values, size_t n)
{
	size_t at;

	while ((at = str_find_str(folded, word)) != SIZE_MAX) {
		size_t i = 0;

		folded = str_from_offset(folded, at + word.n);
		while (i < n && !str_starts(folded, values[i]))
			i++;
		if (i == n)
			return false;
	}
	return true;
}

/* memmem() looks at every byte for a needle as short as "=?"; memchr() at 32 in a step. */
static bool
has_encoded_word(struct str folded)
{
	size_t at;

	while ((at = str_find(folded, '=')) != SIZE_MAX) {
		folded = str_from_offset(folded, at + 1);
		if (str_starts(folded, STR("?")))
			return true;
	}
	return false;
}

/* Is what a person reads in it among its bytes as they are? */
static bool
is_plain(struct str folded)
{
	static const struct str encodings[] = { STR_INIT(": 7bit"), STR_INIT(": 8bit") };
	static const struct str charsets[] = {
		STR_INIT("=us-ascii"),    STR_INIT("=\"us-ascii"),
		STR_INIT("=utf-8"),       STR_INIT("=\"utf-8"),
		STR_INIT("=iso-8859-"),   STR_INIT("=\"iso-8859-"),
		STR_INIT("=windows-125"), STR_INIT("=\"windows-125"),
	};

	return !has_encoded_word(folded) &&
	       is_followed_by(folded, STR("content-transfer-encoding"), encodings,
	                      ARRAY_LEN(encodings)) &&
	       is_followed_by(folded, STR("charset"), charsets, ARRAY_LEN(charsets));
}

/* Most messages of a mailbox do not hold the text, and most of those can be told without
   taking them apart: 7-bit, nothing encoded, and one word of the key is nowhere. */
static bool
is_surely_without(struct str message, const struct search_key *key)
{
	struct strbuf folded = strbuf_heap(PLAIN_MAX);
	bool is_sure;

	if (key->word.n == 0 || message.n > PLAIN_MAX || !is_7bit(message))
		return false;
	unicode_fold(message, &folded);
	is_sure = !folded.overflow &&
	          str_find_str(strbuf_str(&folded), key->word) == SIZE_MAX &&
	          is_plain(strbuf_str(&folded));
	strbuf_release(&folded);
	return is_sure;
}

bool
search_message(struct str message, const struct search_key *key, enum search_scope scope)
{
	struct search *s;
	bool is_found = false;

	if (is_surely_without(message, key))
		return false;
	s = search_new(message, key, scope);
	while (!search_step(s, &is_found))
		continue;
	search_free(&s);
	return is_found;
}
