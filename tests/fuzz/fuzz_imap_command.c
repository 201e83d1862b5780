/* Arguments of commands, taken in every way: nothing is read outside, what is taken lies
   inside, and sets resolve to ranges in order. */
#include "base/panic.h"
#include "base/utf8.h"
#include "imap/imap_args.h"
#include "imap/imap_section.h"
#include "imap/imap_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_set(struct imap_set *set, uint32_t max)
{
	imap_set_resolve(set, max);
	for (size_t i = 0; i < set->n; i++) {
		CHECK(set->ranges[i].first <= set->ranges[i].last);
		CHECK(i == 0 || set->ranges[i - 1].last + 1 < set->ranges[i].first);
		CHECK(imap_set_has(set, set->ranges[i].first));
	}
}

static void
take_one(struct imap_args *a, uint8_t what, struct arena *arena)
{
	struct imap_section section;
	struct imap_flags flags;
	struct imap_set set;
	struct str s;
	enum err e;
	int64_t ms;
	uint64_t u;
	bool ok = true;

	switch (what % 10) {
	case 0:
		ok = imap_args_astring(a, &s);
		break;
	case 1:
		ok = imap_args_nstring(a, &s);
		break;
	case 2:
		ok = imap_args_mailbox(a, &s, &e);
		CHECK(!ok || (e == OK) == (s.n > 0));
		CHECK(!ok || utf8_check(s));
		break;
	case 3:
		ok = imap_args_list_mailbox(a, &s);
		if (ok && imap_pattern_check(s))
			(void)imap_pattern_match(s, STR("INBOX/aaaa/bbbb/cccc"),
			                         &(size_t){ 0 });
		break;
	case 4:
		ok = imap_args_set(a, &set);
		if (ok)
			check_set(&set, what);
		break;
	case 5:
		ok = imap_args_flags(a, what & 16, &flags);
		break;
	case 6:
		ok = imap_args_date(a, &ms);
		break;
	case 7:
		ok = imap_args_date_time(a, &ms);
		break;
	case 8:
		ok = imap_section_parse(a, &section);
		if (ok) {
			struct strbuf out = strbuf_arena(arena, 1 << 20);

			imap_section_format(&section, &out);
		}
		break;
	default:
		ok = imap_args_u64(a, &u);
	}
	CHECK(ok || a->error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_new(8 << 20);
	struct str in;

	if (n > 0) {
		struct imap_args a;

		in = str_make(data + 1, n - 1);
		a = imap_args_make(in, arena);
		while (!a.error && !imap_args_at_end(&a)) {
			struct str before = a.rest;

			take_one(&a, data[0], arena);
			CHECK(a.rest.n <= before.n);
			CHECK(a.rest.p + a.rest.n == in.p + in.n);
			if (!str_skip_byte(&a.rest, ' '))
				break;
		}
	}
	arena_free(&arena);
	return 0;
}
