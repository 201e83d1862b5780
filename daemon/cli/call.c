#include "cli/call.h"

#include "base/duration.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "conf/schema.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum {
	PATH_MAX_BYTES = 32 * 1024,
	CELL_MAX = 4096,
	CELL_SHOWN_MAX = 60,
	MEMBER_COLUMNS = 18, /* the longest name, and spaces */
	NESTED_INDENT = 2,
	ITEMS_MAX = 200 << 20,
};

/* --- arguments -------------------------------------------------------------------- */

bool
call_option_at(const struct call *c, const char *name, size_t i, struct str *value_out)
{
	for (size_t k = 0; k < c->options_count; k++) {
		if (!str_eq(c->options[k].name, str_from(name)) || i--)
			continue;
		*value_out = c->options[k].value;
		return true;
	}
	return false;
}

bool
call_option(const struct call *c, const char *name, struct str *value_out)
{
	return call_option_at(c, name, 0, value_out);
}

struct str
call_path(struct call *c, const char *before, struct str name, const char *after)
{
	struct strbuf b = strbuf_arena(c->arena, PATH_MAX_BYTES);

	strbuf_add(&b, str_from(before));
	client_escape(&b, name);
	strbuf_add(&b, str_from(after));
	return strbuf_str(&b);
}

struct str
call_param(struct call *c, struct str path, const char *name, struct str value)
{
	struct strbuf b = strbuf_arena(c->arena, PATH_MAX_BYTES);

	strbuf_add(&b, path);
	strbuf_byte(&b, str_find(path, '?') == SIZE_MAX ? '?' : '&');
	strbuf_add(&b, str_from(name));
	strbuf_byte(&b, '=');
	client_escape(&b, value);
	return strbuf_str(&b);
}

int
call_usage(const struct call *c, const char *what)
{
	(void)fprintf(stderr, "mailstead: %s\nusage: mailstead %s %s\n", what,
	              c->command->words, c->command->arguments);
	return CLI_USAGE;
}

bool
call_size(struct str text, int64_t *bytes_out)
{
	static const char units[] = "KMGT";
	uint64_t value, unit = 1;

	if (str_eq(text, STR("none"))) {
		*bytes_out = 0;
		return true;
	}
	for (size_t i = 0; text.n && units[i]; i++) {
		if (byte_upper(text.p[text.n - 1]) == units[i]) {
			unit <<= 10 * (i + 1);
			text.n--;
			break;
		}
	}
	if (!str_parse_u64(text, &value) || !value || value > INT64_MAX / unit)
		return false;
	*bytes_out = (int64_t)(value * unit);
	return true;
}

/* One line of standard input, at most max bytes. */
static bool
read_line(struct strbuf *b)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		strbuf_byte(b, c);
	if (b->n && b->p[b->n - 1] == '\r')
		b->n--;
	return !b->overflow && b->n;
}

bool
call_password(struct call *c, struct str *password_out)
{
	struct strbuf b = strbuf_arena(c->arena, 1024);
	struct termios was, quiet;
	struct str ignored;
	bool is_good;

	if (call_option(c, "password-stdin", &ignored)) {
		is_good = read_line(&b);
	} else if (tcgetattr(STDIN_FILENO, &was) == 0) {
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)fputs("Password: ", stderr);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		is_good = read_line(&b);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
		(void)fputc('\n', stderr);
	} else {
		(void)fputs("mailstead: give the password on standard input with "
		            "--password-stdin\n",
		            stderr);
		return false;
	}
	if (!is_good)
		(void)fputs("mailstead: no password was given\n", stderr);
	*password_out = strbuf_str(&b);
	return is_good;
}

/* --- output ----------------------------------------------------------------------- */

/* Control characters, C1 ones and marks that turn text around would reach the terminal
   of whoever reads a stranger's subject. */
static bool
is_hidden(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c <= 0x9f) || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xfeff;
}

