#include "relay/relay_https.h"

#include "base/mem.h"
#include "base/panic.h"
#include "io/stream.h"
#include "policy/http_reply.h"
#include "relay/relay_priv.h"

enum {
	HTTPS_MAGIC = 0x68747073,
	HTTPS_PORT = 443,
	ADDRS_MAX = 6,
	HOST_BYTES = 256,
	FAULT_BYTES = 200,
	CONNECT_MS = 15 * 1000,
	SPARE_BYTES = 4096, /* of chunks, beside head and body */
	PIECE_BYTES = 16 * 1024,
};

struct relay_https {
	uint32_t magic;
	struct relay *relay;
	relay_https_fn *fn;
	void *arg;
	char host_bytes[HOST_BYTES], fault[FAULT_BYTES];
	struct str host;
	const char *path, *type;
	struct str posted, rest; /* … and what of it is still to be sent */
	struct dns_query *a, *aaaa;
	struct addr addrs[ADDRS_MAX];
	size_t count, next;
	bool saw_special, saw_temp;
	struct stream *stream;
	struct stream_limits limits;
	struct tls_client tls;
	struct strbuf input, body;
	struct http_reply reply; /* of the input */
	struct timer timer;
};

static void try_next(struct relay_https *h);

static void
https_free(struct relay_https *h)
{
	dns_cancel(&h->a);
	dns_cancel(&h->aaaa);
	stream_free(&h->stream);
	timer_stop(&h->timer);
	strbuf_release(&h->input);
	strbuf_release(&h->body);
	h->magic = 0;
	mem_free(h);
}

/* The end: h is gone afterwards. */
static void
finish(struct relay_https *h, enum err e, const char *fault)
{
	h->fn(h->arg, e, e == OK ? strbuf_str(&h->body) : (struct str){ 0 }, fault);
	https_free(h);
}

static void
keep_fault(struct relay_https *h, const char *before, struct str words)
{
	struct strbuf b = strbuf_fixed(h->fault, sizeof(h->fault) - 1);

	strbuf_add(&b, str_from(before));
	strbuf_add(&b, str_first(words, sizeof(h->fault) - b.n - 2));
	h->fault[b.n] = '\0';
}

/* ── the reply ── */

static void
judge(struct relay_https *h)
{
	unsigned code = h->reply.status;
	char text[ADDR_TEXT_MAX];
	struct strbuf status = strbuf_on(text);

	if (h->posted.n && code / 100 == 2) {
		strbuf_clear(&h->body);
		finish(h, OK, NULL);
	} else if (h->posted.n && code / 100 == 5) {
		finish(h, ERR_CLOSED, "the server has an error of its own");
	} else if (code != 200) {
		strbuf_u64(&status, code);
		keep_fault(h, "the server answers with status ", strbuf_str(&status));
		finish(h, ERR_NOT_FOUND, h->fault);
	} else if (!str_eq_icase(http_reply_type(&h->reply, strbuf_str(&h->input)),
	                         str_from(h->type))) {
		keep_fault(h, "the answer is not ", str_from(h->type));
		finish(h, ERR_SYNTAX, h->fault);
	} else {
		finish(h, OK, NULL);
	}
}

/* True: it is over. */
static bool
look(struct relay_https *h, bool is_end)
{
	switch (http_reply_parse(&h->reply, strbuf_str(&h->input), is_end, &h->body)) {
	case HTTP_REPLY_MORE:
		return false;
	case HTTP_REPLY_DONE:
		judge(h);
		return true;
	case HTTP_REPLY_BAD:
		break;
	}
	finish(h, ERR_SYNTAX, "the answer is none of HTTP, cut off or too long");
	return true;
}

/* ── the connection ── */

static void
on_data(void *arg)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);
	struct str in = stream_input(h->stream);

	strbuf_add(&h->input, in);
	stream_consume(h->stream, in.n);
	if (h->input.overflow)
		finish(h, ERR_LIMIT, "the answer is too long");
	else
		(void)look(h, false);
}

/* What is posted, as fast as the other side takes it. */
static void
pump(struct relay_https *h)
{
	while (h->rest.n && !stream_is_full(h->stream)) {
		struct str piece = str_first(h->rest, PIECE_BYTES);

		strbuf_add(stream_output(h->stream), piece);
		h->rest = str_from_offset(h->rest, piece.n);
	}
	stream_flush_soon(h->stream);
}

static void
on_drained(void *arg)
{
	pump(CAST(relay_https, HTTPS_MAGIC, arg));
}

