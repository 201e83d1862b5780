#include "policy/report_make.h"

#include "base/addr.h"
#include "base/event.h"
#include "base/utf8.h"
#include "policy/report_make_priv.h"

/* RFC 9990, appendix A: the elements, and the order in which some of them must stand. Who
 * reads only the older form of it finds all that he knows, but pct, which is gone. */

enum {
	SIGNATURES_MAX = 100, /* RFC 9990 3.1.3 */
	RANKS = 4,            /* of them */
};

static const char policies[] = "none quarantine reject";
static const char overrides[] =
	"local_policy mailing_list other policy_test_mode trusted_forwarder";
static const char dkim_results[] = "none pass fail policy neutral temperror permerror";
static const char spf_results[] = "none neutral pass fail softfail temperror permerror";

/* --- fields of a row ---------------------------------------------------------------- */

void
report_fields_read(struct report_fields *f, struct str body)
{
	char bytes[REPORT_FIELD_BYTES];
	struct strbuf value = strbuf_on(bytes), room = strbuf_on(f->bytes);
	struct str key;

	f->count = 0;
	while (f->count < REPORT_FIELDS_MAX && logfmt_next(&body, &key, &value)) {
		size_t before = room.n;

		strbuf_add(&room, strbuf_str(&value));
		if (room.overflow)
			return;
		f->keys[f->count] = key;
		f->values[f->count++] = str_from_offset(strbuf_str(&room), before);
	}
}

struct str
report_field(const struct report_fields *f, const char *key)
{
	for (size_t i = 0; i < f->count; i++) {
		if (str_eq(f->keys[i], str_from(key)))
			return f->values[i];
	}
	return STR("");
}

bool
report_is_word(struct str s, const char *words)
{
	struct str rest = str_from(words), word;

	while (str_next(&rest, ' ', &word)) {
		if (str_eq(word, s))
			return true;
	}
	return false;
}

/* --- XML ---------------------------------------------------------------------------- */

/* What XML 1.0 cannot hold at all becomes a question mark. */
static void
add_text(struct strbuf *out, struct str text)
{
	uint32_t c;

	while (text.n) {
		struct str before = text;

		if (!utf8_next(&text, &c)) {
			text = str_from_offset(before, 1);
			strbuf_byte(out, '?');
		} else if (c == '&') {
			strbuf_lit(out, "&amp;");
		} else if (c == '<') {
			strbuf_lit(out, "&lt;");
		} else if (c == '>') {
			strbuf_lit(out, "&gt;");
		} else if (c < ' ' || c == 0x7f || (c & 0xfffe) == 0xfffe) {
			strbuf_byte(out, '?');
		} else {
			strbuf_add(out, str_first(before, before.n - text.n));
		}
	}
}

static void
indent(struct strbuf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		strbuf_lit(out, "  ");
}

static void
open_element(struct strbuf *out, unsigned depth, const char *name)
{
	indent(out, depth);
	strbuf_printf(out, "<%s>\n", name);
}

static void
close_element(struct strbuf *out, unsigned depth, const char *name)
{
	indent(out, depth);
	strbuf_printf(out, "</%s>\n", name);
}

static void
leaf(struct strbuf *out, unsigned depth, const char *name, struct str text)
{
	indent(out, depth);
	strbuf_printf(out, "<%s>", name);
	add_text(out, text);
	strbuf_printf(out, "</%s>\n", name);
}

static void
leaf_number(struct strbuf *out, unsigned depth, const char *name, uint64_t n)
{
	char bytes[24];
	struct strbuf b = strbuf_on(bytes);

	strbuf_u64(&b, n);
	leaf(out, depth, name, strbuf_str(&b));
}

/* --- the head ----------------------------------------------------------------------- */

static struct str
word_or(struct str s, const char *words, const char *other)
{
	return report_is_word(s, words) ? s : str_from(other);
}

