/* str.h - a run of bytes that somebody else owns.
 *
 * Mail is bytes: everything read from a peer, a file or the database travels as
 * struct str, never as a NUL-terminated string. A struct str borrows; who made the
 * bytes says how long they live. The empty str may have p == NULL.
 * Case is ASCII case (RFC 5321 2.4, RFC 3501 9): no locale is ever asked.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A string literal; its length is known to the compiler. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                \
	{                                                                                \
		"" literal, sizeof(literal) - 1                                          \
	}
/* For printf: "%.*s", STR_ARG(s). Only for bytes known to be short and plain. */
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

/* The bytes of a NUL-terminated string; NULL gives the empty str. */
static inline struct str
str_from(const char *cstr)
{
	return (struct str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline struct str
str_make(const void *p, size_t n)
{
	return (struct str){ (const char *)p, n };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_icase(struct str a, struct str b);
/* Eight bytes at once, each in lower case. */
static inline uint64_t
bytes_lower(uint64_t x)
{
	/* A byte from 'A' to 'Z' gets its top bit by the one addition and not by the
	   other, and no carry leaves it; that bit is moved to where case is. */
	const uint64_t ones = 0x0101010101010101U, tops = ones * 0x80, low = x & ~tops;

	return x |
	       ((low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~x & tops) >>
	               2;
}
/* Bytewise order, shorter first on a tie: <0, 0 or >0. */
int str_cmp(struct str a, struct str b);
int str_cmp_icase(struct str a, struct str b);
/* Equal in a time that depends on the lengths only: for secrets and their hashes. */
bool str_eq_secret(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_icase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_icase(struct str s, struct str suffix);

/* The part from `from` on, and the first `n` bytes; both are clamped to s. */
static inline struct str
str_from_offset(struct str s, size_t from)
{
	if (from >= s.n)
		return (struct str){ s.n ? s.p + s.n : s.p, 0 };
	return (struct str){ s.p + from, s.n - from };
}

static inline struct str
str_first(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

/* Position of the first (last) byte c, or SIZE_MAX. */
static inline size_t
str_find(struct str s, char c)
{
	const char *at = s.n ? (const char *)memchr(s.p, (unsigned char)c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t str_find_last(struct str s, char c);
/* Position of needle, or SIZE_MAX; an empty needle is at 0. */
size_t str_find_str(struct str s, struct str needle);
size_t str_find_icase(struct str s, struct str needle);

/* Takes the prefix off *s and says true, or leaves *s and says false. */
bool str_skip(struct str *s, struct str prefix);
bool str_skip_icase(struct str *s, struct str prefix);
static inline bool
str_skip_byte(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

/* Takes the next part up to `sep` (or the end) off *rest into *part_out; false when
   *rest is used up. "a,,b" gives "a", "", "b"; "" gives nothing; a last `sep` ends the
   part before it and begins none. */
bool str_next(struct str *rest, char sep, struct str *part_out);
/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);
/* How many bytes at its front are neither spaces nor control characters. */
size_t str_plain(struct str s);

/* Decimal digits only, the whole of s, no sign, no overflow; false otherwise. */
bool str_parse_u64(struct str s, uint64_t *value_out);
bool str_parse_u32(struct str s, uint32_t *value_out);

static inline char
byte_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static inline char
byte_upper(char c)
{
	return (c >= 'a' && c <= 'z') ? (char)(c - ('a' - 'A')) : c;
}

static inline bool
byte_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
byte_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
byte_is_alnum(char c)
{
	return byte_is_alpha(c) || byte_is_digit(c);
}

/* 0-15, or -1 where c is no hexadecimal digit. */
int byte_hex_value(char c);

#endif
