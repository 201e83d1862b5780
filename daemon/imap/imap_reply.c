/* imap_reply.c - how commands end, and the pieces that many replies share. */
#include "imap/imap_priv.h"

#include "base/panic.h"

static enum imap_step
end(struct imap_session *s, enum imap_result result, struct str code, struct str text)
{
	s->result = result;
	s->code = code;
	s->text = text;
	return STEP_DONE;
}

enum imap_step
imap_ok(struct imap_session *s, struct str code, struct str text)
{
	return end(s, RESULT_OK, code, text);
}

enum imap_step
imap_no(struct imap_session *s, struct str code, struct str text)
{
	return end(s, RESULT_NO, code, text);
}

enum imap_step
imap_bad(struct imap_session *s, struct str text)
{
	return end(s, RESULT_BAD, (struct str){ 0 }, text);
}

enum imap_step
imap_bad_args(struct imap_session *s, const struct imap_args *args)
{
	return imap_bad(s, str_from(args->error ? args->error : "Malformed arguments"));
}

/* Response codes (RFC 5530, RFC 3501 7.1). An empty text: that of err.def. */
static const struct code {
	enum err e;
	struct str code, text;
} codes[] = {
	/* clang-format off */
	{ ERR_NOT_FOUND,   STR_INIT("NONEXISTENT"),          STR_INIT("No such mailbox") },
	{ ERR_EXISTS,      STR_INIT("ALREADYEXISTS"),        STR_INIT("Mailbox already exists") },
	{ ERR_INVALID,     STR_INIT("CANNOT"),               STR_INIT("Not possible with this mailbox name") },
	{ ERR_CONFLICT,    STR_INIT("INUSE"),                STR_INIT("") },
	{ ERR_QUOTA,       STR_INIT("OVERQUOTA"),            STR_INIT("Mailbox is full") },
	{ ERR_TOO_LARGE,   STR_INIT("TOOBIG"),               STR_INIT("") },
	{ ERR_LIMIT,       STR_INIT("LIMIT"),                STR_INIT("Limit reached") },
	{ ERR_FORBIDDEN,   STR_INIT("NOPERM"),               STR_INIT("") },
	{ ERR_DISK_FULL,   STR_INIT("UNAVAILABLE"),          STR_INIT("") },
	{ ERR_STORE_TEMP,  STR_INIT("UNAVAILABLE"),          STR_INIT("") },
	{ ERR_BUSY,        STR_INIT("UNAVAILABLE"),          STR_INIT("Too busy, try again later") },
	{ ERR_SHUTDOWN,    STR_INIT("UNAVAILABLE"),          STR_INIT("") },
	{ ERR_IO,          STR_INIT("SERVERBUG"),            STR_INIT("") },
	{ ERR_CORRUPT,     STR_INIT("SERVERBUG"),            STR_INIT("") },
	{ ERR_INTERNAL,    STR_INIT("SERVERBUG"),            STR_INIT("") },
	{ ERR_AUTH,        STR_INIT("AUTHENTICATIONFAILED"), STR_INIT("") },
	{ ERR_ACCOUNT_OFF, STR_INIT("AUTHORIZATIONFAILED"),  STR_INIT("Account disabled") },
	{ ERR_AUTH_TEMP,   STR_INIT("UNAVAILABLE"),          STR_INIT("") },
	{ ERR_AUTH_RATE,   STR_INIT("UNAVAILABLE"),          STR_INIT("") },
	{ ERR_NEED_TLS,    STR_INIT("PRIVACYREQUIRED"),      STR_INIT("Log in only after STARTTLS") },
	/* clang-format on */
};

enum imap_step
imap_error(struct imap_session *s, enum err e)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct str text = codes[i].text;

		if (codes[i].e == e)
			return imap_no(s, codes[i].code,
			               text.n ? text : str_from(err_get(e)->text));
	}
	return imap_no(s, (struct str){ 0 }, str_from(err_get(e)->text));
}

enum imap_step
imap_answer(struct imap_session *s, enum err e)
{
	return e == OK ? imap_ok(s, (struct str){ 0 }, (struct str){ 0 })
	               : imap_error(s, e);
}

