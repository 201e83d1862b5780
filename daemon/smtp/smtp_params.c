#include "smtp/smtp_params.h"

#include "base/utf8.h"

enum {
	ENVID_MAX = 100, /* RFC 3461 4.4 */
	ORCPT_MAX = 500, /* RFC 3461 4.2 */
};

struct target {
	struct arena *arena;
	struct smtp_mail *mail; /* one of the two */
	struct smtp_rcpt *rcpt;
};

typedef enum err param_fn(struct str value, struct target *to);

static bool
is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static bool
is_upper_hex(char c)
{
	return byte_is_digit(c) || (c >= 'A' && c <= 'F');
}

/* Takes one character of xtext off *s. */
static bool
xtext_next(struct str *s, char *c_out)
{
	char c = s->p[0];

	if (is_xchar(c)) {
		*c_out = c;
		*s = str_from_offset(*s, 1);
		return true;
	}
	if (c != '+' || s->n < 3 || !is_upper_hex(s->p[1]) || !is_upper_hex(s->p[2]))
		return false;
	*c_out = (char)(byte_hex_value(s->p[1]) << 4 | byte_hex_value(s->p[2]));
	*s = str_from_offset(*s, 3);
	return true;
}

bool
xtext_check(struct str s)
{
	char c;

	while (s.n) {
		if (!xtext_next(&s, &c))
			return false;
	}
	return true;
}

bool
xtext_parse(struct str s, struct strbuf *out)
{
	char c;

	while (s.n) {
		if (!xtext_next(&s, &c))
			return false;
		strbuf_byte(out, c);
	}
	return !out->overflow;
}

void
xtext_format(struct strbuf *out, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_xchar(s.p[i])) {
			strbuf_byte(out, s.p[i]);
			continue;
		}
		strbuf_byte(out, '+');
		strbuf_byte(out, digits[c >> 4]);
		strbuf_byte(out, digits[c & 15]);
	}
}

static enum err
keep(struct target *to, struct str value, struct str *kept_out)
{
	char *p = arena_try(to->arena, value.n + 1);

	if (!p)
		return ERR_LIMIT;
	memcpy(p, value.p, value.n);
	*kept_out = str_make(p, value.n);
	return OK;
}

/* SIZE=octets                                                           RFC 1870 6.1 */
static enum err
param_size(struct str value, struct target *to)
{
	uint64_t size;

	if (value.n > 20 || !str_parse_u64(value, &size))
		return ERR_SYNTAX;
	to->mail->size_declared = size;
	return OK;
}

/* BODY=7BIT | 8BITMIME. BINARYMIME is not offered.                        RFC 6152 2 */
static enum err
param_body(struct str value, struct target *to)
{
	if (str_eq_icase(value, STR("BINARYMIME")))
		return ERR_PARAMETER;
	to->mail->is_8bit = str_eq_icase(value, STR("8BITMIME"));
	return to->mail->is_8bit || str_eq_icase(value, STR("7BIT")) ? OK : ERR_SYNTAX;
}

/* Read before the path already, whose grammar depends on it.            RFC 6531 3.4 */
static enum err
param_smtputf8(struct str value, struct target *to)
{
	to->mail->is_utf8 = true;
	return value.p ? ERR_SYNTAX : OK;
}

/* REQUIRETLS. That the session is encrypted is the session's to know.     RFC 8689 2 */
static enum err
param_requiretls(struct str value, struct target *to)
{
	to->mail->is_tls_required = true;
	return value.p ? ERR_SYNTAX : OK;
}

/* AUTH=<> or AUTH=xtext of a mailbox. We trust nobody's word about a third party, so it
   is checked and forgotten, which means AUTH=<> (RFC 4954 5). */
static enum err
param_auth(struct str value, struct target *to)
{
	struct strbuf decoded = strbuf_arena(to->arena, 512);
	struct address mailbox;

	if (str_eq(value, STR("<>")))
		return OK;
	if (value.n == 0 || !xtext_parse(value, &decoded))
		return ERR_SYNTAX;
	return address_parse(strbuf_str(&decoded), ADDRESS_UTF8, to->arena, &mailbox) ==
	                       OK
	               ? OK
	               : ERR_SYNTAX;
}

/* RET=FULL | HDRS                                                       RFC 3461 4.3 */
static enum err
param_ret(struct str value, struct target *to)
{
	if (str_eq_icase(value, STR("FULL")))
		to->mail->ret = SMTP_RET_FULL;
	else if (str_eq_icase(value, STR("HDRS")))
		to->mail->ret = SMTP_RET_HDRS;
	else
		return ERR_SYNTAX;
	return OK;
}