static void
add_policy(struct strbuf *out, const struct report_head *h, struct str policy)
{
	struct report_fields f;
	struct str fo;

	report_fields_read(&f, policy);
	fo = report_field(&f, "fo");
	open_element(out, 1, "policy_published");
	leaf(out, 2, "domain", h->domain);
	/* Records are found in no other way here. The public suffix list has a word only
	   where one is found and says nothing of the border (policy/dmarc.c). */
	leaf(out, 2, "discovery_method", STR("treewalk"));
	leaf(out, 2, "p", word_or(report_field(&f, "p"), policies, "none"));
	leaf(out, 2, "sp", word_or(report_field(&f, "sp"), policies, "none"));
	leaf(out, 2, "np", word_or(report_field(&f, "np"), policies, "none"));
	leaf(out, 2, "adkim", word_or(report_field(&f, "adkim"), "r s", "r"));
	leaf(out, 2, "aspf", word_or(report_field(&f, "aspf"), "r s", "r"));
	leaf(out, 2, "testing", word_or(report_field(&f, "t"), "y n", "n"));
	leaf(out, 2, "fo", fo.n ? fo : STR("0"));
	close_element(out, 1, "policy_published");
}

void
report_make_dmarc_begin(struct strbuf *out, const struct report_head *h,
                        struct str policy)
{
	strbuf_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	                "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
	leaf(out, 1, "version", STR("1.0"));
	open_element(out, 1, "report_metadata");
	leaf(out, 2, "org_name", h->organization);
	leaf(out, 2, "email", h->contact);
	leaf(out, 2, "report_id", h->id);
	open_element(out, 2, "date_range");
	leaf_number(out, 3, "begin", (uint64_t)h->begin_s);
	leaf_number(out, 3, "end", (uint64_t)h->end_s);
	close_element(out, 2, "date_range");
	leaf(out, 2, "generator", h->generator);
	close_element(out, 1, "report_metadata");
	add_policy(out, h, policy);
}

void
report_make_dmarc_end(struct strbuf *out)
{
	strbuf_lit(out, "</feedback>\n");
}

/* --- rows --------------------------------------------------------------------------- */

static bool
is_yes(const struct report_fields *f, const char *key)
{
	return str_eq(report_field(f, key), STR("1"));
}

/* Why something else was done than the domain asks for: what was noted, or that it is
   only testing, or at least that there is a reason (RFC 9990 3.1.1.8). */
static struct str
override_of(const struct report_fields *f, struct str done)
{
	struct str noted = report_field(f, "override");
	struct str published = report_field(f, "published");

	if (report_is_word(noted, overrides))
		return noted;
	if (is_yes(f, "aligned_dkim") || is_yes(f, "aligned_spf") ||
	    str_eq(published, done))
		return STR("");
	return str_eq(report_field(f, "policy"), published) ? STR("other")
	                                                    : STR("policy_test_mode");
}

/* "pass": the domain asks for something, and there was no reason to do it. */
static struct str
disposition_of(const struct report_fields *f)
{
	struct str done = word_or(report_field(f, "disposition"), policies, "none");
	struct str published = word_or(report_field(f, "published"), policies, "none");
	bool is_aligned = is_yes(f, "aligned_dkim") || is_yes(f, "aligned_spf");

	if (is_aligned && str_eq(done, STR("none")) && !str_eq(published, STR("none")))
		return STR("pass");
	return done;
}

static void
add_evaluated(struct strbuf *out, const struct report_fields *f)
{
	struct str done = disposition_of(f), why = override_of(f, done);

	open_element(out, 3, "policy_evaluated");
	leaf(out, 4, "disposition", done);
	leaf(out, 4, "dkim", is_yes(f, "aligned_dkim") ? STR("pass") : STR("fail"));
	leaf(out, 4, "spf", is_yes(f, "aligned_spf") ? STR("pass") : STR("fail"));
	if (why.n) {
		open_element(out, 4, "reason");
		leaf(out, 5, "type", why);
		close_element(out, 4, "reason");
	}
	close_element(out, 3, "policy_evaluated");
}

/* One signature: "example.org/s1=pass", and why where it does not. */
struct signature {
	struct str domain, selector, result, reason;
};

