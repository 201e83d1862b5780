/* Prints the manual page mailstead.yaml(5), made from the configuration's schema. */
#include "conf/conf.h"

#include <stdio.h>

static const char head[] =
	".TH MAILSTEAD.YAML 5 \"\" \"Mailstead\" \"File Formats\"\n"
	".SH NAME\n"
	"mailstead.yaml \\- configuration of the mail appliance\n"
	".SH DESCRIPTION\n"
	"Only what must be known before the store opens stands in this file; what a "
	"person\n"
	"edits in the dashboard lives in the store. Aliases, duplicate keys and unknown "
	"keys\n"
	"are errors. \\fBmailstead check\\fR prints every error with line and column.\n";

static const char tail[] = ".SH FILES\n"
			   "\\fI/etc/mailstead/mailstead.yaml\\fR\n"
			   ".SH SEE ALSO\n"
			   ".BR mailstead (1)\n";

int
main(void)
{
	struct strbuf page = strbuf_heap(1 << 20);
	bool is_written;

	strbuf_add(&page, str_from(head));
	conf_schema_man(&page);
	strbuf_add(&page, str_from(tail));
	is_written = !page.overflow && fwrite(page.p, 1, page.n, stdout) == page.n &&
	             fflush(stdout) == 0;
	strbuf_release(&page);
	return is_written ? 0 : 1;
}
