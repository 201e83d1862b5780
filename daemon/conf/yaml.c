#include "conf/yaml.h"

#include "base/map.h"
#include "ext/json.h"

#include <yaml.h>

struct parser {
	yaml_parser_t yaml;
	struct arena *arena;
	yaml_error_fn *on_error;
	void *arg;
	enum err result;
	bool is_over; /* nothing more can be read */
};

static void
tell(struct parser *p, int line, int column, const char *text)
{
	struct diag d = { .line = line, .column = column };

	p->result = diag_set(&d, ERR_CONFIG, "%s", text);
	p->on_error(p->arg, &d);
}

static void
give_up(struct parser *p, const yaml_mark_t *at, const char *text)
{
	tell(p, (int)at->line + 1, (int)at->column + 1, text);
	p->is_over = true;
}

static bool
next_event(struct parser *p, yaml_event_t *event)
{
	const char *problem;

	if (yaml_parser_parse(&p->yaml, event))
		return true;
	problem = p->yaml.problem ? p->yaml.problem : "cannot be read";
	/* Errors of the reader (bad UTF-8) know an offset only. */
	give_up(p, &p->yaml.problem_mark, problem);
	return false;
}

static bool
is_null_word(struct str s)
{
	return !s.n || str_eq(s, STR("~")) || str_eq(s, STR("null"));
}

static struct yaml_node *node_read(struct parser *p, yaml_event_t *event, int depth);

static struct yaml_node *
find_key(struct yaml_node *map, struct str key)
{
	for (struct yaml_node *n = map->first; n; n = n->next) {
		if (str_eq(n->key, key))
			return n;
	}
	return NULL;
}

/* The value of a key that has just been read; NULL when it is to be left out. */
static struct yaml_node *
member_read(struct parser *p, yaml_event_t *key, int depth)
{
	yaml_event_t event;
	struct yaml_node *node;
	struct str name;

	if (key->type != YAML_SCALAR_EVENT) {
		give_up(p, &key->start_mark, "a key must be a plain word");
		return NULL;
	}
	name = arena_str(p->arena,
	                 str_make(key->data.scalar.value, key->data.scalar.length));
	if (!next_event(p, &event))
		return NULL;
	node = node_read(p, &event, depth);
	yaml_event_delete(&event);
	if (!node)
		return NULL;
	node->key = name;
	node->key_line = (int)key->start_mark.line + 1;
	node->key_column = (int)key->start_mark.column + 1;
	return node;
}

/* Reads what is inside a list or map up to its end. */
static void
children_read(struct parser *p, struct yaml_node *parent, yaml_event_type_t last,
              int depth)
{
	struct yaml_node **place = &parent->first;

	while (!p->is_over) {
		struct yaml_node *node;
		yaml_event_t event;
		bool is_last;

		if (!next_event(p, &event))
			return;
		is_last = event.type == last;
		node = is_last                    ? NULL
		       : parent->kind == YAML_MAP ? member_read(p, &event, depth)
		                                  : node_read(p, &event, depth);
		yaml_event_delete(&event);
		if (is_last)
			return;
		if (node && parent->kind == YAML_MAP && find_key(parent, node->key)) {
			tell(p, node->key_line, node->key_column,
			     "this key is there twice");
			continue;
		}
		if (node) {
			*place = node;
			place = &node->next;
		}
	}
}

static bool
has_decoration(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor ||
		       event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

static struct yaml_node *
node_read(struct parser *p, yaml_event_t *event, int depth)
{
	struct yaml_node *node;

	if (event->type == YAML_ALIAS_EVENT || has_decoration(event)) {
		give_up(p, &event->start_mark,
		        "aliases, anchors and tags are not allowed");
		return NULL;
	}
	if (depth > YAML_DEPTH_MAX || arena_left(p->arena) < 2 * sizeof(*node)) {
		give_up(p, &event->start_mark, "nested too deeply");
		return NULL;
	}
	node = ARENA_NEW(p->arena, struct yaml_node);
	node->line = (int)event->start_mark.line + 1;
	node->column = (int)event->start_mark.column + 1;
	if (event->type == YAML_SCALAR_EVENT) {
		node->text = arena_str(p->arena, str_make(event->data.scalar.value,
		                                          event->data.scalar.length));
		node->is_null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		                is_null_word(node->text);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = YAML_LIST;
		children_read(p, node, YAML_SEQUENCE_END_EVENT, depth + 1);
	} else {
		node->kind = YAML_MAP;
		children_read(p, node, YAML_MAPPING_END_EVENT, depth + 1);
	}
	return node;
}

static struct yaml_node *
document_read(struct parser *p)
{
	struct yaml_node *root = NULL;
	yaml_event_type_t type = YAML_NO_EVENT;
	int documents = 0;

	while (!p->is_over && type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;

		if (!next_event(p, &event))
			break;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
			give_up(p, &event.start_mark, "only one document is allowed");
		else if (type != YAML_STREAM_START_EVENT &&
		         type != YAML_STREAM_END_EVENT &&
		         type != YAML_DOCUMENT_START_EVENT &&
		         type != YAML_DOCUMENT_END_EVENT)
			root = node_read(p, &event, 0);
		yaml_event_delete(&event);
	}
	return root;
}

enum err
yaml_parse(struct str text, struct arena *a, yaml_error_fn *on_error, void *arg,
           struct yaml_node **root_out)
{
	struct parser p = { .arena = a, .on_error = on_error, .arg = arg };

	*root_out = NULL;
	if (text.n > YAML_TEXT_MAX) {
		tell(&p, 1, 1, "longer than 1 MiB");
		return p.result;
	}
	if (!yaml_parser_initialize(&p.yaml))
		return ERR_INTERNAL;
	yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&p.yaml, (const unsigned char *)(text.n ? text.p : ""), text.n);
	*root_out = document_read(&p);
	yaml_parser_delete(&p.yaml);
	return p.result;
}

