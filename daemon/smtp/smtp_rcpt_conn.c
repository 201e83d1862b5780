/* Where mail for a recipient goes.
 *
 * Who may be sent to:
 *   an address of ours ..... what it resolves to: mailboxes, and aliases' other servers
 *   a name for reports ..... the queue process, which reads them (reader_is_for_reports)
 *   a sender we rewrote .... who that was, for notifications (policy/srs.h)
 *   anything else .......... with a login or from a relay network; else 550
 * An address is ours when its domain, as it stands behind the last "@", is one of ours:
 * nothing inside a local part ("user%host", "host!user", a quoted "@") is ever looked at.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "ext/crypto.h"
#include "policy/srs.h"
#include "smtp/smtp_conn_priv.h"

enum {
	ARENA_BUDGET = 2 * 1024 * 1024, /* SMTP_TARGETS_MAX of them */
	TARGET_RESERVE = 1024,
	RESOLVE_BUDGET = 512 * 1024, /* RESOLVE_MAX targets */
	SECRET_BUDGET = 4 * 1024,
	MARK_BYTES = 10,
	MARK_LINE_BYTES = 64, /* more than one takes */
};

static bool
is_same(const struct target *a, const struct target *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == RCPT_LOCAL ? a->account_id == b->account_id
	                             : str_eq(a->rcpt, b->rcpt);
}

/* What a recipient asks of who gets its copy: a list's members tell of no success (RFC
   3461 5.2.7.3 c). */
static unsigned
notify_of(const struct smtp_rcpt *rcpt, bool is_shared)
{
	unsigned notify = rcpt->notify;

	if (is_shared && (notify & SMTP_NOTIFY_SUCCESS)) {
		notify &= ~(unsigned)SMTP_NOTIFY_SUCCESS;
		/* None at all would ask for news of failures again. */
		return notify ? notify : SMTP_NOTIFY_NEVER;
	}
	return notify;
}

/* What both ask for. */
static unsigned
notify_both(unsigned a, unsigned b)
{
	unsigned notify;

	if (a == b)
		return a;
	notify = (a ? a : SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY) |
	         (b ? b : SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);
	return notify == SMTP_NOTIFY_NEVER ? notify
	                                   : notify & ~(unsigned)SMTP_NOTIFY_NEVER;
}

/* It gets one copy, whichever ways lead there; it goes by the name that stands for it
   alone, where there is one beside a list. */
static void
name_again(struct smtp_target *t, const struct smtp_rcpt *rcpt, bool is_alias,
           bool is_shared)
{
	t->notify = notify_both(t->notify, notify_of(rcpt, is_shared));
	if (!t->is_shared || is_shared)
		return;
	t->rcpt = rcpt;
	t->is_alias = is_alias;
	t->is_shared = false;
}

static enum err
add_target(struct smtp_conn *c, const struct target *to, const struct smtp_rcpt *rcpt,
           const struct resolution *alias)
{
	bool is_alias = alias && alias->is_alias, is_shared = alias && alias->count > 1;
	struct smtp_target *t;

	for (t = c->targets; t; t = t->next) {
		if (is_same(&t->to, to)) {
			name_again(t, rcpt, is_alias, is_shared);
			return OK;
		}
	}
	if (c->target_count == SMTP_TARGETS_MAX || arena_left(c->arena) < TARGET_RESERVE)
		return ERR_RCPT_MAX;
	t = ARENA_NEW(c->arena, struct smtp_target);
	t->to = *to;
	t->to.rcpt = arena_str(c->arena, to->rcpt);
	t->to.domain = arena_str(c->arena, to->domain);
	t->rcpt = rcpt;
	t->notify = notify_of(rcpt, is_shared);
	t->is_alias = is_alias;
	t->is_shared = is_shared;
	*c->targets_last = t;
	c->targets_last = &t->next;
	c->target_count++;
	return OK;
}

static enum err
add_resolution(struct smtp_conn *c, const struct resolution *r,
               const struct smtp_rcpt *rcpt)
{
	struct smtp_target **last = c->targets_last;
	size_t count = c->target_count;
	enum err e = OK;

	for (size_t i = 0; i < r->count && e == OK; i++)
		e = add_target(c, &r->targets[i], rcpt, r);
	if (e == OK)
		e = smtp_receipts_add(c, r, rcpt);
	if (e == OK)
		return OK;
	/* All of them or none. */
	*last = NULL;
	c->targets_last = last;
	c->target_count = count;
	return e;
}

