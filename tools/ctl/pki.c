#include "tools/ctl/pki.h"

#include "node/base/crypto.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define VALID_S     (10L * 365 * 24 * 3600)
#define BACKDATED_S (24L * 3600) /* clocks of other nodes may be behind */

/* For steps of libcrypto that fail only by a mistake of ours. */
static void must(bool done)
{
    ASSERT(done);
}

void pki_pair_deinit(struct pki_pair *pair)
{
    buf_wipe(&pair->key);
    buf_deinit(&pair->certificate);
}

/* ---- PEM */

static void take_pem(BIO *bio, struct buf *out)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    buf_append(out, slice_make(data, (size_t)len));
    BIO_free(bio);
}

static void write_pair(X509 *certificate, EVP_PKEY *key, struct pki_pair *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(PEM_write_bio_X509(bio, certificate) == 1);
    take_pem(bio, &out->certificate);
    bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    take_pem(bio, &out->key);
}

static BIO *view(const struct buf *pem)
{
    struct slice bytes = buf_slice(pem);

    return BIO_new_mem_buf(bytes.data, (int)bytes.len);
}

static X509 *read_certificate(const struct buf *pem)
{
    BIO *bio = view(pem);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const struct buf *pem)
{
    BIO *bio = view(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return key;
}

/* ---- certificates */

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension != NULL);
    must(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Not yet signed. A name that is longer than a common name may be is left to subjectAltName, which
 * is critical then (RFC 5280 §4.2.1.6). */
static X509 *new_certificate(const char *common_name, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();

    must(X509_set_version(certificate, X509_VERSION_3) == 1);
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), random_u64() >> 1) == 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S);
    must(strlen(common_name) > PKI_COMMON_NAME_MAX ||
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                    -1, -1, 0) == 1);
    must(X509_set_subject_name(certificate, name) == 1);
    must(X509_set_pubkey(certificate, key) == 1);
    X509_NAME_free(name);
    return certificate;
}

static void sign(X509 *certificate, const X509_NAME *issuer, EVP_PKEY *key)
{
    must(X509_set_issuer_name(certificate, issuer) == 1);
    must(X509_sign(certificate, key, EVP_sha256()) > 0);
}

int pki_make_authority(const char *name, struct pki_pair *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;

    if (key == NULL) {
        return ERR_TLS;
    }
    certificate = new_certificate(name, key);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    sign(certificate, X509_get_subject_name(certificate), key);
    write_pair(certificate, key, out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static X509 *new_leaf(const char *name, EVP_PKEY *key, const char *usage)
{
    X509 *certificate = new_certificate(name, key);
    char alternative[1100];

    (void)snprintf(alternative, sizeof(alternative), "%sDNS:%s",
                   strlen(name) > PKI_COMMON_NAME_MAX ? "critical," : "", name);
    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, NID_ext_key_usage, usage);
    add_extension(certificate, NID_subject_alt_name, alternative);
    return certificate;
}

int pki_make_node(const struct pki_pair *authority, uint32_t node_id, struct pki_pair *out)
{
    X509 *ca = read_certificate(&authority->certificate);
    EVP_PKEY *ca_key = read_key(&authority->key);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    int rc = ERR_TLS;

    if (ca != NULL && ca_key != NULL && key != NULL) {
        char name[32];
        X509 *certificate;

        (void)snprintf(name, sizeof(name), "node-%u", node_id);
        certificate = new_leaf(name, key, "serverAuth,clientAuth");
        sign(certificate, X509_get_subject_name(ca), ca_key);
        write_pair(certificate, key, out);
        X509_free(certificate);
        rc = 0;
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    X509_free(ca);
    return rc;
}

int pki_make_domain(const char *domain, struct pki_pair *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;

    if (key == NULL) {
        return ERR_TLS;
    }
    certificate = new_leaf(domain, key, "serverAuth");
    sign(certificate, X509_get_subject_name(certificate), key);
    write_pair(certificate, key, out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

/* ---- checks */

static bool is_signed_by(X509 *certificate, X509 *ca)
{
    return X509_check_issued(ca, certificate) == X509_V_OK &&
           X509_verify(certificate, X509_get0_pubkey(ca)) == 1;
}

const char *pki_check(const struct buf *authority, const struct pki_pair *pair, uint32_t node_id)
{
    X509 *ca = read_certificate(authority);
    X509 *certificate = read_certificate(&pair->certificate);
    EVP_PKEY *key = read_key(&pair->key);
    const char *fault = NULL;
    char name[32];

    (void)snprintf(name, sizeof(name), "node-%u", node_id);
    if (ca == NULL || certificate == NULL || key == NULL) {
        fault = "a certificate or key cannot be read";
    } else if (!is_signed_by(certificate, ca)) {
        fault = "the node's certificate is not of the cluster's authority";
    } else if (X509_check_host(certificate, name, 0, 0, NULL) != 1) {
        fault = "the certificate is another node's";
    } else if (X509_check_private_key(certificate, key) != 1) {
        fault = "certificate and key do not belong together";
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    X509_free(ca);
    return fault;
}

bool pki_same_certificate(const struct buf *one, const struct buf *other)
{
    X509 *left = read_certificate(one);
    X509 *right = read_certificate(other);
    bool same = left != NULL && right != NULL && X509_cmp(left, right) == 0;

    X509_free(left);
    X509_free(right);
    return same;
}
