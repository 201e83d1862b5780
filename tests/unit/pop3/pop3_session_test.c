#include "pop3/pop3_session.h"

#include "tests/unit/check.h"

struct world {
	unsigned logins, opens;
};

static void
ask_login(void *arg, struct str user, struct str password)
{
	struct world *w = arg;

	(void)user;
	(void)password;
	w->logins++;
}

static void
ask_open(void *arg)
{
	struct world *w = arg;

	w->opens++;
}

static void
ask_message(void *arg, uint32_t uid, struct str *message_out)
{
	(void)arg;
	(void)uid;
	*message_out = STR("");
}

static void
ask_remove(void *arg, const struct uid_range *uids, size_t n)
{
	(void)arg;
	(void)uids;
	(void)n;
}

static void
release(void *arg)
{
	(void)arg;
}

static const struct pop3_ops ops = { ask_login, ask_open, ask_message, ask_remove,
	                             release };

/* The time for a login is up while the password is being checked. */
static void
test_bye_before_answer(void)
{
	struct world w = { 0 };
	struct pop3_session *s = pop3_session_new(&pop3_conf_default, &ops, &w, true);
	char bytes[1024];
	struct strbuf out = strbuf_on(bytes);
	size_t used;
	size_t said;

	CHECK_U64_EQ(pop3_session_input(s, STR("USER ann\r\nPASS x\r\n"), &used, &out),
	             POP3_WAIT, "the password is asked about");
	pop3_session_bye(s, STR("Too slow"), &out);
	said = out.n;
	CHECK_U64_EQ(pop3_session_resume(s, OK, &out), POP3_CLOSE, "a late answer");
	CHECK_U64_EQ(out.n, said, "nothing is said after the goodbye");
	CHECK_U64_EQ(w.opens, 0, "and nothing is opened");
	CHECK_U64_EQ(pop3_session_state(s), POP3_STATE_END, "the end");
	pop3_session_check(s);
	pop3_session_free(&s);
}

SUITE(pop3_session, { "bye before answer", test_bye_before_answer });
