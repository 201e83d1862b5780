#include "api/reason.h"

#include "base/arena.h"
#include "queue/queue_reason.h"

enum {
	TEXT_MAX = 2048,
};

/* What is wrong, as the API names it, and the button that helps. */
static const struct bucket {
	const char *inner; /* word of queue/reasons.def */
	const char *name, *action;
} buckets[] = {
	{ "wait", "wait", "retry" },
	{ "address", "fix_address", "correct_address" },
	{ "authentication", "fix_authentication", "open_dns" },
	{ "content", "fix_content", "show_text" },
	{ "reputation", "fix_reputation", "open_blocklists" },
	{ "setup", "fix_here", "open_settings" },
};

static const struct queue_reason_info refused_here = {
	.word = "refused_here",
	.owner = "sender",
	.bucket = "content",
	.title = "",
};

/* "250 2.0.0 Ok: queued as …", which the log keeps of what was delivered. */
static bool
is_good_news(const struct reason *reason)
{
	return reason->code && reason->code < 400;
}

static enum queue_reason
class_of(const struct reason *reason)
{
	enum queue_reason found = queue_reason_find(reason->class);

	if (reason->class.n && found != REASON_COUNT)
		return found;
	if (!reason->code || is_good_news(reason))
		return REASON_NONE;
	return queue_reason_from_reply(STAGE_RCPT, (int)reason->code, reason->enhanced,
	                               reason->text);
}

struct str
reason_class(const struct reason *reason)
{
	return str_from(queue_reason_info(class_of(reason))->word);
}

static const struct bucket *
bucket_get(const struct queue_reason_info *info)
{
	for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
		if (str_eq(str_from(info->bucket), str_from(buckets[i].inner)))
			return &buckets[i];
	}
	return &buckets[0];
}

struct str
reason_bucket(const struct reason *reason)
{
	return str_from(bucket_get(queue_reason_info(class_of(reason)))->name);
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

	/* Our own refusals are plain words already. */
	if (!words.n || reason->is_ours) {
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

	if (!reason->class.n && (!reason->text.n || is_good_news(reason))) {
		json_out_null(j, key);
		return;
	}
	if (reason->code)
		strbuf_u64(&code, reason->code);
	/* What we refuse is not in the table of what others say to us. */
	if (reason->is_ours && class_of(reason) == REASON_NONE)
		info = &refused_here;
	json_open_object(j, key);
	json_cstr(j, "class", info->word);
	json_cstr(j, "bucket", bucket_get(info)->name);
	json_str_or_null(j, "code", strbuf_str(&code));
	json_str_or_null(j, "enhanced", reason->enhanced);
	write_remote(j, reason);
	json_str(j, "text", reason->text);
	write_plain(j, reason, info->title);
	json_cstr(j, "owner", info->owner);
	json_cstr(j, "action", bucket_get(info)->action);
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
	struct str rest = text, word, after;
	uint32_t code;

	if (!str_next(&rest, ' ', &word))
		return reason;
	if (word.n == 3 && str_parse_u32(word, &code) && code >= 200 && code < 600) {
		reason.code = code;
		reason.text = after = rest;
		if (str_next(&after, ' ', &word) && is_enhanced(word)) {
			reason.enhanced = word;
			reason.text = after;
		}
	} else if (word.n && queue_reason_find(word) != REASON_COUNT) {
		reason.class = word;
		reason.text = rest;
	}
	return reason;
}
