/* Tells every story below a folder to the core it is about (tests/dialogue/README.md).
 *
 *     dialogue-tests DIRECTORY [WORD]      stories whose path has WORD
 *     dialogue-tests --live smtp=127.0.0.1:25 [--name example.org=home.example]… …
 *                                          those with "@live smtp", to a real server
 *
 * Each story is told three times: with every group of client lines whole, byte by byte,
 * and in pieces of seven. The last line is "N passed, N failed".
 */
#include "tests/dialogue/dialogue.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	CORES_MAX = 8,
	FILE_MAX = 1 << 20,
	GROUP_MAX = 4 << 20,
	OUT_MAX_BYTES = 4 << 20,
};

struct story {
	const struct dialogue_core *core;
	const char *path;
	size_t piece; /* bytes fed at once; 0: all */
	void *session;
	struct strbuf in, out, log;
	struct strbuf said; /* by the last call; then it goes to out */
	enum dialogue_next next;
	unsigned line;
	bool has_begun, has_failed;
};

static const struct dialogue_core *cores[CORES_MAX];
static size_t core_count;
static unsigned passed, failed;

/* --live SERVICE=ADDRESS:PORT, and --name FROM=TO for the names in the stories. */
static struct {
	struct str service;
	struct addr to;
} servers[CORES_MAX];
static size_t server_count;
static struct {
	struct str from, to;
} renames[CORES_MAX];
static size_t name_count;

void
dialogue_register(const struct dialogue_core *core)
{
	if (core_count < CORES_MAX)
		cores[core_count++] = core;
}

static void
fail(struct story *t, const char *what, struct str got, struct str want)
{
	if (!t->has_failed)
		printf("%s:%u: %s (fed %s)\n  got  \"%.*s\"\n  want \"%.*s\"\n", t->path,
		       t->line, what, t->piece ? "in pieces" : "whole",
		       STR_ARG(str_first(got, 400)), STR_ARG(str_first(want, 400)));
	t->has_failed = true;
}

/* ---- the text of a story ----------------------------------------------------------- */

