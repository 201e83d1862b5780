#include "conf/conf.h"

#include "base/arena.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"
#include "conf/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ARENA_BYTES = 64 << 20, /* a file of 1 MiB that is all nodes stays below it */
	PROCESSES_DEFAULT_MAX = 4,
	PATH_KEY_MAX = 128,
	ERROR_MAX = 8192, /* a path, and what is wrong with it */
};

/* A key of the file that is one no longer. */
struct old_key {
	const struct conf_retired *retired;
	int line, column;
	struct old_key *next;
};

struct owned {
	struct conf conf; /* first: what conf_free gets */
	struct arena *arena;
	struct old_key *old_keys, **old_keys_end; /* in their order */
	struct origin {
		enum conf_source source;
		int line; /* in the file */
		struct conf_place value;
	} origins[]; /* one for each row */
};

struct loading {
	struct owned *owned;
	conf_error_fn *on_error;
	void *arg;
	enum err result;
};

static const struct {
	const char *word, *role;
	bool is_tls;
} protocols[] = {
#define PROTOCOL(id, word, role, tls, alpn) [CONF_##id] = { word, role, tls },
#include "conf/protocols.def"
#undef PROTOCOL
};
_Static_assert(ARRAY_LEN(protocols) == CONF_PROTOCOL_COUNT, "one row for each protocol");

struct conf_nets
conf_nets_copy(struct arena *a, struct conf_nets nets)
{
	struct net *copy = ARENA_ARRAY(a, struct net, nets.n);

	if (nets.n)
		memcpy(copy, nets.p, nets.n * sizeof(*copy));
	return (struct conf_nets){ .p = copy, .n = nets.n };
}

const char *
conf_protocol_word(enum conf_protocol p)
{
	return protocols[p].word;
}

const char *
conf_protocol_role(enum conf_protocol p)
{
	return protocols[p].role;
}

bool
conf_protocol_is_tls(enum conf_protocol p)
{
	return protocols[p].is_tls;
}

static void
on_yaml_error(void *arg, const struct diag *diag)
{
	struct loading *l = arg;

	l->result = ERR_CONFIG;
	l->on_error(l->arg, diag);
}

static void
tell(struct loading *l, int line, int column, struct str key, const char *text)
{
	struct diag d = { .line = line, .column = column };

	l->result =
		diag_set(&d, ERR_CONFIG, "%.*s: %s", STR_ARG(str_first(key, 100)), text);
	l->on_error(l->arg, &d);
}

static void
keep_old_key(struct owned *o, const struct conf_retired *retired,
             const struct yaml_node *n)
{
	struct old_key *k = ARENA_NEW(o->arena, struct old_key);

	*k = (struct old_key){ retired, n->key_line, n->key_column, NULL };
	*o->old_keys_end = k;
	o->old_keys_end = &k->next;
}

static size_t
row_index(const struct conf_row *row)
{
	size_t i = 0;

	while (conf_row_at(i) != row)
		i++;
	return i;
}

static void
read_map(struct loading *l, const struct yaml_node *map, struct str prefix)
{
	struct arena *a = l->owned->arena;

	for (const struct yaml_node *n = map->first; n; n = n->next) {
		struct str path = n->key;
		const struct conf_retired *retired;
		const struct conf_row *row;
		struct diag d = { 0 };

		if (prefix.n && n->key.n < PATH_KEY_MAX)
			path = arena_printf(a, "%.*s.%.*s", STR_ARG(prefix),
			                    STR_ARG(n->key));
		row = conf_row_find(path);
		retired = conf_retired_find(path);
		if (row && n->is_null)
			continue; /* "key:" with nothing behind is the same as no key */
		if (row) {
			l->owned->origins[row_index(row)] = (struct origin){
				CONF_SOURCE_FILE, n->key_line, { n->line, n->column }
			};
			if (conf_value_read(row, n, &l->owned->conf, a, &d) != OK)
				on_yaml_error(l, &d);
		} else if (!prefix.n && conf_row_is_group(path)) {
			if (n->kind == YAML_MAP)
				read_map(l, n, path);
			else if (!n->is_null)
				tell(l, n->line, n->column, path, "must be a map");
		} else if (retired) {
			keep_old_key(l->owned, retired, n);
		} else {
			tell(l, n->key_line, n->key_column, path, "no such key");
		}
	}
}

