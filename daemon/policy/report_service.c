#include "policy/report.h"

static const struct report_service services[] = {
#define SERVICE(word, name, domains, spf) { word, name, domains, spf },
#include "policy/report_services.def"
#undef SERVICE
};

/* Is it the domain, or below it? */
static bool
is_below(struct str name, struct str domain)
{
	return str_ends(name, domain) &&
	       (name.n == domain.n || name.p[name.n - domain.n - 1] == '.');
}

static bool
has_domain(const struct report_service *s, struct str name)
{
	struct str rest = str_from(s->domains), one;

	while (str_next(&rest, ' ', &one)) {
		if (is_below(name, one))
			return true;
	}
	return false;
}

const struct report_service *
report_service_of(struct str domains)
{
	struct str one;

	while (str_next(&domains, ' ', &one)) {
		for (size_t i = 0; i < ARRAY_LEN(services); i++) {
			if (has_domain(&services[i], one))
				return &services[i];
		}
	}
	return NULL;
}

const struct report_service *
report_service_find(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		if (str_eq(str_from(services[i].word), word))
			return &services[i];
	}
	return NULL;
}

static const struct {
	const char *word, *text;
} failures[] = {
#define FAILURE(word, text) { word, text },
#include "policy/report_failures.def"
#undef FAILURE
};

const char *
report_failure_text(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (str_eq(str_from(failures[i].word), word))
			return failures[i].text;
	}
	return "";
}
