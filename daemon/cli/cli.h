/* cli.h - the commands that talk to a running appliance.
 *
 * `mailstead domain add …` and its like are a table (cli.c) of words, arguments, options
 * and a function; each speaks the REST API over run_dir/api.sock, so whatever a person
 * can do here a program can do with curl. Answers go to stdout, as a table for people or,
 * with --json, as the server sent them; everything else goes to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1,     /* the appliance said no */
	CLI_USAGE = 2,       /* the command line is wrong */
	CLI_UNREACHABLE = 3, /* no configuration, or nobody answers there */
};

/* Runs `mailstead ARG…`; argv[0] is the program. The exit status. */
int cli_main(int argc, char **argv);
/* Prints the commands that begin with these words, all where there are none: what each
   takes, and below it what it does. The exit status. */
int cli_help(int argc, char **argv);

#endif