static size_t
length_of(struct str text)
{
	size_t n = 0;
	uint32_t c;

	for (; text.n; n++) {
		if (!utf8_next(&text, &c))
			text = str_from_offset(text, 1);
	}
	return n;
}

/* Prints at most max characters, the last one an ellipsis where there are more; how many. */
static size_t
print_cut(struct str text, size_t max)
{
	bool is_cut = length_of(text) > max;
	size_t shown = 0;
	uint32_t c;

	max -= is_cut;
	while (text.n && shown < max) {
		struct str before = text;

		if (!utf8_next(&text, &c)) {
			text = str_from_offset(text, 1);
			c = 0;
		}
		before.n -= text.n;
		if (is_hidden(c))
			(void)fputs("\xef\xbf\xbd", stdout);
		else
			(void)fwrite(before.p, 1, before.n, stdout);
		shown++;
	}
	if (is_cut)
		(void)fputs("…", stdout);
	return shown + is_cut;
}

void
call_print(struct str text)
{
	(void)print_cut(text, SIZE_MAX);
}

static size_t
width_of(struct str text)
{
	size_t width = length_of(text);

	return width < CELL_SHOWN_MAX ? width : CELL_SHOWN_MAX;
}

/* A value as people read it: lists with commas, null and nothing as "-". */
static void
format_value(struct strbuf *out, const struct json_value *v)
{
	struct str text;
	int64_t number;
	bool flag;

	if (json_get_str(v, &text) && text.n) {
		strbuf_add(out, text);
	} else if (json_get_i64(v, &number)) {
		strbuf_i64(out, number);
	} else if (json_get_bool(v, &flag)) {
		strbuf_add(out, flag ? STR("yes") : STR("no"));
	} else if (json_kind(v) == JSON_KIND_ARRAY && json_count(v)) {
		for (size_t i = 0; i < json_count(v); i++) {
			if (i)
				strbuf_lit(out, ", ");
			format_value(out, json_at(v, i));
		}
	} else if (json_kind(v) == JSON_KIND_OBJECT) {
		struct json_member m = { 0 };

		for (bool is_first = true; json_next(v, &m); is_first = false) {
			strbuf_printf(out, "%s%.*s=", is_first ? "" : " ",
			              STR_ARG(m.name));
			format_value(out, m.value);
		}
	} else {
		strbuf_byte(out, '-');
	}
}

/* In the words of the configuration and of filters (age>1h), in the largest unit of which
   it has two. */
static void
format_seconds(struct strbuf *out, int64_t seconds)
{
	static const int64_t units_s[] = { DAY_S, HOUR_S, MINUTE_S, 1 };
	size_t i = 0;

	while (units_s[i] > 1 && seconds < 2 * units_s[i])
		i++;
	conf_number_format((seconds - seconds % units_s[i]) * 1000, CONF_UNIT_ms, out);
}

static const struct json_value *
find_path(const struct json_value *v, const char *path)
{
	struct str rest = str_from(path), name;
	char bytes[64];

	while (str_next(&rest, '.', &name)) {
		struct strbuf b = strbuf_on(bytes);

		strbuf_add(&b, name);
		v = json_find(v, strbuf_cstr(&b));
	}
	return v;
}

static struct str
cell(struct call *c, const struct json_value *item, const struct column *column)
{
	struct strbuf b = strbuf_arena(c->arena, CELL_MAX);
	const struct json_value *v = find_path(item, column->member);
	int64_t seconds;

	if (str_ends(str_from(column->member), STR("_s")) && json_get_i64(v, &seconds) &&
	    seconds > 0)
		format_seconds(&b, seconds);
	else
		format_value(&b, v);
	return strbuf_str(&b);
}

/* --- answers ---------------------------------------------------------------------- */

static struct str
text_of(const struct json_value *v, const char *member)
{
	struct str text = { NULL, 0 };

	(void)json_get_str(json_find(v, member), &text);
	return text;
}

