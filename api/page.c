#include "api/page.h"

#include "api/fields.h"
#include "api/pick.h"
#include "api/uri.h"
#include "base/base64.h"
#include "base/map.h"
#include "base/pack.h"

enum {
	CURSOR_MAX = 1000, /* bytes as text */
};

static uint64_t
sign(const uint8_t secret[32], struct str bytes)
{
	uint64_t key[2];

	memcpy(key, secret, sizeof(key));
	return siphash24(key, bytes);
}

void
cursor_format(const uint8_t secret[32], uint32_t binding, struct str key,
              struct strbuf *out)
{
	char bytes[CURSOR_MAX];
	struct strbuf b = strbuf_on(bytes);

	pack_u64(&b, 0);
	pack_u32(&b, binding);
	strbuf_add(&b, key);
	if (!b.overflow) {
		char mac[8];
		struct strbuf m = strbuf_on(mac);

		pack_u64(&m, sign(secret, str_from_offset(strbuf_str(&b), 8)));
		memcpy(b.p, mac, sizeof(mac));
	}
	base64url_format(out, strbuf_str(&b));
}

bool
cursor_parse(const uint8_t secret[32], struct str cursor, struct arena *a,
             uint32_t *binding_out, struct str *key_out)
{
	struct strbuf b = strbuf_arena(a, CURSOR_MAX);
	struct unpack u;
	uint64_t mac;

	if (cursor.n > CURSOR_MAX || base64url_parse(cursor, &b) != OK)
		return false;
	u = unpack_from(strbuf_str(&b));
	mac = unpack_u64(&u);
	if (u.bad || mac != sign(secret, u.rest))
		return false;
	*binding_out = unpack_u32(&u);
	*key_out = u.rest;
	return !u.bad;
}

/* ">key" goes on behind it, "<key" back from it. */
static bool
read_cursor(struct page *p, struct str cursor)
{
	uint32_t binding;

	if (!cursor_parse(p->r->api->secret, cursor, p->r->arena, &binding, &p->after)) {
		api_problem(p->r, PROBLEM_INVALID_CURSOR, NULL);
		return false;
	}
	p->has_cursor = true;
	p->is_back = str_skip_byte(&p->after, '<');
	if (binding == p->binding &&
	    (p->is_back ? p->is_both : str_skip_byte(&p->after, '>')))
		return true;
	api_problem(p->r, PROBLEM_CURSOR_MISMATCH, NULL);
	return false;
}