static void
lay_over(struct loading *l, const struct conf_settings *over)
{
	struct owned *o = l->owned;

	for (size_t i = 0; i < over->n; i++) {
		struct str value = over->p[i].value;
		const struct conf_row *row = conf_row_find(over->p[i].key);
		struct yaml_node node = { .kind = YAML_SCALAR, .text = value };
		struct origin *origin = row ? &o->origins[row_index(row)] : NULL;
		struct diag d = { 0 };

		if (!row || !row->is_setting || origin->source != CONF_SOURCE_DEFAULT)
			continue;
		if (conf_value_read(row, &node, &o->conf, o->arena, &d) == OK) {
			origin->source = CONF_SOURCE_SETTING;
			continue;
		}
		d.line = d.column = 0;
		l->on_error(l->arg, &d);
	}
}

static void
fill_defaults(struct loading *l)
{
	struct conf *c = &l->owned->conf;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t processes = cores < 1                       ? 1
	                    : cores > PROCESSES_DEFAULT_MAX ? PROCESSES_DEFAULT_MAX
	                                                    : cores;

	for (size_t i = 0; i < conf_row_count(); i++) {
		if (l->owned->origins[i].source == CONF_SOURCE_DEFAULT)
			conf_value_default(conf_row_at(i), c, l->owned->arena);
	}
	if (!c->processes_smtp)
		c->processes_smtp = processes;
	if (!c->processes_imap)
		c->processes_imap = processes;
}

/* The place of a key in the file, for errors that need more than one value. */
static void
tell_at(struct loading *l, const struct yaml_node *root, const char *group,
        const char *key, const char *text)
{
	const struct yaml_node *n = root ? root->first : NULL;
	int line = 1, column = 1;

	while (n && !str_eq(n->key, str_from(group)))
		n = n->next;
	if (n) {
		line = n->key_line;
		column = n->key_column;
		for (n = n->first; n; n = n->next) {
			if (key && str_eq(n->key, str_from(key))) {
				line = n->key_line;
				column = n->key_column;
			}
		}
	}
	tell(l, line, column, str_from(group), text);
}

/* Is this address of `p` there before, in its list or in an earlier one? Port 0 is a
   different one each time. */
static bool
is_listened_before(const struct conf *c, unsigned p, size_t i)
{
	const struct addr *a = &c->listen[p].p[i];

	for (unsigned q = 0; a->port && q <= p; q++) {
		size_t end = q == p ? i : c->listen[q].n;

		for (size_t k = 0; k < end; k++) {
			const struct addr *b = &c->listen[q].p[k];

			if (addr_eq_ip(a, b) && a->port == b->port)
				return true;
		}
	}
	return false;
}

/* Two listeners cannot have one address. */
static void
check_listen(struct loading *l, const struct yaml_node *root)
{
	const struct conf *c = &l->owned->conf;

	for (unsigned p = 0; p < CONF_PROTOCOL_COUNT; p++) {
		for (size_t i = 0; i < c->listen[p].n; i++) {
			if (is_listened_before(c, p, i))
				tell_at(l, root, "listen",
				        conf_protocol_word((enum conf_protocol)p),
				        "this address is there twice");
		}
	}
}

static void
check_whole(struct loading *l, const struct yaml_node *root)
{
	const struct conf *c = &l->owned->conf;
	int line;

	if (!c->hostname.n &&
	    conf_source(c, conf_row_find(STR("hostname")), &line) == CONF_SOURCE_DEFAULT)
		tell(l, 1, 1, STR("hostname"), "must be set");
	if (!c->tls_certificate.n != !c->tls_key.n)
		tell_at(l, root, "tls", NULL, "certificate and key go together");
	check_listen(l, root);
}

enum err
conf_parse(struct str text, const char *path, conf_error_fn *on_error, void *arg,
           struct conf **conf_out)
{
	static const struct conf_settings none = { NULL, 0 };

	return conf_parse_over(text, path, &none, on_error, arg, conf_out);
}

enum conf_source
conf_source(const struct conf *c, const struct conf_row *row, int *line_out)
{
	const struct owned *o = (const struct owned *)c;
	const struct origin *origin = &o->origins[row_index(row)];

	*line_out = origin->line;
	return origin->source;
}

struct conf_place
conf_place(const struct conf *c, const char *key)
{
	const struct owned *o = (const struct owned *)c;
	const struct origin *origin =
		&o->origins[row_index(conf_row_find(str_from(key)))];

	return origin->source == CONF_SOURCE_FILE ? origin->value
	                                          : (struct conf_place){ 1, 1 };
}

