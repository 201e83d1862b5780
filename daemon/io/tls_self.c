/* The pair that is made where nobody has given one: enough to begin with. */
#include "base/strbuf.h"
#include "io/tls.h"
#include "io/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

enum {
	SELF_SIGNED_DAYS = 3650,
};

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension && X509_add_ext(x, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool
fill_certificate(X509 *x, EVP_PKEY *key, struct str hostname)
{
	char names[512];
	struct strbuf b = strbuf_on(names);
	unsigned char serial[16];
	X509_NAME *name = X509_get_subject_name(x);
	BIGNUM *number;
	bool ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	serial[0] &= 0x7f;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
	BN_free(number);
	strbuf_printf(&b, "DNS:%.*s", STR_ARG(hostname));
	if (!str_eq(hostname, STR("localhost")))
		strbuf_lit(&b, ",DNS:localhost");
	strbuf_lit(&b, ",IP:127.0.0.1,IP:::1");
	/* A name of more than 64 bytes fits no CN; the alternative name is what counts.
	 */
	if (hostname.n <= 64)
		ok = ok && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		                                      (const unsigned char *)hostname.p,
		                                      (int)hostname.n, -1, 0) == 1;
	return ok && X509_set_version(x, X509_VERSION_3) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), SELF_SIGNED_DAYS, 0, NULL) &&
	       X509_set_pubkey(x, key) == 1 && X509_set_issuer_name(x, name) == 1 &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") && !b.overflow &&
	       add_extension(x, NID_subject_alt_name, strbuf_cstr(&b)) &&
	       X509_sign(x, key, EVP_sha256()) > 0;
}

static enum err
write_file(const char *path, unsigned mode, BIO *content, struct diag *diag)
{
	char temporary[4096];
	struct strbuf b = strbuf_on(temporary);
	char *p;
	long n = BIO_get_mem_data(content, &p);
	bool ok;
	int fd;

	strbuf_printf(&b, "%s.new", path);
	(void)unlink(strbuf_cstr(&b));
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return diag_set(diag, ERR_IO, "%s: %s", temporary,
		                strerrordesc_np(errno));
	ok = write(fd, p, (size_t)n) == n && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (!ok || rename(temporary, path) != 0)
		return diag_set(diag, ERR_IO, "%s: cannot be written", path);
	return OK;
}

static enum err
write_pair(X509 *x, EVP_PKEY *key, const char *certificate_path, const char *key_path,
           struct diag *diag)
{
	BIO *certificate_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_secmem());
	enum err e = ERR_INTERNAL;

	/* The certificate is written last: where it is, its key is too. */
	if (certificate_pem && key_pem && PEM_write_bio_X509(certificate_pem, x) == 1 &&
	    PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
		e = write_file(key_path, 0600, key_pem, diag);
		if (e == OK)
			e = write_file(certificate_path, 0644, certificate_pem, diag);
	}
	BIO_free(certificate_pem);
	BIO_free(key_pem);
	return e;
}

enum err
tls_make_self_signed(struct str hostname, const char *certificate_path,
                     const char *key_path, bool *made_out, struct diag *diag)
{
	EVP_PKEY *key;
	X509 *x;
	enum err e;

	*made_out = false;
	if (access(certificate_path, F_OK) == 0 && access(key_path, F_OK) == 0)
		return OK;
	key = EVP_EC_gen("P-256");
	x = X509_new();
	if (key && x && fill_certificate(x, key, hostname))
		e = write_pair(x, key, certificate_path, key_path, diag);
	else
		e = diag_set(diag, ERR_INTERNAL, "%s", tls_library_error());
	X509_free(x);
	EVP_PKEY_free(key);
	*made_out = e == OK;
	return e;
}
