/* row.h - roles.def as a table, and the messages between supervisor and process. */
#ifndef ROLE_ROW_H
#define ROLE_ROW_H

#include "base/str.h"
#include "conf/conf.h"
#include "role/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role_inet {
	INET_NONE,
	INET_NAMES,
	INET_ALL,
};

struct role_row {
	const char *name;
	int64_t (*count)(const struct conf *conf);
	const char *unix_socket;
	bool has_tls;
	enum role_inet inet;
	const char *paths;
	int (*main)(struct role *r);
};

size_t role_row_count(void);
const struct role_row *role_row_at(size_t i);
/* NULL: no such role. */
const struct role_row *role_row_find(struct str name);
/* Does it judge certificates: those of others, or (web) our own before it signs? */
bool role_row_wants_roots(const struct role_row *row);

/* Takes the next of row->paths from rest: its path below the directories of conf, NUL-
   terminated, and its right (io/sandbox.h). False: that was all. */
bool role_row_path(struct str *rest, const struct conf *conf, struct strbuf *path_out,
                   unsigned *right_out);

enum {
	ROLE_PORTS_MAX = 64,
};

/* What the sandbox of a process lets it do on the network. It cannot be widened: where
   the configuration asks for another one, the process starts anew. */
struct role_reach {
	uint16_t ports[ROLE_PORTS_MAX]; /* it may connect to */
	size_t port_count;
	bool want_source; /* it may choose its own address */
};

void role_row_reach(const struct role_row *row, const struct conf *conf,
                    struct role_reach *out);
bool role_reach_eq(const struct role_reach *a, const struct role_reach *b);

enum {
	ROLE_CONTROL_FD = 3, /* in the process: its end of the control socket */
	ROLE_FIRST_FD = 4,   /* and what else it inherits, from here on */
};

/* Kinds of the frames on the control socket (io/ipc.h). */
enum role_message {
	ROLE_START = 1, /* role_start, to the process, first */
	ROLE_STOP,      /* to the process */
	ROLE_RELOAD,    /* role_start without sockets, to the process */
	ROLE_READY,     /* from the process */
	ROLE_PEER,      /* role_peer, to the first row's process */
};

/* What a process is told at its start and at a reload. It reads no file for this: a
   configuration that somebody is editing cannot keep a process from coming back, and
   no process needs the right to read keys. */
struct role_start {
	struct str conf_path, conf_text;
	struct str certificate_pem, key_pem;
	struct str roots_pem; /* of tls.ca_file; empty: the system's */
	int unix_fd;          /* -1: none */
	size_t listener_count;
	struct role_listener listeners[ROLE_LISTENERS_MAX];
};

void role_start_pack(const struct role_start *s, struct strbuf *out);
/* Borrows from bytes. False: damaged. */
bool role_start_unpack(struct str bytes, struct role_start *s_out);

/* Process pid has this role; empty: it has ended. */
struct role_peer {
	int pid;
	struct str role;
};

void role_peer_pack(const struct role_peer *p, struct strbuf *out);
/* Borrows from bytes. False: damaged. */
bool role_peer_unpack(struct str bytes, struct role_peer *p_out);

#endif
