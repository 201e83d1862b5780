/* MTA-STS policies (RFC 8461 3.3), and the settings that mail programs ask for before
 * anybody has signed in: Thunderbird, Outlook, Apple.
 *
 * All is made from the domain alone: no account is looked up, so nothing can be learned
 * about one. What a client sends is only shown back to it, escaped. */
#include "api/well_known.h"

#include "api/domain_records.h"
#include "api/fields.h"
#include "api/routes.h"
#include "ext/crypto.h"
#include "io/tls.h"
#include "mail/address.h"

enum {
	OUT_MAX = 16 * 1024,
	AUTODISCOVER_MAX = 16 * 1024,
	UUID_BYTES = 16,
	UUID_TEXT = 40,
	SIGNED_MAX = 128 * 1024, /* with the certificates of a chain */
};

static const char *const paths[] = {
	"/.well-known/mta-sts.txt",
	"/mail/config-v1.1.xml",
	"/.well-known/autoconfig/mail/config-v1.1.xml",
	"/autodiscover/autodiscover.xml",
	"/Autodiscover/Autodiscover.xml",
	"/mail/apple.mobileconfig",
};

/* The domain behind "mta-sts." and the like, where it is ours; else empty. */
static struct str
domain_of_host(struct api_request *r, struct str host)
{
	static const char *const starts[] = { "mta-sts.", "autoconfig.",
		                              "autodiscover." };
	struct strbuf b = strbuf_arena(r->arena, ADDRESS_KEY_MAX);

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct str name = host;

		if (!str_skip_icase(&name, str_from(starts[i])))
			continue;
		if (domain_normalize(name, &b) == OK &&
		    reader_is_local_domain(r->api->reader, strbuf_str(&b)) == OK)
			return strbuf_str(&b);
	}
	return str_from(NULL);
}

bool
well_known_has_host(struct api_request *r, struct str host)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (str_eq(r->path, str_from(paths[i])))
			return domain_of_host(r, host).n > 0;
	}
	return false;
}

static struct str
host_of(struct api_request *r)
{
	struct str host = api_head(r, "host");

	return str_first(host, str_find(host, ':'));
}

static void
add_escaped(struct strbuf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '<')
			strbuf_lit(out, "&lt;");
		else if (c == '>')
			strbuf_lit(out, "&gt;");
		else if (c == '&')
			strbuf_lit(out, "&amp;");
		else if (c == '"')
			strbuf_lit(out, "&quot;");
		else if ((unsigned char)c >= ' ')
			strbuf_byte(out, c);
	}
}

/* --- MTA-STS ------------------------------------------------------------------------ */

void
well_known_mta_sts(struct api_request *r)
{
	struct str domain = domain_of_host(r, host_of(r));
	struct strbuf b = strbuf_arena(r->arena, OUT_MAX);
	struct str backups = r->api->conf->backup_mx, backup;
	struct domain_policies p;
	struct domain d;

	if (!domain.n || !str_starts_icase(host_of(r), STR("mta-sts.")) ||
	    reader_domain(r->api->reader, domain, r->arena, &d) != OK ||
	    domain_policies_read(r->api->reader, d.id, domain, r->arena, &p) != OK ||
	    p.sts_mode == STS_NONE) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	strbuf_printf(&b, "version: STSv1\r\nmode: %s\r\nmx: %.*s\r\n",
	              p.sts_mode == STS_ENFORCE ? "enforce" : "testing",
	              STR_ARG(r->api->conf->hostname));
	/* Senders hold every MX against this list. */
	while (str_next(&backups, ' ', &backup))
		strbuf_printf(&b, "mx: %.*s\r\n", STR_ARG(backup));
	strbuf_printf(&b, "max_age: %lld\r\n", (long long)p.sts_max_age_s);
	api_reply_text(r, 200, "text/plain; charset=utf-8", strbuf_str(&b));
}

/* --- settings ----------------------------------------------------------------------- */

struct service {
	enum conf_protocol protocol;
	const char *type;    /* of Thunderbird */
	const char *outlook; /* of Outlook */
	bool is_tls, is_outgoing;
};

static const struct service services[] = {
	{ CONF_IMAPS, "imap", "IMAP", true, false },
	{ CONF_IMAP, "imap", "IMAP", false, false },
	{ CONF_POP3S, "pop3", "POP3", true, false },
	{ CONF_SUBMISSIONS, "smtp", "SMTP", true, true },
	{ CONF_SUBMISSION, "smtp", "SMTP", false, true },
};

static unsigned
port_of(const struct api_request *r, enum conf_protocol protocol)
{
	const struct conf_addrs *l = &r->api->conf->listen[protocol];

	return l->n ? l->p[0].port : 0;
}

