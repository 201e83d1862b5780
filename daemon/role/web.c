/* The web process: REST API and dashboard over HTTP, HTTPS and the unix socket. */
#include "role/web.h"

#include "api/api.h"
#include "api/assets.h"
#include "api/events.h"
#include "api/http_conn.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "role/role.h"
#include "role/settings.h"
#include "store/client.h"

#include <unistd.h>

enum {
	WEB_MAGIC = 0x77656230,
	PATH_BYTES = 4096,
	HEAD_MS = 30 * 1000,
	ANSWER_MS = 90 * 1000,
};

struct door {
	struct web *web;
	struct listener *listener;
	bool is_tls;
};

struct web {
	uint32_t magic;
	struct role *role;
	struct store_client *store;
	struct http_server *server;
	struct api *api;
	struct api_assets *assets;
	struct dns *dns;
	struct limiter *limiter;
	struct role_settings *settings;
	struct stream_limits limits;
	struct http_conn_conf conns_conf, local_conf;
	struct listener_conf doors_conf;
	struct door doors[ROLE_LISTENERS_MAX + 1]; /* and that of the command line */
	size_t doors_count;
	struct link conns;
	struct timer stop_timer;
};

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct door *door = arg;
	struct web *w = CAST(web, WEB_MAGIC, door->web);
	struct http_peer peer = {
		.addr = a->peer, .local = a->local, .uid = a->uid, .is_tls = door->is_tls
	};
	struct http_conn *c;

	c = http_conn_new(a->uid >= 0 ? &w->local_conf : &w->conns_conf, a->fd, &peer,
	                  door->is_tls);
	list_add_last(&w->conns, http_conn_link(c));
}

static void
on_refused(void *arg, const struct addr *peer, enum err why, struct str *goodbye_out)
{
	char text[ADDR_TEXT_MAX];
	struct event e;

	(void)arg;
	(void)goodbye_out;
	event_init(&e, EV_LIMIT, STR(""), STR(""));
	event_str(&e, "limit", STR("web_connections"));
	event_str(&e, "ip", addr_ip_text(peer, &text));
	event_str(&e, "detail", str_from(err_get(why)->text));
	event_tell(&e);
}

static const struct listener_ops listener_ops = {
	.accepted = on_accepted,
	.refused = on_refused,
};

static void
stop_if_empty(struct web *w)
{
	if (role_is_stopping(w->role) && list_is_empty(&w->conns))
		loop_stop(w->role->loop);
}

static void
on_conn_closed(void *arg)
{
	stop_if_empty(CAST(web, WEB_MAGIC, arg));
}

static void
stop_now(void *arg)
{
	loop_stop(CAST(web, WEB_MAGIC, arg)->role->loop);
}

/* Requests under way are answered; streams are not waited for. */
static void
on_stop(void *arg)
{
	struct web *w = CAST(web, WEB_MAGIC, arg);

	for (size_t i = 0; i < w->doors_count; i++)
		listener_free(&w->doors[i].listener);
	LIST_EACH(&w->conns, l)
	http_conn_close_if_idle(http_conn_of_link(l));
	timer_set(&w->stop_timer, 500);
	stop_if_empty(w);
}

static void
set_limits(struct web *w)
{
	const struct conf *conf = w->role->conf;
	struct limiter_max max = { .total = (size_t)conf->limits.web_connections,
		                   .per_ip = (size_t)conf->limits.web_connections_ip };

	limiter_set(w->limiter, &max);
	w->limits = stream_limits_default;
	w->limits.stalled_ms = conf->limits.stalled_timeout;
	w->limits.handshake_ms = conf->limits.handshake_timeout;
	w->conns_conf = (struct http_conn_conf){
		.loop = w->role->loop,
		.server = w->server,
		.tls = w->role->tls,
		.limits = &w->limits,
		.head_max = (size_t)conf->limits.http_header,
		.body_max = (uint64_t)conf->limits.http_body,
		.head_ms = HEAD_MS,
		.idle_ms = conf->limits.http_idle_timeout,
		.answer_ms = ANSWER_MS,
		.limiter = w->limiter,
		.closed = on_conn_closed,
		.arg = w,
	};
	w->local_conf = w->conns_conf;
	w->local_conf.limiter = NULL;
	w->doors_conf.proxies = conf->proxies.p;
	w->doors_conf.proxies_count = conf->proxies.n;
	w->doors_conf.proxy_wait_ms = conf->limits.proxy_wait;
	w->doors_conf.limiter = w->limiter;
	w->doors_conf.want_local = true;
}

