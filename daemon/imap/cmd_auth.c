/* cmd_auth.c - from a connection to an account: STARTTLS, LOGIN, AUTHENTICATE.
 *
 * What a wrong login hears does not say what was wrong with it, and the time it takes is
 * the store's to make equal.
 */
#include "imap/imap_priv.h"

#include "base/base64.h"

enum {
	SASL_MAX = 8 * 1024,
};

static const struct str none;

/* STARTTLS                                                         RFC 3501 6.2.1 */
IMAP_START(imap_cmd_starttls)
{
	(void)out;
	if (!imap_args_end(args))
		return imap_bad_args(s, args);
	if (s->is_secure)
		return imap_bad(s, STR("TLS is active already"));
	if (!s->conf->has_starttls)
		return imap_no(s, STR("UNAVAILABLE"), STR("TLS not available"));
	(void)imap_ok(s, none, STR("Begin TLS negotiation now"));
	return STEP_TLS;
}

static bool
may_login(const struct imap_session *s)
{
	return s->is_secure || s->conf->has_plaintext_auth;
}

static enum imap_step
ask_login(struct imap_session *s, struct str user, struct str password)
{
	strbuf_clear(&s->user_bytes);
	strbuf_add(&s->user_bytes, user);
	s->user_bytes.overflow = false;
	s->ops->login(s->ops_arg, user, password);
	return STEP_WAIT;
}

/* LOGIN user password                                              RFC 3501 6.2.3 */
IMAP_START(imap_cmd_login)
{
	struct str user, password;

	(void)out;
	if (!may_login(s))
		return imap_error(s, ERR_NEED_TLS);
	if (!imap_args_space(args) || !imap_args_astring(args, &user) ||
	    !imap_args_space(args) || !imap_args_astring(args, &password) ||
	    !imap_args_end(args))
		return imap_bad_args(s, args);
	return ask_login(s, user, password);
}

IMAP_RESUME(imap_logged_in)
{
	struct strbuf code;

	if (answer != OK) {
		strbuf_release(&s->user_bytes);
		(void)imap_error(s, answer);
		/* The password was right: there only is no room for it now. */
		if (answer == ERR_LIMIT || answer == ERR_BUSY)
			return STEP_DONE;
		if (++s->auth_failures < s->conf->auth_tries)
			return STEP_DONE;
		s->fault = ERR_AUTH;
		strbuf_lit(out, "* BYE Too many failed logins\r\n");
		return STEP_CLOSE;
	}
	s->state = IMAP_STATE_AUTH;
	code = strbuf_arena(s->arena, 1024);
	imap_reply_capability(s, &code);
	return imap_ok(s, strbuf_str(&code), STR("Logged in"));
}

/* --- SASL */

/* What a mechanism does with one response (decoded). */
struct sasl {
	const struct mechanism *mechanism;
	struct str user;
	unsigned step;
};

struct mechanism {
	struct str name;
	bool is_client_first; /* an initial response makes sense */
	imap_reply_fn *respond;
};

/* PLAIN: authzid NUL authcid NUL password                          RFC 4616 2 */
static IMAP_REPLY(respond_plain)
{
	size_t first = str_find(line, '\0'), second;
	struct str authzid, rest, user;

	(void)out;
	if (first == SIZE_MAX)
		return imap_bad(s, STR("Malformed response"));
	authzid = str_first(line, first);
	rest = str_from_offset(line, first + 1);
	second = str_find(rest, '\0');
	if (second == SIZE_MAX ||
	    str_find(str_from_offset(rest, second + 1), '\0') != SIZE_MAX)
		return imap_bad(s, STR("Malformed response"));
	user = str_first(rest, second);
	/* Nobody may act for somebody else. */
	if (authzid.n > 0 && !str_eq_icase(authzid, user))
		return imap_error(s, ERR_AUTH);
	return ask_login(s, user, str_from_offset(rest, second + 1));
}

static void
challenge(struct str text, struct strbuf *out)
{
	strbuf_lit(out, "+ ");
	base64_format(out, text);
	strbuf_lit(out, "\r\n");
}

/* LOGIN: first the user, then the password, each when asked. */
static IMAP_REPLY(respond_login)
{
	struct sasl *sasl = s->job;

	if (sasl->step++ > 0)
		return ask_login(s, sasl->user, line);
	sasl->user = line;
	challenge(STR("Password:"), out);
	return STEP_REPLY;
}

static const struct mechanism mechanisms[] = {
	{ STR_INIT("PLAIN"), true, respond_plain },
	{ STR_INIT("LOGIN"), false, respond_login },
};

static const struct mechanism *
find_mechanism(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (str_eq_icase(mechanisms[i].name, name))
			return &mechanisms[i];
	}
	return NULL;
}

static enum imap_step
respond(struct imap_session *s, struct str encoded, struct strbuf *out)
{
	const struct sasl *sasl = s->job;
	struct strbuf bytes = strbuf_arena(s->arena, SASL_MAX);

	if (base64_parse(encoded, &bytes) != OK)
		return imap_bad(s, STR("Malformed base64"));
	return sasl->mechanism->respond(s, strbuf_str(&bytes), out);
}

/* AUTHENTICATE mechanism [initial-response]                RFC 3501 6.2.2, RFC 4959 3 */
IMAP_START(imap_cmd_authenticate)
{
	struct sasl *sasl = ARENA_NEW(s->arena, struct sasl);
	struct str name, first = { NULL, 0 };

	if (!may_login(s))
		return imap_error(s, ERR_NEED_TLS);
	if (!imap_args_space(args) || !imap_args_atom(args, &name))
		return imap_bad_args(s, args);
	if (imap_args_at(args, ' ')) {
		first = str_from_offset(args->rest, 1);
		if (first.n == 0)
			return imap_bad(s, STR("Malformed initial response"));
	} else if (!imap_args_end(args)) {
		return imap_bad_args(s, args);
	}
	sasl->mechanism = find_mechanism(name);
	if (!sasl->mechanism)
		return imap_no(s, STR("CANNOT"), STR("Mechanism not supported"));
	s->job = sasl;
	if (first.n > 0)
		return respond(s, str_eq(first, STR("=")) ? none : first, out);
	challenge(sasl->mechanism->is_client_first ? none : STR("Username:"), out);
	return STEP_REPLY;
}

IMAP_REPLY(imap_authenticate_reply)
{
	if (str_eq(line, STR("*")))
		return imap_bad(s, STR("Authentication cancelled"));
	return respond(s, line, out);
}
