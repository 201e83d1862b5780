#include "store/auth.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "ext/crypto.h"
#include "ext/password.h"
#include "store/db.h"
#include "store/guesses.h"

enum {
	CACHE_MS = MINUTE_MS,
	CACHE_MAX = 10 * 1000,
	WAITING_MAX = 1000, /* checks that wait for a thread */
	NOTED_MS = MINUTE_MS,
	NAME_MAX_BYTES = 512,
	ARENA_BYTES = 16 * 1024,
};

/* What is known of the name: read anew for every check. */
struct login {
	uint64_t id, password_version;
	struct str address, role, hash;
	bool is_off;
	int64_t last_login_ms;
};

struct check {
	struct link link;
	struct auth *auth;
	void *request;       /* NULL: auth_free drops it */
	struct arena *arena; /* wiped */
	struct op_auth op;
	struct login login;
	struct addr from;
	struct sha256 key; /* of the cache */
	bool is_known, is_right, is_counted;
	enum err error;
	struct timer timer;
};

struct good {
	int64_t until_ms;
};

struct auth {
	struct loop *loop;
	struct auth_limits limits;
	auth_done_fn *done;
	auth_noted_fn *noted;
	void *arg;
	struct arena *arena;
	const char *path;
	struct db *db;
	struct guesses *guesses;
	struct map *cache;
	uint8_t secret[32];
	struct link waiting, running, late; /* struct check */
	size_t waiting_count, running_count;
};

struct auth *
auth_new(struct loop *loop, struct str data_dir, const struct auth_limits *limits,
         auth_done_fn *done, auth_noted_fn *noted, void *arg)
{
	struct auth *a = mem_alloc(sizeof(*a));

	a->loop = loop;
	a->limits = *limits;
	a->done = done;
	a->noted = noted;
	a->arg = arg;
	a->arena = arena_new(16 * 1024);
	a->path = arena_printf(a->arena, "%.*s/index.db", STR_ARG(data_dir)).p;
	a->guesses = guesses_new();
	a->cache = map_new();
	random_bytes(a->secret, sizeof(a->secret));
	list_init(&a->waiting);
	list_init(&a->running);
	list_init(&a->late);
	return a;
}

static void
free_good(void *arg, struct str key, void *value)
{
	(void)key;
	if (arg)
		(void)map_remove(arg, key);
	mem_free(value);
}

static void
check_free(struct check *c)
{
	timer_stop(&c->timer);
	list_remove(&c->link);
	arena_free(&c->arena);
	mem_free(c);
}

void
auth_free(struct auth **auth)
{
	struct auth *a = *auth;

	if (!a)
		return;
	LIST_EACH(&a->waiting, l)
	{
		check_free(CONTAINER_OF(l, struct check, link));
	}
	a->waiting_count = 0;
	LIST_EACH(&a->late, l)
	check_free(CONTAINER_OF(l, struct check, link));
	LIST_EACH(&a->running, l)
	CONTAINER_OF(l, struct check, link)->request = NULL;
	while (a->running_count)
		(void)loop_turn(a->loop);
	LIST_EACH(&a->late, l)
	check_free(CONTAINER_OF(l, struct check, link));
	map_each(a->cache, free_good, NULL);
	map_free(&a->cache);
	guesses_free(&a->guesses);
	db_close(&a->db);
	explicit_bzero(a->secret, sizeof(a->secret));
	arena_free(&a->arena);
	mem_free(a);
	*auth = NULL;
}

void
auth_set_limits(struct auth *a, const struct auth_limits *limits)
{
	a->limits = *limits;
}

void
auth_flush(struct auth *a)
{
	map_each(a->cache, free_good, a->cache);
}

/* --- the end of a check ----------------------------------------------------------- */