/* Few questions come from here, and the process that is asked has a cache. */
static struct dns_conf
dns_conf(const struct web *w)
{
	struct dns_conf conf = dns_conf_from(w->role->conf);

	conf.cache_max = 0;
	return conf;
}

static struct dns *
open_dns(const struct web *w)
{
	struct dns_conf conf = dns_conf(w);
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);

	return dns_new_remote(w->role->loop,
	                      conf_run_path(w->role->conf, "dns.sock", &path), &conf);
}

static void
on_reload(void *arg)
{
	struct web *w = CAST(web, WEB_MAGIC, arg);
	struct dns_conf conf = dns_conf(w);

	dns_set_conf(w->dns, &conf);
	api_set_conf(w->api, w->role->conf);
	set_limits(w);
}

/* Beside the binary in a build tree, below share/ where it is installed. */
static struct api_assets *
open_assets(void)
{
	char exe[PATH_BYTES], path[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
	struct str dir = str_make(exe, n > 0 ? (size_t)n : 0);
	struct strbuf b = strbuf_on(path);

	dir = str_first(dir, str_find_last(dir, '/'));
	strbuf_add(&b, dir);
	strbuf_lit(&b, "/webui");
	if (access(strbuf_cstr(&b), R_OK) != 0) {
		strbuf_clear(&b);
		strbuf_add(&b, str_first(dir, str_find_last(dir, '/')));
		strbuf_lit(&b, "/share/mailstead/webui");
	}
	return assets_open(strbuf_cstr(&b));
}

static void
open_doors(struct web *w)
{
	size_t n = role_listener_count(w->role);

	for (size_t i = 0; i < n; i++) {
		const struct role_listener *from = role_listener(w->role, i);
		struct door *door = &w->doors[w->doors_count++];

		door->web = w;
		door->is_tls = conf_protocol_is_tls(from->protocol);
		door->listener = listener_new(w->role->loop, from->fd, &w->doors_conf,
		                              &listener_ops, door);
	}
	if (role_unix_fd(w->role) >= 0) {
		/* The command line is not counted: it must get through when all is full. */
		static const struct listener_conf local = { .proxies = NULL };
		struct door *door = &w->doors[w->doors_count++];

		door->web = w;
		door->listener = listener_new(w->role->loop, role_unix_fd(w->role),
		                              &local, &listener_ops, door);
	}
}

static void
close_all(struct web *w)
{
	role_settings_close(&w->settings);
	for (size_t i = 0; i < w->doors_count; i++)
		listener_free(&w->doors[i].listener);
	LIST_EACH(&w->conns, l)
	{
		struct http_conn *c = http_conn_of_link(l);

		http_conn_free(&c);
	}
	timer_stop(&w->stop_timer);
	http_server_free(&w->server);
	api_free(&w->api);
	dns_free(&w->dns);
	assets_close(&w->assets);
	event_set_sink(NULL, NULL);
	store_client_free(&w->store);
	limiter_free(&w->limiter);
	mem_free(w);
}

int
role_web_main(struct role *r)
{
	struct web *w = mem_alloc(sizeof(*w));
	bool is_ready;

	w->magic = WEB_MAGIC;
	w->role = r;
	list_init(&w->conns);
	w->store = store_client_new(r->loop, r->conf);
	event_set_sink(store_sink, w->store);
	w->assets = open_assets();
	w->api = api_new(r->loop, r->conf, w->store, &w->server);
	w->api->assets = w->assets;
	w->dns = open_dns(w);
	w->api->dns = w->dns;
	w->api->tls = r->tls;
	w->limiter = limiter_new();
	set_limits(w);
	timer_init(&w->stop_timer, r->loop, stop_now, w);
	open_doors(w);
	role_on_stop(r, on_stop, w);
	role_on_reload(r, on_reload, w);
	is_ready = role_ready(r) == OK;
	if (is_ready) {
		w->settings = role_settings_open(r, w->store, w->api->reader);
		loop_run(r->loop);
	}
	close_all(w);
	return is_ready ? 0 : 1;
}
