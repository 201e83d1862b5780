/* Asks our SPF about many cases: from lines, with names from the same lines.
 *
 *	zone NAME TYPE DATA      as in tests/unit/policy/zone.h
 *	clear                    forgets the zone
 *	check IP<TAB>HELO<TAB>SENDER
 *
 * Each check answers with one line: result, terms, voids, mechanism, explanation, reason,
 * a tab between. Bytes that a line cannot hold are written as \xHH.
 */
#include "base/panic.h"
#include "base/strbuf.h"
#include "policy/spf.h"
#include "tests/unit/policy/zone.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LINES_MAX = 512,
	LINE_BYTES = 128 << 10,
	ARENA_BYTES = 8 << 20,
};

static struct {
	struct arena *arena;
	const char *lines[LINES_MAX + 1];
	size_t count;
} zone;

static char *
unescaped(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s), *p = out;

	for (size_t i = 0; i < s.n; i++) {
		if (s.n - i >= 4 && s.p[i] == '\\' && s.p[i + 1] == 'x') {
			*p++ = (char)(byte_hex_value(s.p[i + 2]) * 16 +
			              byte_hex_value(s.p[i + 3]));
			i += 3;
		} else {
			*p++ = s.p[i];
		}
	}
	*p = '\0';
	return out;
}

static struct str
field(struct arena *a, struct str *rest)
{
	struct str s;

	return str_next(rest, '\t', &s) ? str_from(unescaped(a, s)) : STR("");
}

static void
check(struct str line)
{
	struct arena *a = arena_new(ARENA_BYTES);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_request r = { .receiver = STR("receiver.example"),
		                 .now_ms = INT64_C(1700000000000) };
	struct spf_verdict v;

	CHECK(addr_parse_ip(field(a, &line), &r.ip));
	r.helo = field(a, &line);
	r.sender = field(a, &line);
	while (spf_check(&r, l, a, &v) == POLICY_NEED)
		zone_answer(zone.lines, l);
	(void)printf("%s\t%u\t%u\t%.*s\t%.*s\t%.*s\n", spf_result_word(v.result), v.terms,
	             v.voids, STR_ARG(v.mechanism), STR_ARG(v.explanation),
	             STR_ARG(v.reason));
	(void)fflush(stdout);
	arena_free(&a);
}

static void
obey(struct str line)
{
	if (str_skip(&line, STR("check "))) {
		check(line);
	} else if (str_skip(&line, STR("zone "))) {
		CHECK(zone.count < LINES_MAX);
		zone.lines[zone.count++] = unescaped(zone.arena, line);
		zone.lines[zone.count] = NULL;
	} else {
		CHECK(str_eq(line, STR("clear")));
		arena_reset(zone.arena);
		zone.count = 0;
		zone.lines[0] = NULL;
	}
}

int
main(void)
{
	char *line = malloc(LINE_BYTES);

	CHECK(line);
	zone.arena = arena_new(ARENA_BYTES);
	while (fgets(line, LINE_BYTES, stdin)) {
		struct str s = str_from(line);

		if (s.n && s.p[s.n - 1] == '\n')
			s.n--;
		obey(s);
	}
	arena_free(&zone.arena);
	free(line);
	return 0;
}
