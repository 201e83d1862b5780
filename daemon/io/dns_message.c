#include "io/dns_message.h"

enum {
	HEADER_BYTES = 12,
	LABEL_MAX = 63,
	POINTER_BITS = 0xc0,
	CLASS_IN = 1,
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_AUTHORITY = 0x0400,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSE = 0x0100,
	FLAG_AUTHENTIC = 0x0020,
	RCODE_MASK = 15,
	RCODE_NXDOMAIN = 3,
	TEXT_NAME_MAX = 4 * DNS_NAME_MAX, /* every byte escaped */
	TXT_MAX = 64 << 10,
};

/* ── names as text ── */

bool
dns_name_parse(struct str text, struct strbuf *wire_out)
{
	struct str label;
	size_t start = wire_out->n;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	/* One dot at the end is the root; a second one would be an empty label. */
	if (!text.n || text.p[text.n - 1] == '.')
		return false;
	while (str_next(&text, '.', &label)) {
		if (!label.n || label.n > LABEL_MAX || memchr(label.p, '\0', label.n) ||
		    memchr(label.p, '\\', label.n))
			return false;
		strbuf_byte(wire_out, (char)label.n);
		for (size_t i = 0; i < label.n; i++)
			strbuf_byte(wire_out, byte_lower(label.p[i]));
	}
	strbuf_byte(wire_out, '\0');
	return !wire_out->overflow && wire_out->n - start <= DNS_NAME_MAX;
}

/* ── questions ── */

static void
add_u16(struct strbuf *out, unsigned v)
{
	strbuf_byte(out, (char)(v >> 8));
	strbuf_byte(out, (char)(v & 0xff));
}

void
dns_message_format(struct strbuf *out, uint16_t id, struct str wire, enum dns_type type,
                   uint64_t cases)
{
	unsigned letter = 0;

	add_u16(out, id);
	add_u16(out, FLAG_RECURSE | FLAG_AUTHENTIC);
	add_u16(out, 1);
	add_u16(out, 0);
	add_u16(out, 0);
	add_u16(out, 0);
	for (size_t i = 0; i < wire.n; i++) {
		char c = wire.p[i];

		/* Length bytes are below 64 and so never letters. */
		if (byte_is_alpha(c) && (cases >> (letter++ % 64) & 1))
			c = byte_upper(c);
		strbuf_byte(out, c);
	}
	add_u16(out, (unsigned)type);
	add_u16(out, CLASS_IN);
}

/* ── answers ── */

struct reader {
	struct str message;
	size_t at;
	bool bad;
};

static unsigned
take(struct reader *r, unsigned bytes)
{
	unsigned v = 0;

	if (r->bad || r->message.n - r->at < bytes) {
		r->bad = true;
		return 0;
	}
	while (bytes--)
		v = v << 8 | (uint8_t)r->message.p[r->at++];
	return v;
}

static void
add_label(struct strbuf *out, struct str label)
{
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		/* RFC 1035 5.1: what a dot or a byte beyond ASCII means must stay clear. */
		if (c <= ' ' || c >= 0x7f || c == '.' || c == '\\' || c == '"' ||
		    c == '(' || c == ')' || c == ';')
			strbuf_printf(out, "\\%03u", (unsigned)c);
		else
			strbuf_byte(out, byte_lower((char)c));
	}
}

/* A name at r->at, compressed or not, as text. */
static struct str
take_name(struct reader *r, struct arena *a)
{
	char text[TEXT_NAME_MAX];
	struct strbuf out = strbuf_on(text);
	size_t at = r->at, limit = r->at, bytes = 0;
	bool has_jumped = false;

	for (;;) {
		unsigned n =
			at < r->message.n ? (uint8_t)r->message.p[at] : POINTER_BITS - 1;

		if ((n & POINTER_BITS) == POINTER_BITS) {
			size_t to;

			if (r->message.n - at < 2)
				break;
			to = (size_t)(n & ~(unsigned)POINTER_BITS) << 8 |
			     (uint8_t)r->message.p[at + 1];
			if (!has_jumped)
				r->at = at + 2;
			has_jumped = true;
			/* Always before where we began or jumped to last: it must end. */
			if (to >= limit)
				break;
			at = limit = to;
			continue;
		}
		bytes += n + 1;
		if (n > LABEL_MAX || bytes > DNS_NAME_MAX || r->message.n - at < n + 1)
			break;
		at += n + 1;
		if (n == 0) {
			if (!has_jumped)
				r->at = at;
			return arena_str(a, strbuf_str(&out));
		}
		if (out.n)
			strbuf_byte(&out, '.');
		add_label(&out, str_make(r->message.p + at - n, n));
	}
	r->bad = true;
	return STR("");
}

struct raw_record {
	struct str owner;
	unsigned type, class;
	uint32_t ttl_s;
	size_t data_at, data_n;
};

