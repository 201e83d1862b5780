#include "store/report_count.h"

#include "base/arena.h"
#include "base/duration.h"
#include "base/event.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
	BYTES_MAX = 4 << 20, /* of all rows between two visits to the index */
	BUDGET = 16 << 20,
	ROW_BYTES = 64,  /* of a row beside its strings, packed */
	BODY_MAX = 2048, /* of one row's fields */
	VALUE_MAX = 1024,
	LATE_MS = 5 * MINUTE_MS, /* after midnight; reports go out later than that */
};

struct row {
	struct report_count count;
	struct row *next;
};

struct report_counts {
	struct arena *arena;
	struct report_count *list; /* the last one given */
	struct map *rows;          /* by day, kind, domain and body -> struct row */
	struct row *first;
	size_t count, bytes;
	struct report_count left_out; /* for which there was no room */
};

/* The fields of an event that make a row what it is, and those that are the domain's. */
static const char *const dmarc_fields[] = {
	"ip",          "disposition", "published",   "policy",     "aligned_dkim",
	"aligned_spf", "override",    "domain",      "spf_domain", "spf",
	"spf_scope",   "signatures",  "envelope_to", "spf_reason", "dkim_reasons",
};
static const char *const tls_fields[] = {
	"policy", "rules", "mx", "host", "ip", "own_ip", "helo", "result", "reason",
};

static const struct kind {
	uint32_t event;
	uint32_t kind;
	const char *const *fields;
	size_t fields_count;
	const char *domain, *policy, *rua; /* rua NULL: it is asked for later */
} kinds[] = {
	{ EV_DMARC, SEEN_DMARC, dmarc_fields, ARRAY_LEN(dmarc_fields), "policy_domain",
	  "record", "rua" },
	{ EV_TLS_SESSION, SEEN_TLS, tls_fields, ARRAY_LEN(tls_fields), "domain", NULL,
	  NULL },
};

enum {
	FIELDS_MAX = 16,
};
_Static_assert(ARRAY_LEN(dmarc_fields) <= FIELDS_MAX, "room for each");
_Static_assert(ARRAY_LEN(tls_fields) <= FIELDS_MAX, "room for each");

struct report_counts *
report_counts_new(void)
{
	struct report_counts *c = mem_alloc(sizeof(*c));

	c->arena = arena_new(BUDGET);
	c->rows = map_new();
	return c;
}

void
report_counts_free(struct report_counts **cp)
{
	struct report_counts *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	mem_free(c->list);
	map_free(&c->rows);
	arena_free(&c->arena);
	mem_free(c);
}

void
report_counts_clear(struct report_counts *c)
{
	if (!c->count && !c->left_out.count)
		return;
	map_free(&c->rows);
	c->rows = map_new();
	arena_rewind(c->arena);
	c->first = NULL;
	c->count = c->bytes = 0;
	c->left_out = (struct report_count){ 0 };
}

/* --- one event ---------------------------------------------------------------------- */

static const struct kind *
kind_of(uint32_t event)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].event == event)
			return &kinds[i];
	}
	return NULL;
}

/* What is read off an event; each string in `bytes`. */
struct reading {
	struct str fields[FIELDS_MAX];
	struct str domain, policy, rua;
	char bytes[EVENT_BODY_MAX + 256];
	struct strbuf room;
};

static void
take(struct reading *r, struct str *to, struct str value)
{
	size_t before = r->room.n;

	strbuf_add(&r->room, value);
	if (!r->room.overflow)
		*to = str_from_offset(strbuf_str(&r->room), before);
}

static void
take_field(struct reading *r, const struct kind *k, struct str key, struct str value)
{
	if (str_eq(key, str_from(k->domain)))
		take(r, &r->domain, value);
	if (k->policy && str_eq(key, str_from(k->policy)))
		take(r, &r->policy, value);
	if (k->rua && str_eq(key, str_from(k->rua)))
		take(r, &r->rua, value);
	for (size_t i = 0; i < k->fields_count; i++) {
		if (str_eq(key, str_from(k->fields[i])))
			take(r, &r->fields[i], value);
	}
}

/* Most senders ask for no reports: that shows without reading the fields. */
static bool
may_have(struct str body, const char *key)
{
	char bytes[64];
	struct strbuf words = strbuf_on(bytes);

	strbuf_printf(&words, " %s=", key);
	return str_find_str(body, strbuf_str(&words)) != SIZE_MAX ||
	       str_starts(body, str_from_offset(strbuf_str(&words), 1));
}

static void
read_event(struct reading *r, const struct kind *k, struct str body)
{
	char bytes[VALUE_MAX];
	struct strbuf value = strbuf_on(bytes);
	struct str key;

	*r = (struct reading){ 0 };
	r->room = strbuf_on(r->bytes);
	while (logfmt_next(&body, &key, &value))
		take_field(r, k, key, strbuf_str(&value));
}

