/* Signing with the certificate that the listeners show. */
#include "io/tls.h"

#include "io/tls_priv.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

/* Those of the system are read once, and only where a certificate could be vouched for. */
static X509_STORE *
roots(void)
{
	static X509_STORE *of_system;

	if (tls_roots())
		return tls_roots();
	if (!of_system) {
		of_system = X509_STORE_new();
		if (of_system)
			(void)X509_STORE_set_default_paths(of_system);
	}
	return of_system;
}

/* Would a stranger's program believe it, now, by that name? */
static bool
is_trusted(SSL_CTX *pair, struct str name)
{
	STACK_OF(X509) *chain = NULL;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *leaf = SSL_CTX_get0_certificate(pair);
	bool ok = ctx && SSL_CTX_get0_chain_certs(pair, &chain) == 1;

	/* No roots need be read to know this one. */
	ok = ok && X509_check_issued(leaf, leaf) != X509_V_OK;
	ok = ok && X509_STORE_CTX_init(ctx, roots(), leaf, chain) == 1;
	if (ok) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		ok = X509_STORE_CTX_set_default(ctx, "ssl_server") == 1 &&
		     X509_VERIFY_PARAM_set1_host(param, name.p, name.n) == 1 &&
		     X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	return ok;
}

static bool
sign(SSL_CTX *pair, struct str content, struct strbuf *out)
{
	/* With signed attributes, which is the default: what goes to the key is a digest
	   of the content behind a head of ours, never what a stranger chose. */
	const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP;
	STACK_OF(X509) *chain = NULL;
	BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
	CMS_ContentInfo *cms = NULL;
	uint8_t *der = NULL;
	int n = 0;

	(void)SSL_CTX_get0_chain_certs(pair, &chain);
	if (in)
		cms = CMS_sign(SSL_CTX_get0_certificate(pair),
		               SSL_CTX_get0_privatekey(pair), chain, in, flags);
	if (cms)
		n = i2d_CMS_ContentInfo(cms, &der);
	if (n > 0)
		strbuf_add(out, str_make(der, (size_t)n));
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	return n > 0 && !out->overflow;
}

enum err
tls_server_sign(struct tls_server *t, struct str name, struct str content,
                struct strbuf *out)
{
	SSL_CTX *pair;
	enum err e = OK;

	tls_server_use(t);
	pair = t->count ? t->contexts[0] : NULL;
	if (!pair || content.n > INT32_MAX || !is_trusted(pair, name))
		e = ERR_NOT_FOUND;
	else if (!sign(pair, content, out))
		e = ERR_INTERNAL;
	ERR_clear_error();
	return e;
}