/* Linear but for backing up to the last star. */
bool
dialogue_matches(struct str text, struct str pattern)
{
	size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

	while (i < text.n) {
		if (k < pattern.n && pattern.p[k] == '*') {
			star = k++;
			mark = i;
		} else if (k < pattern.n && pattern.p[k] == text.p[i]) {
			k++;
			i++;
		} else if (star != SIZE_MAX) {
			k = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (k < pattern.n && pattern.p[k] == '*')
		k++;
	return k == pattern.n;
}

bool
dialogue_unescape(struct str s, struct strbuf *out)
{
	while (s.n) {
		char c = s.p[0];
		size_t comma, end;
		uint64_t times;

		s = str_from_offset(s, 1);
		if (c != '\\') {
			strbuf_byte(out, c);
			continue;
		}
		c = s.n ? s.p[0] : '?';
		s = str_from_offset(s, 1);
		switch (c) {
		case 'r':
			strbuf_byte(out, '\r');
			break;
		case 'n':
			strbuf_byte(out, '\n');
			break;
		case 't':
			strbuf_byte(out, '\t');
			break;
		case '0':
			strbuf_byte(out, '\0');
			break;
		case '\\':
			strbuf_byte(out, '\\');
			break;
		case 'x':
			if (s.n < 2 || byte_hex_value(s.p[0]) < 0 ||
			    byte_hex_value(s.p[1]) < 0)
				return false;
			strbuf_byte(out, (char)(byte_hex_value(s.p[0]) << 4 |
			                        byte_hex_value(s.p[1])));
			s = str_from_offset(s, 2);
			break;
		case '{':
			comma = str_find(s, ',');
			end = str_find(s, '}');
			if (end == SIZE_MAX || comma > end ||
			    !str_parse_u64(str_first(s, comma), &times))
				return false;
			for (uint64_t i = 0; i < times && !out->overflow; i++) {
				struct str piece =
					str_make(s.p + comma + 1, end - comma - 1);

				if (!dialogue_unescape(piece, out))
					return false;
			}
			s = str_from_offset(s, end + 1);
			break;
		default:
			return false;
		}
	}
	return !out->overflow;
}

/* ---- feeding ----------------------------------------------------------------------- */

/* What the core said is on its way: its buffer is empty again. */
static void
flush(struct story *t)
{
	strbuf_add(&t->out, strbuf_str(&t->said));
	strbuf_clear(&t->said);
}

/* Feeds what there is until the core wants more, or does not want any. */
static void
settle(struct story *t, size_t available)
{
	size_t consumed = 0;

	while (t->next != DIALOGUE_CLOSE) {
		struct str unread =
			str_make(t->in.p ? t->in.p + consumed : "", available - consumed);
		size_t used = 0;

		t->core->check(t->session);
		if (t->next == DIALOGUE_WAIT) {
			/* Everything the client has sent counts, fed already or not. */
			t->next =
				t->core->answer(t->session, t->in.n - consumed, &t->said);
			flush(t);
			continue;
		}
		if (t->next == DIALOGUE_STARTTLS) {
			consumed = available = t->in.n;
			t->core->secured(t->session);
			t->next = DIALOGUE_READ;
			continue;
		}
		if (unread.n == 0)
			break;
		t->next = t->core->input(t->session, unread, &used, &t->said);
		flush(t);
		consumed += used;
		if (used == 0 && t->next == DIALOGUE_READ)
			break;
	}
	strbuf_consume(&t->in, consumed);
}

static void
feed(struct story *t)
{
	size_t shown = 0;

	while (t->in.n && t->next != DIALOGUE_CLOSE) {
		size_t before = t->in.n;

		shown += t->piece && t->piece < t->in.n - shown ? t->piece
		                                                : t->in.n - shown;
		settle(t, shown);
		shown -= before - t->in.n < shown ? before - t->in.n : shown;
		if (shown == t->in.n)
			break;
	}
	t->core->check(t->session);
}

static void
begin(struct story *t)
{
	if (t->has_begun)
		return;
	t->has_begun = true;
	t->core->greet(t->session, &t->out);
}

/* ---- lines of a story -------------------------------------------------------------- */

/* Takes the next reply line off the output; false where there is none. */
static bool
next_reply(struct story *t, struct str *line_out, size_t *size_out)
{
	struct str out = strbuf_str(&t->out);
	size_t lf = str_find(out, '\n');

	if (lf == SIZE_MAX)
		return false;
	*size_out = lf + 1;
	*line_out = str_first(out, lf);
	if (line_out->n && line_out->p[line_out->n - 1] == '\r')
		line_out->n--;
	return true;
}

static void
expect_reply(struct story *t, struct str want)
{
	struct str line;
	size_t size;

	if (str_eq(want, STR("..."))) {
		strbuf_clear(&t->out);
		return;
	}
	if (!next_reply(t, &line, &size)) {
		fail(t, "no reply", strbuf_str(&t->out), want);
		return;
	}
	if (!dialogue_matches(line, want))
		fail(t, "wrong reply", line, want);
	strbuf_consume(&t->out, size);
}

/* What was logged must have the line, behind the one that was found last. */
static void
expect_log(struct story *t, struct str want)
{
	struct str rest = strbuf_str(&t->log), line;
	size_t all = rest.n;

	while (str_next(&rest, '\n', &line)) {
		if (!dialogue_matches(line, want))
			continue;
		strbuf_consume(&t->log, all - rest.n);
		return;
	}
	fail(t, "not logged", strbuf_str(&t->log), want);
}

static void
expect_nothing(struct story *t)
{
	if (t->out.n)
		fail(t, "more replies than told", strbuf_str(&t->out), STR(""));
	strbuf_clear(&t->out);
}

static void
on_client(struct story *t, struct str text, bool with_end, uint64_t times)
{
	begin(t);
	for (uint64_t i = 0; i < times; i++) {
		if (!dialogue_unescape(text, &t->in))
			fail(t, "bad escape in the story", text, STR(""));
		if (with_end)
			strbuf_lit(&t->in, "\r\n");
	}
}

/* Everything but client lines comes after the group before it was fed. */
static void
on_other(struct story *t, char kind, struct str text)
{
	begin(t);
	if (t->in.n && t->next != DIALOGUE_CLOSE)
		feed(t);
	switch (kind) {
	case 'S':
		expect_reply(t, text);
		break;
	case 'E':
		expect_log(t, text);
		break;
	case '!':
		if (!t->core->happen || !t->core->happen(t->session, text, &t->out))
			fail(t, "the core knows no such thing", text, STR(""));
		break;
	default: /* "= close", "= nothing" */
		if (str_eq(text, STR("close")) && t->next != DIALOGUE_CLOSE)
			fail(t, "still open", STR(""), STR("closed"));
		expect_nothing(t);
	}
}

static void
on_line(struct story *t, struct str line)
{
	struct str text = str_from_offset(line, 2);
	uint64_t times;
	size_t colon;

	/* One space is the story's, the rest is the line's. */
	(void)str_skip_byte(&text, ' ');
	if (line.n == 0 || line.p[0] == '#')
		return;
	if (line.p[0] == '@') {
		struct str rest = str_from_offset(line, 1), key;

		if (t->has_begun || !str_next(&rest, ' ', &key) ||
		    (!str_eq(key, STR("live")) && !t->core->set(t->session, key, rest)))
			fail(t, "setting not known", line, STR(""));
	} else if (str_starts(line, STR("C:"))) {
		if (t->out.n && !t->in.n)
			expect_nothing(t);
		on_client(t, text, true, 1);
	} else if (str_starts(line, STR("c:"))) {
		on_client(t, text, false, 1);
	} else if (str_starts(line, STR("C*"))) {
		colon = str_find(line, ':');
		if (colon == SIZE_MAX ||
		    !str_parse_u64(str_make(line.p + 2, colon - 2), &times))
			fail(t, "bad count", line, STR(""));
		else
			on_client(t, str_trim(str_from_offset(line, colon + 1)), true,
			          times);
	} else if (str_starts(line, STR("S:")) || str_starts(line, STR("E:"))) {
		on_other(t, line.p[0], text);
	} else if (str_starts(line, STR("! ")) || str_starts(line, STR("= "))) {
		on_other(t, line.p[0], str_from_offset(line, 2));
	} else {
		fail(t, "line not understood", line, STR(""));
	}
}

/* ---- stories ----------------------------------------------------------------------- */

static bool
tell(const struct dialogue_core *core, const char *path, struct str text, size_t piece)
{
	struct story t = {
		.core = core,
		.path = path,
		.piece = piece,
		.in = strbuf_heap(GROUP_MAX),
		.out = strbuf_heap(OUT_MAX_BYTES),
		.log = strbuf_heap(OUT_MAX_BYTES),
		.said = strbuf_heap(OUT_MAX_BYTES),
	};
	struct str line;

	t.session = core->open(&t.log);
	while (!t.has_failed && str_next(&text, '\n', &line)) {
		t.line++;
		on_line(&t, line);
	}
	if (!t.has_failed && t.in.n)
		feed(&t);
	if (!t.has_failed)
		expect_nothing(&t);
	core->close(t.session);
	strbuf_release(&t.in);
	strbuf_release(&t.out);
	strbuf_release(&t.log);
	strbuf_release(&t.said);
	return !t.has_failed;
}

static const struct dialogue_core *
find_core(const char *path)
{
	for (size_t i = 0; i < core_count; i++) {
		char part[64];

		(void)snprintf(part, sizeof(part), "/%s/", cores[i]->name);
		if (str_find_str(str_from(path), str_from(part)) != SIZE_MAX)
			return cores[i];
	}
	return NULL;
}

/* The server for a story, by its line "@live SERVICE"; NULL: not to be told live. */
static const struct addr *
find_server(struct str text)
{
	struct str line;

	while (str_next(&text, '\n', &line)) {
		if (!str_skip(&line, STR("@live ")))
			continue;
		for (size_t i = 0; i < server_count; i++) {
			if (str_eq(line, servers[i].service))
				return &servers[i].to;
		}
	}
	return NULL;
}

/* Puts the names of the live world in place of those of the stories. */
static void
rename_all(struct str text, struct strbuf *out)
{
	while (text.n) {
		size_t i = 0;

		while (i < name_count && !str_starts(text, renames[i].from))
			i++;
		if (i < name_count) {
			strbuf_add(out, renames[i].to);
			text = str_from_offset(text, renames[i].from.n);
		} else {
			strbuf_byte(out, text.p[0]);
			text = str_from_offset(text, 1);
		}
	}
}

static void
tell_live(const char *path, struct str text)
{
	const struct addr *to = find_server(text);
	struct strbuf renamed = strbuf_heap(2 * FILE_MAX);

	if (!to)
		return;
	rename_all(text, &renamed);
	*(dialogue_tell_live(path, strbuf_str(&renamed), to) ? &passed : &failed) += 1;
	strbuf_release(&renamed);
}

static bool
tell_in_pieces(const struct dialogue_core *core, const char *path, struct str text)
{
	static const size_t pieces[] = { 0, 1, 7 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		if (!tell(core, path, text, pieces[i]))
			return false;
	}
	return true;
}

static void
run_file(const char *path)
{
	const struct dialogue_core *core = find_core(path);
	struct strbuf text = strbuf_heap(FILE_MAX);
	FILE *f = fopen(path, "rb");
	char *room = strbuf_reserve(&text, FILE_MAX);

	if (f && room) {
		text.n = fread(room, 1, FILE_MAX, f);
		(void)fclose(f);
	}
	if (server_count) {
		tell_live(path, strbuf_str(&text));
	} else {
		bool good =
			core && text.n && tell_in_pieces(core, path, strbuf_str(&text));

		if (!core)
			printf("%s: no core for this folder\n", path);
		*(good ? &passed : &failed) += 1;
	}
	strbuf_release(&text);
}

static void
run_directory(const char *path, const char *word)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		struct strbuf below = strbuf_heap(4096);
		const char *name = names[i]->d_name;
		struct stat st;

		strbuf_printf(&below, "%s/%s", path, name);
		if (name[0] != '.' && stat(strbuf_cstr(&below), &st) == 0) {
			if (S_ISDIR(st.st_mode))
				run_directory(strbuf_cstr(&below), word);
			else if (str_ends(str_from(name), STR(".dlg")) &&
			         str_find_str(strbuf_str(&below), str_from(word)) !=
			                 SIZE_MAX)
				run_file(strbuf_cstr(&below));
		}
		strbuf_release(&below);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static bool
take_option(const char *name, const char *value)
{
	struct str word = str_from(value), before = str_first(word, str_find(word, '='));
	struct str behind = str_from_offset(word, before.n + 1);

	if (before.n == word.n || server_count == CORES_MAX || name_count == CORES_MAX)
		return false;
	if (str_eq(str_from(name), STR("--name"))) {
		renames[name_count].from = before;
		renames[name_count++].to = behind;
		return true;
	}
	servers[server_count].service = before;
	return str_eq(str_from(name), STR("--live")) &&
	       addr_parse(behind, &servers[server_count++].to);
}

int
main(int argc, char **argv)
{
	int at = 1;

	while (at + 1 < argc && argv[at][0] == '-' && take_option(argv[at], argv[at + 1]))
		at += 2;
	if (argc - at < 1 || argc - at > 2 || argv[at][0] == '-') {
		(void)fprintf(stderr,
		              "usage: dialogue-tests [--live SERVICE=ADDRESS:PORT]… "
		              "[--name FROM=TO]… DIRECTORY [WORD]\n");
		return 2;
	}
	run_directory(argv[at], argc - at > 1 ? argv[at + 1] : "");
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed ? 1 : 0;
}
