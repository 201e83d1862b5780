#include "cli/cli.h"

#include "base/macros.h"
#include "base/mem.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES = 1 << 30,
	LINE_COLUMNS = 80,
	HELP_INDENT = 8,
	ARGUMENTS_INDENT = 16,
};

static const char conf_default[] = "/etc/mailstead/mailstead.yaml";

/* clang-format off */
static const struct cli_command commands[] = {
	{ "domain add",       "NAME",                          "",                       "take mail for a domain", 1, 1, cmd_domain_add },
	{ "domain list",      "[--search TEXT]",               "search=",                "the domains", 0, 0, cmd_domain_list },
	{ "domain show",      "NAME",                          "",                       "one domain", 1, 1, cmd_domain_show },
	{ "domain dns mute",  "NAME RECORD",                   "",                       "leave a record as it is: it counts no longer among what is to be done", 2, 2, cmd_domain_dns_mute },
	{ "domain dns unmute", "NAME RECORD",                  "",                       "look after a record again", 2, 2, cmd_domain_dns_unmute },
	{ "domain dns",       "NAME [--check] [--zone [--missing] [--relative]]", "check zone missing relative", "the DNS records to publish for it, and what the name servers say; --check: asks them first; --zone: as a zone file", 1, 1, cmd_domain_dns },
	{ "domain dkim list", "NAME",                          "",                       "its DKIM keys", 1, 1, cmd_domain_dkim_list },
	{ "domain dkim create", "NAME rsa|ed25519 [--selector NAME]", "selector=",       "make a DKIM key", 2, 2, cmd_domain_dkim_create },
	{ "domain dkim rotate", "NAME",                        "",                       "make a new pair of DKIM keys that takes over when every name server has it", 1, 1, cmd_domain_dkim_rotate },
	{ "domain dkim set",  "NAME SELECTOR publish|active|retiring|revoked [--emergency]", "emergency", "move a DKIM key on; --emergency: revoke it at once", 3, 3, cmd_domain_dkim_set },
	{ "domain dkim remove", "NAME SELECTOR",               "",                       "forget a DKIM key that never signed, or is revoked", 2, 2, cmd_domain_dkim_remove },
	{ "domain policy show", "NAME dmarc|mta_sts|tls_rpt",  "",                       "what it says of itself, and where reports on it go", 2, 2, cmd_domain_policy_show },
	{ "domain policy set", "NAME dmarc|mta_sts|tls_rpt [--policy none|quarantine|reject] [--testing yes|no] [--mode none|testing|enforce] [--max-age SECONDS] [--rua ADDRESS|default]", "policy= testing= mode= max-age= rua=", "change that; what is not given stays; --rua default: the address that is read here", 2, 2, cmd_domain_policy_set },
	{ "domain set",       "NAME [--incoming honour|junk|mark] [--state active|disabled]", "incoming= state=", "change a domain: what is done with mail whose sender is not proven", 1, 1, cmd_domain_set },
	{ "domain remove",    "NAME [--cascade]",              "cascade",                "no longer take mail for it; --cascade: with its accounts and their mail", 1, 1, cmd_domain_remove },
	{ "account add",      "ADDRESS [--password-stdin] [--name NAME] [--quota SIZE]", "password-stdin name= quota=", "make a mailbox and its login", 1, 1, cmd_account_add },
	{ "account list",     "[--domain NAME] [--search TEXT]", "domain= search=",      "the accounts", 0, 0, cmd_account_list },
	{ "account show",     "ADDRESS",                       "",                       "one account", 1, 1, cmd_account_show },
	{ "account usage",    "ADDRESS",                       "",                       "what it keeps, mailbox by mailbox", 1, 1, cmd_account_usage },
	{ "account password", "ADDRESS [--password-stdin]",    "password-stdin",         "set a new password", 1, 1, cmd_account_password },
	{ "account set",      "ADDRESS [--name NAME] [--quota SIZE|none]", "name= quota=", "change an account", 1, 1, cmd_account_set },
	{ "account enable",   "ADDRESS",                       "",                       "let it log in and get mail", 1, 1, cmd_account_enable },
	{ "account disable",  "ADDRESS",                       "",                       "no login, no mail", 1, 1, cmd_account_disable },
	{ "account remove",   "ADDRESS",                       "",                       "remove it with its mail", 1, 1, cmd_account_remove },
	{ "alias add",        "ADDRESS TARGET…",               "",                       "an address that stands for others; *@DOMAIN is the catch-all", 2, CALL_ARGS_MAX, cmd_alias_add },
	{ "alias set",        "ADDRESS TARGET…",               "",                       "other targets", 2, CALL_ARGS_MAX, cmd_alias_set },
	{ "alias list",       "[--domain NAME] [--search TEXT]", "domain= search=",      "the aliases", 0, 0, cmd_alias_list },
	{ "alias show",       "ADDRESS",                       "",                       "one alias", 1, 1, cmd_alias_show },
	{ "alias remove",     "ADDRESS",                       "",                       "remove an alias", 1, 1, cmd_alias_remove },
	{ "resolve",          "ADDRESS",                       "",                       "what happens to mail for it", 1, 1, cmd_resolve },
	{ "admin add",        "NAME [--password-stdin] [--role ROLE]", "password-stdin role=", "somebody who may sign in to the dashboard; roles: owner admin operator helpdesk auditor", 1, 1, cmd_admin_add },
	{ "admin list",       "",                              "",                       "the administrators", 0, 0, cmd_admin_list },
	{ "admin show",       "NAME",                          "",                       "one administrator", 1, 1, cmd_admin_show },
	{ "admin password",   "NAME [--password-stdin]",       "password-stdin",         "set a new password", 1, 1, cmd_admin_password },
	{ "admin remove",     "NAME",                          "",                       "remove an administrator", 1, 1, cmd_admin_remove },
	{ "token create",     "NAME [--scope SCOPE]… [--domain NAME]… [--expires TIME|never]", "scope= domain= expires=", "make a key for the REST API; it is shown once", 1, 1, cmd_token_create },
	{ "token list",       "",                              "",                       "the keys, without their secrets", 0, 0, cmd_token_list },
	{ "token revoke",     "ID",                            "",                       "make a key worthless", 1, 1, cmd_token_revoke },
	{ "queue list",       "[FILTER]",                      "",                       "what waits to be sent, like: state:deferred to_domain:gmail.com age>1h", 0, CALL_ARGS_MAX, cmd_queue_list },
	{ "queue show",       "ID",                            "",                       "one recipient that waits", 1, 1, cmd_queue_show },
	{ "queue retry",      "ID… | --filter FILTER",         "filter=",                "try now", 0, CALL_ARGS_MAX, cmd_queue_retry },
	{ "queue hold",       "ID… | --filter FILTER",         "filter=",                "do not try until released", 0, CALL_ARGS_MAX, cmd_queue_hold },
	{ "queue release",    "ID… | --filter FILTER",         "filter=",                "let held ones go on", 0, CALL_ARGS_MAX, cmd_queue_release },
	{ "queue bounce",     "ID… | --filter FILTER",         "filter=",                "give up and tell the sender", 0, CALL_ARGS_MAX, cmd_queue_bounce },
	{ "queue delete",     "ID… | --filter FILTER",         "filter=",                "take out of the queue, silently", 0, CALL_ARGS_MAX, cmd_queue_delete },
	{ "tls-policy list",  "[--search TEXT]",               "search=",                "what other domains demand of the way to them (MTA-STS), as it was fetched", 0, 0, cmd_tls_policy_list },
	{ "tls-policy show",  "DOMAIN",                        "",                       "the policy of one domain, and how its last fetch failed", 1, 1, cmd_tls_policy_show },
	{ "tls-policy fetch", "DOMAIN",                        "",                       "fetch it now", 1, 1, cmd_tls_policy_fetch },
	{ "trace show",       "ID",                            "",                       "what happened to one message, step by step", 1, 1, cmd_trace_show },
	{ "trace",            "[QUERY]",                       "",                       "find messages and refusals, like: to:x@y.tld verdict:deferred", 0, CALL_ARGS_MAX, cmd_trace },
	{ "reports dmarc",    "[DOMAIN] [--days N] [--unproven]", "days= unproven",      "what others saw of mail that names our domains, by who sent it; --unproven: reports whose sender is not proven as well", 0, 1, cmd_reports_dmarc },
	{ "reports tls",      "[DOMAIN] [--days N] [--unproven]", "days= unproven",      "how well others reached our mail servers over TLS, by failure", 0, 1, cmd_reports_tls },
	{ "reports list",     "[DOMAIN] [--days N] [--unproven]", "days= unproven",      "the reports themselves, newest first", 0, 1, cmd_reports_list },
	{ "reports sent",     "[DOMAIN] [--kind dmarc|tls] [--state queued|sent|failed|refused]", "kind= state=", "the reports that we sent to others on what we saw of them, newest first", 0, 1, cmd_reports_sent },
	{ "reports show",     "ID",                            "",                       "one report with its rows", 1, 1, cmd_reports_show },
	{ "health show",      "CHECK",                         "",                       "one check: what was found, and what to do", 1, 1, cmd_health_show },
	{ "health mute",      "CHECK",                         "",                       "leave a check of the host as it is: it counts no longer among what needs you", 1, 1, cmd_health_mute },
	{ "health unmute",    "CHECK",                         "",                       "look after a check of the host again", 1, 1, cmd_health_unmute },
	{ "health run",       "[CHECK…]",                      "",                       "look now, past all caches, at what can be looked at: address, ptr, outbound, inbound, blocklists, resolver; left out: all of them; status 1 where one fails", 0, CALL_ARGS_MAX, cmd_health_run },
	{ "health",           "",                              "",                       "the checks; status 1 where one fails", 0, 0, cmd_health },
	{ "settings set",     "KEY VALUE…",                    "",                       "change a setting that does not stand in the configuration file; it holds at once", 2, CALL_ARGS_MAX, cmd_settings_set },
	{ "settings reset",   "KEY…",                          "",                       "back to the default", 1, CALL_ARGS_MAX, cmd_settings_reset },
	{ "settings show",    "KEY",                           "",                       "one setting, and what it means", 1, 1, cmd_settings_show },
	{ "settings",         "",                              "",                       "the configuration, what is set, and where", 0, 0, cmd_settings },
};
/* These ask the name service themselves, and need neither appliance nor configuration. */
static const struct cli_command local_commands[] = {
	{ "verify auth",      "--ip ADDRESS [--helo NAME] [--mail-from|--from SENDER] [--dns ADDRESS:PORT] [--authserv-id NAME] [--trusted-sealers DOMAINS] [--time SECONDS] FILE", "ip= helo= mail-from= from= dns= authserv-id= trusted-sealers= time=", "the Authentication-Results that this message would get from that client; - is standard input", 1, 1, cmd_verify_auth },
	{ "verify org-domain", "NAME [--dns ADDRESS:PORT]",    "dns= time=",             "the organisational domain of DMARC", 1, 1, cmd_verify_org_domain },
	{ "verify arc-sign",  "--key FILE --selector NAME --domain DOMAIN --srv-id NAME [--headers NAMES] [--time SECONDS] [--dns ADDRESS:PORT] FILE", "key= selector= domain= srv-id= headers= time= dns=", "the three fields that sealing with ARC would add", 1, 1, cmd_verify_arc_sign },
};
/* clang-format on */