/* ENVID=xtext                                                           RFC 3461 4.4 */
static enum err
param_envid(struct str value, struct target *to)
{
	if (value.n == 0 || value.n > ENVID_MAX || !xtext_check(value))
		return ERR_SYNTAX;
	return keep(to, value, &to->mail->envid);
}

/* NOTIFY=NEVER or a list of the others                                  RFC 3461 4.1 */
static enum err
param_notify(struct str value, struct target *to)
{
	static const struct {
		struct str word;
		enum smtp_notify bit;
	} words[] = {
		{ STR_INIT("NEVER"), SMTP_NOTIFY_NEVER },
		{ STR_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS },
		{ STR_INIT("FAILURE"), SMTP_NOTIFY_FAILURE },
		{ STR_INIT("DELAY"), SMTP_NOTIFY_DELAY },
	};
	struct str word;
	unsigned notify = 0;

	if (value.n && value.p[value.n - 1] == ',')
		return ERR_SYNTAX;
	while (str_next(&value, ',', &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			if (str_eq_icase(word, words[i].word))
				bit = words[i].bit;
		}
		if (!bit || (notify & bit))
			return ERR_SYNTAX;
		notify |= bit;
	}
	if (!notify || ((notify & SMTP_NOTIFY_NEVER) && notify != SMTP_NOTIFY_NEVER))
		return ERR_SYNTAX;
	to->rcpt->notify = notify;
	return OK;
}

/* ORCPT=type;xtext                                                      RFC 3461 4.2 */
static enum err
param_orcpt(struct str value, struct target *to)
{
	size_t semicolon = str_find(value, ';');

	if (value.n > ORCPT_MAX || semicolon == SIZE_MAX || semicolon == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < semicolon; i++) {
		if (!byte_is_alnum(value.p[i]) && value.p[i] != '-')
			return ERR_SYNTAX;
	}
	/* RFC 6533 3: with SMTPUTF8 the type utf-8 may hold UTF-8 as it is. */
	if (!xtext_check(str_from_offset(value, semicolon + 1)) &&
	    !(str_starts_icase(value, STR("utf-8;")) && utf8_check(value)))
		return ERR_SYNTAX;
	return keep(to, value, &to->rcpt->orcpt);
}

struct param {
	struct str keyword;
	bool is_of_mail, needs_value;
	param_fn *read;
};

/* clang-format off */
static const struct param params_known[] = {
	{ STR_INIT("SIZE"),     true,  true,  param_size },
	{ STR_INIT("BODY"),     true,  true,  param_body },
	{ STR_INIT("SMTPUTF8"), true,  false, param_smtputf8 },
	{ STR_INIT("REQUIRETLS"), true, false, param_requiretls },
	{ STR_INIT("AUTH"),     true,  true,  param_auth },
	{ STR_INIT("RET"),      true,  true,  param_ret },
	{ STR_INIT("ENVID"),    true,  true,  param_envid },
	{ STR_INIT("NOTIFY"),   false, true,  param_notify },
	{ STR_INIT("ORCPT"),    false, true,  param_orcpt },
};
/* clang-format on */

static enum err
read_one(struct str word, struct target *to, unsigned *seen)
{
	size_t equals = str_find(word, '=');
	struct str keyword = str_first(word, equals == SIZE_MAX ? word.n : equals);
	struct str value = { NULL, 0 };

	if (equals != SIZE_MAX)
		value = str_from_offset(word, equals + 1);
	for (size_t i = 0; i < ARRAY_LEN(params_known); i++) {
		const struct param *p = &params_known[i];

		if (p->is_of_mail != (to->mail != NULL) ||
		    !str_eq_icase(keyword, p->keyword))
			continue;
		if ((*seen & 1U << i) || (p->needs_value && value.n == 0))
			return ERR_SYNTAX;
		*seen |= 1U << i;
		return p->read(value, to);
	}
	return ERR_PARAMETER;
}

static enum err
read_all(struct str params, struct target *to)
{
	struct str word;
	unsigned seen = 0;

	if (params.n && params.p[0] != ' ')
		return ERR_SYNTAX;
	while (str_next(&params, ' ', &word)) {
		enum err e = word.n ? read_one(word, to, &seen) : OK;

		if (e != OK)
			return e;
	}
	return OK;
}

enum err
smtp_params_parse_mail(struct str params, struct arena *a, struct smtp_mail *mail)
{
	return read_all(params, &(struct target){ .arena = a, .mail = mail });
}

enum err
smtp_params_parse_rcpt(struct str params, struct arena *a, struct smtp_rcpt *rcpt)
{
	return read_all(params, &(struct target){ .arena = a, .rcpt = rcpt });
}