static void
tell(const struct check *c)
{
	struct event e;

	event_init(&e, c->error == OK ? EV_AUTH_OK : EV_AUTH_FAILED, str_from(NULL),
	           c->op.session_id);
	event_str(&e, "user", c->op.name);
	event_str(&e, "protocol", c->op.protocol);
	event_str(&e, "ip", c->op.ip);
	if (c->error != OK)
		event_str(&e, "reason", str_from(err_get(c->error)->text));
	event_tell(&e);
}

static void
answer(struct check *c)
{
	struct answer_auth good = { c->login.id, c->login.address, c->login.role };

	if (c->request)
		c->auth->done(c->auth->arg, c->request, c->error,
		              c->error == OK ? &good : NULL);
	check_free(c);
}

static void
answer_late(void *arg)
{
	answer(arg);
}

/* Failures wait, with their connection: guessing gets slow, being wrong once does not
   hurt. */
static void
finish(struct check *c, enum err e, int64_t delay_ms)
{
	c->error = e;
	tell(c);
	list_remove(&c->link);
	list_add_last(&c->auth->late, &c->link);
	timer_set(&c->timer, delay_ms);
}

static void
remember(struct auth *a, const struct check *c)
{
	struct str key = sha256_str(&c->key);
	struct good *g = map_find(a->cache, key);

	if (!g) {
		if (map_count(a->cache) >= CACHE_MAX)
			auth_flush(a);
		g = mem_alloc(sizeof(*g));
		(void)map_set(a->cache, key, g);
	}
	g->until_ms = clock_mono_ms() + CACHE_MS;
}

static void
finish_right(struct check *c)
{
	struct auth *a = c->auth;
	int64_t now_ms = clock_unix_ms();

	guesses_good(a->guesses, &c->from, c->op.name, c->is_counted, clock_mono_ms());
	if (c->login.is_off) {
		finish(c, ERR_ACCOUNT_OFF, 0);
		return;
	}
	if (now_ms - c->login.last_login_ms > NOTED_MS)
		a->noted(a->arg, c->op.kind, c->login.id);
	finish(c, OK, 0);
}

/* --- hashing on threads ----------------------------------------------------------- */

static void
work(void *arg)
{
	struct check *c = arg;
	struct str hash = c->is_known ? c->login.hash : password_dummy_hash();

	c->error = password_verify(hash, c->op.password);
	c->is_right = c->error == OK && c->is_known;
}

static void start_waiting(struct auth *a);

static void
worked(void *arg)
{
	struct check *c = arg;
	struct auth *a = c->auth;

	a->running_count--;
	if (c->is_right) {
		remember(a, c);
		finish_right(c);
	} else {
		/* A try that could not be looked at has been counted, and stays so: what
		   wears us out is slowed down. */
		finish(c, c->error == ERR_AUTH_TEMP ? ERR_AUTH_TEMP : ERR_AUTH,
		       a->limits.failure_delay_ms);
	}
	start_waiting(a);
}

static void
start_waiting(struct auth *a)
{
	while (a->running_count < a->limits.threads && !list_is_empty(&a->waiting)) {
		struct check *c = CONTAINER_OF(a->waiting.next, struct check, link);

		list_remove(&c->link);
		list_add_last(&a->running, &c->link);
		a->waiting_count--;
		a->running_count++;
		loop_work(a->loop, work, worked, c);
	}
}

/* --- the beginning of a check ----------------------------------------------------- */

static enum err
look_up(struct auth *a, struct check *c)
{
	const char *sql =
		c->op.kind == LOGIN_ADMIN
			? "SELECT id, password_version, name, role, password,"
			  " CASE WHEN enabled = 1 THEN 0 ELSE 1 END, last_login_ms"
			  " FROM admin WHERE name = $1"
			: "SELECT a.id, a.password_version, a.address, '', a.password,"
			  " CASE WHEN a.state = 0 AND d.enabled = 1 THEN 0 ELSE 1 END,"
			  " a.last_login_ms FROM account a JOIN domain d"
			  " ON d.id = a.domain_id WHERE a.address = $1";
	struct stmt *s;
	enum err e = OK;

	if (!a->db)
		e = db_open(a->path, DB_READ, &a->db);
	if (e == OK)
		e = db_one(a->db, sql, VALUES(V_S(c->op.name)), &s);
	if (e != OK)
		return e;
	c->login.id = db_u64(s, 0);
	c->login.password_version = db_u64(s, 1);
	c->login.address = arena_str(c->arena, str_first(db_str(s, 2), 1024));
	c->login.role = arena_str(c->arena, str_first(db_str(s, 3), 64));
	c->login.hash = arena_str(c->arena, str_first(db_str(s, 4), PASSWORD_HASH_MAX));
	c->login.is_off = db_u64(s, 5) != 0;
	c->login.last_login_ms = db_i64(s, 6);
	db_end(&s);
	c->is_known = true;
	return OK;
}

