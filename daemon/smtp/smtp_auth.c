/* AUTH: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), RFC 4954.
 *
 * What is decoded lives in an arena of its own that is wiped at the end. Nothing here
 * knows a password: the credentials go out as a question.
 */
#include "base/base64.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_session_priv.h"

enum {
	USER_MAX = 320,
	PASSWORD_MAX = 1024,
};

enum step {
	STEP_PROMPT, /* say the next prompt */
	STEP_DONE,   /* user and password are there */
	STEP_BAD,    /* the response is malformed */
};

struct smtp_mechanism {
	struct str name;
	const char *prompts[2]; /* base64 */
	/* Takes one decoded response. */
	enum step (*take)(struct smtp_sasl *sasl, struct str response);
};

static enum step
keep(struct strbuf *into, struct str value, enum step then)
{
	strbuf_add(into, value);
	return into->overflow || memchr(into->n ? into->p : "", '\0', into->n) ? STEP_BAD
	                                                                       : then;
}

/* [authzid] NUL authcid NUL passwd; acting for somebody else is not offered. */
static enum step
take_plain(struct smtp_sasl *sasl, struct str response)
{
	size_t first = str_find(response, '\0'), second;
	struct str authzid = str_first(response, first), rest, user;

	if (first == SIZE_MAX)
		return STEP_BAD;
	rest = str_from_offset(response, first + 1);
	second = str_find(rest, '\0');
	if (second == SIZE_MAX)
		return STEP_BAD;
	user = str_first(rest, second);
	if (authzid.n && !str_eq_icase(authzid, user))
		return STEP_BAD;
	if (keep(&sasl->user, user, STEP_DONE) != STEP_DONE)
		return STEP_BAD;
	return keep(&sasl->password, str_from_offset(rest, second + 1), STEP_DONE);
}

static enum step
take_login(struct smtp_sasl *sasl, struct str response)
{
	return sasl->step++ == 0 ? keep(&sasl->user, response, STEP_PROMPT)
	                         : keep(&sasl->password, response, STEP_DONE);
}

static const struct smtp_mechanism mechanisms[] = {
	{ STR_INIT("PLAIN"), { "", "" }, take_plain },
	/* "Username:" and "Password:" */
	{ STR_INIT("LOGIN"), { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" }, take_login },
};

bool
smtp_auth_is_offered(const struct smtp_session *s)
{
	return s->login.n == 0 && (s->tls.n || s->peer.may_auth_plain);
}

void
smtp_auth_end(struct smtp_session *s)
{
	arena_free(&s->sasl.arena);
	s->sasl = (struct smtp_sasl){ 0 };
}

struct str
smtp_login_keep(struct smtp_session *s, struct str login)
{
	arena_reset(s->login_arena);
	return arena_str(s->login_arena, login);
}

/* Ends the exchange without a login. */
static enum smtp_next
end_without(struct smtp_session *s, enum err e, struct str words, struct strbuf *out)
{
	smtp_auth_end(s);
	s->state = SMTP_STATE_READY;
	if (e == ERR_AUTH)
		s->auth_failures++;
	return smtp_reply_words(s, out, e, words);
}

/* The same where nobody was asked: who is asked tells it. */
static enum smtp_next
fail(struct smtp_session *s, enum err e, struct strbuf *out)
{
	smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "user", strbuf_str(&s->sasl.user));
	return end_without(s, e, (struct str){ NULL, 0 }, out);
}

static enum smtp_next
auth_answered(struct smtp_session *s, const struct smtp_answer *answer,
              struct strbuf *out)
{
	if (answer->err != OK)
		return end_without(s, answer->err, answer->text, out);
	s->login = smtp_login_keep(s, answer->login);
	smtp_auth_end(s);
	s->state = SMTP_STATE_READY;
	return smtp_reply_good(out, 235, "2.7.0", STR("Authentication successful"));
}

static enum smtp_next
prompt(struct smtp_session *s, struct strbuf *out)
{
	const struct smtp_mechanism *m = s->sasl.mechanism;

	s->state = SMTP_STATE_AUTH;
	return smtp_reply_good(out, 334, NULL, str_from(m->prompts[s->sasl.step]));
}

/* Takes one response, still base64. */
static enum smtp_next
take(struct smtp_session *s, struct str encoded, struct strbuf *out)
{
	struct strbuf decoded = strbuf_arena(s->sasl.arena, s->conf->auth_line_max);
	struct smtp_credentials credentials;

	if (base64_parse(encoded, &decoded) != OK)
		return fail(s, ERR_SYNTAX, out);
	switch (s->sasl.mechanism->take(&s->sasl, strbuf_str(&decoded))) {
	case STEP_PROMPT:
		return prompt(s, out);
	case STEP_DONE:
		break;
	default:
		return fail(s, ERR_SYNTAX, out);
	}
	if (s->sasl.user.n == 0 || s->sasl.password.n == 0)
		return fail(s, ERR_AUTH, out);
	s->state = SMTP_STATE_AUTH;
	credentials = (struct smtp_credentials){
		.mechanism = s->sasl.mechanism->name,
		.user = strbuf_str(&s->sasl.user),
		.password = strbuf_str(&s->sasl.password),
	};
	s->ops->auth(s->ops_arg, &credentials);
	return smtp_ask(s, auth_answered);
}

enum smtp_next
smtp_auth_line(struct smtp_session *s, struct str line, struct strbuf *out)
{
	if (str_eq(line, STR("*")))
		return fail(s, ERR_AUTH_CANCELLED, out);
	return take(s, line, out);
}

static enum err
may_begin(const struct smtp_session *s, const struct smtp_mechanism *m)
{
	if (s->login.n)
		return ERR_SEQUENCE;
	if (!m)
		return ERR_AUTH_MECHANISM;
	return smtp_auth_is_offered(s) ? OK : ERR_AUTH_TLS;
}

/* AUTH SP mechanism [SP initial-response]                                 RFC 4954 4 */
enum smtp_next
smtp_cmd_auth(struct smtp_session *s, struct str args, struct strbuf *out)
{
	struct str name = str_first(args, str_find(args, ' '));
	struct str response = str_trim(str_from_offset(args, name.n));
	const struct smtp_mechanism *m = NULL;
	enum err e;

	for (size_t i = 0; i < ARRAY_LEN(mechanisms) && !m; i++) {
		if (str_eq_icase(name, mechanisms[i].name))
			m = &mechanisms[i];
	}
	e = may_begin(s, m);
	if (e != OK) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "command", STR("AUTH"));
		return smtp_reply(s, out, e);
	}
	s->sasl.arena = arena_new_secret(SMTP_SASL_BUDGET);
	s->sasl.mechanism = m;
	s->sasl.user = strbuf_arena(s->sasl.arena, USER_MAX);
	s->sasl.password = strbuf_arena(s->sasl.arena, PASSWORD_MAX);
	if (response.n == 0)
		return prompt(s, out);
	if (str_eq(response, STR("="))) /* RFC 4954 4: an empty one */
		response.n = 0;
	return take(s, response, out);
}