static void
format_body(const struct reading *r, const struct kind *k, struct strbuf *out)
{
	for (size_t i = 0; i < k->fields_count; i++) {
		if (!r->fields[i].n)
			continue;
		strbuf_printf(out, "%s%s=", out->n ? " " : "", k->fields[i]);
		logfmt_value(out, r->fields[i]);
	}
}

static int64_t
day_of(int64_t at_ms, int64_t now_ms)
{
	int64_t day = at_ms / DAY_MS, today = now_ms / DAY_MS;

	return at_ms < 0 || (day + 1) * DAY_MS + LATE_MS < now_ms ? today : day;
}

static void
leave_out(struct report_counts *c, const struct report_count *one)
{
	uint64_t count = c->left_out.count + 1;

	/* Of which domain is not known any more: it is told for the day. */
	c->left_out = (struct report_count){ .kind = one->kind,
		                             .day = one->day,
		                             .count = count };
}

static struct row *
row_new(struct report_counts *c, struct str key, const struct report_count *one)
{
	size_t bytes =
		ROW_BYTES + one->domain.n + one->policy.n + one->rua.n + one->body.n;
	struct row *row;

	if (c->bytes + bytes > BYTES_MAX)
		return NULL;
	row = ARENA_NEW(c->arena, struct row);
	row->count = *one;
	row->count.domain = arena_str(c->arena, one->domain);
	row->count.body = arena_str(c->arena, one->body);
	row->count.policy = arena_str(c->arena, one->policy);
	row->count.rua = arena_str(c->arena, one->rua);
	row->next = c->first;
	c->first = row;
	c->bytes += bytes;
	c->count++;
	(void)map_set(c->rows, key, row);
	return row;
}

/* The last policy of the day is the one that is told (RFC 9990 3.1). */
static void
keep_policy(struct report_counts *c, struct report_count *to,
            const struct report_count *from)
{
	size_t bytes = from->policy.n + from->rua.n;

	if ((str_eq(to->policy, from->policy) && str_eq(to->rua, from->rua)) ||
	    c->bytes + bytes > BYTES_MAX)
		return;
	to->policy = arena_str(c->arena, from->policy);
	to->rua = arena_str(c->arena, from->rua);
	c->bytes += bytes;
}

static void
count_one(struct report_counts *c, const struct report_count *one)
{
	char bytes[BODY_MAX + 512];
	struct strbuf key = strbuf_on(bytes);
	struct row *row;

	strbuf_printf(&key, "%u %lld %.*s ", one->kind, (long long)one->day,
	              STR_ARG(one->domain));
	strbuf_add(&key, one->body);
	row = key.overflow ? NULL : map_find(c->rows, strbuf_str(&key));
	if (!row && !key.overflow)
		row = row_new(c, strbuf_str(&key), one);
	if (!row) {
		leave_out(c, one);
		return;
	}
	row->count.count++;
	row->count.at_ms = one->at_ms;
	keep_policy(c, &row->count, one);
}

void
report_counts_add(struct report_counts *c, const struct trace_event *event,
                  int64_t now_ms)
{
	const struct kind *k = kind_of(event->id);
	char bytes[BODY_MAX];
	struct strbuf body = strbuf_on(bytes);
	struct report_count one;
	struct reading r;

	if (!k || (k->rua && !may_have(event->body, k->rua)))
		return;
	read_event(&r, k, event->body);
	/* Who asks for no reports gets none. */
	if (!r.domain.n || (k->rua && !r.rua.n))
		return;
	format_body(&r, k, &body);
	one = (struct report_count){
		.kind = k->kind,
		.day = day_of(event->at_ms, now_ms),
		.at_ms = event->at_ms,
		.domain = r.domain,
		.policy = r.policy,
		.rua = r.rua,
		.body = strbuf_str(&body),
	};
	if (body.overflow)
		leave_out(c, &one);
	else
		count_one(c, &one);
}

/* --- all of them -------------------------------------------------------------------- */

static int
compare(const void *ap, const void *bp)
{
	const struct report_count *a = ap, *b = bp;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	if (str_cmp(a->domain, b->domain) != 0)
		return str_cmp(a->domain, b->domain);
	return a->at_ms < b->at_ms ? -1 : a->at_ms > b->at_ms;
}

struct report_count *
report_counts_list(struct report_counts *c, size_t *count_out)
{
	struct report_count *list;
	size_t n = 0;

	*count_out = 0;
	if (!c->count && !c->left_out.count)
		return NULL;
	mem_free(c->list);
	c->list = list = mem_alloc(size_mul(c->count + 1, sizeof(*list)));
	for (const struct row *row = c->first; row; row = row->next)
		list[n++] = row->count;
	if (c->left_out.count)
		list[n++] = c->left_out;
	qsort(list, n, sizeof(*list), compare);
	*count_out = n;
	return list;
}
