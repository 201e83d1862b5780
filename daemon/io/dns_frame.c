#include "io/dns_frame.h"

#include "base/pack.h"

enum {
	TYPE_BYTES = 2,
	LABEL_MAX = 63,
};

static bool
label_check(struct str label)
{
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (c == '\0' || c == '\\' || c == '.' || c != byte_lower(c))
			return false;
	}
	return true;
}

bool
dns_key_check(struct str key)
{
	struct str name = str_from_offset(key, TYPE_BYTES);

	/* At least one label, and the root behind the last. */
	if (name.n < 3 || name.n > DNS_NAME_MAX)
		return false;
	while (name.n) {
		size_t n = (uint8_t)name.p[0];

		if (n == 0)
			return name.n == 1;
		if (n > LABEL_MAX || n >= name.n ||
		    !label_check(str_first(str_from_offset(name, 1), n)))
			return false;
		name = str_from_offset(name, n + 1);
	}
	return false;
}

void
dns_answer_pack(const struct dns_raw *raw, struct strbuf *out)
{
	pack_u8(out, (uint8_t)raw->status);
	pack_u8(out, raw->is_authentic);
	pack_i64(out, raw->ttl_ms);
	pack_str(out, raw->query);
	pack_str(out, raw->message);
}

bool
dns_answer_unpack(struct str bytes, struct dns_raw *raw)
{
	struct unpack u = unpack_from(bytes);
	uint8_t status = unpack_u8(&u);
	uint8_t is_authentic = unpack_u8(&u);

	*raw = (struct dns_raw){
		.status = (enum dns_status)status,
		.is_authentic = is_authentic == 1,
		.ttl_ms = unpack_i64(&u),
	};
	raw->query = unpack_str(&u);
	raw->message = unpack_str(&u);
	return unpack_done(&u) && status <= DNS_BAD_NAME && is_authentic <= 1 &&
	       raw->ttl_ms >= 0 && raw->ttl_ms <= DNS_TTL_MAX_MS &&
	       raw->query.n <= DNS_MESSAGE_MAX && raw->message.n <= DNS_MESSAGE_MAX;
}
