#include "base/line.h"

#include "base/macros.h"

static enum line_result
judge(char c, bool has_next, char next)
{
	if (c == '\0')
		return LINE_NUL;
	if (c == '\n')
		return LINE_BARE_LF;
	if (!has_next)
		return LINE_MORE;
	return next == '\n' ? LINE_OK : LINE_BARE_CR;
}

enum line_result
line_next(struct line_reader *r, struct str input, size_t max, struct str *line_out,
          size_t *used_out)
{
	for (size_t i = r->seen; i < input.n && i <= max; i++) {
		char c = input.p[i];
		bool has_next = i + 1 < input.n;
		enum line_result result;

		if (c != '\r' && c != '\n' && c != '\0')
			continue;
		result = judge(c, has_next, has_next ? input.p[i + 1] : '\0');
		if (result == LINE_MORE) {
			r->seen = i;
			return LINE_MORE;
		}
		r->seen = 0;
		*line_out = str_first(input, i);
		*used_out = result == LINE_OK ? i + 2 : i + 1;
		return result;
	}
	if (input.n > max) {
		r->seen = 0;
		*line_out = str_first(input, max);
		*used_out = max;
		return LINE_LONG;
	}
	r->seen = input.n;
	return LINE_MORE;
}

bool
line_is_http(struct str line)
{
	static const struct str methods[] = {
		STR_INIT("GET "),   STR_INIT("POST "),    STR_INIT("HEAD "),
		STR_INIT("PUT "),   STR_INIT("DELETE "),  STR_INIT("PATCH "),
		STR_INIT("TRACE "), STR_INIT("OPTIONS "), STR_INIT("CONNECT "),
	};
	size_t last = str_find_last(line, ' ');

	if (last == SIZE_MAX || !str_starts(str_from_offset(line, last), STR(" HTTP/")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (str_starts(line, methods[i]))
			return true;
	}
	return false;
}
