/* dkim_bench - what signing and verifying cost beside the bare operations.
 *
 * Prints lines "NAME MICROSECONDS BARE RATIO" of CPU time: whole messages of 4 KiB and
 * 1 MiB through policy/dkim_sign.h and dkim_verify.h, with keys used before, and
 * the RSA or Ed25519 operation with SHA-256 over header and text, as `openssl speed` has
 * it, measured in turns with it (to reach: 1.3).
 *
 *     build/dkim_bench [SECONDS a line [LINE]]
 */
#include "ext/crypto.h"
#include "policy/dkim_sign.h"
#include "policy/dkim_verify.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ARENA_BYTES = 16 << 20,
	PIECE_BYTES = 64 << 10, /* as the store reads */
	SMALL_BYTES = 4 << 10,
	LARGE_BYTES = 1 << 20,
	RECORD_MAX = 1024,
};

#define SLICE_S 0.01
#define NOW_MS  INT64_C(1795439162000)

struct bare;

struct bench {
	struct arena *arena, *scratch;
	struct crypto_key *key;
	struct bare *bare;
	struct str header, body, field, record;
	double seconds;
	const char *only; /* the one line wanted, or NULL */
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

/* --- the bare operations, as `openssl speed` has them ------------------------------ */

/* What is set up once is ready. */
struct bare {
	enum crypto_key_kind kind;
	EVP_MD *sha256;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *sign, *verify;         /* RSA */
	EVP_MD_CTX *sign_once, *verify_once; /* Ed25519 */
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t size;
};

static void
must(bool done)
{
	if (!done)
		exit(1);
}

static void
bare_digest(const struct bench *b, uint8_t *digest)
{
	const struct str parts[] = { b->header, b->body };
	unsigned n;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		must(EVP_Digest(parts[i].p, parts[i].n, digest, &n, b->bare->sha256,
		                NULL) == 1);
}

static void
bare_sign(struct bench *b)
{
	uint8_t digest[SHA256_BYTES];
	struct bare *x = b->bare;

	bare_digest(b, digest);
	x->size = sizeof(x->signature);
	if (x->kind == CRYPTO_RSA)
		must(EVP_PKEY_sign(x->sign, x->signature, &x->size, digest,
		                   sizeof(digest)) == 1);
	else
		must(EVP_DigestSign(x->sign_once, x->signature, &x->size, digest,
		                    sizeof(digest)) == 1);
}

static void
bare_verify(struct bench *b)
{
	uint8_t digest[SHA256_BYTES];
	struct bare *x = b->bare;

	bare_digest(b, digest);
	if (x->kind == CRYPTO_RSA)
		must(EVP_PKEY_verify(x->verify, x->signature, x->size, digest,
		                     sizeof(digest)) == 1);
	else
		must(EVP_DigestVerify(x->verify_once, x->signature, x->size, digest,
		                      sizeof(digest)) == 1);
}

static EVP_PKEY_CTX *
rsa_ready(EVP_PKEY *pkey, EVP_MD *md, int (*init)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

	must(ctx && init(ctx) == 1 &&
	     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	     EVP_PKEY_CTX_set_signature_md(ctx, md) == 1);
	return ctx;
}

static void
bare_open(struct bare *x, enum crypto_key_kind kind)
{
	*x = (struct bare){ .kind = kind, .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL) };
	x->pkey = kind == CRYPTO_RSA ? EVP_RSA_gen(CRYPTO_RSA_BITS)
	                             : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	must(x->sha256 && x->pkey);
	if (kind == CRYPTO_RSA) {
		x->sign = rsa_ready(x->pkey, x->sha256, EVP_PKEY_sign_init);
		x->verify = rsa_ready(x->pkey, x->sha256, EVP_PKEY_verify_init);
		return;
	}
	x->sign_once = EVP_MD_CTX_new();
	x->verify_once = EVP_MD_CTX_new();
	must(x->sign_once && x->verify_once &&
	     EVP_DigestSignInit(x->sign_once, NULL, NULL, NULL, x->pkey) == 1 &&
	     EVP_DigestVerifyInit(x->verify_once, NULL, NULL, NULL, x->pkey) == 1);
}

static void
bare_close(struct bare *x)
{
	EVP_PKEY_CTX_free(x->sign);
	EVP_PKEY_CTX_free(x->verify);
	EVP_MD_CTX_free(x->sign_once);
	EVP_MD_CTX_free(x->verify_once);
	EVP_PKEY_free(x->pkey);
	EVP_MD_free(x->sha256);
}

/* --- beside each other -------------------------------------------------------------- */

/* Seconds that one call takes, of a few in a row. */
static double
slice(struct bench *b, void (*once)(struct bench *b), unsigned calls)
{
	double begin = cpu_s();

	for (unsigned i = 0; i < calls; i++) {
		once(b);
		arena_rewind(b->scratch);
	}
	return (cpu_s() - begin) / calls;
}

static double
least(double a, double b)
{
	return a < b ? a : b;
}

/* In turns, so that what else the machine does hits both alike; of each the slice that
   was disturbed least. */
static void
measure(struct bench *b, const char *name, void (*ours)(struct bench *b),
        void (*bare)(struct bench *b))
{
	double begin, best = 1e9, best_bare = 1e9;
	unsigned calls;

	if (b->only && strcmp(b->only, name) != 0)
		return;
	bare_sign(b);
	(void)slice(b, ours, 1); /* what is made once is made */
	calls = 1 + (unsigned)(SLICE_S / slice(b, ours, 1));
	for (begin = cpu_s(); cpu_s() - begin < b->seconds;) {
		best = least(best, slice(b, ours, calls));
		best_bare = least(best_bare, slice(b, bare, calls));
	}
	printf("%-22s %10.2f %10.2f %6.2f\n", name, best * 1e6, best_bare * 1e6,
	       best / best_bare);
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

	bare_open(b->bare, kind);
	b->key = crypto_key_generate(kind);
	strbuf_printf(&record,
	              "v=DKIM1; k=%s; p=", kind == CRYPTO_RSA ? "rsa" : "ed25519");
	crypto_key_format_public(b->key, &record);
	b->record = strbuf_str(&record);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		make_message(b, sizes[i]);
		(void)snprintf(label, sizeof(label), "sign_%s_%zuk", name,
		               sizes[i] >> 10);
		measure(b, label, sign, bare_sign);
		(void)snprintf(label, sizeof(label), "verify_%s_%zuk", name,
		               sizes[i] >> 10);
		measure(b, label, verify, bare_verify);
	}
	bare_close(b->bare);
	crypto_key_free(&b->key);
}

int
main(int argc, char **argv)
{
	struct bare bare;
	struct bench b = {
		.arena = arena_new(ARENA_BYTES),
		.scratch = arena_new(ARENA_BYTES),
		.bare = &bare,
		.seconds = argc > 1 ? strtod(argv[1], NULL) : 1,
		.only = argc > 2 ? argv[2] : NULL,
	};

	run(&b, CRYPTO_RSA, "rsa2048");
	run(&b, CRYPTO_ED25519, "ed25519");
	arena_free(&b.arena);
	arena_free(&b.scratch);
	return 0;
}
