/* A macro, expanded with values from the same bytes: "text LF local part LF HELO". What a
   check lets through expands to no more than a name, or than room there is. */
#include "base/panic.h"
#include "policy/lookups.h"
#include "policy/spf_macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char room[4096];
	struct str rest = str_make(data, n), text = { 0 }, local = { 0 };
	char bytes[LOOKUPS_NAME_MAX];
	struct strbuf name = strbuf_on(bytes), shown = strbuf_on(room);
	struct spf_macro_values v = { .domain = STR("o.example"),
		                      .current = STR("d.example"),
		                      .validated = STR("p.example"),
		                      .receiver = STR("r.example"),
		                      .now_ms = 1000 };

	(void)str_next(&rest, '\n', &text);
	(void)str_next(&rest, '\n', &local);
	v.sender = v.local = local;
	v.helo = rest;
	v.ip.family = n % 2 ? ADDR_V6 : ADDR_V4;
	if (spf_explanation_check(text)) {
		spf_macro_expand(text, &v, &shown);
		CHECK(shown.n <= sizeof(room));
	}
	if (spf_domain_spec_check(text)) {
		CHECK(spf_macro_check(text) && text.n <= SPF_MACRO_MAX);
		spf_macro_expand_name(text, &v, &name);
		CHECK(!name.overflow && name.n <= LOOKUPS_NAME_MAX);
	}
	return 0;
}
