#include "mail/address_list.h"

#include "base/strbuf.h"

/* One entry at a time: words are collected twice, as the phrase that a display name would
 * be and as the addr-spec that they would be, until "<", ":", ",", ";" or the end tells
 * which it was. So nothing is read twice. */

enum {
	ENTRIES_FIRST = 4,
	ROUTE_MAX = 512, /* bytes of a source route */
};

struct parser {
	struct str rest;
	struct arena *arena;
	struct list_entry *entries;
	size_t count, cap, max;
	/* What the current entry has so far; each of these buffers is as long as the
	   value, and entries keep pieces of them. */
	struct strbuf phrase, spec, route, comment;
	size_t phrase_at, spec_at, comment_at; /* where the entry began in them */
	size_t at_sign; /* position of the "@" in spec, or SIZE_MAX */
	size_t words;   /* words and signs seen */
	bool had_space; /* before the next word */
	bool had_comment;
	bool in_group, is_cut;
};

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip(struct parser *p, size_t n)
{
	p->rest = str_from_offset(p->rest, n);
}

static void
begin_entry(struct parser *p)
{
	p->phrase_at = p->phrase.n;
	p->spec_at = p->spec.n;
	p->comment_at = p->comment.n;
	p->at_sign = SIZE_MAX;
	p->words = 0;
	p->had_space = p->had_comment = false;
}

static struct str
piece(const struct strbuf *b, size_t from)
{
	return str_from_offset(strbuf_str(b), from);
}

/* Text or NULL where it is empty. */
static struct str
or_none(struct str s)
{
	return s.n ? s : (struct str){ NULL, 0 };
}

/* A group that was begun is ended, for which one entry more than max may be. */
static void
add_entry(struct parser *p, const struct list_entry *e)
{
	if (p->count >= p->max && e->kind != LIST_GROUP_END) {
		p->is_cut = true;
		return;
	}
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : ENTRIES_FIRST;
		struct list_entry *entries;

		if (cap > p->max)
			cap = p->max + 1;
		entries = p->count < cap ? arena_try(p->arena, cap * sizeof(*entries))
		                         : NULL;
		if (!entries) {
			p->is_cut = true;
			return;
		}
		if (p->count)
			memcpy(entries, p->entries, p->count * sizeof(*entries));
		p->entries = entries;
		p->cap = cap;
	}
	p->entries[p->count++] = *e;
}

/* Takes a comment off rest; its text, without the outer parentheses, is kept. */
static void
take_comment(struct parser *p)
{
	size_t depth = 0, i = 0;

	p->comment_at = p->comment.n;
	for (; i < p->rest.n; i++) {
		char c = p->rest.p[i];

		if (c == '\\' && i + 1 < p->rest.n) {
			c = p->rest.p[++i];
		} else if (c == '(') {
			if (depth++ == 0)
				continue;
		} else if (c == ')' && --depth == 0) {
			break;
		}
		if (c != '\r' && c != '\n')
			strbuf_byte(&p->comment, c);
	}
	p->had_comment = true;
	skip(p, i + 1);
}

/* A word of one byte or more goes to phrase and spec. */
static void
add_word(struct parser *p, struct str word)
{
	if (p->had_space && p->phrase.n > p->phrase_at)
		strbuf_byte(&p->phrase, ' ');
	p->had_space = false;
	p->words++;
	strbuf_add(&p->phrase, word);
	strbuf_add(&p->spec, word);
}

static void
take_quoted(struct parser *p, struct strbuf *also)
{
	size_t i = 1;

	for (; i < p->rest.n && p->rest.p[i] != '"'; i++) {
		char c = p->rest.p[i];

		if (c == '\\' && i + 1 < p->rest.n)
			c = p->rest.p[++i];
		if (c == '\r' || c == '\n')
			continue;
		strbuf_byte(&p->spec, c);
		if (also)
			strbuf_byte(also, c);
	}
	skip(p, i + 1);
}

static size_t
atom_bytes(struct str s, const char *specials)
{
	size_t n = 0;

	while (n < s.n && !is_white(s.p[n]) && (!s.p[n] || !strchr(specials, s.p[n])))
		n++;
	return n;
}

/* A domain literal with its brackets. */
static size_t
literal_bytes(struct str s)
{
	size_t n = str_find(s, ']');

	return n == SIZE_MAX ? s.n : n + 1;
}

/* Passes over spaces and comments; true where there was one. */
static bool
skip_space(struct parser *p)
{
	size_t before = p->rest.n;

	while (p->rest.n) {
		if (is_white(p->rest.p[0]))
			skip(p, 1);
		else if (p->rest.p[0] == '(')
			take_comment(p);
		else
			break;
	}
	return p->rest.n < before;
}

/* Splits what was collected in spec from spec_at on. */
static void
split_spec(const struct parser *p, struct list_entry *e)
{
	struct str spec = piece(&p->spec, p->spec_at);
	size_t at = p->at_sign == SIZE_MAX ? SIZE_MAX : p->at_sign - p->spec_at;

	e->local = str_first(spec, at);
	e->domain = str_from_offset(spec, at == SIZE_MAX ? SIZE_MAX : at + 1);
}

/* "@a,@b:" behind "<". */
static struct str
take_route(struct parser *p)
{
	size_t from = p->route.n;
	struct str near = str_first(p->rest, ROUTE_MAX);
	size_t colon = str_find(near, ':'), end = str_find(near, '>');

	if (colon == SIZE_MAX || colon > end)
		return (struct str){ NULL, 0 };
	for (size_t i = 0; i < colon; i++) {
		if (!is_white(p->rest.p[i]))
			strbuf_byte(&p->route, p->rest.p[i]);
	}
	skip(p, colon + 1);
	return piece(&p->route, from);
}