static void
print_problem(const struct client_answer *answer)
{
	const struct json_value *root = answer->doc ? json_root(answer->doc) : NULL;
	const struct json_value *errors = json_find(root, "errors");
	struct str title = text_of(root, "title"), detail = text_of(root, "detail");

	(void)fprintf(stderr, "mailstead: %.*s%s%.*s (%d %.*s)\n", STR_ARG(title),
	              detail.n ? ": " : "", STR_ARG(detail), answer->status,
	              STR_ARG(text_of(root, "code")));
	for (size_t i = 0; i < json_count(errors); i++) {
		const struct json_value *e = json_at(errors, i);

		(void)fprintf(stderr, "  %.*s: %.*s %.*s\n",
		              STR_ARG(text_of(e, "pointer")), STR_ARG(text_of(e, "code")),
		              STR_ARG(text_of(e, "detail")));
	}
}

bool
call_is_ok(const struct client_answer *answer)
{
	if (answer->status >= 200 && answer->status < 300)
		return true;
	if (answer->status)
		print_problem(answer);
	else
		(void)fprintf(stderr, "mailstead: the appliance does not answer: %s\n",
		              answer->error);
	return false;
}

static int
status_of(const struct client_answer *answer)
{
	return answer->status ? CLI_REFUSED : CLI_UNREACHABLE;
}

static void
print_raw(struct str body)
{
	(void)fwrite(body.n ? body.p : "", 1, body.n, stdout);
	if (body.n)
		(void)fputc('\n', stdout);
}

static bool
is_objects(const struct json_value *v)
{
	return json_kind(v) == JSON_KIND_ARRAY && json_count(v) &&
	       json_kind(json_at(v, 0)) == JSON_KIND_OBJECT;
}

static bool
is_empty(const struct json_value *v)
{
	return json_kind(v) == JSON_KIND_ARRAY && !json_count(v);
}

/* A value, from the column on where the cursor is; objects take a line each, without the
   lists that have nothing in them, and what they hold of their kind stands below them,
   further in. */
static void
print_value(struct call *c, const struct json_value *v, int column)
{
	struct strbuf b = strbuf_arena(c->arena, CELL_MAX);
	struct json_member m = { 0 };

	if (is_objects(v)) {
		for (size_t i = 0; i < json_count(v); i++) {
			(void)printf("%*s", i ? column : 0, "");
			print_value(c, json_at(v, i), column);
		}
		return;
	}
	if (json_kind(v) != JSON_KIND_OBJECT)
		format_value(&b, v);
	while (json_kind(v) == JSON_KIND_OBJECT && json_next(v, &m)) {
		if (is_objects(m.value) || is_empty(m.value))
			continue;
		strbuf_printf(&b, "%s%.*s=", b.n ? "  " : "", STR_ARG(m.name));
		format_value(&b, m.value);
	}
	call_print(strbuf_str(&b));
	(void)fputc('\n', stdout);
	m = (struct json_member){ 0 };
	while (json_kind(v) == JSON_KIND_OBJECT && json_next(v, &m)) {
		if (!is_objects(m.value))
			continue;
		(void)printf("%*s", column + NESTED_INDENT, "");
		print_value(c, m.value, column + NESTED_INDENT);
	}
}

static void
print_members(struct call *c, const struct json_value *object)
{
	struct json_member m = { 0 };

	while (json_next(object, &m)) {
		if (str_eq(m.name, STR("etag")))
			continue;
		(void)printf("%-*.*s", MEMBER_COLUMNS, STR_ARG(m.name));
		print_value(c, m.value, MEMBER_COLUMNS);
	}
}

int
call_show(struct call *c, const char *method, struct str path, struct str body)
{
	const struct client_answer *answer = client_call(c->client, method, path, body);

	if (!call_is_ok(answer))
		return status_of(answer);
	if (answer->status == 204 && !c->is_json)
		(void)puts("done");
	else if (c->is_json || !answer->doc)
		print_raw(answer->body);
	else
		print_members(c, json_root(answer->doc));
	return CLI_OK;
}

