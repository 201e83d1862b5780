/* cmd_list.c - LIST with its extensions, and LSUB.
 *
 * Follows RFC 3501 6.3.8 and 6.3.9, RFC 3348 (children are always shown), RFC 6154
 * (special use is always shown), RFC 5258 (options, several patterns), RFC 5819 (STATUS).
 */
#include "imap/imap_priv.h"
#include "imap/imap_tree.h"
#include "imap/imap_utf7.h"

enum {
	PATTERNS_MAX = 32,
	PATTERN_MAX = 3 * IMAP_NAME_MAX_BYTES,
	TURN_LOOKS = 16 * 1024, /* in one turn, where a pattern counts for … */
	PATTERN_LOOKS = 16,     /* … so many of them, … */
	STEPS_LOOK = 16,        /* … and these steps in it for one */
};

/* Selection and return options. */
enum {
	SELECT_SUBSCRIBED = 1 << 0,
	SELECT_REMOTE = 1 << 1, /* there are none: changes nothing */
	SELECT_RECURSIVE = 1 << 2,
	SELECT_SPECIAL = 1 << 3,
	RETURN_SUBSCRIBED = 1 << 4,
	RETURN_CHILDREN = 1 << 5, /* always */
	RETURN_SPECIAL = 1 << 6,  /* always */
	RETURN_STATUS = 1 << 7,
};

struct list {
	bool is_lsub, is_extended, has_empty_pattern;
	unsigned options, status_items;
	struct str patterns[PATTERNS_MAX]; /* UTF-8, with the reference */
	size_t patterns_n;
	struct imap_boxes boxes;
	struct imap_tree tree;
	bool *matches; /* of each node */
	size_t asked;  /* how many of them are known */
	size_t at;     /* the next node to write */
	size_t looked; /* in this turn */
};

static const struct str none;

struct option {
	struct str word;
	unsigned bit;
};

static const struct option selections[] = {
	{ STR_INIT("SUBSCRIBED"), SELECT_SUBSCRIBED },
	{ STR_INIT("REMOTE"), SELECT_REMOTE },
	{ STR_INIT("RECURSIVEMATCH"), SELECT_RECURSIVE },
	{ STR_INIT("SPECIAL-USE"), SELECT_SPECIAL },
	{ STR_INIT(""), 0 },
};

static const struct option returns[] = {
	{ STR_INIT("SUBSCRIBED"), RETURN_SUBSCRIBED },
	{ STR_INIT("CHILDREN"), RETURN_CHILDREN },
	{ STR_INIT("SPECIAL-USE"), RETURN_SPECIAL },
	{ STR_INIT("STATUS"), RETURN_STATUS },
	{ STR_INIT(""), 0 },
};

/* "(option option …)" */
static bool
take_options(struct imap_args *args, const struct option *table, struct list *list)
{
	struct str word;

	if (!imap_args_open(args))
		return false;
	while (!imap_args_at(args, ')')) {
		const struct option *o = table;

		if (!imap_args_atom(args, &word))
			return false;
		while (o->word.n > 0 && !str_eq_icase(o->word, word))
			o++;
		if (o->word.n == 0)
			return imap_args_fail(args, "Unknown LIST option");
		list->options |= o->bit;
		if (o->bit == RETURN_STATUS &&
		    (!imap_args_space(args) ||
		     !imap_take_status_items(args, &list->status_items)))
			return false;
		if (!imap_args_at(args, ')') && !imap_args_space(args))
			return false;
	}
	return imap_args_close(args);
}

/* Reference and pattern are put together and decoded. What cannot be decoded matches
   nothing: it is left out. */
static bool
add_pattern(struct imap_session *s, struct imap_args *args, struct list *list,
            struct str reference)
{
	struct str pattern;
	struct strbuf wire = strbuf_arena(s->arena, PATTERN_MAX);
	struct strbuf utf8 = strbuf_arena(s->arena, PATTERN_MAX);