/* The addr-spec in angle brackets, up to and including ">". */
static void
take_angle(struct parser *p, struct list_entry *e)
{
	skip(p, 1);
	p->spec_at = p->spec.n;
	p->at_sign = SIZE_MAX;
	(void)skip_space(p);
	if (p->rest.n && p->rest.p[0] == '@')
		e->route = take_route(p);
	while (p->rest.n) {
		char c;
		size_t n;

		if (skip_space(p))
			continue;
		c = p->rest.p[0];
		if (c == '>') {
			skip(p, 1);
			break;
		}
		if (c == ',' && p->at_sign != SIZE_MAX)
			break; /* the ">" is missing */
		if (c == '"') {
			take_quoted(p, NULL);
			continue;
		}
		if (c == '@' && p->at_sign == SIZE_MAX)
			p->at_sign = p->spec.n;
		n = c == '[' ? literal_bytes(p->rest) : atom_bytes(p->rest, "<>@,\"([");
		n = n ? n : 1;
		strbuf_add(&p->spec, str_first(p->rest, n));
		skip(p, n);
	}
	split_spec(p, e);
}

/* Everything up to the next "," or ";" is not ours to understand. */
static void
skip_rest_of_entry(struct parser *p)
{
	size_t keep = p->spec.n;

	while (p->rest.n) {
		char c;

		if (skip_space(p))
			continue;
		c = p->rest.p[0];
		if (c == ',' || (c == ';' && p->in_group) || c == '<')
			break;
		if (c == '"')
			take_quoted(p, NULL);
		else
			skip(p, 1);
		strbuf_truncate(&p->spec, keep);
	}
}

static void
end_angle(struct parser *p)
{
	struct list_entry e = { .kind = LIST_MAILBOX };
	struct str phrase = piece(&p->phrase, p->phrase_at);

	e.name = or_none(str_trim(phrase));
	take_angle(p, &e);
	skip_rest_of_entry(p);
	if (!e.name.p && p->had_comment)
		e.name = or_none(str_trim(piece(&p->comment, p->comment_at)));
	add_entry(p, &e);
	begin_entry(p);
}

/* At ",", ";" or the end: what was collected is an addr-spec, or nothing. */
static void
end_plain(struct parser *p)
{
	struct list_entry e = { .kind = LIST_MAILBOX };

	if (p->words) {
		split_spec(p, &e);
		if (p->at_sign == SIZE_MAX) /* words without an address */
			e.local = str_trim(piece(&p->phrase, p->phrase_at));
		if (p->had_comment)
			e.name = or_none(str_trim(piece(&p->comment, p->comment_at)));
		add_entry(p, &e);
	}
	begin_entry(p);
}

static void
end_group(struct parser *p)
{
	if (!p->in_group)
		return;
	add_entry(p, &(struct list_entry){ .kind = LIST_GROUP_END });
	p->in_group = false;
}

static void
begin_group(struct parser *p)
{
	struct str name = str_trim(piece(&p->phrase, p->phrase_at));

	add_entry(p, &(struct list_entry){ .kind = LIST_GROUP_BEGIN, .local = name });
	p->in_group = true;
	begin_entry(p);
}

static void
take_word_or_sign(struct parser *p)
{
	char c = p->rest.p[0];
	size_t n;

	if (c == '"') {
		if (p->had_space && p->phrase.n > p->phrase_at)
			strbuf_byte(&p->phrase, ' ');
		p->had_space = false;
		p->words++;
		take_quoted(p, &p->phrase);
		return;
	}
	if (c == '@' && p->at_sign == SIZE_MAX)
		p->at_sign = p->spec.n;
	if (c == '[')
		n = literal_bytes(p->rest);
	else
		n = atom_bytes(p->rest, "<>@,;:\"([");
	n = n ? n : 1;
	add_word(p, str_first(p->rest, n));
	skip(p, n);
}

static void
take_next(struct parser *p)
{
	if (skip_space(p)) {
		p->had_space = true;
		return;
	}
	switch (p->rest.p[0]) {
	case '<':
		end_angle(p);
		return;
	case ',':
		end_plain(p);
		break;
	case ';':
		end_plain(p);
		end_group(p);
		break;
	case ':':
		if (p->in_group || !p->words || p->at_sign != SIZE_MAX) {
			take_word_or_sign(p);
			return;
		}
		begin_group(p);
		break;
	default:
		take_word_or_sign(p);
		return;
	}
	skip(p, 1);
}

void
address_list_parse(struct str value, size_t max, struct arena *a,
                   struct address_list *list_out)
{
	struct parser p = { .rest = value, .arena = a, .max = max };
	char *bytes = arena_try(a, value.n * 4 + 4);

	*list_out = (struct address_list){ .is_cut = !bytes };
	if (!bytes)
		return;
	p.phrase = strbuf_fixed(bytes, value.n + 1);
	p.spec = strbuf_fixed(bytes + value.n + 1, value.n + 1);
	p.route = strbuf_fixed(bytes + 2 * (value.n + 1), value.n + 1);
	p.comment = strbuf_fixed(bytes + 3 * (value.n + 1), value.n + 1);
	begin_entry(&p);
	while (p.rest.n && !p.is_cut)
		take_next(&p);
	end_plain(&p);
	end_group(&p);
	list_out->entries = p.entries;
	list_out->count = p.count;
	list_out->is_cut = p.is_cut;
}