static struct raw_record
take_record(struct reader *r, struct arena *a)
{
	struct raw_record raw = { .owner = take_name(r, a) };

	raw.type = take(r, 2);
	raw.class = take(r, 2);
	raw.ttl_s = take(r, 4);
	raw.data_n = take(r, 2);
	raw.data_at = r->at;
	if (raw.ttl_s > INT32_MAX) /* RFC 2181 8 */
		raw.ttl_s = 0;
	if (r->bad || r->message.n - r->at < raw.data_n)
		r->bad = true;
	else
		r->at += raw.data_n;
	return raw;
}

static struct str
join_strings(struct str data, struct arena *a, bool *ok)
{
	struct strbuf out = strbuf_arena(a, TXT_MAX);

	while (data.n) {
		size_t n = (uint8_t)data.p[0];

		if (n > data.n - 1) {
			*ok = false;
			break;
		}
		strbuf_bytes(&out, data.p + 1, n);
		data = str_from_offset(data, n + 1);
	}
	return strbuf_str(&out);
}

static bool
record_addr(struct str data, struct dns_record *record)
{
	size_t n = record->type == DNS_A ? 4 : 16;

	if (data.n != n)
		return false;
	record->addr.family = record->type == DNS_A ? ADDR_V4 : ADDR_V6;
	memcpy(record->addr.ip, data.p, n);
	return true;
}

/* Flags, length of the tag, tag, value (RFC 8659 4.1). */
static bool
record_caa(struct str data, struct arena *a, struct dns_record *record)
{
	struct strbuf tag = strbuf_arena(a, LABEL_MAX * 4);
	size_t n;

	if (data.n < 2 || (uint8_t)data.p[1] > data.n - 2 || !data.p[1])
		return false;
	n = (uint8_t)data.p[1];
	record->usage = (uint8_t)data.p[0];
	add_label(&tag, str_make(data.p + 2, n));
	record->name = strbuf_str(&tag);
	record->text = str_from_offset(data, 2 + n);
	return !tag.overflow;
}

/* False: damaged; such a record is left out. */
static bool
record_data(struct str message, const struct raw_record *raw, struct arena *a,
            struct dns_record *record)
{
	struct str data = str_make(message.p + raw->data_at, raw->data_n);
	struct reader r = { message, raw->data_at, false };
	bool ok = true;

	switch (record->type) {
	case DNS_A:
	case DNS_AAAA:
		return record_addr(data, record);
	case DNS_MX:
		record->preference = (uint16_t)take(&r, 2);
		record->name = take_name(&r, a);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		record->name = take_name(&r, a);
		break;
	case DNS_SOA:
		record->name = take_name(&r, a);
		(void)take_name(&r, a);
		record->serial = take(&r, 4);
		break;
	case DNS_TXT:
		record->text = join_strings(data, a, &ok);
		return ok;
	case DNS_SRV:
		record->preference = (uint16_t)take(&r, 2);
		record->weight = (uint16_t)take(&r, 2);
		record->port = (uint16_t)take(&r, 2);
		record->name = take_name(&r, a);
		break;
	case DNS_DS:
		record->text = data;
		return data.n > 4;
	case DNS_CAA:
		return record_caa(data, a, record);
	case DNS_TLSA:
		record->usage = (uint8_t)take(&r, 1);
		record->selector = (uint8_t)take(&r, 1);
		record->matching = (uint8_t)take(&r, 1);
		record->text = str_from_offset(data, 3);
		return !r.bad;
	}
	return !r.bad && (r.at <= raw->data_at + raw->data_n);
}

/* The question must be ours, byte for byte but for its case. */
static bool
check_question(struct reader *r, struct str query, bool *is_other_case_out)
{
	struct str ours = str_from_offset(query, HEADER_BYTES), theirs;

	theirs = str_first(str_from_offset(r->message, HEADER_BYTES), ours.n);
	r->at += ours.n;
	*is_other_case_out = !str_eq(ours, theirs);
	return str_eq_icase(ours, theirs);
}

struct answers {
	struct raw_record *raw;
	size_t count, max;
};

static void
lower_ttl(uint32_t *ttl_s, uint32_t to)
{
	if (to < *ttl_s)
		*ttl_s = to;
}

/* Follows the CNAMEs from `name` to the last one in the message. */
static struct str
follow(const struct answers *all, struct str message, struct str name, struct arena *a,
       uint32_t *ttl_s)
{
	for (int hops = 0; hops < DNS_CHAIN_MAX; hops++) {
		const struct raw_record *found = NULL;
		struct dns_record record = { .type = DNS_CNAME };

		for (size_t i = 0; i < all->count && !found; i++) {
			if (all->raw[i].type == DNS_CNAME &&
			    str_eq(all->raw[i].owner, name))
				found = &all->raw[i];
		}
		if (!found || !record_data(message, found, a, &record))
			break;
		lower_ttl(ttl_s, found->ttl_s);
		name = record.name;
	}
	return name;
}