int
call_do(struct call *c, const char *method, struct str path, struct str body,
        const char *done, struct str what)
{
	const struct client_answer *answer = client_call(c->client, method, path, body);

	if (!call_is_ok(answer))
		return status_of(answer);
	if (c->is_json) {
		print_raw(answer->body);
		return CLI_OK;
	}
	(void)fputs(done, stdout);
	(void)fputc(' ', stdout);
	call_print(what);
	(void)fputc('\n', stdout);
	return CLI_OK;
}

int
call_remove(struct call *c, struct str path, const char *params, const char *done,
            struct str what)
{
	struct strbuf b = strbuf_arena(c->arena, PATH_MAX_BYTES);
	const struct client_answer *found = client_call(c->client, "GET", path, STR(""));

	if (!call_is_ok(found))
		return status_of(found);
	strbuf_add(&b, path);
	strbuf_add(&b, str_from(params));
	return call_do(c, "DELETE", strbuf_str(&b), STR(""), done, what);
}

/* --- lists ------------------------------------------------------------------------ */

static void
print_row(const struct str *cells, const size_t *widths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t shown = print_cut(cells[i], CELL_SHOWN_MAX);

		if (i + 1 == count)
			break;
		for (; shown < widths[i] + 2; shown++)
			(void)fputc(' ', stdout);
	}
	(void)fputc('\n', stdout);
}

static void
print_table(struct call *c, const struct json_value *items, const struct column *columns,
            size_t count, bool with_headings)
{
	size_t rows = json_count(items), *widths = ARENA_ARRAY(c->arena, size_t, count);
	struct str *cells = ARENA_ARRAY(c->arena, struct str, (rows + 1) * count);

	for (size_t i = 0; i < count; i++)
		cells[i] = str_from(columns[i].heading);
	for (size_t k = 0; k < rows; k++) {
		for (size_t i = 0; i < count; i++)
			cells[(k + 1) * count + i] =
				cell(c, json_at(items, k), &columns[i]);
	}
	for (size_t k = 0; k <= rows; k++) {
		for (size_t i = 0; i < count; i++) {
			size_t width = width_of(cells[k * count + i]);

			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	for (size_t k = with_headings ? 0 : 1; k <= rows; k++)
		print_row(cells + k * count, widths, count);
}

/* The text between the brackets of "items":[…], which our server writes first. */
static struct str
items_text(struct str body)
{
	size_t from = str_find(body, '['), depth = 0;
	bool in_string = false;

	for (size_t i = from; i < body.n; i++) {
		char c = body.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			depth++;
		} else if ((c == ']' || c == '}') && --depth == 0) {
			return str_make(body.p + from + 1, i - from - 1);
		}
	}
	return STR("");
}

int
call_list(struct call *c, struct str path, const struct column *columns, size_t count)
{
	struct str first = call_param(c, path, "limit", STR("500")), next = first;
	bool is_first = true;

	if (c->is_json)
		(void)fputs("{\"items\":[", stdout);
	do {
		const struct client_answer *answer =
			client_call(c->client, "GET", next, STR(""));
		struct str cursor, items;

		if (!call_is_ok(answer))
			return status_of(answer);
		items = items_text(answer->body);
		if (!c->is_json)
			print_table(c, json_find(json_root(answer->doc), "items"),
			            columns, count, is_first);
		else if (items.n)
			(void)printf("%s%.*s", is_first ? "" : ",", STR_ARG(items));
		is_first = false;
		cursor = text_of(json_root(answer->doc), "next");
		next = cursor.n ? call_param(c, first, "cursor", cursor) : STR("");
	} while (next.n);
	if (c->is_json)
		(void)fputs("]}\n", stdout);
	return CLI_OK;
}

int
call_table(struct call *c, struct str path, const struct column *columns, size_t count)
{
	const struct client_answer *answer = client_call(c->client, "GET", path, STR(""));

	if (!call_is_ok(answer))
		return status_of(answer);
	if (c->is_json || !answer->doc)
		print_raw(answer->body);
	else
		print_table(c, json_find(json_root(answer->doc), "items"), columns, count,
		            true);
	return CLI_OK;
}