enum err
conf_parse_over(struct str text, const char *path, const struct conf_settings *over,
                conf_error_fn *on_error, void *arg, struct conf **conf_out)
{
	struct owned *o =
		mem_alloc(size_add(sizeof(*o), conf_row_count() * sizeof(struct origin)));
	struct loading l = { .owned = o, .on_error = on_error, .arg = arg };
	struct yaml_node *root;
	enum err e;

	o->arena = arena_new(ARENA_BYTES);
	o->old_keys_end = &o->old_keys;
	o->conf.path = str_from(arena_cstr(o->arena, str_from(path)));
	e = yaml_parse(text, o->arena, on_yaml_error, &l, &root);
	if (e == OK || root) {
		if (root && root->kind == YAML_MAP)
			read_map(&l, root, STR(""));
		else if (root && !root->is_null)
			tell(&l, root->line, root->column, STR("file"),
			     "must be a map of keys");
		lay_over(&l, over);
		/* A file that broke off half-way has no use for "must be set". */
		fill_defaults(&l);
		if (l.result == OK)
			check_whole(&l, root);
	}
	if (e == OK)
		e = l.result;
	if (e != OK) {
		struct conf *c = &o->conf;

		conf_free(&c);
		return e;
	}
	*conf_out = &o->conf;
	return OK;
}

void
conf_tell_retired(const struct conf *c, conf_error_fn *tell_fn, void *arg)
{
	const struct owned *o = (const struct owned *)c;

	for (const struct old_key *k = o->old_keys; k; k = k->next) {
		struct diag d = { .line = k->line, .column = k->column };

		(void)diag_set(&d, OK, "%s: no longer a key since %s: %s",
		               k->retired->path.p, k->retired->since, k->retired->advice);
		tell_fn(arg, &d);
	}
}

static enum err
read_file(const char *path, struct strbuf *out, struct diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return diag_set(d, ERR_IO, "%s", strerrordesc_np(errno));
	while (n > 0) {
		char *p = strbuf_reserve(out, 4096);

		n = p ? read(fd, p, 4096) : 0;
		if (n > 0)
			out->n += (size_t)n;
	}
	(void)close(fd);
	if (out->overflow)
		return diag_set(d, ERR_CONFIG, "longer than 1 MiB");
	return n < 0 ? diag_set(d, ERR_IO, "%s", strerrordesc_np(errno)) : OK;
}

void
conf_error_format(struct strbuf *out, struct str path, const struct diag *diag)
{
	strbuf_add(out, path);
	if (diag->line)
		strbuf_printf(out, ":%d:%d", diag->line, diag->column);
	strbuf_printf(out, ": %s", diag->text);
}

void
conf_error_print(void *path, const struct diag *diag)
{
	struct strbuf b = strbuf_heap(ERROR_MAX);

	conf_error_format(&b, str_from(path), diag);
	(void)fprintf(stderr, "%.*s\n", STR_ARG(strbuf_str(&b)));
	strbuf_release(&b);
}

enum err
conf_load(const char *path, conf_error_fn *on_error, void *arg, struct conf **conf_out)
{
	struct strbuf text = strbuf_heap(YAML_TEXT_MAX + 8192);
	struct diag d = { 0 };
	char *absolute = realpath(path, NULL);
	enum err e = read_file(path, &text, &d);

	if (e != OK)
		on_error(arg, &d);
	else
		e = conf_parse(strbuf_str(&text), absolute ? absolute : path, on_error,
		               arg, conf_out);
	mem_free(absolute);
	strbuf_release(&text);
	return e;
}

void
conf_free(struct conf **c)
{
	struct owned *o = (struct owned *)*c;

	if (!o)
		return;
	*c = NULL;
	arena_free(&o->arena);
	mem_free(o);
}

bool
conf_needs_restart(const struct conf *a, const struct conf *b, const char **key_out)
{
	for (size_t i = 0; i < conf_row_count(); i++) {
		const struct conf_row *row = conf_row_at(i);

		if (row->needs_restart && !conf_value_eq(row, a, b)) {
			*key_out = row->path.p;
			return true;
		}
	}
	return false;
}

static const char *
below(struct str directory, const char *name, struct strbuf *out)
{
	strbuf_clear(out);
	strbuf_printf(out, "%s/%s", directory.p, name);
	return strbuf_cstr(out);
}

const char *
conf_data_path(const struct conf *c, const char *name, struct strbuf *out)
{
	return below(c->data_dir, name, out);
}

int64_t
conf_dkim_keep_ms(const struct conf *c)
{
	int64_t ms = c->delivery_lifetime_ms + 2 * DAY_MS;

	return ms > 7 * DAY_MS ? ms : 7 * DAY_MS;
}

const char *
conf_run_path(const struct conf *c, const char *name, struct strbuf *out)
{
	return below(c->run_dir, name, out);
}
