/* dkim_bench - what signing and verifying cost beside the bare operations.
 *
 * Prints lines "NAME MICROSECONDS" of CPU time: whole messages of 4 KiB and 1 MiB through
 * policy/dkim_sign.h and dkim_verify.h, with keys that were used before.
 *
 *     build/dkim_bench [SECONDS a line]
 */
#include "ext/crypto.h"
#include "policy/dkim_sign.h"
#include "policy/dkim_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	ARENA_BYTES = 16 << 20,
	PIECE_BYTES = 64 << 10, /* as the store reads */
	SMALL_BYTES = 4 << 10,
	LARGE_BYTES = 1 << 20,
	RECORD_MAX = 1024,
};

#define NOW_MS INT64_C(1795439162000)

struct bench {
	struct arena *arena, *scratch;
	struct crypto_key *key;
	struct str header, body, field, record;
	double seconds;
};

static double
cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
give_body(struct str body, void (*add)(void *to, struct str bytes), void *to)
{
	for (size_t i = 0; i < body.n; i += PIECE_BYTES)
		add(to, str_first(str_from_offset(body, i), PIECE_BYTES));
}

static void
to_signer(void *to, struct str bytes)
{
	dkim_signer_body(to, bytes);
}

static void
to_verifier(void *to, struct str bytes)
{
	dkim_verifier_body(to, bytes);
}

static void
sign_once(struct bench *b, struct strbuf *out)
{
	struct dkim_signing_key key = { STR("bench.example"), STR("k"), b->key };
	struct dkim_signer *s = dkim_signer_new(b->scratch);

	dkim_signer_header(s, b->header);
	give_body(b->body, to_signer, s);
	if (dkim_signer_end(s, &key, 1, NOW_MS, 0, out) != OK)
		exit(1);
	dkim_signer_free(&s);
}

static void
sign(struct bench *b)
{
	struct strbuf out = strbuf_arena(b->scratch, 1 << 14);

	sign_once(b, &out);
}

static void
verify(struct bench *b)
{
	struct dkim_verifier *v = dkim_verifier_new(b->scratch);
	struct lookups *l = lookups_new(b->scratch, LOOKUPS_MAX);
	struct dns_record record = { .type = DNS_TXT, .text = b->record };
	struct dns_answer answer = { .status = DNS_OK, .count = 1, .records = &record };
	struct lookup *q;

	dkim_verifier_header(v, b->field);
	give_body(b->body, to_verifier, v);
	dkim_verifier_end(v);
	while (dkim_verifier_check(v, NOW_MS, l) == POLICY_NEED)
		while ((q = lookups_next(l)))
			lookups_answer(q, &answer);
	if (dkim_verifier_verdict(v, 0)->result != DKIM_PASS)
		exit(1);
	dkim_verifier_free(&v);
}

static void
hash(struct bench *b)
{
	(void)sha256_of(b->body);
}

static void
measure(struct bench *b, const char *name, size_t bytes, void (*once)(struct bench *b))
{
	double begin, took = 0;
	size_t count = 0;

	once(b); /* what is made once is made */
	for (begin = cpu_s(); took < b->seconds; took = cpu_s() - begin, count++) {
		once(b);
		arena_rewind(b->scratch);
	}
	printf("%s_%zuk %.2f\n", name, bytes >> 10, took / (double)count * 1e6);
}

static void
make_message(struct bench *b, size_t bytes)
{
	struct strbuf body = strbuf_arena(b->arena, bytes + 128),
		      whole = strbuf_arena(b->arena, 1 << 14);

	b->header = STR("From: Ann <ann@bench.example>\r\nTo: Bob <bob@home.example>\r\n"
	                "Subject: Figures of the last week\r\n"
	                "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
	                "Message-ID: <1@bench.example>\r\nMIME-Version: 1.0\r\n"
	                "Content-Type: text/plain; charset=utf-8\r\n");
	while (body.n + 80 < bytes)
		strbuf_lit(&body, "What was said about the figures of the last week, and "
		                  "what was not.\r\n");
	b->body = strbuf_str(&body);
	sign_once(b, &whole);
	strbuf_add(&whole, b->header);
	b->field = strbuf_str(&whole);
}

static void
run(struct bench *b, enum crypto_key_kind kind, const char *name)
{
	static const size_t sizes[] = { SMALL_BYTES, LARGE_BYTES };
	struct strbuf record = strbuf_arena(b->arena, RECORD_MAX);
	char label[64];

	b->key = crypto_key_generate(kind);
	strbuf_printf(&record,
	              "v=DKIM1; k=%s; p=", kind == CRYPTO_RSA ? "rsa" : "ed25519");
	crypto_key_format_public(b->key, &record);
	b->record = strbuf_str(&record);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		make_message(b, sizes[i]);
		(void)snprintf(label, sizeof(label), "sign_%s", name);
		measure(b, label, sizes[i], sign);
		(void)snprintf(label, sizeof(label), "verify_%s", name);
		measure(b, label, sizes[i], verify);
		if (kind == CRYPTO_RSA)
			measure(b, "sha256", sizes[i], hash);
	}
	crypto_key_free(&b->key);
}

int
main(int argc, char **argv)
{
	struct bench b = {
		.arena = arena_new(ARENA_BYTES),
		.scratch = arena_new(ARENA_BYTES),
		.seconds = argc > 1 ? strtod(argv[1], NULL) : 1,
	};

	run(&b, CRYPTO_RSA, "rsa2048");
	run(&b, CRYPTO_ED25519, "ed25519");
	arena_free(&b.arena);
	arena_free(&b.scratch);
	return 0;
}
