/* Addresses: what is taken as a path is written and taken again as the same; an address
   list of any bytes keeps its bounds. */
#include "base/panic.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(struct str s, unsigned flags, struct arena *a)
{
	struct address address = { 0 }, again = { 0 };
	struct strbuf text = strbuf_heap(4096), key = strbuf_heap(ADDRESS_KEY_MAX);
	struct str rest = s;

	if (address_parse_path(&rest, flags, a, &address) == OK) {
		address_format(&text, &address);
		CHECK(!text.overflow && text.n <= ADDRESS_MAX);
		CHECK(flags & ADDRESS_UTF8 || ascii_check(strbuf_str(&text)));
		CHECK(utf8_check(strbuf_str(&text)));
		CHECK(address_parse(strbuf_str(&text), flags, a, &again) == OK);
		CHECK(str_eq(again.local, address.local));
		CHECK(str_eq(again.domain, address.domain));
		if (!address_is_null(&address))
			CHECK(address_normalize(&address, &key) == OK);
	} else {
		CHECK(rest.p == s.p && rest.n == s.n);
	}
	strbuf_release(&text);
	strbuf_release(&key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)8 << 20);
	struct strbuf host = strbuf_heap(4096);
	struct address_list list;
	bool in_group = false;
	struct str s;

	if (size) {
		s = str_make(data + 1, size - 1);
		check_path(s, data[0] & 7u, a);
		(void)address_is_login(s);
		if (domain_check(s, false))
			CHECK(domain_normalize(s, &host) == OK && host.n == s.n);
		address_list_parse(s, 100, a, &list);
		CHECK(list.count <= 101);
		for (size_t i = 0; i < list.count; i++) {
			const struct list_entry *e = &list.entries[i];

			CHECK(e->kind != LIST_GROUP_END || in_group);
			CHECK(e->kind != LIST_GROUP_BEGIN || !in_group);
			if (e->kind != LIST_MAILBOX)
				in_group = e->kind == LIST_GROUP_BEGIN;
			CHECK(e->name.n + e->route.n + e->local.n + e->domain.n <=
			      4 * s.n);
		}
		CHECK(!in_group);
	}
	strbuf_release(&host);
	arena_free(&a);
	return 0;
}
