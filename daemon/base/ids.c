#include "base/ids.h"

#include "base/clock.h"
#include "base/panic.h"

#include <sys/random.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum {
	PREFIX_BYTES = 4,
	TIME_BYTES = 10,
	RANDOM_BYTES = 6,
};
_Static_assert(PREFIX_BYTES + TIME_BYTES + RANDOM_BYTES == ID_BYTES, "an id's parts");

static void
put(char *p, size_t n, uint64_t value)
{
	while (n--) {
		p[n] = alphabet[value & 31];
		value >>= 5;
	}
}

struct id
id_make(const char *prefix, int64_t unix_ms, uint64_t random)
{
	struct id id = { { 0 } };

	memcpy(id.text, prefix, PREFIX_BYTES);
	put(id.text + PREFIX_BYTES, TIME_BYTES, (uint64_t)unix_ms);
	put(id.text + PREFIX_BYTES + TIME_BYTES, RANDOM_BYTES, random);
	return id;
}

struct id
id_new(const char *prefix)
{
	return id_make(prefix, clock_unix_ms(), random_u64());
}

bool
id_parse(struct str s, const char *prefix, struct id *id_out)
{
	if (s.n != ID_BYTES || !str_starts(s, str_make(prefix, PREFIX_BYTES)))
		return false;
	for (size_t i = PREFIX_BYTES; i < s.n; i++) {
		if (!s.p[i] || !strchr(alphabet, s.p[i]))
			return false;
	}
	memcpy(id_out->text, s.p, ID_BYTES);
	id_out->text[ID_BYTES] = '\0';
	return true;
}

int64_t
id_time_ms(const struct id *id)
{
	int64_t ms = 0;

	for (size_t i = PREFIX_BYTES; i < PREFIX_BYTES + TIME_BYTES && id->text[i]; i++) {
		const char *at = strchr(alphabet, id->text[i]);

		ms = ms * 32 + (at ? at - alphabet : 0);
	}
	return ms;
}

/* Random bytes are taken from the system in larger pieces: one call serves many ids. */
void
random_bytes(void *p, size_t n)
{
	static _Thread_local unsigned char pool[256];
	static _Thread_local size_t left;

	if (n > sizeof(pool)) {
		CHECK(n <= 4096 && getrandom(p, n, 0) == (ssize_t)n);
		return;
	}
	if (left < n) {
		CHECK(getrandom(pool, sizeof(pool), 0) == (ssize_t)sizeof(pool));
		left = sizeof(pool);
	}
	left -= n;
	memcpy(p, pool + left, n);
	explicit_bzero(pool + left, n);
}

uint64_t
random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}
