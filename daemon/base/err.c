#include "base/err.h"

#include "base/panic.h"

#include <stdarg.h>
#include <stdio.h>

static const struct err_info infos[] = {
	[OK] = { "OK", ERR_CLASS_NONE, 250, "2.0.0", 200, "ok", "OK" },
#define ERR(name, class, smtp, enhanced, http, word, text)                               \
	[ERR_##name] = { #name, ERR_CLASS_##class, smtp, enhanced, http, word, text },
#include "base/err.def"
#undef ERR
};
_Static_assert(ARRAY_LEN(infos) == ERR_COUNT, "one row for each error");

const struct err_info *
err_get(enum err e)
{
	CHECK((unsigned)e < ERR_COUNT);
	return &infos[e];
}

bool
err_is_temporary(enum err e)
{
	return err_get(e)->class == ERR_CLASS_TEMP;
}

bool
err_is_ours(enum err e)
{
	return err_is_temporary(e) || err_get(e)->class == ERR_CLASS_BUG ||
	       e == ERR_CORRUPT;
}

enum err
diag_set(struct diag *d, enum err e, const char *format, ...)
{
	va_list ap;

	if (!d)
		return e;
	va_start(ap, format);
	(void)vsnprintf(d->text, sizeof(d->text), format, ap);
	va_end(ap);
	return e;
}
