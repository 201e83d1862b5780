/* served.c - one connection after another:
 *
 *   on_data, on_drained, answers -> served_follow -> feed -> ops->input
 *
 * `next` is the state: only SERVED_READ takes input and is fed. Every path ends in
 * on_closed or in the protocol's own served_free.
 */
#include "io/served.h"

#include "base/event.h"
#include "base/panic.h"

static void
start_tls(struct served *c)
{
	size_t dropped;

	stream_start_tls_server(c->stream, c->all->tls, c->ops->alpn, &dropped);
	if (dropped)
		c->ops->dropped(c->arg, dropped);
}

static void
go_on_writing(void *arg)
{
	struct served *c = arg;

	if (c->next == SERVED_MORE)
		served_follow(c, c->ops->drained(c->arg, stream_output(c->stream)));
}

/* What is there is looked at now, not in the next turn. */
static enum served_next
feed(struct served *c)
{
	struct str in = stream_input(c->stream);
	size_t used = 0;
	enum served_next next;

	if (!in.n || stream_is_full(c->stream))
		return SERVED_READ;
	next = c->ops->input(c->arg, in, &used, stream_output(c->stream));
	if (used)
		stream_consume(c->stream, used);
	return next;
}

/* A server that stops lets commands be finished, but not for ever. */
static bool
must_go(const struct served *c)
{
	return c->all->is_impatient ||
	       (c->all->is_stopping && !stream_input(c->stream).n &&
	        c->ops->is_at_rest(c->arg));
}

void
served_follow(struct served *c, enum served_next next)
{
	if (next == SERVED_READ)
		next = feed(c);
	stream_flush_soon(c->stream);
	c->next = next;
	if (next == SERVED_READ && must_go(c)) {
		served_bye(c, ERR_SHUTDOWN);
		return;
	}
	c->ops->next(c->arg, next);
	switch (next) {
	case SERVED_READ:
		stream_take(c->stream, true);
		return;
	case SERVED_WAIT:
		stream_take(c->stream, false);
		return;
	case SERVED_MORE:
		stream_take(c->stream, false);
		if (!stream_is_full(c->stream))
			loop_defer(c->all->loop, go_on_writing, c);
		return;
	case SERVED_STARTTLS:
		start_tls(c);
		return;
	case SERVED_CLOSE:
		stream_close(c->stream);
		return;
	}
}

bool
served_may_go(const struct served *c)
{
	return c->next == SERVED_CLOSE ||
	       (c->next == SERVED_READ && c->ops->is_at_rest(c->arg));
}

void
served_bye(struct served *c, enum err why)
{
	if (c->next == SERVED_CLOSE)
		return;
	c->next = SERVED_CLOSE;
	c->ops->bye(c->arg, why, stream_output(c->stream));
	stream_flush_soon(c->stream);
	stream_close(c->stream);
}

/* ---- what the stream says ---------------------------------------------------------- */

static void
on_data(void *arg)
{
	struct served *c = arg;

	if (c->next == SERVED_READ)
		served_follow(c, SERVED_READ);
}

static void
on_drained(void *arg)
{
	struct served *c = arg;

	if (c->next == SERVED_READ)
		served_follow(c, SERVED_READ);
	else if (c->next == SERVED_MORE)
		go_on_writing(c);
	else if (c->ops->room)
		c->ops->room(c->arg);
}

static void
greet(struct served *c)
{
	c->is_greeted = true;
	c->ops->greet(c->arg, stream_output(c->stream));
	served_follow(c, SERVED_READ);
}

static void
on_secured(void *arg)
{
	struct served *c = arg;

	c->ops->secured(c->arg, stream_tls_info(c->stream));
	if (c->is_greeted)
		served_follow(c, SERVED_READ);
	else
		greet(c);
}

static void
on_timeout(void *arg)
{
	struct served *c = arg;

	if (c->next == SERVED_STARTTLS)
		stream_close(c->stream);
	else
		served_bye(c, ERR_TIMEOUT);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct served *c = arg;

	c->ops->closed(c->arg, why, detail);
	served_free(c);
}

static const struct stream_ops stream_callbacks = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.timeout = on_timeout,
	.closed = on_closed,
};

/* ---- beginning and end ------------------------------------------------------------- */

