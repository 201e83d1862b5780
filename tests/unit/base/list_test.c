#include "base/list.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

struct item {
	char name;
	struct link link;
};

static void
check_list(struct link *head, const char *want)
{
	char bytes[16];
	struct strbuf b = strbuf_on(bytes);

	LIST_EACH(head, l)
	strbuf_byte(&b, CONTAINER_OF(l, struct item, link)->name);
	CHECK_STR_EQ(strbuf_str(&b), str_from(want), want);
	CHECK_TRUE(list_is_empty(head) == (*want == '\0'), want);
}

static void
test_list(void)
{
	struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	struct link head, zero = { 0 };

	CHECK_TRUE(list_is_empty(&zero), "a zero head is empty");
	list_init(&head);
	check_list(&head, "");
	list_add_last(&head, &a.link);
	list_add_last(&head, &b.link);
	list_add_first(&head, &c.link);
	check_list(&head, "cab");
	list_remove(&a.link);
	check_list(&head, "cb");
	list_remove(&a.link);
	check_list(&head, "cb");
	list_add_last(&head, &a.link);
	check_list(&head, "cba");
	LIST_EACH(&head, l)
	list_remove(l);
	check_list(&head, "");
}

SUITE(base_list, { "list", test_list });
