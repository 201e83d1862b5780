#include "policy/report_make.h"

#include "base/base64.h"
#include "mail/date.h"

enum {
	BASE64_PIECE = 57, /* bytes that make one line of 76 (RFC 2045 6.8) */
};

static const char *
extension(const struct report_head *h)
{
	return h->kind == REPORT_TLS ? "json.gz" : "xml.gz";
}

void
report_file_name(struct strbuf *out, const struct report_head *h)
{
	strbuf_printf(out, "%.*s!%.*s!%lld!%lld!", STR_ARG(h->submitter),
	              STR_ARG(h->domain), (long long)h->begin_s, (long long)h->end_s);
	/* "unique-id" has nothing but letters and digits. */
	for (size_t i = 0; i < h->id.n; i++) {
		if (byte_is_alnum(h->id.p[i]))
			strbuf_byte(out, h->id.p[i]);
	}
	strbuf_printf(out, ".%s", extension(h));
}

static void
add_base64(struct strbuf *out, struct str bytes)
{
	while (bytes.n) {
		base64_format(out, str_first(bytes, BASE64_PIECE));
		strbuf_lit(out, "\r\n");
		bytes = str_from_offset(bytes, BASE64_PIECE);
	}
}

static void
add_header(struct strbuf *out, const struct report_mail *m)
{
	const struct report_head *h = m->head;
	bool is_tls = h->kind == REPORT_TLS;

	strbuf_printf(out, "From: %.*s\r\nTo: ", STR_ARG(m->from));
	for (size_t i = 0; i < m->to_count; i++)
		strbuf_printf(out, "%s%.*s", i ? ",\r\n\t" : "", STR_ARG(m->to[i]));
	strbuf_printf(out,
	              "\r\nSubject: Report Domain: %.*s\r\n\tSubmitter: %.*s\r\n"
	              "\tReport-ID: <%.*s",
	              STR_ARG(h->domain), STR_ARG(h->submitter), STR_ARG(h->id));
	/* RFC 8460 5.3 wants a msg-id; RFC 9990 3.1.4 that the id is the same in subject,
	   document and file name, where there is no "@". */
	if (is_tls)
		strbuf_printf(out, "@%.*s", STR_ARG(h->submitter));
	strbuf_lit(out, ">\r\nDate: ");
	date_format_rfc5322(out, m->now_ms, 0);
	strbuf_printf(out, "\r\nMessage-ID: %.*s\r\n", STR_ARG(m->message_id));
	/* Nobody answers it (RFC 3834 5); it may go in plain where TLS is what is broken
	   (RFC 8460 3, RFC 8689 5). */
	strbuf_lit(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
	if (is_tls)
		strbuf_printf(out,
		              "TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\n"
		              "TLS-Required: No\r\n",
		              STR_ARG(h->domain), STR_ARG(h->submitter));
	strbuf_printf(out, "Content-Type: multipart/%s;\r\n\tboundary=\"%.*s\"\r\n\r\n",
	              is_tls ? "report; report-type=\"tlsrpt\"" : "mixed",
	              STR_ARG(m->boundary));
}

static void
add_people(struct strbuf *out, const struct report_mail *m)
{
	const struct report_head *h = m->head;

	strbuf_printf(out, "--%.*s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
	              STR_ARG(m->boundary));
	strbuf_printf(out,
	              h->kind == REPORT_TLS
	                      ? "How well %.*s could be reached over encrypted"
	                        " connections,\r\nas %.*s saw it"
	                      : "Mail in the name of %.*s,\r\nas %.*s saw it",
	              STR_ARG(h->domain), STR_ARG(h->submitter));
	strbuf_lit(out, " from ");
	date_format_rfc5322(out, h->begin_s * 1000, 0);
	strbuf_lit(out, "\r\nto ");
	date_format_rfc5322(out, h->end_s * 1000, 0);
	strbuf_printf(out, ".\r\nThe report is attached, for programs. It is sent because"
	                   " a record\r\nof the domain asks for it.\r\n");
}

void
report_mail_format(struct strbuf *out, const struct report_mail *m)
{
	bool is_tls = m->head->kind == REPORT_TLS;

	add_header(out, m);
	add_people(out, m);
	strbuf_printf(out,
	              "\r\n--%.*s\r\nContent-Type: application/%s\r\n"
	              "Content-Transfer-Encoding: base64\r\n"
	              "Content-Disposition: attachment;\r\n\tfilename=\"",
	              STR_ARG(m->boundary), is_tls ? "tlsrpt+gzip" : "gzip");
	report_file_name(out, m->head);
	strbuf_lit(out, "\"\r\n\r\n");
	add_base64(out, m->packed);
	strbuf_printf(out, "\r\n--%.*s--\r\n", STR_ARG(m->boundary));
}