/* The domain of an address, where it is ours; else of the Host; else empty. */
static struct str
domain_asked(struct api_request *r, struct str address)
{
	struct strbuf b = strbuf_arena(r->arena, ADDRESS_KEY_MAX);
	size_t at = str_find_last(address, '@');

	if (at == SIZE_MAX)
		return domain_of_host(r, host_of(r));
	if (domain_normalize(str_from_offset(address, at + 1), &b) != OK ||
	    reader_is_local_domain(r->api->reader, strbuf_str(&b)) != OK)
		return str_from(NULL);
	return strbuf_str(&b);
}

/* The query's address; false: answered. */
static bool
read_address(struct api_request *r, struct str *address_out)
{
	static const struct field_spec spec = { .name = "emailaddress",
		                                .kind = FIELD_STR,
		                                .max = ADDRESS_MAX };
	struct field f;

	if (!fields_query(r, &spec, 1, &f))
		return false;
	*address_out = f.s;
	return true;
}

void
well_known_autoconfig(struct api_request *r)
{
	struct strbuf b = strbuf_arena(r->arena, OUT_MAX);
	struct str address, domain;

	if (!read_address(r, &address))
		return;
	domain = domain_asked(r, address);
	if (!domain.n) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	strbuf_printf(&b,
	              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	              "<clientConfig version=\"1.1\">\n<emailProvider id=\"%.*s\">\n"
	              "<domain>%.*s</domain>\n<displayName>%.*s</displayName>\n",
	              STR_ARG(domain), STR_ARG(domain), STR_ARG(domain));
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		const struct service *s = &services[i];
		const char *word = s->is_outgoing ? "outgoingServer" : "incomingServer";

		if (!port_of(r, s->protocol))
			continue;
		strbuf_printf(&b,
		              "<%s type=\"%s\">\n<hostname>%.*s</hostname>\n"
		              "<port>%u</port>\n<socketType>%s</socketType>\n"
		              "<authentication>password-cleartext</authentication>\n"
		              "<username>%%EMAILADDRESS%%</username>\n</%s>\n",
		              word, s->type, STR_ARG(r->api->conf->hostname),
		              port_of(r, s->protocol), s->is_tls ? "SSL" : "STARTTLS",
		              word);
	}
	strbuf_lit(&b, "</emailProvider>\n</clientConfig>\n");
	api_reply_text(r, 200, "text/xml; charset=utf-8", strbuf_str(&b));
}

void
well_known_autoconfig_path(struct api_request *r)
{
	well_known_autoconfig(r);
}

/* The text of one element, found as bytes: no XML is read, so no entity is ever expanded.
   Empty where there is none, or where it holds markup. */
static struct str
element(struct str body, struct str open, struct str close)
{
	size_t from = str_find_str(body, open), n;
	struct str value;

	if (from == SIZE_MAX)
		return str_from(NULL);
	value = str_from_offset(body, from + open.n);
	n = str_find_str(value, close);
	value = str_trim(str_first(value, n == SIZE_MAX ? 0 : n));
	if (value.n > ADDRESS_MAX || str_find(value, '<') != SIZE_MAX ||
	    str_find(value, '&') != SIZE_MAX)
		return str_from(NULL);
	return value;
}

void
well_known_autodiscover(struct api_request *r)
{
	struct str address =
		element(str_first(http_exchange_body(r->x), AUTODISCOVER_MAX),
	                STR("<EMailAddress>"), STR("</EMailAddress>"));
	struct str domain = address.n ? domain_asked(r, address) : str_from(NULL);
	struct strbuf b = strbuf_arena(r->arena, OUT_MAX);

	if (!domain.n) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	strbuf_lit(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns="
	               "\"http://schemas.microsoft.com/exchange/autodiscover/"
	               "responseschema/2006\">\n<Response xmlns=\"http://schemas."
	               "microsoft.com/exchange/autodiscover/outlook/responseschema/"
	               "2006a\">\n<Account>\n<AccountType>email</AccountType>\n"
	               "<Action>settings</Action>\n");
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		const struct service *s = &services[i];

		if (!port_of(r, s->protocol))
			continue;
		strbuf_printf(&b,
		              "<Protocol>\n<Type>%s</Type>\n<Server>%.*s</Server>\n"
		              "<Port>%u</Port>\n<LoginName>",
		              s->outlook, STR_ARG(r->api->conf->hostname),
		              port_of(r, s->protocol));
		add_escaped(&b, address);
		strbuf_printf(
			&b,
			"</LoginName>\n<DomainRequired>off</DomainRequired>\n"
			"<SPA>off</SPA>\n<SSL>on</SSL>\n<Encryption>%s</Encryption>\n"
			"<AuthRequired>on</AuthRequired>\n</Protocol>\n",
			s->is_tls ? "SSL" : "TLS");
	}
	strbuf_lit(&b, "</Account>\n</Response>\n</Autodiscover>\n");
	api_reply_text(r, 200, "text/xml; charset=utf-8", strbuf_str(&b));
}

