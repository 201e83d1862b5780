#include "io/tls.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "io/tls_memory.h"
#include "io/tls_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
	CONN_MAGIC = 0x746c7363,
	ERROR_MAX = 160,
};

/* TLS 1.2: ephemeral keys and AEAD only. TLS 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_conn {
	uint32_t magic;
	enum tls_alpn alpn;
	SSL *ssl;
	struct tls_server *server; /* NULL: a client */
	bool is_up, is_broken, said_goodbye;
	char error[ERROR_MAX];
	struct tls_info info;
};

static const struct str alpn_words[] = {
	[TLS_ALPN_NONE] = STR_INIT(""),         [TLS_ALPN_SMTP] = STR_INIT("smtp"),
	[TLS_ALPN_IMAP] = STR_INIT("imap"),     [TLS_ALPN_POP3] = STR_INIT("pop3"),
	[TLS_ALPN_HTTP] = STR_INIT("http/1.1"),
};

const char *
tls_library_error(void)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : code ? "unknown error" : "connection lost";
}

bool
tls_init(void)
{
	bool ok = CRYPTO_set_mem_functions(tls_memory_alloc, tls_memory_grow,
	                                   tls_memory_free) == 1;

	(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	return ok;
}

/* ── contexts ── */

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
        const unsigned char *in, unsigned int in_n, void *arg)
{
	struct tls_conn *c = CAST(tls_conn, CONN_MAGIC, SSL_get_app_data(ssl));
	struct str ours = alpn_words[c->alpn];
	unsigned int i = 0;

	(void)arg;
	while (i < in_n) {
		unsigned int n = in[i++];

		if (n > in_n - i)
			break;
		if (ours.n && str_eq(str_make(in + i, n), ours)) {
			*out = in + i;
			*out_n = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
		i += n;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_sni(SSL *ssl, int *alert, void *arg)
{
	struct tls_conn *c = CAST(tls_conn, CONN_MAGIC, SSL_get_app_data(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_server *t = c->server;

	(void)arg;
	*alert = SSL_AD_UNRECOGNIZED_NAME; /* not sent: an unknown name is no error */
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < t->count; i++) {
		X509 *leaf = SSL_CTX_get0_certificate(t->contexts[i]);

		if (X509_check_host(leaf, name, 0, 0, NULL) == 1) {
			(void)SSL_set_SSL_CTX(ssl, t->contexts[i]);
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
context_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	CHECK(ctx);
	CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
	                                       SSL_OP_IGNORE_UNEXPECTED_EOF |
	                                       SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                       SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	                                    SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

SSL_CTX *
tls_server_context_new(void)
{
	SSL_CTX *ctx = context_new(TLS_server_method());

	CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
	return ctx;
}

/* Made once and kept, one for each enum tls_check. */
static SSL_CTX *client_contexts[TLS_CHECK_DANE + 1];

static void
trust_roots(SSL_CTX *ctx, enum tls_check check)
{
	X509_STORE *own = tls_roots();

	if (own) {
		SSL_CTX_set1_cert_store(ctx, own);
		return;
	}
	/* Roots by hashed directory are read when they are needed; the one big file would
	   cost megabytes in every process that only wants opportunistic TLS. */
	(void)SSL_CTX_set_default_verify_dir(ctx);
	if (check == TLS_CHECK_NAME)
		(void)SSL_CTX_set_default_verify_file(ctx);
}

void
tls_client_contexts_forget(void)
{
	for (size_t i = 0; i < ARRAY_LEN(client_contexts); i++) {
		SSL_CTX_free(client_contexts[i]); /* lives on in running connections */
		client_contexts[i] = NULL;
	}
}

static SSL_CTX *
client_context(enum tls_check check)
{
	SSL_CTX *ctx = client_contexts[check];
	bool is_strict = check >= TLS_CHECK_NAME;

	if (ctx)
		return ctx;
	ctx = context_new(TLS_client_method());
	trust_roots(ctx, check);
	/* Weak keys on the other side are still better than no TLS (RFC 7435). */
	CHECK(SSL_CTX_set_cipher_list(ctx, is_strict ? CIPHERS : "DEFAULT:@SECLEVEL=1") ==
	      1);
	SSL_CTX_set_verify(ctx, is_strict ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (check == TLS_CHECK_DANE)
		CHECK(SSL_CTX_dane_enable(ctx) == 1);
	client_contexts[check] = ctx;
	return ctx;
}

/* ── connections ── */

static struct tls_conn *
conn_new(SSL_CTX *ctx, int fd)
{
	struct tls_conn *c;
	SSL *ssl = SSL_new(ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	c = mem_alloc(sizeof(*c));
	c->magic = CONN_MAGIC;
	c->ssl = ssl;
	SSL_set_app_data(ssl, c);
	return c;
}

struct tls_conn *
tls_conn_server(struct tls_server *t, int fd, enum tls_alpn alpn)
{
	struct tls_conn *c;

	CHECK(t->magic == TLS_SERVER_MAGIC);
	tls_server_use(t);
	c = t->count ? conn_new(t->contexts[0], fd) : NULL;
	if (!c)
		return NULL;
	c->alpn = alpn;
	c->server = t;
	SSL_set_accept_state(c->ssl);
	return c;
}

/* False: the name cannot be one. */
static bool
name_cstr(struct str name, char (*bytes)[TLS_NAME_BYTES])
{
	struct strbuf b = strbuf_on(*bytes);

	strbuf_add(&b, name);
	return name.n && !b.overflow && b.n < sizeof(*bytes) && strbuf_cstr(&b)[0];
}

/* The records that OpenSSL can use. It knows RFC 6698 and RFC 7671: of usage 3 neither
   names nor times are looked at. */
static void
set_dane(SSL *ssl, const struct tls_client *client, const char *name)
{
	char other[TLS_NAME_BYTES];
	bool has_any = false;

	if (SSL_dane_enable(ssl, name) <= 0) {
		ERR_clear_error();
		return; /* the chain is checked as for TLS_CHECK_NAME, which is more */
	}
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (name_cstr(client->other_name, &other))
		(void)SSL_add1_host(ssl, other);
	for (size_t i = 0; i < client->tlsa_count; i++) {
		const struct dns_tlsa *t = &client->tlsa[i];

		if (SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching,
		                      (const unsigned char *)t->data.p, t->data.n) > 0)
			has_any = true;
	}
	ERR_clear_error();
	if (!has_any) /* RFC 7672 2.2 */
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
}

struct tls_conn *
tls_conn_client(const struct tls_client *client, int fd)
{
	struct tls_conn *c = conn_new(client_context(client->check), fd);
	char name[TLS_NAME_BYTES];

	if (!c)
		return NULL;
	if (name_cstr(client->name, &name)) {
		(void)SSL_set_tlsext_host_name(c->ssl, name);
		SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		(void)SSL_set1_host(c->ssl, name);
		if (client->check == TLS_CHECK_DANE)
			set_dane(c->ssl, client, name);
	}
	SSL_set_connect_state(c->ssl);
	return c;
}

void
tls_conn_free(struct tls_conn **cp)
{
	struct tls_conn *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	SSL_free(c->ssl);
	mem_free(c);
}

static void
set_error(struct tls_conn *c, const char *text)
{
	struct strbuf b = strbuf_fixed(c->error, sizeof(c->error) - 1);

	strbuf_add(&b, str_first(str_from(text), sizeof(c->error) - 2));
	c->error[b.n] = '\0';
}

/* What OpenSSL's result r means. */
static enum tls_want
judge(struct tls_conn *c, int r)
{
	int saved = errno;

	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_EOF;
	case SSL_ERROR_SYSCALL:
		c->is_broken = true;
		if (ERR_peek_error() == 0) {
			set_error(c, saved ? strerrordesc_np(saved) : "connection lost");
			return TLS_FAILED;
		}
		break;
	default:
		c->is_broken = true;
		break;
	}
	set_error(c, tls_library_error());
	return TLS_FAILED;
}

static void
fill_info(struct tls_conn *c)
{
	struct tls_info *info = &c->info;
	long result;
	X509 *leaf;

	info->version = SSL_get_version(c->ssl);
	info->cipher = SSL_get_cipher_name(c->ssl);
	info->bits = SSL_get_cipher_bits(c->ssl, NULL);
	info->resumed = SSL_session_reused(c->ssl) == 1;
	info->verify_text = "";
	if (c->server)
		return;
	result = SSL_get_verify_result(c->ssl);
	info->verified = result == X509_V_OK;
	info->verify_text = X509_verify_cert_error_string(result);
	leaf = SSL_get0_peer_certificate(c->ssl);
	if (leaf)
		(void)X509_digest(leaf, EVP_sha256(), info->leaf_sha256, NULL);
	else
		info->verified = false;
}

enum tls_want
tls_conn_handshake(struct tls_conn *c)
{
	enum tls_want want;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(c->ssl);
	if (r == 1) {
		c->is_up = true;
		fill_info(c);
		return TLS_DONE;
	}
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		ERR_clear_error();
		c->is_broken = true;
		set_error(c,
		          X509_verify_cert_error_string(SSL_get_verify_result(c->ssl)));
		return TLS_UNVERIFIED;
	}
	want = judge(c, r);
	if (want == TLS_EOF || want == TLS_FAILED) {
		if (!c->error[0])
			set_error(c, "closed during the handshake");
		return TLS_FAILED;
	}
	return want;
}

enum tls_want
tls_conn_read(struct tls_conn *c, void *p, size_t n, size_t *n_out)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(c->ssl, p, n, n_out);
	return r == 1 ? TLS_DONE : judge(c, r);
}

enum tls_want
tls_conn_write(struct tls_conn *c, const void *p, size_t n, size_t *n_out)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(c->ssl, p, n, n_out);
	return r == 1 ? TLS_DONE : judge(c, r);
}

void
tls_conn_goodbye(struct tls_conn *c)
{
	if (!c->is_up || c->is_broken || c->said_goodbye)
		return;
	c->said_goodbye = true;
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

bool
tls_conn_has_pending(const struct tls_conn *c)
{
	return SSL_has_pending(c->ssl) == 1;
}

const struct tls_info *
tls_conn_info(const struct tls_conn *c)
{
	return &c->info;
}

const char *
tls_conn_error(const struct tls_conn *c)
{
	return c->error;
}
