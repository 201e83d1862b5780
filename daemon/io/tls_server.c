/* Certificates and keys out of PEM: what a server shows, and who vouches for others. */
#include "io/tls.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

enum {
	PAIRS_MAX = 4096,
	PEM_MAX = 1 << 20,
	PATH_MAX_BYTES = 8192,
	CHAIN_MAX = 4,          /* certificates above ours looked at */
	ASSOCIATION_MAX = 4096, /* bytes of one */
};

struct tls_server *
tls_server_new(void)
{
	struct tls_server *t = mem_alloc(sizeof(*t));

	t->magic = TLS_SERVER_MAGIC;
	t->certificate_pem = t->key_pem = strbuf_heap(PEM_MAX);
	t->certificate_path = t->key_path = strbuf_heap(PATH_MAX_BYTES);
	return t;
}

static void
forget_waiting(struct tls_server *t)
{
	if (t->key_pem.n)
		OPENSSL_cleanse(t->key_pem.p, t->key_pem.n);
	strbuf_release(&t->certificate_pem);
	strbuf_release(&t->key_pem);
	strbuf_release(&t->certificate_path);
	strbuf_release(&t->key_path);
}

static void
contexts_free(SSL_CTX **contexts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		SSL_CTX_free(contexts[i]); /* lives on in running connections */
	mem_free(contexts);
}

void
tls_server_free(struct tls_server **tp)
{
	struct tls_server *t = *tp;

	if (!t)
		return;
	*tp = NULL;
	forget_waiting(t);
	contexts_free(t->contexts, t->count);
	mem_free(t);
}

bool
tls_server_is_ready(const struct tls_server *t)
{
	return t->count > 0 || t->certificate_pem.n > 0;
}

int64_t
tls_server_expires_ms(struct tls_server *t)
{
	tls_server_use(t);
	return t->expires_ms;
}

/* Only names that can stand in DNS; RFC 9525 6.3 knows no other place for them. */
static void
take_names(const X509 *leaf, struct arena *a, struct tls_certificate *out)
{
	struct str *names = ARENA_ARRAY(a, struct str, TLS_NAMES_MAX);
	GENERAL_NAMES *list = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	int n = list ? sk_GENERAL_NAME_num(list) : 0;

	for (int i = 0; i < n && out->name_count < TLS_NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
		struct str s;

		if (name->type != GEN_DNS)
			continue;
		s = str_make(ASN1_STRING_get0_data(name->d.dNSName),
		             (size_t)ASN1_STRING_length(name->d.dNSName));
		if (s.n && s.n < TLS_NAME_BYTES && str_find(s, '\0') == SIZE_MAX)
			names[out->name_count++] = arena_str(a, s);
	}
	GENERAL_NAMES_free(list);
	ERR_clear_error();
	out->names = names;
}

static void
associate(struct arena *a, struct tls_certificate *out, uint8_t usage, uint8_t selector,
          struct str der)
{
	const EVP_MD *const digests[] = { NULL, EVP_sha256(), EVP_sha512() };

	for (size_t m = 0; m < ARRAY_LEN(digests); m++) {
		uint8_t hash[EVP_MAX_MD_SIZE];
		unsigned n = 0;
		struct str data = der;

		if (m && EVP_Digest(der.p, der.n, hash, &n, digests[m], NULL) == 1)
			data = str_make(hash, n);
		if (data.n > ASSOCIATION_MAX || (m && !n))
			continue;
		out->tlsa[out->tlsa_count++] = (struct dns_tlsa){
			.usage = usage,
			.selector = selector,
			.matching = (uint8_t)m,
			.data = arena_str(a, data),
		};
	}
}

static void
associate_certificate(struct arena *a, struct tls_certificate *out, uint8_t usage,
                      const X509 *x)
{
	uint8_t *whole = NULL, *key = NULL;
	int n = i2d_X509(x, &whole), k = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);

	if (n > 0)
		associate(a, out, usage, 0, str_make(whole, (size_t)n));
	if (k > 0)
		associate(a, out, usage, 1, str_make(key, (size_t)k));
	OPENSSL_free(whole);
	OPENSSL_free(key);
}

