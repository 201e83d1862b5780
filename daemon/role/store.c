/* store - the only process that writes: index, segment bookkeeping, delivery log.
 *
 * It serves run_dir/store.sock (store/server.h). When it dies, clients keep their
 * operations and send them again to its successor; what was answered is on disk.
 */
#include "role/role.h"

#include "base/event.h"
#include "role/settings.h"
#include "store/crash.h"
#include "store/rights.h"
#include "store/server.h"
#include "store/store_files.h"

#include <sys/stat.h>

int role_store_main(struct role *r);

struct store_role {
	struct role *role;
	struct store_server *server;
};

static void
stopped(void *arg)
{
	struct store_role *me = arg;

	loop_stop(me->role->loop);
}

static void
stop(void *arg)
{
	struct store_role *me = arg;

	store_server_stop(me->server, stopped, me);
}

static void
reload(void *arg)
{
	struct store_role *me = arg;

	store_server_reload(me->server, me->role->conf);
}

/* Seldom: no connection to the index is kept for it. */
static void
read_settings(void *arg)
{
	struct store_role *me = arg;
	struct reader *reader = reader_open(me->role->conf);

	role_settings_read(me->role, reader);
	reader_close(&reader);
}

static void
take_peer(void *arg, int pid, struct str role)
{
	struct store_role *me = arg;

	store_server_peer(me->server, pid, role, rights_of_role(role));
}

static void
tell_failed(const struct conf *conf, enum err e)
{
	struct diag diag = { 0 };
	const char *text = "";

	if (e == ERR_CORRUPT)
		text = "index.db cannot be opened: put a backup of data_dir in its place";
	else if (store_files_check(conf->data_dir, &diag) != OK)
		text = diag.text;
	log_line(LEVEL_ERROR, "store.open", "reason=%s%s%s%s", err_get(e)->word,
	         text[0] ? " text=\"" : "", text, text[0] ? "\"" : "");
}

int
role_store_main(struct role *r)
{
	struct store_role me = { .role = r };
	enum err e;

	crash_init();
	(void)umask(077);
	/* Rights are dropped before the first file is made: files belong to the service,
	   and the committer's thread is born inside the sandbox. */
	e = role_ready(r);
	if (e == OK)
		e = store_server_new(r->loop, r->conf, role_unix_fd(r), &me.server);
	if (e != OK) {
		tell_failed(r->conf, e);
		return 1;
	}
	role_on_stop(r, stop, &me);
	role_on_reload(r, reload, &me);
	role_on_peer(r, take_peer, &me);
	store_server_on_settings(me.server, read_settings, &me);
	read_settings(&me);
	loop_run(r->loop);
	store_server_free(&me.server);
	return 0;
}