void
served_begin(struct served *c, struct served_all *all, const struct accepted *a,
             bool is_implicit_tls)
{
	CHECK(c->ops && c->arg);
	c->all = all;
	c->peer = a->peer;
	c->id = id_new("ses_");
	c->is_implicit_tls = is_implicit_tls;
	c->next = SERVED_STARTTLS;
	limiter_hold(all->limiter, &c->place, &a->peer, c->ops->place, c->arg);
	list_add_last(&all->conns, &c->link);
}

bool
served_has_starttls(const struct served *c)
{
	return !c->is_implicit_tls && c->all->tls && tls_server_is_ready(c->all->tls);
}

void
served_start(struct served *c, int fd, const struct stream_limits *limits,
             int64_t first_ms)
{
	c->stream = stream_new(c->all->loop, fd, &stream_callbacks, limits, c);
	stream_deadline(c->stream, first_ms);
	if (c->is_implicit_tls)
		start_tls(c);
	else
		greet(c);
}

/* A server that stops has waited for the last one. */
static void
count_out(struct served_all *all)
{
	loop_fn *stopped = all->stopped;

	if (!stopped || !list_is_empty(&all->conns))
		return;
	all->stopped = NULL;
	timer_stop(&all->impatience);
	stopped(all->stopped_arg);
}

void
served_free(struct served *c)
{
	struct served_all *all = c->all;

	loop_defer_cancel(all->loop, go_on_writing, c);
	stream_free(&c->stream);
	limiter_leave(&c->place);
	list_remove(&c->link);
	c->ops->free(c->arg);
	count_out(all);
}

/* ---- all of a server --------------------------------------------------------------- */

/* Whose answer is out is told goodbye behind it (must_go). */
static void
on_impatience(void *arg)
{
	struct served_all *all = arg;

	all->is_impatient = true;
	LIST_EACH(&all->conns, l)
	{
		struct served *c = CONTAINER_OF(l, struct served, link);

		if (c->next == SERVED_STARTTLS)
			stream_close(c->stream);
		else if (c->next != SERVED_WAIT)
			served_bye(c, ERR_SHUTDOWN);
	}
}

void
served_all_init(struct served_all *all, struct loop *loop, struct tls_server *tls,
                struct limiter *limiter)
{
	*all = (struct served_all){ .loop = loop, .tls = tls, .limiter = limiter };
	list_init(&all->conns);
	timer_init(&all->impatience, loop, on_impatience, all);
}

void
served_all_fini(struct served_all *all)
{
	all->stopped = NULL;
	timer_stop(&all->impatience);
	LIST_EACH(&all->conns, l)
	served_free(CONTAINER_OF(l, struct served, link));
}

void
served_all_stop(struct served_all *all, int64_t patience_ms, loop_fn *done, void *arg)
{
	all->is_stopping = true;
	if (list_is_empty(&all->conns)) {
		loop_defer(all->loop, done, arg);
		return;
	}
	all->stopped = done;
	all->stopped_arg = arg;
	timer_set(&all->impatience, patience_ms > 0 ? patience_ms : 0);
	LIST_EACH(&all->conns, l)
	{
		struct served *c = CONTAINER_OF(l, struct served, link);

		if (c->next == SERVED_STARTTLS)
			stream_close(c->stream);
		else if (served_may_go(c))
			served_bye(c, ERR_SHUTDOWN);
	}
}

/* ---- what is told ------------------------------------------------------------------ */

void
served_tell_refused(const struct served *c, enum err why, struct str command,
                    const char *reason)
{
	char bytes[ADDR_TEXT_MAX];
	struct event e;

	event_init(&e, EV_COMMAND_REJECTED, STR(""), id_str(&c->id));
	event_str(&e, "protocol", c->ops->name);
	if (command.n)
		event_str(&e, "command", command);
	event_str(&e, "ip", addr_ip_text(&c->peer, &bytes));
	event_str(&e, "reason", str_from(reason));
	event_str(&e, "reply", str_from(err_get(why)->text));
	event_tell(&e);
}

void
served_tell_closed(const struct served *c, enum stream_end why, const char *detail)
{
	char bytes[ADDR_TEXT_MAX];
	struct event e;

	if (why != STREAM_TLS && why != STREAM_TLS_TIMEOUT)
		return;
	event_init(&e, EV_TLS_FAILED, STR(""), id_str(&c->id));
	event_str(&e, "protocol", c->ops->name);
	event_str(&e, "ip", addr_ip_text(&c->peer, &bytes));
	event_str(&e, "reason", str_from(stream_end_word(why)));
	if (detail && *detail)
		event_str(&e, "detail", str_from(detail));
	event_tell(&e);
}
