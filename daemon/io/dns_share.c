#include "io/dns_share.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/dns_frame.h"
#include "io/dns_priv.h"
#include "io/ipc.h"

enum {
	SHARE_MAGIC = 0x646e7373,
	ASKER_MAGIC = 0x646e736b,
	ASKED_MAGIC = 0x646e7361,
};

struct dns_share {
	uint32_t magic;
	struct dns *dns;
	struct ipc_server *server;
	struct link askers;
	uint64_t last_id;
	size_t out_max;
	struct strbuf scratch;
};

/* A process that asks. */
struct asker {
	uint32_t magic;
	uint64_t id; /* none of them keeps the others waiting */
	struct dns_share *share;
	struct ipc_peer *peer;
	struct link link;
	struct link asked;
	size_t out;
};

struct asked {
	uint32_t magic;
	struct asker *asker;
	struct link link;
	struct dns_query *query;
	uint64_t id;
};

static void
send_answer(struct asker *a, uint64_t id, const struct dns_raw *raw)
{
	struct strbuf *b = &a->share->scratch;

	strbuf_clear(b);
	dns_answer_pack(raw, b);
	ipc_send(a->peer, DNS_FRAME_ANSWER, id, strbuf_str(b));
}

static void
asked_free(struct asked *q)
{
	dns_cancel(&q->query);
	list_remove(&q->link);
	q->asker->out--;
	q->magic = 0;
	mem_free(q);
}

static void
on_answer(void *arg, const struct dns_raw *raw)
{
	struct asked *q = CAST(asked, ASKED_MAGIC, arg);

	q->query = NULL;
	send_answer(q->asker, q->id, raw);
	asked_free(q);
}

static void
on_opened(void *arg, struct ipc_peer *peer)
{
	struct dns_share *s = CAST(dns_share, SHARE_MAGIC, arg);
	struct asker *a = mem_alloc(sizeof(*a));

	a->magic = ASKER_MAGIC;
	a->share = s;
	a->id = ++s->last_id;
	a->peer = peer;
	list_init(&a->asked);
	list_add_last(&s->askers, &a->link);
	ipc_set_data(peer, a);
}

/* It may be answered already. */
static void
cancel(struct asker *a, uint64_t id)
{
	LIST_EACH(&a->asked, l)
	{
		struct asked *q = CONTAINER_OF(l, struct asked, link);

		if (q->id == id) {
			asked_free(q);
			return;
		}
	}
}

static void
on_message(void *arg, struct ipc_peer *peer, const struct ipc_message *m)
{
	static const struct dns_raw too_many = { .status = DNS_TEMP };
	struct dns_share *s = CAST(dns_share, SHARE_MAGIC, arg);
	struct asker *a = CAST(asker, ASKER_MAGIC, ipc_data(peer));
	struct asked *q;

	if (m->kind == DNS_FRAME_CANCEL && m->payload.n == 0) {
		cancel(a, m->id);
		return;
	}
	if (m->kind != DNS_FRAME_ASK || !dns_key_check(m->payload)) {
		ipc_close(peer, "no question");
		return;
	}
	if (a->out >= s->out_max || ipc_is_full(peer)) {
		send_answer(a, m->id, &too_many);
		return;
	}
	q = mem_alloc(sizeof(*q));
	q->magic = ASKED_MAGIC;
	q->asker = a;
	q->id = m->id;
	a->out++;
	list_add_last(&a->asked, &q->link);
	q->query = dns_ask_raw(s->dns, m->payload, on_answer, q);
	dns_query_group(q->query, a->id);
}

static void
asker_free(struct asker *a)
{
	while (!list_is_empty(&a->asked))
		asked_free(CONTAINER_OF(a->asked.next, struct asked, link));
	list_remove(&a->link);
	a->magic = 0;
	mem_free(a);
}

static void
on_closed(void *arg, struct ipc_peer *peer, const char *why)
{
	(void)arg;
	(void)why;
	if (ipc_data(peer))
		asker_free(CAST(asker, ASKER_MAGIC, ipc_data(peer)));
}

static const struct ipc_ops callbacks = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
};

struct dns_share *
dns_share_new(struct loop *l, int fd, struct dns *dns, size_t out_max)
{
	struct dns_share *s = mem_alloc(sizeof(*s));

	s->magic = SHARE_MAGIC;
	s->dns = dns;
	s->out_max = out_max;
	s->scratch = strbuf_heap(DNS_ANSWER_MAX);
	list_init(&s->askers);
	s->server = ipc_server_new(l, fd, &callbacks, s);
	return s;
}

void
dns_share_set_max(struct dns_share *s, size_t out_max)
{
	s->out_max = out_max;
}

void
dns_share_free(struct dns_share **sp)
{
	struct dns_share *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	while (!list_is_empty(&s->askers))
		asker_free(CONTAINER_OF(s->askers.next, struct asker, link));
	ipc_server_free(&s->server);
	strbuf_release(&s->scratch);
	s->magic = 0;
	mem_free(s);
}
