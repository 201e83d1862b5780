/* commands.h - the functions behind the table of commands; each gives an enum cli_exit. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

struct call;
typedef int cli_run(struct call *c);

/* cmd_domain.c */
cli_run cmd_domain_dns, cmd_domain_dns_mute, cmd_domain_dns_unmute, cmd_domain_dkim_list,
	cmd_domain_dkim_create, cmd_domain_dkim_rotate, cmd_domain_dkim_set,
	cmd_domain_dkim_remove;
/* cmd_domain_policy.c */
cli_run cmd_domain_policy_show, cmd_domain_policy_set;
/* cmd_people.c */
cli_run cmd_domain_add, cmd_domain_list, cmd_domain_show, cmd_domain_set,
	cmd_domain_remove;
cli_run cmd_account_add, cmd_account_list, cmd_account_show, cmd_account_usage,
	cmd_account_password, cmd_account_set, cmd_account_enable, cmd_account_disable,
	cmd_account_remove;
cli_run cmd_alias_add, cmd_alias_set, cmd_alias_list, cmd_alias_show, cmd_alias_remove,
	cmd_resolve;
/* cmd_access.c */
cli_run cmd_admin_add, cmd_admin_list, cmd_admin_show, cmd_admin_password,
	cmd_admin_remove;
cli_run cmd_token_create, cmd_token_list, cmd_token_revoke;
/* cmd_mail.c */
cli_run cmd_queue_list, cmd_queue_show, cmd_queue_retry, cmd_queue_hold,
	cmd_queue_release, cmd_queue_bounce, cmd_queue_delete;
cli_run cmd_trace, cmd_trace_show;
cli_run cmd_health, cmd_health_show, cmd_health_run, cmd_health_mute, cmd_health_unmute;
cli_run cmd_reports_dmarc, cmd_reports_tls, cmd_reports_list, cmd_reports_show,
	cmd_reports_sent;
/* cmd_tls_policy.c */
cli_run cmd_tls_policy_list, cmd_tls_policy_show, cmd_tls_policy_fetch;
cli_run cmd_settings, cmd_settings_show, cmd_settings_set, cmd_settings_reset;
/* cmd_verify.c */
cli_run cmd_verify_auth, cmd_verify_org_domain, cmd_verify_arc_sign;

#endif