void
well_known_autodiscover_path(struct api_request *r)
{
	well_known_autodiscover(r);
}

/* --- Apple -------------------------------------------------------------------------- */

static void
add_pair(struct strbuf *b, const char *key, struct str value)
{
	strbuf_printf(b, "<key>%s</key><string>", key);
	add_escaped(b, value);
	strbuf_lit(b, "</string>\n");
}

/* A payload's UUID tells an iPhone whether a profile is new or takes the place of one it
   has: the same for the same account of the same server, and for no other. Version 8 of
   RFC 9562: made of a digest. */
static struct str
uuid_of(struct api_request *r, const char *what, struct str address)
{
	struct str host = r->api->conf->hostname;
	struct str text = arena_printf(r->arena, "%s %.*s %.*s", what, STR_ARG(host),
	                               STR_ARG(address));
	struct sha256 digest = sha256_of(text);
	struct strbuf b = strbuf_arena(r->arena, UUID_TEXT);
	struct str bytes;

	digest.bytes[6] = (uint8_t)((digest.bytes[6] & 0x0f) | 0x80);
	digest.bytes[8] = (uint8_t)((digest.bytes[8] & 0x3f) | 0x80);
	bytes = sha256_str(&digest);
	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			strbuf_byte(&b, '-');
		strbuf_hex(&b, str_make(bytes.p + i, 1));
	}
	return strbuf_str(&b);
}

static void
add_server(struct strbuf *b, const struct api_request *r, const char *which, bool is_tls,
           unsigned port, struct str address)
{
	strbuf_printf(b,
	              "<key>%sMailServerHostName</key><string>%.*s</string>\n"
	              "<key>%sMailServerPortNumber</key><integer>%u</integer>\n"
	              "<key>%sMailServerUseSSL</key><%s/>\n"
	              "<key>%sMailServerAuthentication</key>"
	              "<string>EmailAuthPassword</string>\n"
	              "<key>%sMailServerUsername</key><string>",
	              which, STR_ARG(r->api->conf->hostname), which, port, which,
	              is_tls ? "true" : "false", which, which);
	add_escaped(b, address);
	strbuf_lit(b, "</string>\n");
}

/* Signed, an iPhone shows it as verified. By a certificate that nobody vouches for it
   would show a warning, where a plain one is only called unsigned: so then it is plain. */
static void
reply_profile(struct api_request *r, struct str profile)
{
	struct strbuf b = strbuf_arena(r->arena, SIGNED_MAX);

	if (r->api->tls &&
	    tls_server_sign(r->api->tls, r->api->conf->hostname, profile, &b) == OK)
		profile = strbuf_str(&b);
	api_reply_text(r, 200, "application/x-apple-aspen-config", profile);
}

void
well_known_mobileconfig(struct api_request *r)
{
	struct strbuf b = strbuf_arena(r->arena, OUT_MAX);
	unsigned in = port_of(r, CONF_IMAPS), out = port_of(r, CONF_SUBMISSIONS);
	struct str address, domain;

	if (!read_address(r, &address))
		return;
	domain = str_find(address, '@') != SIZE_MAX ? domain_asked(r, address)
	                                            : str_from(NULL);
	if (!domain.n || !in || !out) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	strbuf_lit(&b,
	           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC "
	           "\"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/"
	           "PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>\n"
	           "<key>PayloadContent</key><array><dict>\n");
	add_pair(&b, "EmailAccountDescription", domain);
	add_pair(&b, "EmailAccountType", STR("EmailTypeIMAP"));
	add_pair(&b, "EmailAddress", address);
	add_server(&b, r, "Incoming", true, in, address);
	add_server(&b, r, "Outgoing", true, out, address);
	add_pair(&b, "PayloadType", STR("com.apple.mail.managed"));
	add_pair(&b, "PayloadIdentifier",
	         arena_printf(r->arena, "%.*s.mail", STR_ARG(domain)));
	add_pair(&b, "PayloadUUID", uuid_of(r, "account", address));
	strbuf_lit(&b,
	           "<key>PayloadVersion</key><integer>1</integer>\n</dict></array>\n");
	add_pair(&b, "PayloadDisplayName", domain);
	add_pair(&b, "PayloadIdentifier", domain);
	add_pair(&b, "PayloadType", STR("Configuration"));
	add_pair(&b, "PayloadUUID", uuid_of(r, "profile", address));
	strbuf_lit(&b,
	           "<key>PayloadVersion</key><integer>1</integer>\n</dict></plist>\n");
	reply_profile(r, strbuf_str(&b));
}