static void
on_secured(void *arg)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);
	struct strbuf *out = stream_output(h->stream);

	strbuf_printf(out,
	              "%s %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: Mailstead\r\n"
	              "%s: %s\r\nConnection: close\r\n",
	              h->posted.n ? "POST" : "GET", h->path, STR_ARG(h->host),
	              h->posted.n ? "Content-Type" : "Accept", h->type);
	if (h->posted.n)
		strbuf_printf(out, "Content-Length: %zu\r\n", h->posted.n);
	strbuf_lit(out, "\r\n");
	h->rest = h->posted;
	pump(h);
}

static void
on_connected(void *arg)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);
	size_t dropped;

	h->tls = (struct tls_client){ .name = h->host, .check = TLS_CHECK_NAME };
	stream_start_tls_client(h->stream, &h->tls, &dropped);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);
	struct str words = str_from(detail && detail[0] ? detail : stream_end_text(why));

	if (h->input.n) {
		if (!look(h, true))
			finish(h, ERR_CLOSED, "the connection broke");
		return;
	}
	/* The words are the stream's. */
	keep_fault(h, why == STREAM_TLS_VERIFY ? RELAY_HTTPS_BAD_CERTIFICATE : "", words);
	stream_free(&h->stream);
	try_next(h);
}

static const struct stream_ops ops = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.connected = on_connected,
	.closed = on_closed,
};

static void
try_next(struct relay_https *h)
{
	struct stream_target target = { .timeout_ms = CONNECT_MS };

	if (h->next == h->count) {
		finish(h, ERR_CONNECT, h->fault);
		return;
	}
	target.to = h->addrs[h->next++];
	h->stream = stream_connect(h->relay->loop, &target, &ops, &h->limits, h);
}

static void
on_timeout(void *arg)
{
	finish(CAST(relay_https, HTTPS_MAGIC, arg), ERR_TIMEOUT, "it takes too long");
}

/* ── names ── */

static void
take(struct relay_https *h, const struct dns_answer *answer)
{
	bool may_be_private = h->relay->conf->delivery_private_targets;

	h->saw_temp = h->saw_temp || answer->status == DNS_TEMP;
	for (size_t i = 0; i < answer->count && h->count < ADDRS_MAX; i++) {
		struct addr a = answer->records[i].addr;

		if (addr_is_special(&a) && !may_be_private) {
			h->saw_special = true;
			continue;
		}
		a.port = HTTPS_PORT;
		h->addrs[h->count++] = a;
	}
}

static void
resolved(struct relay_https *h)
{
	if (h->a || h->aaaa)
		return;
	if (h->count)
		try_next(h);
	else if (h->saw_special)
		finish(h, ERR_FORBIDDEN, "its addresses are not of the Internet");
	else if (h->saw_temp)
		finish(h, ERR_DNS_TEMP, "its name could not be looked up");
	else
		finish(h, ERR_DNS_NODATA, "its name has no address");
}

static void
on_a(void *arg, const struct dns_answer *answer)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);

	h->a = NULL;
	take(h, answer);
	resolved(h);
}

static void
on_aaaa(void *arg, const struct dns_answer *answer)
{
	struct relay_https *h = CAST(relay_https, HTTPS_MAGIC, arg);

	h->aaaa = NULL;
	take(h, answer);
	resolved(h);
}

struct relay_https *
relay_https_get(struct relay *r, const struct relay_https_request *request,
                relay_https_fn *fn, void *arg)
{
	struct relay_https *h = mem_alloc(sizeof(*h));
	struct strbuf name = strbuf_on(h->host_bytes);

	*h = (struct relay_https){
		.magic = HTTPS_MAGIC,
		.relay = r,
		.fn = fn,
		.arg = arg,
		.path = request->path,
		.type = request->type,
		.posted = request->posted,
		.limits = stream_limits_default,
		.input = strbuf_heap(HTTP_REPLY_HEAD_MAX + 2 * request->body_max +
		                     SPARE_BYTES),
		.body = strbuf_heap(request->body_max),
	};
	strbuf_add(&name, request->host);
	h->host = strbuf_str(&name);
	timer_init(&h->timer, r->loop, on_timeout, h);
	timer_set(&h->timer, RELAY_HTTPS_MS);
	h->a = dns_ask(r->dns, h->host, DNS_A, on_a, h);
	h->aaaa = dns_ask(r->dns, h->host, DNS_AAAA, on_aaaa, h);
	return h;
}

void
relay_https_cancel(struct relay_https **hp)
{
	struct relay_https *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	CHECK(h->magic == HTTPS_MAGIC);
	https_free(h);
}
