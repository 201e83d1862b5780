#include "ext/idn.h"

#include "base/utf8.h"

#include <idn2.h>

enum { NAME_BYTES = 1024 }; /* more than any name that could be one */

static void
add_lower(struct strbuf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		strbuf_byte(out, byte_lower(s.p[i]));
}

enum err
idn_to_ascii(struct str name, struct strbuf *out)
{
	char bytes[NAME_BYTES];
	struct strbuf in = strbuf_on(bytes);
	char *ascii = NULL;
	const char *p;
	int e;

	if (ascii_check(name)) {
		add_lower(out, name);
		return out->overflow ? ERR_LIMIT : OK;
	}
	strbuf_add(&in, name);
	p = strbuf_cstr(&in);
	if (in.overflow || str_find(name, '\0') != SIZE_MAX || !utf8_check(name))
		return ERR_ADDRESS;
	e = idn2_to_ascii_8z(p, &ascii,
	                     IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL |
	                             IDN2_USE_STD3_ASCII_RULES);
	if (e != IDN2_OK)
		return ERR_ADDRESS;
	add_lower(out, str_from(ascii));
	idn2_free(ascii);
	return out->overflow ? ERR_LIMIT : OK;
}

void
idn_to_unicode(struct str name, struct strbuf *out)
{
	char bytes[NAME_BYTES];
	struct strbuf in = strbuf_on(bytes);
	char *text = NULL;
	const char *p;

	strbuf_add(&in, name);
	p = strbuf_cstr(&in);
	if (in.overflow || str_find(name, '\0') != SIZE_MAX ||
	    idn2_to_unicode_8z8z(p, &text, 0) != IDN2_OK) {
		strbuf_add(out, name);
		return;
	}
	strbuf_add(out, str_from(text));
	idn2_free(text);
}
