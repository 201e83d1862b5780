/* mailstead - the one program: `serve` is the appliance, the rest are its commands. */
#include "base/str.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "role/role.h"
#include "role/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	EXIT_USAGE = 2,
	SCHEMA_MAX = 1 << 20,
};

#define DEFAULT_CONFIG "/etc/mailstead/mailstead.yaml"

static const char usage[] =
	"usage: mailstead COMMAND [OPTIONS]\n"
	"  serve [--config FILE]  the appliance, in the foreground\n"
	"  check [--config FILE]  0 and silence, or every error with line and column\n"
	"  check --schema[=man]   every key of the configuration, as JSON or roff\n"
	"  help [COMMAND]         all commands, or those that begin with these words\n"
	"  version                which one this is\n"
	"FILE is $MAILSTEAD_CONFIG or " DEFAULT_CONFIG " where it is left out.\n";

static int
usage_error(void)
{
	(void)fputs(usage, stderr);
	(void)fputs("\"mailstead help\" lists the commands to the running appliance.\n",
	            stderr);
	return EXIT_USAGE;
}

static const struct command *find_command(const char *name);

static int
cmd_help(int argc, char **argv)
{
	if (argc > 0 && !find_command(argv[0]))
		return cli_help(argc, argv);
	(void)fputs(usage, stdout);
	if (argc > 0)
		return fflush(stdout) == 0 ? 0 : 1;
	(void)fputs("Commands to the running appliance, and checks without one; all take "
	            "--config and --json:\n",
	            stdout);
	return cli_help(argc, argv);
}

static int
cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)puts("mailstead " MAILSTEAD_VERSION);
	return 0;
}

/* The file after --config; NULL: the arguments are wrong. */
static const char *
config_path(int argc, char **argv)
{
	const char *path = getenv("MAILSTEAD_CONFIG");

	for (int i = 0; i < argc; i++) {
		struct str s = str_from(argv[i]);

		if (str_skip(&s, STR("--config=")))
			path = s.p;
		else if (str_eq(s, STR("--config")) && i + 1 < argc)
			path = argv[++i];
		else
			return NULL;
	}
	return path && path[0] ? path : DEFAULT_CONFIG;
}

static int
cmd_serve(int argc, char **argv)
{
	const char *path = config_path(argc, argv);

	return path ? role_serve(path) : usage_error();
}

static int
print_schema(bool is_man)
{
	struct strbuf out = strbuf_heap(SCHEMA_MAX);
	size_t written;

	if (is_man)
		conf_schema_man(&out);
	else
		conf_schema_json(NULL, &out);
	written = fwrite(out.p, 1, out.n, stdout);
	return written == out.n && fflush(stdout) == 0 ? 0 : 1;
}

static int
cmd_check(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct diag diag = { 0 };
	enum err e;
	char shown[4096];
	struct strbuf b = strbuf_on(shown);
	const char *path;

	if (argc == 1 && str_eq(str_from(argv[0]), STR("--schema")))
		return print_schema(false);
	if (argc == 1 && str_eq(str_from(argv[0]), STR("--schema=man")))
		return print_schema(true);
	path = config_path(argc, argv);
	if (!path)
		return usage_error();
	strbuf_add(&b, str_from(path));
	(void)strbuf_cstr(&b);
	if (conf_load(path, conf_error_print, shown, &conf) != OK)
		return 1;
	conf_tell_retired(conf, conf_error_print, shown);
	e = setup_check_files(conf, &diag);
	if (e != OK)
		conf_error_print(shown, &diag);
	conf_free(&conf);
	return e == OK ? 0 : 1;
}

static const struct command {
	struct str name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ STR_INIT("serve"), cmd_serve },
	{ STR_INIT("check"), cmd_check },
	{ STR_INIT("help"), cmd_help },
	{ STR_INIT("--help"), cmd_help },
	{ STR_INIT("-h"), cmd_help },
	{ STR_INIT("version"), cmd_version },
	{ STR_INIT("--version"), cmd_version },
	{ STR_INIT("role"), role_main }, /* by the supervisor only */
};

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_eq(str_from(name), commands[i].name))
			return &commands[i];
	}
	return NULL;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int
main(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc < 2)
		return usage_error();
	if (!command)
		return cli_main(argc, argv);
	if (argc > 2 && is_help(argv[2]))
		return cmd_help(1, argv + 1);
	return command->run(argc - 2, argv + 2);
}
