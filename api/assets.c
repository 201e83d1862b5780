#include "api/assets.h"

#include "api/api.h"
#include "api/request.h"
#include "base/event.h"
#include "base/map.h"
#include "base/mem.h"
#include "ext/crypto.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILES_MAX = 200,
	FILE_MAX = 4 << 20,
	ARENA_MAX = 32 << 20,
	PAGE_MAX = 4 << 20,
};

#define CSP                                                                              \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "       \
	"data:; "                                                                        \
	"connect-src 'self'; font-src 'self'; manifest-src 'self'; frame-src 'self'; "   \
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "                  \
	"require-trusted-types-for 'script'"

struct asset {
	struct str name;
	struct str bytes, zipped; /* zipped: empty where there is none */
	struct str etag;          /* with its quotes */
	const char *type;
	bool is_immutable;
};

struct api_assets {
	struct arena *arena;
	struct map *by_name;
	size_t count;
	struct str sheet; /* name of the style sheet; empty: there is none */
};

/* Paths of the dashboard's own pages begin with one of these. */
static const struct str rooms[] = {
	STR_INIT(""),        STR_INIT("messages"), STR_INIT("queue"),
	STR_INIT("domains"), STR_INIT("setup"),    STR_INIT("accounts"),
	STR_INIT("reports"), STR_INIT("settings"),
};

static const struct {
	struct str suffix;
	const char *type;
} types[] = {
	{ STR_INIT(".html"), "text/html; charset=utf-8" },
	{ STR_INIT(".js"), "text/javascript; charset=utf-8" },
	{ STR_INIT(".css"), "text/css; charset=utf-8" },
	{ STR_INIT(".svg"), "image/svg+xml" },
	{ STR_INIT(".png"), "image/png" },
	{ STR_INIT(".ico"), "image/x-icon" },
	{ STR_INIT(".json"), "application/json" },
	{ STR_INIT(".webmanifest"), "application/manifest+json" },
	{ STR_INIT(".txt"), "text/plain; charset=utf-8" },
	{ STR_INIT(".woff2"), "font/woff2" },
};

static const char *
type_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_ends(name, types[i].suffix))
			return types[i].type;
	}
	return NULL;
}

/* "main-4KYD2X3Q.js": eight letters or digits between "-" and ".". */
static bool
has_hash(struct str name)
{
	size_t dash = str_find_last(name, '-'), dot = str_find_last(name, '.');

	if (dash == SIZE_MAX || dot == SIZE_MAX || dot != dash + 9)
		return false;
	for (size_t i = dash + 1; i < dot; i++) {
		if (!byte_is_alnum(name.p[i]))
			return false;
	}
	return true;
}

/* --- the table --------------------------------------------------------------------- */

static struct str
read_file(struct arena *a, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct str bytes = { NULL, 0 };
	struct stat st;
	char *p;

	if (fd < 0)
		return bytes;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= FILE_MAX) {
		p = arena_try(a, (size_t)st.st_size);
		if (p && read(fd, p, (size_t)st.st_size) == st.st_size)
			bytes = str_make(p, (size_t)st.st_size);
	}
	(void)close(fd);
	return bytes;
}

static void
add_file(struct api_assets *t, int dir, struct str name)
{
	struct asset *file;
	struct strbuf hex = strbuf_arena(t->arena, 40), zipped_name;
	struct sha256 digest;

	if (!type_of(name) || t->count == FILES_MAX)
		return;
	file = ARENA_NEW(t->arena, struct asset);
	file->name = arena_str(t->arena, name);
	file->bytes = read_file(t->arena, dir, arena_cstr(t->arena, name));
	if (!file->bytes.n)
		return;
	zipped_name = strbuf_arena(t->arena, name.n + 8);
	strbuf_add(&zipped_name, name);
	strbuf_lit(&zipped_name, ".gz");
	file->zipped = read_file(t->arena, dir, strbuf_cstr(&zipped_name));
	digest = sha256_of(file->bytes);
	strbuf_byte(&hex, '"');
	strbuf_hex(&hex, str_first(sha256_str(&digest), 12));
	strbuf_byte(&hex, '"');
	file->etag = strbuf_str(&hex);
	file->type = type_of(name);
	file->is_immutable = has_hash(name);
	if (str_ends(name, STR(".css")))
		t->sheet = file->name;
	(void)map_set(t->by_name, file->name, file);
	t->count++;
}