/* Every input and the version of the password, lengths and all. */
static void
make_key(struct auth *a, struct check *c)
{
	struct strbuf b = strbuf_arena(c->arena, ARENA_BYTES / 2);

	strbuf_printf(&b, "%u %llu %llu %zu %zu ", c->op.kind,
	              (unsigned long long)c->login.id,
	              (unsigned long long)c->login.password_version, c->op.name.n,
	              c->op.password.n);
	strbuf_add(&b, c->op.name);
	strbuf_byte(&b, ' ');
	strbuf_add(&b, c->op.password);
	c->key = hmac_sha256(str_make(a->secret, sizeof(a->secret)), strbuf_str(&b));
}

static bool
is_cached(struct auth *a, const struct check *c)
{
	const struct good *g = map_find(a->cache, sha256_str(&c->key));

	return g && clock_mono_ms() < g->until_ms;
}

static struct str
lowered(struct arena *arena, struct str s)
{
	struct str copy = arena_str(arena, s);
	char *p = arena_cstr(arena, copy);

	for (size_t i = 0; i < s.n; i++)
		p[i] = byte_lower(p[i]);
	return str_make(p, s.n);
}

static struct check *
check_new(struct auth *a, const struct op_auth *op, void *request)
{
	struct check *c = mem_alloc(sizeof(*c));

	c->auth = a;
	c->request = request;
	c->arena = arena_new_secret(ARENA_BYTES);
	c->op = *op;
	c->op.name = lowered(c->arena, str_first(op->name, NAME_MAX_BYTES));
	c->op.password = arena_str(c->arena, str_first(op->password, PASSWORD_MAX + 1));
	c->op.protocol = arena_str(c->arena, str_first(op->protocol, 32));
	c->op.ip = arena_str(c->arena, str_first(op->ip, ADDR_TEXT_MAX));
	c->op.session_id = arena_str(c->arena, str_first(op->session_id, 64));
	if (!addr_parse_ip(c->op.ip, &c->from))
		c->from = (struct addr){ 0 };
	timer_init(&c->timer, a->loop, answer_late, c);
	list_add_last(&a->late, &c->link);
	return c;
}

void
auth_check(struct auth *a, const struct op_auth *op, void *request)
{
	struct check *c = check_new(a, op, request);
	enum err e = look_up(a, c);

	if (e != OK && e != ERR_NOT_FOUND) {
		finish(c, ERR_AUTH_TEMP, 0);
		return;
	}
	if (c->is_known) {
		make_key(a, c);
		if (is_cached(a, c)) {
			finish_right(c);
			return;
		}
	}
	if (a->waiting_count >= WAITING_MAX) {
		finish(c, ERR_AUTH_TEMP, 0);
		return;
	}
	/* Over the limit the password is not looked at: the answer tells nothing. */
	if (!guesses_try(a->guesses, &c->from, c->op.name, a->limits.failures_ip,
	                 a->limits.failures_account, clock_mono_ms())) {
		finish(c, ERR_AUTH_RATE, a->limits.failure_delay_ms);
		return;
	}
	c->is_counted = true;
	list_remove(&c->link);
	list_add_last(&a->waiting, &c->link);
	a->waiting_count++;
	start_waiting(a);
}
