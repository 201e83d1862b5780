/* call.h - what one command has in its hands: arguments, options, the client. */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "cli/client.h"
#include "ext/json.h"

#include <stdbool.h>

enum {
	CALL_ARGS_MAX = 500,
	CALL_OPTIONS_MAX = 32,
};

struct cli_command;

struct call {
	const struct cli_command *command;
	struct arena *arena;
	struct client *client;
	struct str args[CALL_ARGS_MAX];
	size_t args_count;
	struct {
		struct str name, value;
	} options[CALL_OPTIONS_MAX];
	size_t options_count;
	bool is_json;
};

/* One command. words: "domain add"; options: "name= quota= cascade", with "=" those that
   take a value; all take --json and --config. */
struct cli_command {
	const char *words, *arguments, *options, *help;
	size_t args_min, args_max;
	int (*run)(struct call *c); /* gives an enum cli_exit */
};

/* The value of an option; false where it was not given. */
bool call_option(const struct call *c, const char *name, struct str *value_out);
/* The i-th (from 0) option of that name. */
bool call_option_at(const struct call *c, const char *name, size_t i,
                    struct str *value_out);

/* "/domains/" and the escaped name, and what follows. */
struct str call_path(struct call *c, const char *before, struct str name,
                     const char *after);
/* Appends "?name=value" or "&name=value", escaped. */
struct str call_param(struct call *c, struct str path, const char *name,
                      struct str value);

/* One column of a table: a member, "a.b" for one inside another, and its heading. A
   member that ends in "_s" is shown as a time: 40s, 12m, 36h, 5d. */
struct column {
	const char *member, *heading;
};

/* Each does the call and prints what came; the result is the exit status. */
int call_show(struct call *c, const char *method, struct str path, struct str body);
/* Prints `done` (a format with one %s for what) instead of the body, for people. */
int call_do(struct call *c, const char *method, struct str path, struct str body,
            const char *done, struct str what);
/* Takes away what is there; unlike the API's DELETE, which is content with what is gone
   already, a person who mistyped a name is told so. params: "", or "?…". */
int call_remove(struct call *c, struct str path, const char *params, const char *done,
                struct str what);
/* All pages of a list. */
int call_list(struct call *c, struct str path, const struct column *columns,
              size_t count);

/* A list that comes whole. */
int call_table(struct call *c, struct str path, const struct column *columns,
               size_t count);

/* A password from standard input, or asked for on a terminal. False: said why. */
MUSTUSE bool call_password(struct call *c, struct str *password_out);
/* "5G", "100M", bytes; "none" is 0. False: said why. */
MUSTUSE bool call_size(struct str text, int64_t *bytes_out);
/* Says what is wrong with the command line. */
int call_usage(const struct call *c, const char *what);
/* Prints a value for a person's terminal: no control characters. */
void call_print(struct str text);
/* Says why an answer is no success, if it is none. */
MUSTUSE bool call_is_ok(const struct client_answer *answer);

#endif
