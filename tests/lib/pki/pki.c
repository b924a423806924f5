#include "tests/lib/pki/pki.h"

#include "node/base/assert.h"
#include "node/base/mem.h"
#include "tests/lib/scratch.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUTHORITIES_MAX 4
#define DAY_S           (24 * 3600)

struct pki {
    char dir[SCRATCH_BYTES];
    unsigned issued;
    X509 *ca[AUTHORITIES_MAX];
    EVP_PKEY *ca_key[AUTHORITIES_MAX];
};

/* A helper of tests has no other answer to a failure than to end the test. */
static void must(bool ok)
{
    ASSERT(ok);
}

static void set_path(char out[PKI_PATH_BYTES], const struct pki *pki, const char *kind,
                     unsigned number)
{
    (void)snprintf(out, PKI_PATH_BYTES, "%s/%s-%u.pem", pki->dir, kind, number);
}

static void write_certificate(const char *path, X509 *certificate)
{
    FILE *file = fopen(path, "w");

    ASSERT(file != NULL);
    must(PEM_write_X509(file, certificate) == 1);
    (void)fclose(file);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    ASSERT(file != NULL);
    must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    (void)fclose(file);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    ASSERT(extension != NULL);
    must(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* A certificate valid since yesterday, not yet signed. */
static X509 *make_certificate(const char *common_name, EVP_PKEY *key, long serial)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();

    must(X509_set_version(certificate, X509_VERSION_3) == 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                    -1, -1, 0) == 1);
    must(X509_set_subject_name(certificate, name) == 1);
    must(X509_set_pubkey(certificate, key) == 1);
    X509_NAME_free(name);
    return certificate;
}

static void need_authority(struct pki *pki, unsigned authority)
{
    char path[PKI_PATH_BYTES];
    EVP_PKEY *key;
    X509 *ca;

    ASSERT(authority < AUTHORITIES_MAX);
    if (pki->ca[authority] != NULL) {
        return;
    }
    key = EVP_EC_gen("P-256");
    ca = make_certificate("test authority", key, 1);
    add_extension(ca, NID_basic_constraints, "critical,CA:TRUE");
    must(X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1);
    must(X509_sign(ca, key, EVP_sha256()) > 0);
    set_path(path, pki, "ca", authority);
    write_certificate(path, ca);
    pki->ca[authority] = ca;
    pki->ca_key[authority] = key;
}

void pki_issue(struct pki *pki, unsigned authority, const char *common_name, const char *dns,
               struct pki_files *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;

    need_authority(pki, authority);
    pki->issued++;
    certificate = make_certificate(common_name, key, 100 + (long)pki->issued);
    if (dns != NULL) {
        char value[PKI_PATH_BYTES];

        (void)snprintf(value, sizeof(value), "DNS:%s", dns);
        add_extension(certificate, NID_subject_alt_name, value);
    }
    must(X509_set_issuer_name(certificate, X509_get_subject_name(pki->ca[authority])) == 1);
    must(X509_sign(certificate, pki->ca_key[authority], EVP_sha256()) > 0);
    set_path(out->ca, pki, "ca", authority);
    set_path(out->cert, pki, "cert", pki->issued);
    set_path(out->key, pki, "key", pki->issued);
    write_certificate(out->cert, certificate);
    write_key(out->key, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

struct pki *pki_new(void)
{
    struct pki *pki = mem_zalloc(sizeof(*pki));

    scratch_folder(pki->dir, "pki");
    return pki;
}

void pki_free(struct pki **pki_address)
{
    struct pki *pki = *pki_address;
    char path[PKI_PATH_BYTES];

    for (unsigned i = 0; i < AUTHORITIES_MAX; i++) {
        set_path(path, pki, "ca", i);
        (void)unlink(path);
        X509_free(pki->ca[i]);
        EVP_PKEY_free(pki->ca_key[i]);
    }
    for (unsigned i = 1; i <= pki->issued; i++) {
        set_path(path, pki, "cert", i);
        (void)unlink(path);
        set_path(path, pki, "key", i);
        (void)unlink(path);
    }
    (void)rmdir(pki->dir);
    mem_free(pki_address);
}