/* The TTL of "there is nothing": that of the SOA, or its last field (RFC 2308 5). */
static bool
negative_ttl(struct reader *r, unsigned count, struct arena *a, uint32_t *ttl_s)
{
	for (unsigned i = 0; i < count && i < DNS_RECORDS_MAX; i++) {
		struct raw_record raw = take_record(r, a);
		struct reader last;

		if (r->bad)
			return false;
		if (raw.type != DNS_SOA || raw.data_n < 22)
			continue;
		last = (struct reader){ r->message, raw.data_at + raw.data_n - 4, false };
		lower_ttl(ttl_s, raw.ttl_s);
		lower_ttl(ttl_s, take(&last, 4));
		return true;
	}
	*ttl_s = 0; /* no SOA: do not keep it */
	return false;
}

static void
collect(const struct answers *all, struct str message, enum dns_type type,
        struct arena *a, struct dns_answer *answer)
{
	struct dns_record *records = ARENA_ARRAY(a, struct dns_record, all->count + 1);

	for (size_t i = 0; i < all->count; i++) {
		const struct raw_record *raw = &all->raw[i];
		struct dns_record *record = &records[answer->count];

		if (raw->type != (unsigned)type || !str_eq(raw->owner, answer->name))
			continue;
		*record = (struct dns_record){ .type = type, .ttl_s = raw->ttl_s };
		if (!record_data(message, raw, a, record))
			continue;
		lower_ttl(&answer->ttl_s, raw->ttl_s);
		answer->count++;
	}
	answer->records = records;
}

/* What the head of an answer says. */
struct head {
	unsigned flags;
	unsigned counts[2]; /* records in the sections answer and authority */
	enum dns_type type;
	struct str asked;
};

static enum err
parse_body(struct reader *r, const struct head *h, struct arena *a,
           struct dns_parsed *out)
{
	struct answers all = {
		.max = h->counts[0] < DNS_RECORDS_MAX ? h->counts[0] : DNS_RECORDS_MAX,
	};
	struct dns_answer *answer = &out->answer;
	unsigned rcode = h->flags & RCODE_MASK;
	bool has_soa;

	all.raw = ARENA_ARRAY(a, struct raw_record, all.max);
	answer->truncated = (h->flags & FLAG_TRUNCATED) || h->counts[0] > DNS_RECORDS_MAX;
	for (size_t i = 0; i < all.max; i++) {
		struct raw_record raw = take_record(r, a);

		if (r->bad)
			return ERR_MALFORMED;
		if (raw.class == CLASS_IN)
			all.raw[all.count++] = raw;
	}
	answer->ttl_s = INT32_MAX;
	answer->name = h->asked;
	if (h->type != DNS_CNAME)
		answer->name = follow(&all, r->message, h->asked, a, &answer->ttl_s);
	if (rcode == 0)
		collect(&all, r->message, h->type, a, answer);
	if (answer->count)
		return OK;
	answer->status = rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	has_soa = all.count < DNS_RECORDS_MAX &&
	          negative_ttl(r, h->counts[1], a, &answer->ttl_s);
	out->is_open = rcode == 0 && !has_soa && !str_eq(answer->name, h->asked);
	return OK;
}

enum err
dns_message_parse(struct str message, struct str query, struct arena *a,
                  struct dns_parsed *out)
{
	struct reader r = { message, 0, false },
		      question = { query, HEADER_BYTES, false };
	struct head h = { 0 };
	unsigned questions, rcode;

	*out = (struct dns_parsed){ 0 };
	(void)take(&r, 2); /* the id was the transport's business */
	h.flags = take(&r, 2);
	questions = take(&r, 2);
	h.counts[0] = take(&r, 2);
	h.counts[1] = take(&r, 2);
	(void)take(&r, 2);
	if (r.bad || !(h.flags & FLAG_RESPONSE) || (h.flags & FLAG_OPCODE) ||
	    questions != 1 || !check_question(&r, query, &out->is_other_case))
		return ERR_MALFORMED;
	h.asked = take_name(&question, a);
	h.type = (enum dns_type)take(&question, 2);
	if (question.bad)
		return ERR_MALFORMED;
	out->answer.name = h.asked;
	out->is_authority = (h.flags & FLAG_AUTHORITY) != 0;
	out->is_truncated = (h.flags & FLAG_TRUNCATED) != 0;
	out->answer.authentic = (h.flags & FLAG_AUTHENTIC) != 0;
	rcode = h.flags & RCODE_MASK;
	if (rcode != 0 && rcode != RCODE_NXDOMAIN) {
		out->answer.status = DNS_TEMP;
		return OK;
	}
	return parse_body(&r, &h, a, out);
}
