#include "api/reason.h"

#include "base/arena.h"
#include "queue/queue_reason.h"

enum {
	TEXT_MAX = 2048,
};

/* The button that helps, by what is wrong. */
static const struct {
	const char *bucket, *action;
} actions[] = {
	{ "wait", "retry" },
	{ "address", "correct_address" },
	{ "authentication", "open_dns" },
	{ "content", "show_text" },
	{ "reputation", "open_blocklists" },
	{ "setup", "open_settings" },
};

static const struct queue_reason_info refused_here = {
	.word = "refused_here",
	.owner = "sender",
	.bucket = "content",
	.title = "",
};

static enum queue_reason
class_of(const struct reason *reason)
{
	enum queue_reason found = queue_reason_find(reason->class);

	if (reason->class.n && found != REASON_COUNT)
		return found;
	if (!reason->code)
		return REASON_NONE;
	return queue_reason_from_reply(STAGE_RCPT, (int)reason->code, reason->enhanced,
	                               reason->text);
}

struct str
reason_class(const struct reason *reason)
{
	return str_from(queue_reason_info(class_of(reason))->word);
}

struct str
reason_bucket(const struct reason *reason)
{
	return str_from(queue_reason_info(class_of(reason))->bucket);
}

static const char *
action_for(const char *bucket)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (str_eq(str_from(bucket), str_from(actions[i].bucket)))
			return actions[i].action;
	}
	return "show_text";
}

static void
write_remote(struct json_out *j, const struct reason *reason)
{
	char bytes[512];
	struct strbuf b = strbuf_on(bytes);

	strbuf_add(&b, reason->host);
	if (reason->ip.n) {
		strbuf_byte(&b, '[');
		strbuf_add(&b, reason->ip);
		strbuf_byte(&b, ']');
	}
	json_str_or_null(j, "remote", strbuf_str(&b));
}

static void
write_plain(struct json_out *j, const struct reason *reason, const char *title)
{
	char bytes[TEXT_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct str words = str_from(title);

	if (!words.n) {
		json_str(j, "plain", reason->text);
		return;
	}
	strbuf_byte(&b, byte_upper(words.p[0]));
	strbuf_add(&b, str_from_offset(words, 1));
	if (reason->code)
		strbuf_printf(&b, " (%u%s%.*s)", reason->code,
		              reason->enhanced.n ? " " : "", STR_ARG(reason->enhanced));
	json_str(j, "plain", strbuf_str(&b));
}

void
reason_write(struct json_out *j, const char *key, const struct reason *reason)
{
	const struct queue_reason_info *info = queue_reason_info(class_of(reason));
	char bytes[16];
	struct strbuf code = strbuf_on(bytes);

	if (!reason->class.n && !reason->text.n) {
		json_out_null(j, key);
		return;
	}
	if (reason->code)
		strbuf_u64(&code, reason->code);
	/* What we refuse is not in the table of what others say to us. */
	if (reason->is_ours && !reason->class.n)
		info = &refused_here;
	json_open_object(j, key);
	json_cstr(j, "class", info->word);
	json_cstr(j, "bucket", info->bucket);
	json_str_or_null(j, "code", strbuf_str(&code));
	json_str_or_null(j, "enhanced", reason->enhanced);
	write_remote(j, reason);
	json_str(j, "text", reason->text);
	write_plain(j, reason, info->title);
	json_cstr(j, "owner", info->owner);
	json_cstr(j, "action", action_for(info->bucket));
	json_close_object(j);
}

/* "5.1.1", "4.7.28" */
static bool
is_enhanced(struct str s)
{
	size_t dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		dots += s.p[i] == '.';
		if (s.p[i] != '.' && !byte_is_digit(s.p[i]))
			return false;
	}
	return dots == 2 && s.n >= 5 && s.p[1] == '.';
}

struct reason
reason_from_text(struct str text)
{
	struct reason reason = { .text = text };
	struct str rest = text, word;
	uint32_t code;

	if (!str_next(&rest, ' ', &word))
		return reason;
	if (word.n == 3 && str_parse_u32(word, &code) && code >= 200 && code < 600) {
		reason.code = code;
		if (str_next(&rest, ' ', &word) && is_enhanced(word))
			reason.enhanced = word;
	} else if (queue_reason_find(word) != REASON_COUNT) {
		reason.class = word;
	}
	return reason;
}