void
imap_reply_tagged(struct imap_session *s, struct strbuf *out)
{
	static const struct str words[] = { STR_INIT(" OK "), STR_INIT(" NO "),
		                            STR_INIT(" BAD ") };

	if (s->tag.n > 0)
		strbuf_add(out, s->tag);
	else
		strbuf_byte(out, '*');
	strbuf_add(out, words[s->result]);
	if (s->code.n > 0) {
		strbuf_byte(out, '[');
		strbuf_add(out, s->code);
		strbuf_lit(out, "] ");
	}
	if (s->text.n > 0) {
		strbuf_add(out, s->text);
	} else {
		if (s->is_uid)
			strbuf_lit(out, "UID ");
		strbuf_add(out, s->cmd ? s->cmd->name : STR("Command"));
		strbuf_lit(out, " completed");
	}
	strbuf_lit(out, "\r\n");
}

enum capability_when {
	WHEN_ALWAYS,
	WHEN_PLAIN,    /* TLS can still be started */
	WHEN_LOGIN,    /* a login is possible now */
	WHEN_NO_LOGIN, /* only after TLS */
	WHEN_LOGGED_IN,
};

static const struct capability {
	enum capability_when when;
	struct str word;
} capabilities[] = {
	/* clang-format off */
	{ WHEN_ALWAYS,    STR_INIT("IMAP4rev1") },
	{ WHEN_ALWAYS,    STR_INIT("LITERAL+") },        /* RFC 7888 */
	{ WHEN_ALWAYS,    STR_INIT("SASL-IR") },         /* RFC 4959 */
	{ WHEN_ALWAYS,    STR_INIT("ID") },              /* RFC 2971 */
	{ WHEN_ALWAYS,    STR_INIT("ENABLE") },          /* RFC 5161 */
	{ WHEN_ALWAYS,    STR_INIT("IDLE") },            /* RFC 2177 */
	{ WHEN_PLAIN,     STR_INIT("STARTTLS") },        /* RFC 3501 6.2.1 */
	{ WHEN_NO_LOGIN,  STR_INIT("LOGINDISABLED") },   /* RFC 3501 6.2.3 */
	{ WHEN_LOGIN,     STR_INIT("AUTH=PLAIN") },      /* RFC 4616 */
	{ WHEN_LOGIN,     STR_INIT("AUTH=LOGIN") },
	{ WHEN_LOGGED_IN, STR_INIT("NAMESPACE") },       /* RFC 2342 */
	{ WHEN_LOGGED_IN, STR_INIT("CHILDREN") },        /* RFC 3348 */
	{ WHEN_LOGGED_IN, STR_INIT("SPECIAL-USE") },     /* RFC 6154 */
	{ WHEN_LOGGED_IN, STR_INIT("LIST-EXTENDED") },   /* RFC 5258 */
	{ WHEN_LOGGED_IN, STR_INIT("LIST-STATUS") },     /* RFC 5819 */
	{ WHEN_LOGGED_IN, STR_INIT("STATUS=SIZE") },     /* RFC 8438 */
	{ WHEN_LOGGED_IN, STR_INIT("UIDPLUS") },         /* RFC 4315 */
	{ WHEN_LOGGED_IN, STR_INIT("UNSELECT") },        /* RFC 3691 */
	{ WHEN_LOGGED_IN, STR_INIT("MOVE") },            /* RFC 6851 */
	{ WHEN_LOGGED_IN, STR_INIT("MULTIAPPEND") },     /* RFC 3502 */
	{ WHEN_LOGGED_IN, STR_INIT("ESEARCH") },         /* RFC 4731 */
	{ WHEN_LOGGED_IN, STR_INIT("WITHIN") },          /* RFC 5032 */
	/* clang-format on */
};

static bool
applies(const struct imap_session *s, enum capability_when when)
{
	bool is_out = s->state == IMAP_STATE_NOT_AUTH;
	bool may_login = s->is_secure || s->conf->has_plaintext_auth;

	switch (when) {
	case WHEN_ALWAYS:
		return true;
	case WHEN_PLAIN:
		return is_out && !s->is_secure && s->conf->has_starttls;
	case WHEN_LOGIN:
		return is_out && may_login;
	case WHEN_NO_LOGIN:
		return is_out && !may_login;
	case WHEN_LOGGED_IN:
		return !is_out;
	}
	PANIC("no such capability");
}

void
imap_reply_capability(const struct imap_session *s, struct strbuf *out)
{
	strbuf_lit(out, "CAPABILITY");
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		if (!applies(s, capabilities[i].when))
			continue;
		strbuf_byte(out, ' ');
		strbuf_add(out, capabilities[i].word);
	}
	if (s->state == IMAP_STATE_NOT_AUTH)
		return;
	strbuf_lit(out, " APPENDLIMIT="); /* RFC 7889 */
	strbuf_u64(out, s->conf->append_max_bytes);
}