static enum err
add_remote(struct smtp_conn *c, struct str domain, const struct smtp_rcpt *rcpt)
{
	struct target to = { .kind = RCPT_REMOTE, .rcpt = rcpt->text, .domain = domain };

	if (!smtp_session_login(c->session).n &&
	    !smtp_session_peer(c->session)->may_relay)
		return ERR_RELAY;
	return add_target(c, &to, rcpt, NULL);
}

/* ---- postmaster ------------------------------------------------------------------- */

static bool
take_name(void *arg, const struct domain *d)
{
	struct strbuf *name = arg;

	strbuf_add(name, d->name);
	return false;
}

static struct str
domain_of(struct str key)
{
	return str_from_offset(key, str_find_last(key, '@') + 1);
}

/* The key of <Postmaster>: that of our own name where it is a domain of ours, else that
   of our first domain. */
static enum err
postmaster_key(struct smtp_conn *c, struct strbuf *key)
{
	struct reader *reader = c->server->parts.reader;
	enum err e;

	strbuf_lit(key, "postmaster@");
	e = reader_is_local_domain(reader, c->settings->session.hostname);
	if (e == OK)
		strbuf_add(key, c->settings->session.hostname);
	else if (e == ERR_NOT_FOUND)
		e = reader_domains(reader, (struct names_from){ .is_down = false }, 1,
		                   take_name, key);
	return e;
}

/* ---- notifications for forwarded mail ---------------------------------------------- */

/* A notification comes back to a sender that we rewrote: it goes on to who that was. Any
   other mail to it is from somebody who read the address, and goes nowhere. */
static enum err
resolve_rewritten(struct smtp_conn *c, const struct smtp_rcpt *rcpt, struct str domain,
                  struct arena *a)
{
	struct reader *reader = c->server->parts.reader;
	struct srs_conf conf = { .now_ms = clock_unix_ms() };
	char bytes[ADDRESS_KEY_MAX * 2], key_bytes[ADDRESS_KEY_MAX];
	struct strbuf back = strbuf_on(bytes), key = strbuf_on(key_bytes);
	struct address address;
	struct target to = { .kind = RCPT_REMOTE };
	struct resolution r;
	enum err e = smtp_names_is_local_domain(c->server->names, domain);

	if (e == OK && smtp_session_mail(c->session)->from_text.n)
		e = ERR_NO_SUCH_USER;
	if (e == OK)
		e = reader_srs_secret(reader, a, &conf.secret);
	if (e == OK)
		e = srs_reverse(&conf, rcpt->address.local, &back);
	if (e == OK)
		e = address_parse(strbuf_str(&back), ADDRESS_UTF8, a, &address);
	if (e == OK)
		e = address_normalize(&address, &key);
	if (e != OK)
		return err_is_ours(e) ? e : ERR_NO_SUCH_USER;
	/* By now the domain may have moved to us. */
	e = smtp_names_resolve(c->server->names, strbuf_str(&key), 0, a, &r);
	if (e == OK)
		return add_resolution(c, &r, rcpt);
	if (e != ERR_RELAY)
		return e;
	to.rcpt = strbuf_str(&back);
	to.domain = domain_of(strbuf_str(&key));
	return add_target(c, &to, rcpt, NULL);
}

/* ---- one recipient ---------------------------------------------------------------- */

