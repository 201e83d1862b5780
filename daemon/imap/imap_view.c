#include "imap/imap_view.h"

#include "base/mem.h"
#include "base/panic.h"

enum {
	RUNS_FIRST = 2,
};

void
imap_view_fini(struct imap_view *v)
{
	mem_free(v->runs);
	*v = (struct imap_view){ 0 };
}

static struct imap_run *
new_run(struct imap_view *v)
{
	if (v->n == v->cap) {
		v->cap = v->cap ? size_mul(v->cap, 2) : RUNS_FIRST;
		v->runs = mem_grow(v->runs, size_mul(v->cap, sizeof(*v->runs)));
	}
	return &v->runs[v->n++];
}

void
imap_view_add_run(struct imap_view *v, uint32_t first, uint32_t to)
{
	struct imap_run *last = v->n ? &v->runs[v->n - 1] : NULL;
	uint32_t seq = v->count + 1;

	if (first == 0 || first > to || (last && first <= last->last))
		return;
	v->count += to - first + 1;
	if (last && first == last->last + 1) {
		last->last = to;
		return;
	}
	*new_run(v) = (struct imap_run){ .first = first, .last = to, .seq = seq };
}

void
imap_view_add(struct imap_view *v, uint32_t uid)
{
	imap_view_add_run(v, uid, uid);
}

/* The first run whose last UID is not below uid; n where there is none. */
static size_t
run_of_uid(const struct imap_view *v, uint32_t uid)
{
	size_t low = 0, high = v->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->runs[mid].last < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint32_t
imap_view_seq(const struct imap_view *v, uint32_t uid)
{
	size_t i = run_of_uid(v, uid);

	if (i == v->n || v->runs[i].first > uid)
		return 0;
	return v->runs[i].seq + (uid - v->runs[i].first);
}

/* The run that has sequence number seq. */
static size_t
run_of_seq(const struct imap_view *v, uint32_t seq)
{
	size_t low = 0, high = v->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (v->runs[mid].seq <= seq)
			low = mid;
		else
			high = mid;
	}
	return low;
}

uint32_t
imap_view_uid(const struct imap_view *v, uint32_t seq)
{
	const struct imap_run *r;

	CHECK(seq >= 1 && seq <= v->count);
	r = &v->runs[run_of_seq(v, seq)];
	return r->first + (seq - r->seq);
}

uint32_t
imap_view_last(const struct imap_view *v)
{
	return v->n ? v->runs[v->n - 1].last : 0;
}

/* The runs are written anew, each cut where one of the UIDs lies in it; at most one run
   more for each UID. */
void
imap_view_remove(struct imap_view *v, const uint32_t *uids, size_t n)
{
	struct imap_view next = { 0 };
	size_t at = 0;

	if (n == 0)
		return;
	for (size_t i = 0; i < v->n; i++) {
		uint64_t from = v->runs[i].first;
		uint32_t last = v->runs[i].last;

		for (; at < n && uids[at] <= last; at++) {
			CHECK(uids[at] >= from);
			if (uids[at] > from) {
				*new_run(&next) =
					(struct imap_run){ (uint32_t)from, uids[at] - 1,
					                   next.count + 1 };
				next.count += uids[at] - (uint32_t)from;
			}
			from = (uint64_t)uids[at] + 1;
		}
		if (from > last)
			continue;
		*new_run(&next) =
			(struct imap_run){ (uint32_t)from, last, next.count + 1 };
		next.count += last - (uint32_t)from + 1;
	}
	CHECK(at == n);
	imap_view_fini(v);
	*v = next;
}

/* Runs and UIDs are merged, smaller first. */
void
imap_view_insert(struct imap_view *v, const uint32_t *uids, size_t n)
{
	struct imap_view next = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < v->n; i++) {
		while (at < n && uids[at] < v->runs[i].first)
			imap_view_add(&next, uids[at++]);
		imap_view_add_run(&next, v->runs[i].first, v->runs[i].last);
	}
	while (at < n)
		imap_view_add(&next, uids[at++]);
	imap_view_fini(v);
	*v = next;
}

bool
imap_view_uids_of_seqs(const struct imap_view *v, const struct imap_set *seqs,
                       struct arena *a, struct imap_set *uids_out)
{
	struct imap_set_builder b;

	imap_set_builder_init(&b, a);
	for (size_t i = 0; i < seqs->n; i++) {
		uint32_t seq = seqs->ranges[i].first, last = seqs->ranges[i].last;

		if (last > v->count)
			last = v->count;
		while (seq <= last) {
			const struct imap_run *r = &v->runs[run_of_seq(v, seq)];
			uint32_t first_uid = r->first + (seq - r->seq);
			uint32_t n = r->last - first_uid + 1;

			if (n > last - seq + 1)
				n = last - seq + 1;
			if (!imap_set_builder_add(&b, first_uid, first_uid + n - 1))
				return false;
			seq += n;
		}
	}
	*uids_out = imap_set_builder_set(&b);
	return true;
}

bool
imap_view_uids_of_uids(const struct imap_view *v, const struct imap_set *uids,
                       struct arena *a, struct imap_set *uids_out)
{
	struct imap_set_builder b;

	imap_set_builder_init(&b, a);
	for (size_t i = 0; i < uids->n; i++) {
		struct uid_range want = uids->ranges[i];

		for (size_t k = run_of_uid(v, want.first); k < v->n; k++) {
			const struct imap_run *r = &v->runs[k];

			if (r->first > want.last)
				break;
			if (!imap_set_builder_add(
				    &b, r->first > want.first ? r->first : want.first,
				    r->last < want.last ? r->last : want.last))
				return false;
		}
	}
	*uids_out = imap_set_builder_set(&b);
	return true;
}

void
imap_view_check(const struct imap_view *v)
{
	uint32_t seq = 1;

	for (size_t i = 0; i < v->n; i++) {
		CHECK(v->runs[i].first >= 1 && v->runs[i].first <= v->runs[i].last);
		CHECK(v->runs[i].seq == seq);
		CHECK(i == 0 || v->runs[i - 1].last < v->runs[i].first);
		seq += v->runs[i].last - v->runs[i].first + 1;
	}
	CHECK(v->count == seq - 1);
}
