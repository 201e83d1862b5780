#include "ext/psl.h"

#include "base/strbuf.h"

#include <libpsl.h>

enum {
	NAME_BYTES = 256,
};

struct str
psl_registered_domain(struct str name)
{
	char bytes[NAME_BYTES];
	struct strbuf b = strbuf_on(bytes);
	const char *cstr, *found;

	strbuf_add(&b, name);
	cstr = strbuf_cstr(&b);
	if (b.overflow || !name.n || name.p[0] == '.' || name.p[name.n - 1] == '.' ||
	    str_find(name, '\0') != SIZE_MAX)
		return STR("");
	found = psl_registrable_domain(psl_builtin(), cstr);
	/* It points into what was asked for. */
	return found ? str_from_offset(name, (size_t)(found - cstr)) : STR("");
}