static size_t
command_count(void)
{
	return ARRAY_LEN(commands) + ARRAY_LEN(local_commands);
}

static const struct cli_command *
command_at(size_t i)
{
	return i < ARRAY_LEN(commands) ? &commands[i]
	                               : &local_commands[i - ARRAY_LEN(commands)];
}

static bool
is_local(const struct cli_command *command)
{
	for (size_t i = 0; i < ARRAY_LEN(local_commands); i++) {
		if (command == &local_commands[i])
			return true;
	}
	return false;
}

/* How many words of argv name this command; 0: it is another one. */
static int
match_words(const struct cli_command *command, int argc, char **argv)
{
	struct str rest = str_from(command->words), word;
	int n = 0;

	while (str_next(&rest, ' ', &word)) {
		if (n >= argc || !str_eq(word, str_from(argv[n])))
			return 0;
		n++;
	}
	return n;
}

/* --- help ------------------------------------------------------------------------- */

/* Columns of a terminal: what we write of ourselves has no wide letters. */
static size_t
columns_of(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Words, as many to a line as a terminal shows; each further line begins with the indent.
   "[--name NAME]" stays together. */
static void
print_words(FILE *to, struct str text, size_t column, int indent)
{
	while (text.n) {
		size_t n = 0, shown;
		int depth = 0;

		for (; n < text.n && (text.p[n] != ' ' || depth > 0); n++)
			depth += (text.p[n] == '[') - (text.p[n] == ']');
		shown = columns_of(str_first(text, n));
		if (column + 1 + shown > LINE_COLUMNS && column > (size_t)indent) {
			(void)fprintf(to, "\n%*s", indent, "");
			column = (size_t)indent;
		} else if (column > (size_t)indent) {
			(void)fputc(' ', to);
			column++;
		}
		(void)fwrite(text.p, 1, n, to);
		column += shown;
		text = str_from_offset(text, n < text.n ? n + 1 : n);
	}
	(void)fputc('\n', to);
}

static void
print_command(FILE *to, const struct cli_command *command)
{
	size_t column = (size_t)fprintf(to, "  mailstead %s", command->words);

	print_words(to, str_from(command->arguments), column, ARGUMENTS_INDENT);
	(void)fprintf(to, "%*s", HELP_INDENT, "");
	print_words(to, str_from(command->help), HELP_INDENT, HELP_INDENT);
}

/* Does the command begin with these words? */
static bool
begins_with(const struct cli_command *command, int argc, char **argv)
{
	struct str rest = str_from(command->words), word;

	for (int i = 0; i < argc; i++) {
		if (!str_next(&rest, ' ', &word) || !str_eq(word, str_from(argv[i])))
			return false;
	}
	return true;
}

static size_t
count_commands(int argc, char **argv)
{
	size_t n = 0;

	for (size_t i = 0; i < command_count(); i++)
		n += begins_with(command_at(i), argc, argv);
	return n;
}

static void
print_commands(FILE *to, int argc, char **argv)
{
	for (size_t i = 0; i < command_count(); i++) {
		if (begins_with(command_at(i), argc, argv))
			print_command(to, command_at(i));
	}
}

int
cli_help(int argc, char **argv)
{
	if (!count_commands(argc, argv)) {
		(void)fputs(
			"mailstead: no command begins so; \"mailstead help\" lists them "
			"all\n",
			stderr);
		return CLI_USAGE;
	}
	print_commands(stdout, argc, argv);
	return fflush(stdout) == 0 ? CLI_OK : CLI_REFUSED;
}

/* Is `name` among the options of the command, and does it take a value? */
static bool
find_option(const struct cli_command *command, struct str name, bool *has_value_out)
{
	struct str rest = str_from(command->options), word;

	while (str_next(&rest, ' ', &word)) {
		*has_value_out = str_ends(word, STR("="));
		if (str_eq(name, str_first(word, word.n - *has_value_out)))
			return true;
	}
	return false;
}

/* Takes one option, of one or two words of argv; NULL, or what is wrong with it. */
static const char *
take_option(struct call *c, struct str *conf_path, int argc, char **argv, int *used_out)
{
	static const char unknown[] = "an option that this command does not have";
	struct str name = str_from(argv[0]), value = { NULL, 0 };
	size_t at = str_find(name, '=');
	bool has_value = true, is_conf, is_json;

	*used_out = 1;
	if (!str_skip(&name, STR("--")))
		return unknown;
	if (at != SIZE_MAX) {
		value = str_from_offset(str_from(argv[0]), at + 1);
		name = str_first(name, at - 2);
	}
	is_json = str_eq(name, STR("json"));
	is_conf = str_eq(name, STR("config"));
	if (is_json)
		has_value = false;
	else if (!is_conf && !find_option(c->command, name, &has_value))
		return unknown;
	if (!has_value && at != SIZE_MAX)
		return "an option that takes no value has one";
	if (has_value && at == SIZE_MAX) {
		if (argc < 2)
			return "the value of an option is missing";
		value = str_from(argv[1]);
		*used_out = 2;
	}
	if (is_json) {
		c->is_json = true;
	} else if (is_conf) {
		*conf_path = value;
	} else if (c->options_count == CALL_OPTIONS_MAX) {
		return "too many options";
	} else {
		c->options[c->options_count].name = name;
		c->options[c->options_count++].value = value;
	}
	return NULL;
}

static int
parse(struct call *c, struct str *conf_path, int argc, char **argv)
{
	bool only_args = false;

	for (int i = 0; i < argc;) {
		struct str word = str_from(argv[i]);

		if (!only_args && str_eq(word, STR("--"))) {
			only_args = true;
			i++;
		} else if (!only_args && str_starts(word, STR("-")) && word.n > 1) {
			int used;
			const char *wrong =
				take_option(c, conf_path, argc - i, argv + i, &used);

			if (wrong)
				return call_usage(c, wrong);
			i += used;
		} else if (c->args_count == CALL_ARGS_MAX) {
			return call_usage(c, "too many arguments");
		} else {
			c->args[c->args_count++] = word;
			i++;
		}
	}
	if (c->args_count < c->command->args_min)
		return call_usage(c, "an argument is missing");
	if (c->args_count > c->command->args_max)
		return call_usage(c, "too many arguments");
	return CLI_OK;
}

static int
run(struct call *c, const char *conf_path)
{
	struct strbuf path = strbuf_arena(c->arena, 4096);
	struct conf *conf = NULL;
	int status;

	if (conf_load(conf_path, conf_error_print, (void *)(uintptr_t)conf_path, &conf) !=
	    OK) {
		(void)fprintf(stderr, "mailstead: cannot use %s\n", conf_path);
		return CLI_UNREACHABLE;
	}
	c->client = client_new(conf_run_path(conf, "api.sock", &path));
	status = c->command->run(c);
	client_free(&c->client);
	conf_free(&conf);
	return status;
}

/* How many words stand before the first option. */
static int
words_before_options(int argc, char **argv)
{
	int words = 0;

	while (words < argc - 1 && argv[1 + words][0] != '-')
		words++;
	return words;
}

/* No such command: those that begin the same are shown. */
static int
unknown(int argc, char **argv)
{
	int words = words_before_options(argc, argv);

	while (words > 0 && !count_commands(words, argv + 1))
		words--;
	if (words > 0 && words == argc - 1)
		(void)fprintf(stderr, "mailstead: a word is missing behind %s\n",
		              argv[words]);
	else
		(void)fprintf(stderr, "mailstead: no such command: %s%s%s\n", argv[1],
		              argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
	if (words > 0)
		print_commands(stderr, words, argv + 1);
	else
		(void)fputs("\"mailstead help\" lists them all.\n", stderr);
	return CLI_USAGE;
}

/* Is help all that is asked for? */
static bool
wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

int
cli_main(int argc, char **argv)
{
	const char *from_env = getenv("MAILSTEAD_CONFIG");
	struct str conf_path = str_from(from_env ? from_env : conf_default);
	struct arena *arena = arena_new_secret(ARENA_BYTES);
	struct call *c = ARENA_NEW(arena, struct call);
	int words = 0, status;

	c->arena = arena;
	for (size_t i = 0; i < command_count() && !words; i++) {
		words = match_words(command_at(i), argc - 1, argv + 1);
		c->command = command_at(i);
	}
	if (wants_help(argc, argv)) {
		arena_free(&arena);
		return cli_help(words ? words : words_before_options(argc, argv),
		                argv + 1);
	}
	if (!words) {
		arena_free(&arena);
		return unknown(argc, argv);
	}
	status = parse(c, &conf_path, argc - 1 - words, argv + 1 + words);
	if (status == CLI_OK)
		status = is_local(c->command) ? c->command->run(c)
		                              : run(c, arena_cstr(arena, conf_path));
	arena_free(&arena);
	if (fflush(stdout) != 0 && status == CLI_OK)
		status = CLI_REFUSED;
	return status;
}
