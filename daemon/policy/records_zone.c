/* Values as master files want them, and a whole zone file (RFC 1035 5.1). */
#include "policy/records.h"

static void
add_string(struct strbuf *out, struct str s)
{
	strbuf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			strbuf_printf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			strbuf_printf(out, "\\%03u", (unsigned)c);
		else
			strbuf_byte(out, (char)c);
	}
	strbuf_byte(out, '"');
}

void
records_value_format(enum dns_type type, int priority, struct str value,
                     struct strbuf *out)
{
	if (type == DNS_TXT) {
		do {
			add_string(out, str_first(value, TXT_STRING_MAX));
			value = str_from_offset(value, TXT_STRING_MAX);
			if (value.n)
				strbuf_byte(out, ' ');
		} while (value.n);
		return;
	}
	if (type == DNS_MX && priority >= 0)
		strbuf_printf(out, "%d ", priority);
	strbuf_add(out, value);
}

/* Is it something the owner still has to do? */
static bool
is_to_do(const struct record_row *row)
{
	if (row->state == RECORD_OPTIONAL || row->state == RECORD_OK)
		return false;
	return row->state != RECORD_UNKNOWN || row->cause == CAUSE_NOT_CHECKED;
}

static void
add_row(const struct record_row *row, enum records_style style, struct strbuf *out)
{
	for (size_t i = 0; i < row->expected_count; i++) {
		if (style == RECORDS_RELATIVE)
			strbuf_add(out, row->relative);
		else
			strbuf_printf(out, "%.*s.", STR_ARG(row->name));
		strbuf_printf(out, "\t3600\tIN\t%s\t", dns_type_word(row->type));
		records_value_format(row->type, row->priority, row->expected[i], out);
		strbuf_byte(out, '\n');
	}
}

void
records_zone_format(const struct records *r, bool only_missing, enum records_style style,
                    struct strbuf *out)
{
	strbuf_printf(out, "; %s of %.*s\n",
	              only_missing ? "Records that are missing or differ in the zone"
	                           : "Records for the zone",
	              STR_ARG(r->conf->domain));
	if (style == RECORDS_RELATIVE)
		strbuf_printf(out, "$ORIGIN %.*s.\n", STR_ARG(r->conf->domain));
	for (size_t i = 0; i < r->count; i++) {
		const struct record_row *row = &r->rows[i];

		if (!row->relative.n || !row->expected_count || row->is_going)
			continue;
		if (only_missing && !is_to_do(row))
			continue;
		/* What is there already under the same name must give way. */
		for (size_t j = 0; j < row->found_count && only_missing; j++) {
			struct strbuf *b = out;

			strbuf_lit(b, "; replaces: ");
			for (size_t k = 0; k < row->found[j].n; k++) {
				char c = row->found[j].p[k];

				strbuf_byte(b, c < ' ' || c == 0x7f ? '?' : c);
			}
			strbuf_byte(b, '\n');
		}
		add_row(row, style, out);
	}
}