static void
take_associations(SSL_CTX *context, const X509 *leaf, struct arena *a,
                  struct tls_certificate *out)
{
	enum {
		EACH = 6, /* two selectors, three matching types */
	};
	STACK_OF(X509) *chain = NULL;
	int n;

	out->tlsa = ARENA_ARRAY(a, struct dns_tlsa, EACH * (1 + CHAIN_MAX));
	associate_certificate(a, out, 3, leaf);
	(void)SSL_CTX_get0_chain_certs(context, &chain);
	n = chain ? sk_X509_num(chain) : 0;
	for (int i = 0; i < n && i < CHAIN_MAX; i++)
		associate_certificate(a, out, 2, sk_X509_value(chain, i));
	ERR_clear_error();
}

bool
tls_server_certificate(struct tls_server *t, struct arena *a, struct tls_certificate *out)
{
	const X509 *leaf;
	uint8_t *der = NULL, hash[32];
	int n;
	bool ok;

	tls_server_use(t);
	leaf = t->count ? SSL_CTX_get0_certificate(t->contexts[0]) : NULL;
	n = leaf ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : 0;
	ok = n > 0 && EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	*out = (struct tls_certificate){ 0 };
	if (!ok)
		return false;
	out->spki_sha256 = arena_str(a, str_make(hash, sizeof(hash)));
	take_names(leaf, a, out);
	take_associations(t->contexts[0], leaf, a, out);
	return true;
}

static enum err
read_file(struct str path, struct strbuf *out, struct diag *diag)
{
	char name[4096];
	struct strbuf b = strbuf_on(name);
	enum err e = OK;
	int fd;

	strbuf_add(&b, path);
	fd = open(strbuf_cstr(&b), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return diag_set(diag, ERR_CONFIG, "%s: %s", name, strerrordesc_np(errno));
	for (;;) {
		char *p = strbuf_reserve(out, 4096);
		ssize_t n = p ? read(fd, p, 4096) : -1;

		if (n <= 0) {
			if (n < 0)
				e = diag_set(diag, ERR_CONFIG, "%s: cannot be read",
				             name);
			break;
		}
		out->n += (size_t)n;
	}
	(void)close(fd);
	return e;
}

/* No pass phrase is ever asked for. */
static int
no_passphrase(char *p, int n, int is_writing, void *arg)
{
	(void)is_writing;
	(void)arg;
	if (n > 0)
		p[0] = '\0';
	return -1;
}

static bool
use_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL), *issuer;
	bool ok = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;

	X509_free(leaf);
	while (ok &&
	       (issuer = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, issuer) != 1) {
			X509_free(issuer);
			ok = false;
		}
	}
	/* The end of the file is the usual end of the chain, and an error to OpenSSL. */
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	return ok && ERR_peek_error() == 0;
}

static bool
use_key(SSL_CTX *ctx, BIO *bio)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	return ok;
}

/* Instead of the system's roots; NULL: those. */
static X509_STORE *trusted;