	if (!imap_args_list_mailbox(args, &pattern))
		return false;
	if (list->patterns_n == PATTERNS_MAX)
		return imap_args_fail(args, "Too many patterns");
	list->has_empty_pattern |= pattern.n == 0;
	strbuf_add(&wire, reference);
	strbuf_add(&wire, pattern);
	if (!imap_pattern_check(strbuf_str(&wire)))
		return imap_args_fail(args, "Too many wildcards");
	if (!wire.overflow && imap_utf7_parse(strbuf_str(&wire), &utf8) == OK)
		list->patterns[list->patterns_n++] = strbuf_str(&utf8);
	return true;
}

static bool
take_patterns(struct imap_session *s, struct imap_args *args, struct list *list,
              struct str reference)
{
	if (!imap_args_at(args, '('))
		return add_pattern(s, args, list, reference);
	list->is_extended = true;
	if (!imap_args_open(args))
		return false;
	do {
		if (!add_pattern(s, args, list, reference))
			return false;
	} while (str_skip_byte(&args->rest, ' '));
	return imap_args_close(args);
}

static bool
take_selection(struct imap_args *args, struct list *list)
{
	if (list->is_lsub || !imap_args_at(args, '('))
		return true;
	list->is_extended = true;
	if (!take_options(args, selections, list) || !imap_args_space(args))
		return false;
	if ((list->options & SELECT_RECURSIVE) && !(list->options & SELECT_SUBSCRIBED))
		return imap_args_fail(args, "RECURSIVEMATCH needs SUBSCRIBED");
	return true;
}

static bool
take_return(struct imap_args *args, struct list *list)
{
	if (imap_args_at_end(args))
		return true;
	list->is_extended = true;
	if (list->is_lsub || !str_skip_icase(&args->rest, STR(" RETURN ")))
		return imap_args_fail(args, "Unexpected argument");
	return take_options(args, returns, list);
}

static enum imap_step
start_list(struct imap_session *s, struct imap_args *args, bool is_lsub,
           struct strbuf *out)
{
	struct list *list = ARENA_NEW(s->arena, struct list);
	struct str reference;

	list->is_lsub = is_lsub;
	if (!imap_args_space(args) || !take_selection(args, list) ||
	    !imap_args_list_mailbox(args, &reference) || !imap_args_space(args) ||
	    !take_patterns(s, args, list, reference) || !take_return(args, list) ||
	    !imap_args_end(args))
		return imap_bad_args(s, args);
	/* An empty name asks for the separator (RFC 3501 6.3.8). */
	if (list->has_empty_pattern && !is_lsub && !list->is_extended) {
		strbuf_lit(out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
		return imap_ok(s, none, none);
	}
	s->job = list;
	s->ops->boxes(s->ops_arg, s->arena, &list->boxes);
	return STEP_WAIT;
}

/* LIST [(selection)] reference pattern [RETURN (…)]        RFC 3501 6.3.8, RFC 5258 */
IMAP_START(imap_cmd_list)
{
	return start_list(s, args, false, out);
}

/* LSUB reference pattern                                           RFC 3501 6.3.9 */
IMAP_START(imap_cmd_lsub)
{
	return start_list(s, args, true, out);
}

/* --- the answer */

static bool
is_match(struct list *list, struct str pattern, struct str name)
{
	size_t steps = 0;
	bool is_good = imap_pattern_match(pattern, name, &steps);

	list->looked += PATTERN_LOOKS + steps / STEPS_LOOK;
	return is_good;
}

static bool
matches_any(struct list *list, struct str name)
{
	for (size_t i = 0; i < list->patterns_n; i++) {
		if (is_match(list, list->patterns[i], name))
			return true;
	}
	return false;
}

/* A parent that is no mailbox is shown where its name is asked for, or its level, but not
   with everything below. */
static bool
matches_as_parent(struct list *list, struct str name)
{
	for (size_t i = 0; i < list->patterns_n; i++) {
		struct str p = list->patterns[i];

		if (p.n > 0 && p.p[p.n - 1] != '*' && is_match(list, p, name))
			return true;
	}
	return false;
}

/* Is something below subscribed, which the client does not see otherwise? */
static bool
has_hidden_subscription(struct list *list, size_t at)
{
	for (size_t i = at + 1; i < list->tree.nodes[at].end; i++) {
		list->looked++;
		if (list->tree.nodes[i].is_subscribed && !list->matches[i])
			return true;
	}
	return false;
}

static void
attribute(struct strbuf *out, struct str word, bool *is_first)
{
	if (!*is_first)
		strbuf_byte(out, ' ');
	*is_first = false;
	strbuf_add(out, word);
}

static void
write_attributes(const struct list *list, const struct imap_node *node,
                 struct strbuf *out)
{
	bool is_first = true;
	bool is_subscribed_shown =
		list->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED);

