#include "policy/lookups.h"

#include "base/panic.h"
#include "base/strbuf.h"

enum {
	LOOKUP_MAGIC = 0x4c4f4f4b,
	NAME_ROOM = 80, /* for a reverse name */
};

enum entry_state {
	ENTRY_NEW, /* nobody took it */
	ENTRY_OUT, /* being resolved */
	ENTRY_DONE,
};

struct entry {
	struct lookup lookup; /* first, with the magic: CAST goes back from it */
	enum entry_state state;
	struct lookups *owner;
	struct entry *next;
	struct dns_answer answer;
};

struct lookups {
	struct arena *arena;
	struct entry *first, **last;
	size_t count, max, out;
	bool is_over; /* lookups_give_up was called */
};

static const struct dns_answer temp = { .status = DNS_TEMP };
static const struct dns_answer bad_name = { .status = DNS_BAD_NAME };

struct lookups *
lookups_new(struct arena *a, size_t max)
{
	struct lookups *l = ARENA_NEW(a, struct lookups);

	l->arena = a;
	l->max = max;
	l->last = &l->first;
	return l;
}

static struct entry *
find(struct lookups *l, struct str name, enum dns_type type)
{
	for (struct entry *e = l->first; e; e = e->next)
		if (e->lookup.type == type && str_eq_icase(e->lookup.name, name))
			return e;
	return NULL;
}

const struct dns_answer *
lookups_find(struct lookups *l, struct str name, enum dns_type type)
{
	struct entry *e;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > LOOKUPS_NAME_MAX)
		return &bad_name;
	e = find(l, name, type);
	if (e && e->state == ENTRY_DONE)
		return &e->answer;
	if (l->is_over)
		return &temp;
	if (e)
		return NULL;
	if (l->count == l->max)
		return &temp;
	e = ARENA_NEW(l->arena, struct entry);
	e->owner = l;
	e->lookup = (struct lookup){ LOOKUP_MAGIC, arena_str(l->arena, name), type };
	*l->last = e;
	l->last = &e->next;
	l->count++;
	return NULL;
}

const struct dns_answer *
lookups_find_ptr(struct lookups *l, const struct addr *ip)
{
	char bytes[NAME_ROOM];
	struct strbuf name = strbuf_on(bytes);

	addr_format_reverse(&name, ip);
	return lookups_find(l, strbuf_str(&name), DNS_PTR);
}

struct lookup *
lookups_next(struct lookups *l)
{
	if (l->is_over)
		return NULL;
	for (struct entry *e = l->first; e; e = e->next) {
		if (e->state == ENTRY_NEW) {
			e->state = ENTRY_OUT;
			l->out++;
			return &e->lookup;
		}
	}
	return NULL;
}

static struct dns_record *
copy_records(struct arena *a, const struct dns_answer *answer)
{
	struct dns_record *records = ARENA_ARRAY(a, struct dns_record, answer->count);

	for (size_t i = 0; i < answer->count; i++) {
		records[i] = answer->records[i];
		records[i].name = arena_str(a, answer->records[i].name);
		records[i].text = arena_str(a, answer->records[i].text);
	}
	return records;
}

void
lookups_answer(struct lookup *q, const struct dns_answer *answer)
{
	struct entry *e = CAST(entry, LOOKUP_MAGIC, q);
	struct lookups *l = e->owner;

	CHECK(e->state == ENTRY_OUT);
	e->state = ENTRY_DONE;
	l->out--;
	e->answer = *answer;
	e->answer.name = arena_str(l->arena, answer->name);
	e->answer.records = copy_records(l->arena, answer);
}

void
lookups_give_up(struct lookups *l)
{
	l->is_over = true;
	l->out = 0;
}

size_t
lookups_out(const struct lookups *l)
{
	return l->out;
}

size_t
lookups_count(const struct lookups *l)
{
	return l->count;
}
