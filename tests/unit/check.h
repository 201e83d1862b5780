/* check.h - unit tests: one file is one suite, registered by itself.
 *
 *     static void test_parses(void) { CHECK_U64_EQ(value, 3, "three"); }
 *     SUITE(base_str, { "parses", test_parses });
 *
 * Checks print both values and the words of `what` when they fail; the test goes on.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Registers a suite under the name of its module, before main runs. */
void unit_register(const char *suite, const struct unit_test *tests, size_t count);

#define SUITE(name, ...)                                                                 \
	static const struct unit_test name##_tests[] = { __VA_ARGS__ };                  \
	__attribute__((constructor)) static void name##_register(void)                   \
	{                                                                                \
		unit_register(#name, name##_tests, ARRAY_LEN(name##_tests));             \
	}                                                                                \
	_Static_assert(true, "takes the semicolon")

/* Each returns whether it held. */
bool check_true(bool held, const char *text, const char *what, const char *file,
                int line);
bool check_str(struct str got, struct str want, const char *what, const char *file,
               int line);
bool check_u64(uint64_t got, uint64_t want, const char *what, const char *file, int line);
bool check_i64(int64_t got, int64_t want, const char *what, const char *file, int line);
bool check_err(enum err got, enum err want, const char *what, const char *file, int line);
/* Whether fn ends its process by a panic, as it must; it runs in a child. */
bool check_panics(void (*fn)(void), const char *what, const char *file, int line);

#define CHECK_TRUE(x, what)           check_true((x), #x, (what), __FILE__, __LINE__)
#define CHECK_STR_EQ(got, want, what) check_str((got), (want), (what), __FILE__, __LINE__)
#define CHECK_CSTR_EQ(got, want, what)                                                   \
	check_str(str_from(got), str_from(want), (what), __FILE__, __LINE__)
#define CHECK_U64_EQ(got, want, what) check_u64((got), (want), (what), __FILE__, __LINE__)
#define CHECK_I64_EQ(got, want, what) check_i64((got), (want), (what), __FILE__, __LINE__)
#define CHECK_ERR_EQ(got, want, what) check_err((got), (want), (what), __FILE__, __LINE__)
#define CHECK_PANICS(fn, what)        check_panics((fn), (what), __FILE__, __LINE__)

#endif