/* --- flags */

static const struct flag_word {
	uint64_t bit;
	struct str word;
} flag_words[] = {
	/* clang-format off */
	{ FLAG_ANSWERED, STR_INIT("\\Answered") },
	{ FLAG_FLAGGED,  STR_INIT("\\Flagged") },
	{ FLAG_DELETED,  STR_INIT("\\Deleted") },
	{ FLAG_SEEN,     STR_INIT("\\Seen") },
	{ FLAG_DRAFT,    STR_INIT("\\Draft") },
	/* clang-format on */
};

/* Takes one keyword off the packed names. */
static bool
next_keyword(struct str *rest, unsigned *bit_out, struct str *name_out)
{
	size_t n;

	if (rest->n < 2)
		return false;
	*bit_out = (unsigned char)rest->p[0];
	n = (unsigned char)rest->p[1];
	*name_out = str_make(rest->p + 2, n);
	*rest = str_from_offset(*rest, n + 2);
	return true;
}

static void
add_keywords(const struct imap_session *s, uint64_t flags, bool *is_first,
             struct strbuf *out)
{
	struct str rest = strbuf_str(&s->keywords), name;
	unsigned bit;

	while (next_keyword(&rest, &bit, &name)) {
		if (!(flags >> bit & 1))
			continue;
		if (!*is_first)
			strbuf_byte(out, ' ');
		*is_first = false;
		strbuf_add(out, name);
	}
}

void
imap_reply_flags(const struct imap_session *s, uint64_t flags, bool is_recent,
                 struct strbuf *out)
{
	bool is_first = true;

	strbuf_byte(out, '(');
	for (size_t i = 0; i < ARRAY_LEN(flag_words); i++) {
		if (!(flags & flag_words[i].bit))
			continue;
		if (!is_first)
			strbuf_byte(out, ' ');
		is_first = false;
		strbuf_add(out, flag_words[i].word);
	}
	if (is_recent) {
		if (!is_first)
			strbuf_byte(out, ' ');
		is_first = false;
		strbuf_lit(out, "\\Recent");
	}
	if (flags & ~(uint64_t)FLAG_SYSTEM)
		add_keywords(s, flags, &is_first, out);
	strbuf_byte(out, ')');
}

static size_t
count_keywords(const struct imap_session *s)
{
	struct str rest = strbuf_str(&s->keywords), name;
	unsigned bit;
	size_t n = 0;

	while (next_keyword(&rest, &bit, &name))
		n++;
	return n;
}

void
imap_reply_known_flags(const struct imap_session *s, struct strbuf *out)
{
	strbuf_lit(out, "* FLAGS ");
	imap_reply_flags(s, UINT64_MAX, false, out);
	strbuf_lit(out, "\r\n* OK [PERMANENTFLAGS ");
	if (s->is_readonly) {
		strbuf_lit(out, "()");
	} else {
		imap_reply_flags(s, UINT64_MAX, false, out);
		/* Only while a client may make new ones (RFC 3501 7.1). */
		if (count_keywords(s) < s->conf->keywords_max) {
			strbuf_truncate(out, out->n ? out->n - 1 : 0);
			strbuf_lit(out, " \\*)");
		}
	}
	strbuf_lit(out, "] Flags permitted\r\n");
}

bool
imap_keywords_set(struct imap_session *s, const struct keyword *keywords, size_t n)
{
	struct strbuf b = strbuf_heap((size_t)KEYWORDS_MAX * (KEYWORD_BYTES_MAX + 2));

	for (size_t i = 0; i < n; i++) {
		if (keywords[i].bit > 63 || keywords[i].name.n > KEYWORD_BYTES_MAX)
			continue;
		strbuf_byte(&b, (char)keywords[i].bit);
		strbuf_byte(&b, (char)keywords[i].name.n);
		strbuf_add(&b, keywords[i].name);
	}
	if (str_eq(strbuf_str(&b), strbuf_str(&s->keywords))) {
		strbuf_release(&b);
		return false;
	}
	strbuf_release(&s->keywords);
	s->keywords = b;
	return true;
}

uint64_t
imap_keyword_bit(const struct imap_session *s, struct str wanted)
{
	struct str rest = strbuf_str(&s->keywords), name;
	unsigned bit;

	while (next_keyword(&rest, &bit, &name)) {
		if (str_eq_icase(name, wanted))
			return (uint64_t)1 << bit;
	}
	return 0;
}