	strbuf_byte(out, '(');
	if (!node->exists)
		attribute(out,
		          list->is_extended ? STR("\\NonExistent") : STR("\\Noselect"),
		          &is_first);
	attribute(out, node->has_children ? STR("\\HasChildren") : STR("\\HasNoChildren"),
	          &is_first);
	if (is_subscribed_shown && node->is_subscribed)
		attribute(out, STR("\\Subscribed"), &is_first);
	if (node->exists && node->info->special_use != USE_NONE)
		attribute(out, str_from(special_use_name(node->info->special_use)),
		          &is_first);
	strbuf_byte(out, ')');
}

static void
write_list(const struct list *list, const struct imap_node *node, bool has_childinfo,
           struct strbuf *out)
{
	strbuf_lit(out, "* LIST ");
	write_attributes(list, node, out);
	strbuf_lit(out, " \"/\" ");
	imap_mailbox_format(out, node->name);
	if (has_childinfo)
		strbuf_lit(out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	strbuf_lit(out, "\r\n");
	if (!(list->options & RETURN_STATUS) || !node->exists)
		return;
	imap_reply_status(node->info, list->status_items, out);
}

static void
list_node(struct list *list, size_t at, struct strbuf *out)
{
	const struct imap_node *node = &list->tree.nodes[at];
	bool is_shown =
		node->exists ? list->matches[at] : matches_as_parent(list, node->name);
	bool has_childinfo = false;

	if (list->options & SELECT_SUBSCRIBED) {
		is_shown = list->matches[at];
		if (is_shown && (list->options & SELECT_RECURSIVE))
			has_childinfo = has_hidden_subscription(list, at);
		is_shown = is_shown && (node->is_subscribed || has_childinfo);
	} else if (!node->exists && !node->has_children) {
		is_shown = false; /* only a subscription */
	}
	if ((list->options & SELECT_SPECIAL) &&
	    (!node->exists || node->info->special_use == USE_NONE))
		is_shown = false;
	if (is_shown)
		write_list(list, node, has_childinfo, out);
}

static void
lsub_node(struct list *list, size_t at, struct strbuf *out)
{
	const struct imap_node *node = &list->tree.nodes[at];
	bool is_parent = !node->is_subscribed;

	if (!list->matches[at])
		return;
	if (is_parent &&
	    (!matches_as_parent(list, node->name) || !has_hidden_subscription(list, at)))
		return;
	strbuf_lit(out, "* LSUB (");
	if (is_parent)
		strbuf_lit(out, "\\Noselect");
	strbuf_lit(out, ") \"/\" ");
	imap_mailbox_format(out, node->name);
	strbuf_lit(out, "\r\n");
}

/* This turn has done what one should. */
static bool
is_enough(struct list *list)
{
	if (list->looked < TURN_LOOKS)
		return false;
	list->looked = 0;
	return true;
}

/* The tree, and room for what matches. */
static bool
prepare(struct imap_session *s, struct list *list)
{
	if (list->matches)
		return true;
	if (!imap_tree_make(&list->boxes, s->arena, &list->tree))
		return false;
	list->matches = arena_try(s->arena, list->tree.n + 1);
	return list->matches;
}

IMAP_RESUME(imap_boxes_found)
{
	struct list *list = s->job;

	if (answer != OK)
		return imap_error(s, answer);
	if (!prepare(s, list))
		return imap_error(s, ERR_LIMIT);
	/* All first: nodes look at many below them. */
	for (; list->asked < list->tree.n; list->asked++) {
		if (is_enough(list))
			return STEP_MORE;
		list->matches[list->asked] =
			matches_any(list, list->tree.nodes[list->asked].name);
	}
	while (list->at < list->tree.n) {
		if (imap_is_full(s, out) || is_enough(list))
			return STEP_MORE;
		if (list->is_lsub)
			lsub_node(list, list->at++, out);
		else
			list_node(list, list->at++, out);
	}
	return imap_ok(s, none, none);
}