/* sort=KEY or -KEY, one of keys; false: answered. */
static bool
read_sort(struct api_request *r, const char *keys, bool *is_down, size_t *which)
{
	static const struct field_spec spec = {
		.name = "sort", .kind = FIELD_STR, .min = 1, .max = 64
	};
	struct str rest = str_from(keys), key, word;
	struct field f;

	if (!fields_query(r, &spec, 1, &f))
		return false;
	if (!f.is_set)
		return true;
	word = f.s;
	*is_down = str_skip_byte(&word, '-');
	for (*which = 0; str_next(&rest, ' ', &key); ++*which) {
		if (str_eq(word, key))
			return true;
	}
	api_fault(r, STR("?sort"), "unknown_value",
	          "one of: %s; - before it turns it round", keys);
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

static bool
begin(struct page *p, struct api_request *r, const char *list, struct str filter)
{
	enum { LIMIT, CURSOR, FIELDS, COUNT };
	static const struct field_spec specs[] = {
		[LIMIT] = { .name = "limit",
		            .kind = FIELD_I64,
		            .min = 1,
		            .max = INT64_MAX },
		[CURSOR] = { .name = "cursor", .kind = FIELD_STR, .max = CURSOR_MAX },
		[FIELDS] = { .name = "fields",
		             .kind = FIELD_STR,
		             .min = 1,
		             .max = PICK_MAX },
	};
	struct field f[COUNT];
	struct str bound;

	if (!fields_query(r, specs, COUNT, f))
		return false;
	bound = arena_printf(r->arena, "%s %.*s %d %.*s", list,
	                     STR_ARG(r->caller.domains), p->is_down, STR_ARG(filter));
	p->binding = (uint32_t)sign(r->api->secret, bound);
	if (f[LIMIT].is_set)
		p->limit = f[LIMIT].i < API_PAGE_MAX ? (size_t)f[LIMIT].i : API_PAGE_MAX;
	if (f[CURSOR].is_set && !read_cursor(p, f[CURSOR].s))
		return false;
	p->is_down ^= p->is_back;
	if (f[FIELDS].is_set)
		p->fields = f[FIELDS].s;
	p->b = api_buffer(r);
	p->j = json_out_on(&p->b);
	p->offsets = ARENA_ARRAY(r->arena, size_t, p->limit + 1);
	json_open_object(&p->j, NULL);
	json_open_array(&p->j, "items");
	p->items = p->b.n;
	return true;
}

bool
page_begin(struct page *p, struct api_request *r, const char *list, struct str filter)
{
	*p = (struct page){ .r = r, .limit = API_PAGE };
	return begin(p, r, list, filter);
}

bool
page_begin_both(struct page *p, struct api_request *r, const char *list,
                struct str filter, const char *key, bool is_down)
{
	*p = (struct page){
		.r = r, .limit = API_PAGE, .is_both = true, .is_down = is_down
	};
	return read_sort(r, key, &p->is_down, &p->sort) && begin(p, r, list, filter);
}

bool
page_begin_sorted(struct page *p, struct api_request *r, const char *list,
                  struct str filter, const char *keys)
{
	*p = (struct page){ .r = r, .limit = API_PAGE, .is_both = true };
	return read_sort(r, keys, &p->is_down, &p->sort) &&
	       begin(p, r, list,
	             arena_printf(r->arena, "%zu %.*s", p->sort, STR_ARG(filter)));
}

struct names_from
page_names(const struct page *p)
{
	return (struct names_from){ p->after, p->is_down };
}

bool
page_take(struct page *p, struct str key)
{
	p->has_more = p->taken == p->limit;
	if (p->has_more)
		return false;
	p->taken++;
	p->last = arena_str(p->r->arena, key);
	if (p->taken == 1)
		p->first = p->last;
	page_item(p, p->taken - 1);
	return true;
}

void
page_item(struct page *p, size_t i)
{
	p->offsets[i] = p->b.n;
}

/* The items in the other order. Each begins with the comma that parts it from the one
   before, but for the first. */
static void
turn_round(struct page *p)
{
	struct str all = arena_str(p->r->arena, strbuf_str(&p->b));
	size_t end = all.n;

	p->b.n = p->items;
	for (size_t i = p->taken; i-- > 0; end = p->offsets[i]) {
		struct str item = str_first(str_from_offset(all, p->offsets[i]),
		                            end - p->offsets[i]);

		(void)str_skip_byte(&item, ',');
		if (i + 1 < p->taken)
			strbuf_byte(&p->b, ',');
		strbuf_add(&p->b, item);
	}
}

/* A link to another page, with the parameters of this one (RFC 8288). */
static void
add_link(struct page *p, struct strbuf *b, struct str cursor, const char *rel)
{
	struct str rest = p->r->query, name, value;
	bool is_bad;

	strbuf_printf(b, "%s<%.*s?", b->n ? ", " : "", STR_ARG(p->r->path));
	while (uri_next_param(&rest, p->r->arena, &name, &value, &is_bad)) {
		if (str_eq(name, STR("cursor")))
			continue;
		uri_encode(b, name);
		strbuf_byte(b, '=');
		uri_encode(b, value);
		strbuf_byte(b, '&');
	}
	strbuf_printf(b, "cursor=%.*s>; rel=\"%s\"", STR_ARG(cursor), rel);
}

/* The cursor behind a row, or back from it; null where there is no way on. */
static void
write_cursor(struct page *p, struct strbuf *links, const char *rel, bool is_there,
             struct str key)
{
	struct strbuf cursor = strbuf_arena(p->r->arena, 2 * CURSOR_MAX);

	if (is_there) {
		cursor_format(p->r->api->secret, p->binding,
		              arena_printf(p->r->arena, "%c%.*s", *rel == 'n' ? '>' : '<',
		                           STR_ARG(key)),
		              &cursor);
		add_link(p, links, strbuf_str(&cursor), rel);
	}
	json_str_or_null(&p->j, rel, strbuf_str(&cursor));
}

static void
end(struct page *p, enum err e)
{
	struct strbuf links = strbuf_arena(p->r->arena, 8192);
	struct str start = p->taken ? p->first : p->after;

	if (e != OK) {
		api_problem_err(p->r, e);
		return;
	}
	if (p->is_back) {
		write_cursor(p, &links, "next", true, start);
		write_cursor(p, &links, "prev", p->has_more, p->last);
	} else {
		write_cursor(p, &links, "next", p->has_more, p->last);
		write_cursor(p, &links, "prev", p->is_both && p->has_cursor, start);
	}
	if (links.n && !links.overflow)
		api_header(p->r, "Link", strbuf_str(&links));
	json_close_object(&p->j);
	if (p->fields.n && !p->b.overflow) {
		struct strbuf picked = api_buffer(p->r);

		if (pick_fields(p->r, strbuf_str(&p->b), p->fields, &picked))
			api_reply_json(p->r, 200, strbuf_str(&picked));
		return;
	}
	api_reply_json(p->r, 200, strbuf_str(&p->b));
}

void
page_end_items(struct page *p)
{
	if (p->is_back && p->taken)
		turn_round(p);
	json_close_array(&p->j);
	p->is_listed = true;
}

void
page_end(struct page *p, enum err e)
{
	if (!p->is_listed)
		page_end_items(p);
	end(p, e);
}

void
page_end_counted(struct page *p, enum err e, uint64_t count, bool is_capped)
{
	page_end_items(p);
	json_i64(&p->j, "count", (int64_t)count);
	json_bool(&p->j, "count_capped", is_capped);
	end(p, e);
}
