#include "smtp/smtp_check_conn.h"

#include "base/mem.h"
#include "base/panic.h"
#include "policy/lookups_conn.h"

enum {
	CHECK_MAGIC = 0x53434845,
	/* What a check may take: the answers of name servers and what is read from the
	   header. It costs nothing until it is used. */
	CHECK_BUDGET = 64 * 1024 * 1024,
};

struct smtp_check {
	uint32_t magic;
	struct smtp_check_conf conf;
	struct arena *arena;
	struct lookups *lookups;
	struct lookups_conn *conn;
	struct auth_check *check;
	struct strbuf header;
	size_t line; /* bytes of the line so far */
	bool is_body;
	loop_fn *done;
	void *done_arg;
};

static enum policy_step
step_envelope(void *arg, struct lookups *l)
{
	struct smtp_check *c = CAST(smtp_check, CHECK_MAGIC, arg);

	return auth_check_envelope(c->check, l);
}

static enum policy_step
step_all(void *arg, struct lookups *l)
{
	struct smtp_check *c = CAST(smtp_check, CHECK_MAGIC, arg);

	return auth_check_step(c->check, l);
}

static void
on_done(void *arg)
{
	struct smtp_check *c = CAST(smtp_check, CHECK_MAGIC, arg);

	c->done(c->done_arg);
}

struct smtp_check *
smtp_check_new(const struct smtp_check_conf *conf, const struct auth_request *request)
{
	struct smtp_check *c = mem_alloc(sizeof(*c));

	c->magic = CHECK_MAGIC;
	c->conf = *conf;
	c->arena = arena_new(CHECK_BUDGET);
	c->lookups = lookups_new(c->arena, LOOKUPS_MAX);
	c->conn = lookups_conn_new(conf->loop, conf->dns, c->lookups);
	lookups_conn_group(c->conn, conf->group);
	c->check = auth_check_new(c->arena, request);
	c->header = strbuf_heap(conf->header_max);
	lookups_conn_run(c->conn, step_envelope, NULL, c);
	return c;
}

/* Takes what belongs to the header off *bytes; true when it is over. */
static bool
take_header(struct smtp_check *c, struct str *bytes)
{
	size_t at = 0;

	while (at < bytes->n) {
		struct str rest = str_from_offset(*bytes, at);
		size_t lf = str_find(rest, '\n');
		size_t n = lf == SIZE_MAX ? rest.n : lf + 1;

		c->line += n;
		at += n;
		if (lf == SIZE_MAX)
			break;
		if (c->line == 2) { /* the empty line */
			strbuf_add(&c->header, str_first(*bytes, at));
			*bytes = str_from_offset(*bytes, at);
			return true;
		}
		c->line = 0;
	}
	strbuf_add(&c->header, *bytes);
	bytes->n = 0;
	return false;
}

static void
begin_body(struct smtp_check *c, bool has_empty_line)
{
	c->is_body = true;
	if (has_empty_line)
		strbuf_truncate(&c->header, c->header.n - 2);
	auth_check_header(c->check, strbuf_str(&c->header));
}

enum err
smtp_check_see(struct smtp_check *c, struct str bytes)
{
	if (!c->is_body) {
		bool is_over = take_header(c, &bytes);

		if (c->header.overflow)
			return ERR_TOO_LARGE;
		if (!is_over)
			return OK;
		begin_body(c, true);
	}
	if (bytes.n)
		auth_check_body(c->check, bytes);
	return OK;
}

void
smtp_check_finish(struct smtp_check *c, loop_fn *done, void *arg)
{
	if (!c->is_body)
		begin_body(c, false);
	auth_check_end(c->check);
	c->done = done;
	c->done_arg = arg;
	lookups_conn_run(c->conn, step_all, on_done, c);
	lookups_conn_limit(c->conn, c->conf.timeout_ms);
}

struct str
smtp_check_host(const struct smtp_check *c)
{
	return auth_check_host(c->check);
}

const struct auth_request *
smtp_check_request(const struct smtp_check *c)
{
	return auth_check_request(c->check);
}

const struct auth_verdict *
smtp_check_verdict(const struct smtp_check *c)
{
	return auth_check_verdict(c->check);
}

void
smtp_check_free(struct smtp_check **cp)
{
	struct smtp_check *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	lookups_conn_free(&c->conn);
	auth_check_free(&c->check);
	strbuf_release(&c->header);
	arena_free(&c->arena);
	c->magic = 0;
	mem_free(c);
}
