#include "cli/client.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "ext/library.h"
#include "io/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Its macros would check calls of its own names only. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* clang-format off */
#define FUNCTIONS(X) \
	X(curl_easy_cleanup) X(curl_easy_escape) X(curl_easy_getinfo) \
	X(curl_easy_init) X(curl_easy_perform) X(curl_easy_reset) \
	X(curl_easy_setopt) X(curl_easy_strerror) X(curl_free) X(curl_slist_append) \
	X(curl_slist_free_all)
/* clang-format on */
LIBRARY(lib, "libcurl.so.4", FUNCTIONS);

enum {
	ANSWER_MAX = 256 << 20,
	TIMEOUT_S = 120,
};

struct client {
	CURL *curl;
	struct strbuf body; /* heap */
	struct client_answer answer;
	char error[CURL_ERROR_SIZE];
	const char *socket_path;
};

struct client *
client_new(const char *socket_path)
{
	struct client *c = mem_alloc(sizeof(*c));

	if (library_load(&lib_library))
		c->curl = lib.curl_easy_init();
	c->body = strbuf_heap(ANSWER_MAX);
	c->socket_path = socket_path;
	return c;
}

void
client_free(struct client **c)
{
	if (!*c)
		return;
	json_free(&(*c)->answer.doc);
	strbuf_release(&(*c)->body);
	if ((*c)->curl)
		lib.curl_easy_cleanup((*c)->curl);
	mem_free(*c);
	*c = NULL;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct client *c = arg;

	strbuf_bytes(&c->body, p, size * n);
	return c->body.overflow ? 0 : size * n;
}

static struct curl_slist *
set_up(struct client *c, const char *method, const char *url, struct str body)
{
	struct curl_slist *headers = NULL;

	lib.curl_easy_reset(c->curl);
	c->error[0] = '\0';
	lib.curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
	lib.curl_easy_setopt(c->curl, CURLOPT_URL, url);
	lib.curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	lib.curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
	lib.curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	lib.curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	lib.curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	lib.curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
	lib.curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	lib.curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	if (body.n) {
		headers = lib.curl_slist_append(NULL, "Content-Type: application/json");
		lib.curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
		lib.curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.p);
		lib.curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE,
		                     (curl_off_t)body.n);
	}
	return headers;
}

/* What libcurl says of it names a port that nobody asked for. */
static void
say_unreachable(struct client *c)
{
	struct strbuf b = strbuf_on(c->error);
	int fd, error;

	if (socket_connect_unix(c->socket_path, &fd) == OK) {
		(void)close(fd);
		return; /* now it is there */
	}
	error = errno;
	strbuf_printf(&b, "%s: %s", c->socket_path, strerrordesc_np(error));
	if (error == EACCES || error == EPERM)
		strbuf_lit(&b, "; run this as root or as the user of the service");
	else if (error == ENOENT || error == ECONNREFUSED)
		strbuf_lit(&b, "; is the service running?");
	(void)strbuf_cstr(&b);
}

const struct client_answer *
client_call(struct client *c, const char *method, struct str path, struct str body)
{
	struct strbuf url = strbuf_heap(64 * 1024);
	struct curl_slist *headers;
	long status = 0;
	CURLcode code = CURLE_FAILED_INIT;

	json_free(&c->answer.doc);
	strbuf_clear(&c->body);
	c->answer = (struct client_answer){ .error = "cannot start libcurl" };
	if (!c->curl)
		return &c->answer;
	strbuf_lit(&url, "http://localhost/api/v1");
	strbuf_add(&url, path);
	headers = set_up(c, method, strbuf_cstr(&url), body);
	code = lib.curl_easy_perform(c->curl);
	lib.curl_slist_free_all(headers);
	strbuf_release(&url);
	if (code == CURLE_COULDNT_CONNECT)
		say_unreachable(c);
	if (code != CURLE_OK) {
		c->answer.error = c->error[0] ? c->error : lib.curl_easy_strerror(code);
		return &c->answer;
	}
	lib.curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	c->answer.status = (int)status;
	c->answer.error = "";
	c->answer.body = strbuf_str(&c->body);
	if (c->body.n && json_parse(c->answer.body, &c->answer.doc, NULL) != OK)
		c->answer.doc = NULL;
	return &c->answer;
}

void
client_escape(struct strbuf *out, struct str text)
{
	char *escaped = NULL;

	if (library_load(&lib_library))
		escaped = lib.curl_easy_escape(NULL, text.n ? text.p : "", (int)text.n);
	if (!escaped)
		return;
	strbuf_add(out, str_from(escaped));
	lib.curl_free(escaped);
}