/* --- as JSON ------------------------------------------------------------------------- */

struct converter {
	yaml_parser_t yaml;
	struct json_out json;
	struct diag *diag;
};

static enum err
conversion_failed(struct converter *c, const yaml_mark_t *at, const char *text)
{
	(void)diag_set(c->diag, ERR_CONFIG, "%s", text);
	if (c->diag) {
		c->diag->line = (int)at->line + 1;
		c->diag->column = (int)at->column + 1;
	}
	return ERR_CONFIG;
}

static bool
is_json_number(struct str s)
{
	size_t dots = 0;

	(void)str_skip_byte(&s, '-');
	for (size_t i = 0; i < s.n; i++) {
		dots += s.p[i] == '.';
		if (!byte_is_digit(s.p[i]) && s.p[i] != '.')
			return false;
	}
	if (!s.n || dots > 1 || !byte_is_digit(s.p[0]) || !byte_is_digit(s.p[s.n - 1]))
		return false;
	return s.n == 1 || s.p[0] != '0' || s.p[1] == '.';
}

static void
scalar_to_json(struct converter *c, const char *key, const yaml_event_t *event)
{
	struct str text = str_make(event->data.scalar.value, event->data.scalar.length);
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (is_plain && is_null_word(text))
		json_out_null(&c->json, key);
	else if (is_plain && (is_json_number(text) || str_eq(text, STR("true")) ||
	                      str_eq(text, STR("false"))))
		json_raw(&c->json, key, text);
	else
		json_str(&c->json, key, text);
}

static enum err value_to_json(struct converter *c, const char *key, yaml_event_t *event,
                              int depth);

/* Takes events up to `last`, the end of the list or map. */
static enum err
children_to_json(struct converter *c, yaml_event_type_t last, int depth)
{
	bool is_map = last == YAML_MAPPING_END_EVENT, is_last = false;
	enum err e = OK;

	while (e == OK && !is_last) {
		yaml_event_t event, value;

		if (!yaml_parser_parse(&c->yaml, &event))
			return conversion_failed(c, &c->yaml.problem_mark,
			                         "cannot be read");
		is_last = event.type == last;
		if (!is_last && !is_map) {
			e = value_to_json(c, NULL, &event, depth);
		} else if (!is_last && event.type != YAML_SCALAR_EVENT) {
			e = conversion_failed(c, &event.start_mark,
			                      "a key must be a word");
		} else if (!is_last && !yaml_parser_parse(&c->yaml, &value)) {
			e = conversion_failed(c, &c->yaml.problem_mark, "cannot be read");
		} else if (!is_last) {
			e = value_to_json(c, (const char *)event.data.scalar.value,
			                  &value, depth);
			yaml_event_delete(&value);
		}
		yaml_event_delete(&event);
	}
	return e;
}

static enum err
value_to_json(struct converter *c, const char *key, yaml_event_t *event, int depth)
{
	enum err e;

	if (depth > YAML_JSON_DEPTH_MAX || event->type == YAML_ALIAS_EVENT)
		return conversion_failed(c, &event->start_mark, "too deep, or an alias");
	if (event->type == YAML_SCALAR_EVENT) {
		scalar_to_json(c, key, event);
		return OK;
	}
	if (event->type == YAML_SEQUENCE_START_EVENT) {
		json_open_array(&c->json, key);
		e = children_to_json(c, YAML_SEQUENCE_END_EVENT, depth + 1);
		json_close_array(&c->json);
		return e;
	}
	json_open_object(&c->json, key);
	e = children_to_json(c, YAML_MAPPING_END_EVENT, depth + 1);
	json_close_object(&c->json);
	return e;
}

enum err
yaml_to_json(struct str text, struct strbuf *out, struct diag *diag)
{
	struct converter c = { .json = json_out_on(out), .diag = diag };
	yaml_event_t event;
	enum err e = OK;
	bool is_value = false;

	if (!yaml_parser_initialize(&c.yaml))
		return ERR_INTERNAL;
	yaml_parser_set_input_string(&c.yaml, (const unsigned char *)text.p, text.n);
	/* Stream and document begin before the one value. */
	while (e == OK && !is_value) {
		if (!yaml_parser_parse(&c.yaml, &event)) {
			e = conversion_failed(&c, &c.yaml.problem_mark, "cannot be read");
			break;
		}
		is_value = event.type != YAML_STREAM_START_EVENT &&
		           event.type != YAML_DOCUMENT_START_EVENT;
		if (is_value)
			e = value_to_json(&c, NULL, &event, 0);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&c.yaml);
	return e == OK && out->overflow ? ERR_LIMIT : e;
}
