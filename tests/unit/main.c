/* Runs every suite that registered itself; arguments choose suites by name.
   The last line is "N passed, N failed". */
#include "tests/unit/check.h"

#include "base/strbuf.h"

#include <CUnit/Basic.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SUITES_MAX = 512,
};

static struct {
	const char *name;
	const struct unit_test *tests;
	size_t count;
} suites[SUITES_MAX];
static size_t suite_count;

void
unit_register(const char *suite, const struct unit_test *tests, size_t count)
{
	if (suite_count == SUITES_MAX)
		return;
	suites[suite_count].name = suite;
	suites[suite_count].tests = tests;
	suites[suite_count++].count = count;
}

static bool
judge(bool held, const char *what, const char *file, int line)
{
	CU_assertImplementation(held, (unsigned)line, what, file, "", CU_FALSE);
	return held;
}

bool
check_true(bool held, const char *text, const char *what, const char *file, int line)
{
	if (!held)
		printf("\n%s:%d: %s: not true: %s\n", file, line, what, text);
	return judge(held, what, file, line);
}

static void
print_str(const char *label, struct str s)
{
	printf("  %s \"", label);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c < 0x7f && c != '\\' && c != '"')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	printf("\"\n");
}

bool
check_str(struct str got, struct str want, const char *what, const char *file, int line)
{
	bool held = str_eq(got, want);

	if (!held) {
		printf("\n%s:%d: %s\n", file, line, what);
		print_str("got ", got);
		print_str("want", want);
	}
	return judge(held, what, file, line);
}

bool
check_u64(uint64_t got, uint64_t want, const char *what, const char *file, int line)
{
	if (got != want)
		printf("\n%s:%d: %s: got %" PRIu64 ", want %" PRIu64 "\n", file, line,
		       what, got, want);
	return judge(got == want, what, file, line);
}

bool
check_i64(int64_t got, int64_t want, const char *what, const char *file, int line)
{
	if (got != want)
		printf("\n%s:%d: %s: got %" PRId64 ", want %" PRId64 "\n", file, line,
		       what, got, want);
	return judge(got == want, what, file, line);
}

bool
check_err(enum err got, enum err want, const char *what, const char *file, int line)
{
	if (got != want)
		printf("\n%s:%d: %s: got %s, want %s\n", file, line, what,
		       err_get(got)->name, err_get(want)->name);
	return judge(got == want, what, file, line);
}

bool
check_panics(void (*fn)(void), const char *what, const char *file, int line)
{
	int status = 0;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* The child's last words are expected: keep them off the screen. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		fn();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return judge(false, what, file, line);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		printf("\n%s:%d: %s: did not panic\n", file, line, what);
	return judge(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, what, file,
	             line);
}

static bool
is_wanted(const char *suite, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (str_find_str(str_from(suite), str_from(argv[i])) != SIZE_MAX)
			return true;
	}
	return argc < 2;
}

int
main(int argc, char **argv)
{
	unsigned run, failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (size_t i = 0; i < suite_count; i++) {
		CU_pSuite suite;

		if (!is_wanted(suites[i].name, argc, argv))
			continue;
		suite = CU_add_suite(suites[i].name, NULL, NULL);
		for (size_t k = 0; suite && k < suites[i].count; k++)
			CU_add_test(suite, suites[i].tests[k].name,
			            suites[i].tests[k].run);
	}
	CU_basic_set_mode(CU_BRM_SILENT);
	CU_basic_run_tests();
	run = CU_get_number_of_tests_run();
	failed = CU_get_number_of_tests_failed();
	CU_basic_show_failures(CU_get_failure_list());
	CU_cleanup_registry();
	printf("\n%u passed, %u failed\n", run - failed, failed);
	return failed || !run ? 1 : 0;
}
