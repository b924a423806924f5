/* What programs read of certificates and keys, on the machine: nobody changes the files in a run,
 * so each is decoded once, for all nodes and all their starts (--wrap). OpenSSL 3.0 looks through
 * all of its decoders for each key, which was a quarter of a run. The handshakes are real. */
#include "tests/sim/keys.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX  32
#define PATH_BYTES 256

static struct decoded {
    char path[PATH_BYTES];
    X509 *certificate; /* one of both */
    EVP_PKEY *key;
} known[FILES_MAX];

static void decode(struct decoded *decoded, bool is_key)
{
    FILE *file = fopen(decoded->path, "re");

    if (file == NULL) {
        perror(decoded->path);
        abort();
    }
    if (is_key) {
        decoded->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    } else {
        decoded->certificate = PEM_read_X509(file, NULL, NULL, NULL);
    }
    (void)fclose(file);
}

static const struct decoded *read_once(const char *path, bool is_key)
{
    size_t i = 0;

    while (i < FILES_MAX && known[i].path[0] != '\0' && strcmp(known[i].path, path) != 0) {
        i++;
    }
    if (i == FILES_MAX) {
        (void)fprintf(stderr, "sim: too many certificates\n");
        abort();
    }
    if (known[i].path[0] == '\0') {
        (void)snprintf(known[i].path, sizeof(known[i].path), "%s", path);
        decode(&known[i], is_key);
    }
    return &known[i];
}

int __wrap_SSL_CTX_load_verify_locations(SSL_CTX *ctx, const char *path, const char *folder);
int __wrap_SSL_CTX_load_verify_locations(SSL_CTX *ctx, const char *path, const char *folder)
{
    (void)folder;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), read_once(path, false)->certificate);
}

int __wrap_SSL_CTX_use_certificate_chain_file(SSL_CTX *ctx, const char *path);
int __wrap_SSL_CTX_use_certificate_chain_file(SSL_CTX *ctx, const char *path)
{
    return SSL_CTX_use_certificate(ctx, read_once(path, false)->certificate);
}

int __wrap_SSL_CTX_use_PrivateKey_file(SSL_CTX *ctx, const char *path, int type);
int __wrap_SSL_CTX_use_PrivateKey_file(SSL_CTX *ctx, const char *path, int type)
{
    (void)type;
    return SSL_CTX_use_PrivateKey(ctx, read_once(path, true)->key);
}

/* ---- what a peer sends of them: libssl finds this one before libcrypto's */

#define SENT_MAX 32

static struct sent {
    uint8_t *bytes;
    long len;
    X509 *certificate;
} sent[SENT_MAX];

static X509 *find_sent(const unsigned char *bytes, long len)
{
    size_t i = 0;

    while (i < SENT_MAX && sent[i].bytes != NULL &&
           (sent[i].len != len || memcmp(sent[i].bytes, bytes, (size_t)len) != 0)) {
        i++;
    }
    if (i == SENT_MAX) {
        return NULL;
    }
    if (sent[i].bytes == NULL) {
        const unsigned char *at = bytes;

        sent[i].certificate = (X509 *)ASN1_item_d2i(NULL, &at, len, ASN1_ITEM_rptr(X509));
        sent[i].bytes = OPENSSL_memdup(bytes, (size_t)len);
        sent[i].len = len;
    }
    return sent[i].certificate;
}

X509 *d2i_X509(X509 **out, const unsigned char **in, long len)
{
    X509 *certificate = find_sent(*in, len);

    if (certificate == NULL) {
        return (X509 *)ASN1_item_d2i((ASN1_VALUE **)out, in, len, ASN1_ITEM_rptr(X509));
    }
    (void)X509_up_ref(certificate);
    *in += len;
    if (out != NULL) {
        X509_free(*out);
        *out = certificate;
    }
    return certificate;
}

/* ---- before the runs */

static SSL *open_end(const SSL_METHOD *method, const struct pki_files *files)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    SSL *ssl;

    if (__wrap_SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1 ||
        __wrap_SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1 ||
        __wrap_SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1) {
        abort();
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ssl;
}

void keys_warm(const struct pki_files *files)
{
    SSL *server = open_end(TLS_server_method(), files);
    SSL *client = open_end(TLS_client_method(), files);
    BIO *at_server;
    BIO *at_client;

    (void)BIO_new_bio_pair(&at_server, 0, &at_client, 0);
    SSL_set_bio(server, at_server, at_server);
    SSL_set_bio(client, at_client, at_client);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    while (SSL_do_handshake(client) != 1 || SSL_do_handshake(server) != 1) {
        (void)SSL_do_handshake(server);
    }
    ERR_clear_error();
    SSL_free(client);
    SSL_free(server);
}