static bool
use_roots(SSL_CTX *ctx, BIO *bio)
{
	X509_STORE *store = X509_STORE_new();
	size_t count = 0;
	X509 *root;

	(void)ctx;
	while (store && (root = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		count += X509_STORE_add_cert(store, root) == 1;
		X509_free(root);
	}
	if (!count) {
		X509_STORE_free(store);
		return false;
	}
	ERR_clear_error();
	X509_STORE_free(trusted);
	trusted = store;
	return true;
}

static enum err
use_pem(SSL_CTX *ctx, struct str path, struct str pem, bool (*use)(SSL_CTX *, BIO *),
        const char *what, struct diag *diag)
{
	struct strbuf content = strbuf_heap(PEM_MAX);
	enum err e = OK;
	BIO *bio;

	if (pem.n)
		strbuf_add(&content, pem);
	else
		e = read_file(path, &content, diag);
	if (e == OK && content.n) {
		bio = BIO_new_mem_buf(content.p, (int)content.n);
		ERR_clear_error();
		if (!bio || !use(ctx, bio))
			e = diag_set(diag, ERR_CONFIG, "%.*s: no usable %s in it: %s",
			             STR_ARG(path), what, tls_library_error());
		BIO_free(bio);
	} else if (e == OK) {
		e = diag_set(diag, ERR_CONFIG, "%.*s: empty", STR_ARG(path));
	}
	if (content.n)
		OPENSSL_cleanse(content.p, content.n);
	strbuf_release(&content);
	return e;
}

enum err
tls_trust(struct str path, struct str pem, struct diag *diag)
{
	enum err e = OK;

	if (path.n || pem.n) {
		e = use_pem(NULL, path, pem, use_roots, "certificate", diag);
	} else {
		X509_STORE_free(trusted);
		trusted = NULL;
	}
	if (e == OK)
		tls_client_contexts_forget();
	return e;
}

static int64_t
expires_ms(const X509 *leaf)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

static enum err
load_pair(const struct tls_pair *p, SSL_CTX **ctx_out, int64_t *expires_out,
          struct diag *diag)
{
	SSL_CTX *ctx = tls_server_context_new();
	enum err e = use_pem(ctx, p->certificate_path, p->certificate_pem, use_chain,
	                     "certificate", diag);

	if (e == OK)
		e = use_pem(ctx, p->key_path, p->key_pem, use_key, "private key", diag);
	if (e == OK && SSL_CTX_check_private_key(ctx) != 1)
		e = diag_set(diag, ERR_CONFIG,
		             "%.*s: does not belong to the certificate %.*s",
		             STR_ARG(p->key_path), STR_ARG(p->certificate_path));
	ERR_clear_error();
	if (e != OK) {
		SSL_CTX_free(ctx);
		return e;
	}
	*ctx_out = ctx;
	*expires_out = expires_ms(SSL_CTX_get0_certificate(ctx));
	return OK;
}

enum err
tls_server_load(struct tls_server *t, const struct tls_pair *pairs, size_t n,
                struct diag *diag)
{
	int64_t first_ends_ms = 0, ends_ms;
	SSL_CTX **contexts;

	if (!n || n > PAIRS_MAX)
		return diag_set(diag, ERR_CONFIG, "%zu certificates", n);
	contexts = mem_alloc(size_mul(n, sizeof(SSL_CTX *)));
	for (size_t i = 0; i < n; i++) {
		enum err e = load_pair(&pairs[i], &contexts[i], &ends_ms, diag);

		if (e != OK) {
			contexts_free(contexts, i);
			return e;
		}
		if (i == 0)
			first_ends_ms = ends_ms;
		if (ends_ms <= clock_unix_ms())
			log_line(LEVEL_WARN, "tls.certificate.expired", "path=%.*s",
			         STR_ARG(pairs[i].certificate_path));
	}
	forget_waiting(t);
	contexts_free(t->contexts, t->count);
	t->contexts = contexts;
	t->count = n;
	t->expires_ms = first_ends_ms;
	return OK;
}

enum err
tls_server_load_later(struct tls_server *t, const struct tls_pair *pair,
                      struct diag *diag)
{
	if (t->count)
		return tls_server_load(t, pair, 1, diag);
	forget_waiting(t);
	strbuf_add(&t->certificate_pem, pair->certificate_pem);
	strbuf_add(&t->key_pem, pair->key_pem);
	strbuf_add(&t->certificate_path, pair->certificate_path);
	strbuf_add(&t->key_path, pair->key_path);
	return OK;
}

void
tls_server_use(struct tls_server *t)
{
	struct tls_pair pair = {
		.certificate_path = strbuf_str(&t->certificate_path),
		.key_path = strbuf_str(&t->key_path),
		.certificate_pem = strbuf_str(&t->certificate_pem),
		.key_pem = strbuf_str(&t->key_pem),
	};
	struct diag diag = { 0 };

	if (!pair.certificate_pem.n || tls_server_load(t, &pair, 1, &diag) == OK)
		return;
	log_line(LEVEL_ERROR, "tls.refused", "text=\"%s\"", diag.text);
	forget_waiting(t);
}

X509_STORE *
tls_roots(void)
{
	return trusted;
}