static enum err
resolve(struct smtp_conn *c, const struct smtp_rcpt *rcpt, struct arena *a)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf key = strbuf_on(bytes);
	struct resolution r;
	enum err e;

	/* Mail to an address literal is not for us, whatever address stands there. */
	if (rcpt->address.is_literal)
		return add_remote(c, rcpt->address.domain, rcpt);
	if (rcpt->address.domain.n == 0)
		e = postmaster_key(c, &key);
	else if (address_normalize(&rcpt->address, &key) != OK)
		e = ERR_ADDRESS;
	else
		e = OK;
	if (e != OK)
		return e;
	if (srs_is_rewritten(rcpt->address.local)) {
		e = resolve_rewritten(c, rcpt, domain_of(strbuf_str(&key)), a);
		if (e != ERR_NO_SUCH_USER)
			return e;
	}
	e = smtp_names_resolve(c->server->names, strbuf_str(&key),
	                       smtp_session_mail(c->session)->size_declared, a, &r);
	if (e == ERR_NO_SUCH_USER &&
	    str_eq(str_first(strbuf_str(&key), str_find(strbuf_str(&key), '@')),
	           STR("postmaster")))
		e = reader_postmaster(c->server->parts.reader,
		                      domain_of(strbuf_str(&key)), a, &r);
	if (e == OK)
		return add_resolution(c, &r, rcpt);
	if (e == ERR_RELAY && rcpt->address.domain.n == 0)
		return ERR_NO_SUCH_USER; /* there is no domain of ours yet */
	return e == ERR_RELAY ? add_remote(c, domain_of(strbuf_str(&key)), rcpt) : e;
}

enum err
smtp_rcpt_resolve(struct smtp_conn *c, const struct smtp_rcpt *rcpt)
{
	struct arena *a = arena_new(RESOLVE_BUDGET);
	enum err e;

	if (!c->arena) {
		c->arena = arena_new(ARENA_BUDGET);
		c->targets = NULL;
		c->targets_last = &c->targets;
		c->target_count = 0;
		c->receipts = NULL;
		c->receipt_count = 0;
	}
	e = resolve(c, rcpt, a);
	arena_free(&a);
	return e;
}

/* ---- marks against loops ----------------------------------------------------------- */

/* Keyed, so that recipients of one message do not learn of each other. */
static void
mark_of(struct str secret, struct str rcpt, struct strbuf *mark)
{
	char bytes[ADDRESS_KEY_MAX + 8];
	struct strbuf b = strbuf_on(bytes);
	struct sha256 mac;

	strbuf_lit(&b, "X-Loop:");
	for (size_t i = 0; i < rcpt.n; i++)
		strbuf_byte(&b, byte_lower(rcpt.p[i]));
	mac = hmac_sha256(secret, strbuf_str(&b));
	for (size_t i = 0; i < MARK_BYTES; i++)
		strbuf_printf(mark, "%02x", mac.bytes[i]);
}

/* Does a line say it, alone or in brackets? */
static bool
names_rcpt(struct str lines, struct str rcpt)
{
	struct str line;

	while (str_next(&lines, '\n', &line)) {
		line = str_trim(line);
		if (str_starts(line, STR("<")) && str_ends(line, STR(">")))
			line = str_make(line.p + 1, line.n - 2);
		if (str_eq_icase(line, rcpt))
			return true;
	}
	return false;
}

static void
add_mark(struct strbuf *lines, struct str mark)
{
	/* Of very many aliases the first ones will do. */
	if (str_find_str(strbuf_str(lines), mark) == SIZE_MAX &&
	    lines->max - lines->n > MARK_LINE_BYTES)
		strbuf_printf(lines, "X-Loop: %.*s\r\n", STR_ARG(mark));
}

enum err
smtp_rcpt_mark(struct smtp_conn *c, struct strbuf *lines)
{
	struct str seen = smtp_session_mail(c->session)->loops, secret = { NULL, 0 };
	struct arena *a = arena_new(SECRET_BUDGET);
	size_t left = 0;
	enum err e = OK;

	for (struct smtp_target *t = c->targets; t && e == OK; t = t->next) {
		char bytes[2 * MARK_BYTES];
		struct strbuf mark = strbuf_on(bytes);

		left++;
		if (!t->is_alias || t->to.kind != RCPT_REMOTE)
			continue;
		if (!secret.n)
			e = reader_srs_secret(c->server->parts.reader, a, &secret);
		if (e != OK)
			break;
		mark_of(secret, t->rcpt->text, &mark);
		/* Anybody can write that it was delivered there before: of that nobody is
		   told in a message of ours. */
		if (names_rcpt(seen, t->rcpt->text))
			e = ERR_LOOP;
		t->is_loop = str_find_str(seen, strbuf_str(&mark)) != SIZE_MAX;
		left -= t->is_loop;
		if (!t->is_loop)
			add_mark(lines, strbuf_str(&mark));
	}
	arena_free(&a);
	return e == OK && !left ? ERR_LOOP : e;
}
