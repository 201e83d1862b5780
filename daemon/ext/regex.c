#include "ext/regex.h"

#include "base/mem.h"
#include "base/panic.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	PATTERN_MAX = 4096,
	MATCH_STEPS = 200000, /* some 10 ms */
	MATCH_DEPTH = 1000,
	MATCH_HEAP_KIB = 1024,
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

static uint32_t
options_of(unsigned flags)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF;

	if (flags & REGEX_ICASE)
		options |= PCRE2_CASELESS;
	if (flags & REGEX_UTF8)
		options = (options & ~(uint32_t)PCRE2_NEVER_UTF) | PCRE2_UTF | PCRE2_UCP;
	if (flags & REGEX_ANCHORED)
		options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
	return options;
}

enum err
regex_new(struct str pattern, unsigned flags, struct regex **r_out, struct diag *diag)
{
	unsigned char words[160];
	PCRE2_SIZE where;
	struct regex *r;
	pcre2_code *code;
	int error;

	if (pattern.n > PATTERN_MAX)
		return diag_set(diag, ERR_LIMIT, "longer than %d bytes", PATTERN_MAX);
	code = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n,
	                     options_of(flags), &error, &where, NULL);
	if (!code) {
		(void)pcre2_get_error_message(error, words, sizeof(words));
		if (diag) {
			diag->line = 1;
			diag->column = (int)where + 1;
		}
		return diag_set(diag, ERR_INVALID, "%s", (const char *)words);
	}
	r = mem_alloc(sizeof(*r));
	r->code = code;
	r->data = pcre2_match_data_create_from_pattern(code, NULL);
	r->limits = pcre2_match_context_create(NULL);
	CHECK(r->data && r->limits);
	(void)pcre2_set_match_limit(r->limits, MATCH_STEPS);
	(void)pcre2_set_depth_limit(r->limits, MATCH_DEPTH);
	(void)pcre2_set_heap_limit(r->limits, MATCH_HEAP_KIB);
	*r_out = r;
	return OK;
}

void
regex_free(struct regex **r)
{
	if (!*r)
		return;
	pcre2_match_context_free((*r)->limits);
	pcre2_match_data_free((*r)->data);
	pcre2_code_free((*r)->code);
	mem_free(*r);
	*r = NULL;
}

enum err
regex_match(struct regex *r, struct str subject, struct str *groups_out, size_t n)
{
	PCRE2_SPTR p = (PCRE2_SPTR)(subject.n ? subject.p : "");
	int found = pcre2_match(r->code, p, subject.n, 0, 0, r->data, r->limits);
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(r->data);

	if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT ||
	    found == PCRE2_ERROR_HEAPLIMIT)
		return ERR_LIMIT;
	if (found < 0)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < n; i++) {
		groups_out[i] = (struct str){ 0 };
		if (i < (size_t)found && ends[2 * i] != PCRE2_UNSET &&
		    ends[2 * i + 1] >= ends[2 * i])
			groups_out[i] = str_make((const char *)p + ends[2 * i],
			                         ends[2 * i + 1] - ends[2 * i]);
	}
	return OK;
}
