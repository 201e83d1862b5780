#include "policy/dkim_hash.h"

#include "base/panic.h"

struct hash {
	enum dkim_canon canon;
	uint64_t limit, left;
	struct sha256_state *state;
	struct sha256 result;
};

/* One way to see the body, for all hashes that want it so. */
struct view {
	struct dkim_body body;
	struct dkim_hashes *owner;
};

/* Most mail has no signature: what one needs is made with it. */
struct dkim_hashes {
	struct arena *arena;
	struct view *views[DKIM_RELAXED + 1]; /* NULL: nobody wants it so */
	size_t count;
	struct hash *hashes[DKIM_HASHES_MAX];
};

void
dkim_hash_sink(void *arg, struct str bytes)
{
	sha256_add(arg, bytes.n ? bytes.p : "", bytes.n);
}

static void
view_sink(void *arg, struct str bytes)
{
	struct view *v = arg;
	struct dkim_hashes *h = v->owner;

	for (size_t i = 0; i < h->count; i++) {
		struct hash *one = h->hashes[i];
		size_t n = one->left < bytes.n ? (size_t)one->left : bytes.n;

		if (one->canon != v->body.canon || !n)
			continue;
		sha256_add(one->state, bytes.p, n);
		one->left -= n;
	}
}

struct dkim_hashes *
dkim_hashes_new(struct arena *a)
{
	struct dkim_hashes *h = ARENA_NEW(a, struct dkim_hashes);

	h->arena = a;
	return h;
}

static struct view *
view_new(struct dkim_hashes *h, enum dkim_canon canon)
{
	struct view *v = ARENA_NEW(h->arena, struct view);

	v->owner = h;
	dkim_body_init(&v->body, canon, view_sink, v);
	return v;
}

size_t
dkim_hashes_want(struct dkim_hashes *h, enum dkim_canon canon, uint64_t limit)
{
	struct hash *one;

	for (size_t i = 0; i < h->count; i++)
		if (h->hashes[i]->canon == canon && h->hashes[i]->limit == limit)
			return i;
	CHECK(h->count < DKIM_HASHES_MAX);
	one = ARENA_NEW(h->arena, struct hash);
	*one = (struct hash){ .canon = canon, .limit = limit, .left = limit };
	one->state = sha256_new();
	if (!h->views[canon])
		h->views[canon] = view_new(h, canon);
	h->hashes[h->count] = one;
	return h->count++;
}

void
dkim_hashes_add(struct dkim_hashes *h, struct str bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(h->views); i++)
		if (h->views[i])
			dkim_body_add(&h->views[i]->body, bytes);
}

void
dkim_hashes_end(struct dkim_hashes *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->views); i++)
		if (h->views[i])
			dkim_body_end(&h->views[i]->body);
	for (size_t i = 0; i < h->count; i++)
		h->hashes[i]->result = sha256_result(h->hashes[i]->state);
}

struct sha256
dkim_hashes_result(struct dkim_hashes *h, size_t i)
{
	return h->hashes[i]->result;
}

uint64_t
dkim_hashes_length(const struct dkim_hashes *h, size_t i)
{
	return h->views[h->hashes[i]->canon]->body.length;
}

void
dkim_hashes_free(struct dkim_hashes **h)
{
	if (!*h)
		return;
	for (size_t i = 0; i < (*h)->count; i++)
		sha256_free(&(*h)->hashes[i]->state);
	*h = NULL;
}