static bool
read_signature(struct str text, struct str reason, struct signature *s)
{
	size_t slash = str_find(text, '/'), equals = str_find_last(text, '=');

	if (slash == SIZE_MAX || equals == SIZE_MAX || equals < slash)
		return false;
	*s = (struct signature){
		.domain = str_first(text, slash),
		.selector = str_from_offset(str_first(text, equals), slash + 1),
		.result = str_from_offset(text, equals + 1),
		.reason = reason,
	};
	return report_is_word(s->result, dkim_results);
}

static void
add_signature(struct strbuf *out, const struct signature *s)
{
	open_element(out, 3, "dkim");
	leaf(out, 4, "domain", s->domain);
	leaf(out, 4, "selector", s->selector);
	leaf(out, 4, "result", s->result);
	if (s->reason.n)
		leaf(out, 4, "human_result", s->reason);
	close_element(out, 3, "dkim");
}

/* Which go first where there are too many (RFC 9990 3.1.3): those that pass for the
   domain in From itself, for one beside it, for any other; then the rest. */
static unsigned
rank_of(const struct signature *s, struct str from)
{
	if (!str_eq(s->result, STR("pass")))
		return RANKS - 1;
	if (str_eq(s->domain, from))
		return 0;
	return str_ends(s->domain, from) || str_ends(from, s->domain) ? 1 : 2;
}

static void
add_signatures(struct strbuf *out, const struct report_fields *f)
{
	struct str from = report_field(f, "domain");
	unsigned count = 0;

	for (unsigned rank = 0; rank < RANKS; rank++) {
		struct str rest = report_field(f, "signatures"), one;
		struct str reasons = report_field(f, "dkim_reasons"), reason = STR("");
		struct signature s;

		while (rest.n && count < SIGNATURES_MAX && str_next(&rest, ' ', &one)) {
			if (!str_next(&reasons, '|', &reason))
				reason = STR("");
			if (!read_signature(one, reason, &s) || rank_of(&s, from) != rank)
				continue;
			add_signature(out, &s);
			count++;
		}
	}
}

static void
add_identifiers(struct strbuf *out, const struct report_fields *f)
{
	bool is_mfrom = str_eq(report_field(f, "spf_scope"), STR("mfrom"));

	open_element(out, 2, "identifiers");
	leaf(out, 3, "header_from", report_field(f, "domain"));
	/* Empty: it had the null sender. */
	leaf(out, 3, "envelope_from", is_mfrom ? report_field(f, "spf_domain") : STR(""));
	if (report_field(f, "envelope_to").n)
		leaf(out, 3, "envelope_to", report_field(f, "envelope_to"));
	close_element(out, 2, "identifiers");
}

static void
add_results(struct strbuf *out, const struct report_fields *f)
{
	struct str reason = report_field(f, "spf_reason");

	open_element(out, 2, "auth_results");
	add_signatures(out, f);
	open_element(out, 3, "spf");
	leaf(out, 4, "domain", report_field(f, "spf_domain"));
	/* RFC 7208 2.4 makes HELO the MAIL FROM identity of the null sender. */
	leaf(out, 4, "scope", STR("mfrom"));
	leaf(out, 4, "result", word_or(report_field(f, "spf"), spf_results, "none"));
	if (reason.n)
		leaf(out, 4, "human_result", reason);
	close_element(out, 3, "spf");
	close_element(out, 2, "auth_results");
}

void
report_make_dmarc_row(struct strbuf *out, struct str body, uint64_t count)
{
	struct report_fields f;
	struct addr ip;

	report_fields_read(&f, body);
	/* There is no row without an address. */
	if (!addr_parse_ip(report_field(&f, "ip"), &ip))
		return;
	open_element(out, 1, "record");
	open_element(out, 2, "row");
	leaf(out, 3, "source_ip", report_field(&f, "ip"));
	leaf_number(out, 3, "count", count);
	add_evaluated(out, &f);
	close_element(out, 2, "row");
	add_identifiers(out, &f);
	add_results(out, &f);
	close_element(out, 1, "record");
}
