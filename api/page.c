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

static bool
read_cursor(struct page *p, struct str cursor)
{
	uint32_t binding;

	if (!cursor_parse(p->r->api->secret, cursor, p->r->arena, &binding, &p->after)) {
		api_problem(p->r, PROBLEM_INVALID_CURSOR, NULL);
		return false;
	}
	if (binding == p->binding)
		return true;
	api_problem(p->r, PROBLEM_CURSOR_MISMATCH, NULL);
	return false;
}

bool
page_begin(struct page *p, struct api_request *r, const char *list, struct str filter)
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
	bound = arena_printf(r->arena, "%s %.*s %.*s", list, STR_ARG(r->caller.domains),
	                     STR_ARG(filter));
	*p = (struct page){ .r = r, .limit = API_PAGE };
	p->binding = (uint32_t)sign(r->api->secret, bound);
	if (f[LIMIT].is_set)
		p->limit = f[LIMIT].i < API_PAGE_MAX ? (size_t)f[LIMIT].i : API_PAGE_MAX;
	if (f[CURSOR].is_set && !read_cursor(p, f[CURSOR].s))
		return false;
	if (f[FIELDS].is_set)
		p->fields = f[FIELDS].s;
	p->b = api_buffer(r);
	p->j = json_out_on(&p->b);
	json_open_object(&p->j, NULL);
	json_open_array(&p->j, "items");
	return true;
}

bool
page_take(struct page *p, struct str key)
{
	p->has_more = p->taken == p->limit;
	if (p->has_more)
		return false;
	p->taken++;
	p->last = arena_str(p->r->arena, key);
	return true;
}

/* The link to the next page, with the parameters of this one (RFC 8288). */
static void
add_link(struct page *p, struct str cursor)
{
	struct strbuf b = strbuf_arena(p->r->arena, 4096);
	struct str rest = p->r->query, name, value;
	bool is_bad;

	strbuf_printf(&b, "<%.*s?", STR_ARG(p->r->path));
	while (uri_next_param(&rest, p->r->arena, &name, &value, &is_bad)) {
		if (str_eq(name, STR("cursor")))
			continue;
		uri_encode(&b, name);
		strbuf_byte(&b, '=');
		uri_encode(&b, value);
		strbuf_byte(&b, '&');
	}
	strbuf_printf(&b, "cursor=%.*s>; rel=\"next\"", STR_ARG(cursor));
	if (!b.overflow)
		api_header(p->r, "Link", strbuf_str(&b));
}

static void
end(struct page *p, enum err e)
{
	struct strbuf cursor = strbuf_arena(p->r->arena, 2 * CURSOR_MAX);

	if (e != OK) {
		api_problem_err(p->r, e);
		return;
	}
	if (p->has_more) {
		cursor_format(p->r->api->secret, p->binding, p->last, &cursor);
		add_link(p, strbuf_str(&cursor));
	}
	json_str_or_null(&p->j, "next", strbuf_str(&cursor));
	json_out_null(&p->j, "prev");
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
	json_close_array(&p->j);
	json_i64(&p->j, "count", (int64_t)count);
	json_bool(&p->j, "count_capped", is_capped);
	end(p, e);
}
