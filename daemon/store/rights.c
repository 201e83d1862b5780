#include "store/rights.h"

#include "base/mem.h"
#include "base/pack.h"
#include "ext/crypto.h"

#include <string.h>

static const struct {
	struct str name;
	unsigned bit;
} roles[] = {
	{ STR_INIT("smtp"), BY_SMTP },
	{ STR_INIT("imap"), BY_IMAP },
	{ STR_INIT("queue"), BY_QUEUE },
	{ STR_INIT("web"), BY_WEB },
};

static const uint8_t by[] = {
#define OP(name, answer, way, by) by,
#include "store/ops.def"
#undef OP
};
_Static_assert(ARRAY_LEN(by) == OP_COUNT, "rights for each operation");

unsigned
rights_of_role(struct str role)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (str_eq(role, roles[i].name))
			return roles[i].bit;
	}
	return 0;
}

bool
rights_have(unsigned rights, enum op op)
{
	return (rights & by[op]) != 0;
}

bool
rights_have_feed(unsigned rights, const struct op_subscribe_feed *feed)
{
	unsigned want = 0;

	if (feed->all_accounts || feed->accounts_count)
		want = BY_IMAP | BY_WEB;
	if (want && !(rights & want))
		return false;
	if (feed->queue && !(rights & (BY_QUEUE | BY_WEB)))
		return false;
	return !feed->events || (rights & BY_WEB);
}

/* One way only: nobody finds the number that makes another's out of his own. */
uint64_t
rights_epoch(int pid, uint64_t epoch)
{
	char bytes[16];
	struct strbuf b = strbuf_on(bytes);
	struct sha256 digest;
	struct unpack u;

	pack_i64(&b, pid);
	pack_u64(&b, epoch);
	digest = sha256_of(strbuf_str(&b));
	u = unpack_from(sha256_str(&digest));
	return unpack_u64(&u);
}

struct peers {
	struct peer all[PEERS_MAX];
	size_t count;
};

struct peers *
peers_new(void)
{
	return mem_alloc(sizeof(struct peers));
}

void
peers_free(struct peers **p)
{
	mem_free(*p);
	*p = NULL;
}

struct peer *
peers_find(struct peers *p, int pid)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->all[i].pid == pid)
			return &p->all[i];
	}
	return NULL;
}

void
peers_remove(struct peers *p, int pid)
{
	struct peer *peer = peers_find(p, pid);

	if (peer)
		*peer = p->all[--p->count];
}

void
peers_set(struct peers *p, int pid, struct str role, unsigned rights)
{
	struct peer *peer;

	peers_remove(p, pid);
	if (p->count == PEERS_MAX || pid <= 0)
		return;
	peer = &p->all[p->count++];
	*peer = (struct peer){ .pid = pid, .rights = rights };
	role = str_first(role, sizeof(peer->role) - 1);
	memcpy(peer->role, role.p, role.n);
}
