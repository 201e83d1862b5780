#include "ext/library.h"

#include "base/event.h"

#include <dlfcn.h>

bool
library_load(struct library *l)
{
	void *handle;

	if (l->is_loaded)
		return true;
	handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		log_line(LEVEL_ERROR, "library.missing", "text=\"%s\"", dlerror());
		return false;
	}
	for (size_t i = 0; i < l->count; i++) {
		l->functions[i] = dlsym(handle, l->names[i]);
		if (!l->functions[i]) {
			log_line(LEVEL_ERROR, "library.missing", "file=%s function=%s",
			         l->file, l->names[i]);
			return false;
		}
	}
	l->is_loaded = true;
	return true;
}
