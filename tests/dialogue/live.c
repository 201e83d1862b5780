/* Stories told to a server that runs, over a socket: those that say "@live SERVICE".
 *
 * What only the bare core can show (`E:`, `!`) is left out, and so are the settings: the
 * server has to be set up so that the story holds (README.md). */
#include "base/addr.h"
#include "tests/dialogue/dialogue.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REPLY_MS = 10000, /* the longest wait for a reply */
	QUIET_MS = 200,   /* so long nothing: that was all */
	STORY_MAX_BYTES = 4 << 20,
};

struct live {
	const char *path;
	unsigned line;
	int fd;
	struct strbuf in, out;
	bool is_closed, has_failed;
};

static void
fail(struct live *t, const char *what, struct str got, struct str want)
{
	if (!t->has_failed)
		printf("%s:%u: %s (live)\n  got  \"%.*s\"\n  want \"%.*s\"\n", t->path,
		       t->line, what, STR_ARG(str_first(got, 400)),
		       STR_ARG(str_first(want, 400)));
	t->has_failed = true;
}

static int
dial(const struct addr *to)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	sin.sin_port = htons(to->port);
	memcpy(&sin.sin_addr, to->ip, 4);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)(void *)&sin, sizeof(sin)) != 0) {
		(void)close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Reads once; false after wait_ms without anything, or at the end. */
static bool
hear(struct live *t, int wait_ms)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	if (t->is_closed || poll(&p, 1, wait_ms) <= 0)
		return false;
	n = recv(t->fd, bytes, sizeof(bytes), 0);
	if (n <= 0)
		t->is_closed = true;
	else
		strbuf_bytes(&t->out, bytes, (size_t)n);
	return n > 0;
}

/* Sends the group, while replies to its first part may already come. */
static void
say(struct live *t)
{
	size_t sent = 0;

	while (sent < t->in.n && !t->is_closed) {
		ssize_t n = send(t->fd, t->in.p + sent, t->in.n - sent,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (!hear(t, 100))
			t->is_closed = t->is_closed || n == 0;
	}
	strbuf_clear(&t->in);
}

static void
expect_reply(struct live *t, struct str want)
{
	struct str line;
	size_t lf;

	if (str_eq(want, STR("..."))) {
		while (hear(t, QUIET_MS))
			;
		strbuf_clear(&t->out);
		return;
	}
	while ((lf = str_find(strbuf_str(&t->out), '\n')) == SIZE_MAX &&
	       hear(t, REPLY_MS))
		;
	if (lf == SIZE_MAX) {
		fail(t, "no reply", strbuf_str(&t->out), want);
		return;
	}
	line = str_first(strbuf_str(&t->out), lf);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!dialogue_matches(line, want))
		fail(t, "wrong reply", line, want);
	strbuf_consume(&t->out, lf + 1);
}

static void
expect_end(struct live *t, struct str what)
{
	bool want_close = str_eq(what, STR("close"));

	while (hear(t, want_close ? REPLY_MS : QUIET_MS))
		;
	if (t->out.n)
		fail(t, "more replies than told", strbuf_str(&t->out), STR(""));
	if (want_close && !t->is_closed)
		fail(t, "still open", STR(""), STR("closed"));
}

static void
on_line(struct live *t, struct str line)
{
	struct str text = str_from_offset(line, 2);
	uint64_t times = 1;
	size_t colon = str_find(line, ':');
	bool is_client = line.n && (line.p[0] == 'C' || line.p[0] == 'c');

	(void)str_skip_byte(&text, ' ');
	if (str_starts(line, STR("C*"))) {
		if (colon == SIZE_MAX ||
		    !str_parse_u64(str_make(line.p + 2, colon - 2), &times))
			fail(t, "bad count", line, STR(""));
		text = str_trim(str_from_offset(line, colon + 1));
	}
	if (is_client) {
		for (uint64_t i = 0; i < times; i++) {
			if (!dialogue_unescape(text, &t->in))
				fail(t, "bad escape in the story", text, STR(""));
			if (line.p[0] == 'C')
				strbuf_lit(&t->in, "\r\n");
		}
		return;
	}
	if (str_starts(line, STR("S:")) || str_starts(line, STR("= "))) {
		say(t);
		if (line.p[0] == 'S')
			expect_reply(t, text);
		else
			expect_end(t, str_from_offset(line, 2));
	}
}

bool
dialogue_tell_live(const char *path, struct str text, const struct addr *to)
{
	struct live t = {
		.path = path,
		.fd = dial(to),
		.in = strbuf_heap(STORY_MAX_BYTES),
		.out = strbuf_heap(STORY_MAX_BYTES),
	};
	struct str line;

	if (t.fd < 0)
		fail(&t, "cannot connect", STR(""), STR(""));
	while (!t.has_failed && str_next(&text, '\n', &line)) {
		t.line++;
		on_line(&t, line);
	}
	if (t.fd >= 0)
		(void)close(t.fd);
	strbuf_release(&t.in);
	strbuf_release(&t.out);
	return !t.has_failed;
}
