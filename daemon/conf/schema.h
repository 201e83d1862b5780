/* schema.h - the configuration schema as a table, made from keys.def, protocols.def and
 * limits.def; and values of its types, from text and to text.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "conf/conf.h"
#include "conf/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_TYPE_text,
	CONF_TYPE_hostname,
	CONF_TYPE_path,
	CONF_TYPE_user,
	CONF_TYPE_mailbox, /* an address of mail, or nothing */
	CONF_TYPE_domains, /* one str, lower case, one space between */
	CONF_TYPE_boolean,
	CONF_TYPE_number,
	CONF_TYPE_durations,
	CONF_TYPE_addresses,
	CONF_TYPE_networks,
	CONF_TYPE_ips, /* addresses without a port */
	CONF_TYPE_level,
	CONF_TYPE_COUNT
};

enum conf_unit {
	CONF_UNIT_none,
	CONF_UNIT_count,
	CONF_UNIT_bytes,
	CONF_UNIT_ms,
	CONF_UNIT_percent,
	CONF_UNIT_COUNT
};

struct conf_row {
	struct str path;
	enum conf_type type;
	enum conf_unit unit;
	size_t offset; /* of the field in struct conf */
	int64_t min, max;
	struct str def; /* the default as text; for limits it is def_number */
	int64_t def_number;
	bool is_limit;
	bool needs_restart;
	bool is_setting; /* may be set in the dashboard */
	const char *help;
};

/* A key of an older version. */
struct conf_retired {
	struct str path;
	const char *since; /* the first version without it */
	const char *advice;
};

/* NULL: it never was one, or still is. */
const struct conf_retired *conf_retired_find(struct str path);

size_t conf_row_count(void);
const struct conf_row *conf_row_at(size_t i);
const struct conf_row *conf_row_find(struct str path);
/* True when there are rows "path.…". */
bool conf_row_is_group(struct str path);

/* Reads the node as the row's type into c; strs and arrays go to a. On ERR_CONFIG diag
   has the place and the words. */
MUSTUSE enum err conf_value_read(const struct conf_row *row, const struct yaml_node *node,
                                 struct conf *c, struct arena *a, struct diag *diag);
/* Judges a text as a value of the row; out gets it as it would stand in the file. On
   ERR_CONFIG diag has the words. */
MUSTUSE enum err conf_value_judge(const struct conf_row *row, struct str text,
                                  struct strbuf *out, struct diag *diag);
/* Puts the default in place. */
void conf_value_default(const struct conf_row *row, struct conf *c, struct arena *a);
/* As it would stand in the file. */
void conf_value_format(const struct conf_row *row, const struct conf *c,
                       struct strbuf *out);
bool conf_value_eq(const struct conf_row *row, const struct conf *a,
                   const struct conf *b);
void conf_default_format(const struct conf_row *row, struct strbuf *out);
const char *conf_type_word(enum conf_type type);
const char *conf_unit_word(enum conf_unit unit); /* "" for none */
/* A number in its unit, short: "50M", "5m". */
void conf_number_format(int64_t n, enum conf_unit unit, struct strbuf *out);
MUSTUSE bool conf_number_parse(struct str s, enum conf_unit unit, int64_t *n_out);

#endif
