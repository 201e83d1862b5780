#include "store/keywords.h"

/* RFC 3501 9: flag-keyword is an atom. */
static bool
is_keyword(struct str name)
{
	if (!name.n || name.n > KEYWORD_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f ||
		    str_find(STR("(){%*\"\\]"), name.p[i]) != SIZE_MAX)
			return false;
	}
	return true;
}

enum err
keywords_load(struct tx *tx, uint64_t mailbox_id, struct keywords *k_out)
{
	struct stmt *s =
		db_query(tx->db, "SELECT bit, name FROM keyword WHERE mailbox_id = $1",
	                 VALUES(V_I(mailbox_id)));

	*k_out = (struct keywords){ .used = 0 };
	while (db_next(s)) {
		uint32_t bit = db_u32(s, 0);

		if (bit < FLAG_KEYWORD_FIRST || bit >= 64)
			continue;
		k_out->names[bit] = arena_str(tx->arena, db_str(s, 1));
		k_out->used |= UINT64_C(1) << bit;
	}
	return db_done(tx->db, &s);
}

static unsigned
keyword_bit(const struct keywords *k, struct str name)
{
	for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++) {
		if (k->used & UINT64_C(1) << bit && str_eq_icase(k->names[bit], name))
			return bit;
	}
	return 64;
}

static enum err
keyword_make(struct tx *tx, uint64_t mailbox_id, struct keywords *k, struct str name,
             unsigned *bit_out)
{
	unsigned bit = FLAG_KEYWORD_FIRST;

	if (!is_keyword(name))
		return ERR_INVALID;
	while (bit < 64 && k->used & UINT64_C(1) << bit)
		bit++;
	if (bit == 64 || bit - FLAG_KEYWORD_FIRST >= tx->limits->keywords_max)
		return ERR_LIMIT;
	k->names[bit] = name;
	k->used |= UINT64_C(1) << bit;
	*bit_out = bit;
	return tx_run(tx,
	              "INSERT INTO keyword (mailbox_id, bit, name) VALUES ($1, $2, $3)",
	              VALUES(V_I(mailbox_id), V_I(bit), V_S(name)));
}

enum err
tx_keywords_bits(struct tx *tx, const struct tx_mailbox *m, const struct str *names,
                 size_t count, uint64_t *flags, bool *made)
{
	struct keywords k;
	enum err e = OK;
	uint64_t known;

	if (!count && *flags <= FLAG_SYSTEM)
		return OK;
	e = keywords_load(tx, m->id, &k);
	known = FLAG_SYSTEM | k.used;
	/* Bits nobody has given a name are no flags. */
	*flags &= known;
	for (size_t i = 0; i < count && e == OK; i++) {
		unsigned bit = keyword_bit(&k, names[i]);

		if (bit == 64 && made) {
			e = keyword_make(tx, m->id, &k, names[i], &bit);
			*made = true;
		}
		if (e == OK && bit < 64)
			*flags |= UINT64_C(1) << bit;
	}
	return e;
}
