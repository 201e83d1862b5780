/* yaml.h - YAML as a tree whose nodes know where they stood.
 *
 * Only what a configuration needs: one document of maps, lists and scalars. Aliases,
 * anchors, tags, duplicate keys, more documents and deep nesting are errors. libyaml
 * stays inside yaml.c.
 */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

enum yaml_kind {
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
};

struct yaml_node {
	enum yaml_kind kind;
	int line, column; /* 1-based */
	struct str key;   /* in a map: its name */
	int key_line, key_column;
	struct str text;                /* of a scalar */
	bool is_null;                   /* a plain scalar that is empty, ~ or null */
	struct yaml_node *first, *next; /* children, and the next sibling */
};

enum {
	YAML_DEPTH_MAX = 8,
	YAML_TEXT_MAX = 1 << 20,
	YAML_JSON_DEPTH_MAX = 40,
};

typedef void yaml_error_fn(void *arg, const struct diag *diag);

/* The root in a, or NULL for an empty document. Duplicate keys are told and dropped, so
   that the rest can still be checked; after any other error nothing more is read.
   ERR_CONFIG when anything was told. */
MUSTUSE enum err yaml_parse(struct str text, struct arena *a, yaml_error_fn *on_error,
                            void *arg, struct yaml_node **root_out);

/* Appends the document as JSON, for files of our own that are written in YAML because
   people read them. Plain scalars that are null, true, false or numbers become those.
   ERR_CONFIG with the place in diag. */
MUSTUSE enum err yaml_to_json(struct str text, struct strbuf *out, struct diag *diag);

#endif