struct api_assets *
assets_open(const char *dir)
{
	struct api_assets *t = mem_alloc(sizeof(*t));
	DIR *d = opendir(dir);
	struct dirent *entry;

	t->arena = arena_new(ARENA_MAX);
	t->by_name = map_new();
	if (!d)
		return t;
	while ((entry = readdir(d)))
		add_file(t, dirfd(d), str_from(entry->d_name));
	(void)closedir(d);
	log_line(LEVEL_INFO, "web.assets", "files=%zu bytes=%zu", t->count,
	         arena_used(t->arena));
	return t;
}

void
assets_close(struct api_assets **t)
{
	if (!*t)
		return;
	map_free(&(*t)->by_name);
	arena_free(&(*t)->arena);
	mem_free(*t);
	*t = NULL;
}

/* --- answering --------------------------------------------------------------------- */

static const struct asset *
find(const struct api_assets *t, struct str path)
{
	struct str room;

	if (!t || !str_skip_byte(&path, '/'))
		return NULL;
	room = str_first(path, str_find(path, '/'));
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		if (str_eq(room, rooms[i]) && (room.n || !path.n))
			return map_find(t->by_name, STR("index.html"));
	}
	return map_find(t->by_name, path);
}

static bool
takes_gzip(struct str accepted)
{
	struct str part;

	while (str_next(&accepted, ',', &part)) {
		struct str name = str_trim(str_first(part, str_find(part, ';')));

		if (str_eq_icase(name, STR("gzip")))
			return str_find_str(part, STR("q=0")) == SIZE_MAX ||
			       str_find_str(part, STR("q=0.")) != SIZE_MAX;
	}
	return false;
}

static void
send_file(struct api_request *r, int status, const struct asset *file)
{
	bool zipped = file->zipped.n && takes_gzip(api_head(r, "accept-encoding"));

	api_header(r, "Cache-Control",
	           file->is_immutable ? STR("public, max-age=31536000, immutable")
	                              : STR("no-cache"));
	api_header(r, "ETag", file->etag);
	if (file->zipped.n)
		api_header(r, "Vary", STR("Accept-Encoding"));
	request_add_security(r, STR(CSP));
	if (status == 200 && request_has_tag(r, file->etag)) {
		http_answer(r->x, 304, r->headers, r->headers_count, STR(""));
	} else {
		if (zipped)
			api_header(r, "Content-Encoding", STR("gzip"));
		api_header(r, "Content-Type", str_from(file->type));
		http_answer_static(r->x, status, r->headers, r->headers_count,
		                   zipped ? file->zipped : file->bytes);
	}
	request_end(r);
}

void
assets_reply_page(struct api_request *r, const char *title, struct str body)
{
	const struct api_assets *t = r->api->assets;
	struct strbuf b = strbuf_arena(r->arena, PAGE_MAX);

	strbuf_printf(&b,
	              "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
	              "<meta name=\"viewport\" content=\"width=device-width\">"
	              "<meta name=\"color-scheme\" content=\"light dark\">"
	              "<title>%s</title>",
	              title);
	if (t && t->sheet.n)
		strbuf_printf(&b, "<link rel=\"stylesheet\" href=\"/%.*s\">",
		              STR_ARG(t->sheet));
	strbuf_add(&b, body);
	api_header(r, "Cache-Control", STR("no-cache"));
	request_add_security(r, STR(CSP));
	api_header(r, "Content-Type", STR("text/html; charset=utf-8"));
	http_answer(r->x, 200, r->headers, r->headers_count, strbuf_str(&b));
	request_end(r);
}

/* A person with a browser who asks for a page: the dashboard says itself that there is
   none, with the way back. Scripts and sheets are asked for otherwise. */
static const struct asset *
page_for_people(struct api_request *r)
{
	if (!r->api->assets ||
	    str_find_str(api_head(r, "accept"), STR("text/html")) == SIZE_MAX)
		return NULL;
	return map_find(r->api->assets->by_name, STR("index.html"));
}

void
assets_reply(struct api_request *r)
{
	const struct asset *file = find(r->api->assets, r->path);
	bool is_read = str_eq(r->method, STR("GET")) || str_eq(r->method, STR("HEAD"));
	const struct asset *page = file || !is_read ? NULL : page_for_people(r);

	if (page) {
		send_file(r, 404, page);
	} else if (!file) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
	} else if (!is_read) {
		api_header(r, "Allow", STR("GET, HEAD"));
		api_problem(r, PROBLEM_METHOD, NULL);
	} else {
		send_file(r, 200, file);
	}
}
