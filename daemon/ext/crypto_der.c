/* The two forms in which RSA keys are published. Read here and not by OpenSSL, whose
   decoders take ten times as long as the verification that follows, and so that the size
   of what a stranger published is known before anything computes with it. */
#include "ext/crypto_priv.h"

enum {
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	LENGTH_BYTES_MAX = 3, /* no key of ours has 16 MiB */
};

/* 1.2.840.113549.1.1.1 (RFC 8017 A.1) */
#define RSA_ENCRYPTION STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")

/* Takes one element with that tag off *rest; false where none stands there whole. */
static bool
take(struct str *rest, uint8_t tag, struct str *value_out)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	size_t length, head = 2;

	if (rest->n < 2 || p[0] != tag)
		return false;
	length = p[1];
	if (length > 0x80) {
		size_t n = length & 0x7f;

		if (n > LENGTH_BYTES_MAX || rest->n < 2 + n)
			return false;
		head = 2 + n;
		length = 0;
		for (size_t i = 0; i < n; i++)
			length = length << 8 | p[2 + i];
	} else if (length == 0x80) {
		return false; /* the indefinite form is not DER */
	}
	if (rest->n - head < length)
		return false;
	*value_out = str_first(str_from_offset(*rest, head), length);
	*rest = str_from_offset(*rest, head + length);
	return true;
}

/* A positive number, without leading zeros. */
static bool
take_number(struct str *rest, struct str *number_out)
{
	struct str n;

	if (!take(rest, DER_INTEGER, &n) || !n.n || (n.p[0] & 0x80))
		return false;
	while (n.n && !n.p[0])
		n = str_from_offset(n, 1);
	*number_out = n;
	return n.n > 0;
}

static bool
parse_rsa(struct str der, struct crypto_rsa_public *rsa_out)
{
	struct str numbers;

	return take(&der, DER_SEQUENCE, &numbers) && !der.n &&
	       take_number(&numbers, &rsa_out->modulus) &&
	       take_number(&numbers, &rsa_out->exponent) && !numbers.n;
}

enum err
crypto_der_rsa_public(struct str der, struct crypto_rsa_public *rsa_out)
{
	struct str rest = der, info, algorithm, oid, bits;

	if (parse_rsa(der, rsa_out))
		return OK;
	/* What stands behind the algorithm's name is NULL or left out: it says nothing. */
	if (!take(&rest, DER_SEQUENCE, &info) || rest.n ||
	    !take(&info, DER_SEQUENCE, &algorithm) || !take(&algorithm, DER_OID, &oid) ||
	    !str_eq(oid, RSA_ENCRYPTION) || !take(&info, DER_BIT_STRING, &bits) || info.n)
		return ERR_MALFORMED;
	/* The first byte counts the bits that are missing from the last one. */
	if (!bits.n || bits.p[0] || !parse_rsa(str_from_offset(bits, 1), rsa_out))
		return ERR_MALFORMED;
	return OK;
}
