#include "raft/link/tls.h"

#include "node/base/log.h"
#include "node/base/slice.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* AES-128-GCM first: the fastest here (5 GB/s a core with AES-NI). */
#define LINK_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define NODE_PREFIX  "node-"

const char *link_tls_failure(const SSL *ssl)
{
    unsigned long code = ERR_peek_error(); /* the oldest: what came later says who noticed */
    const char *reason =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

    ERR_clear_error();
    if (ssl != NULL && SSL_get_verify_result(ssl) != X509_V_OK) {
        return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    }
    return reason == NULL ? "unknown cause" : reason;
}

static int load_files(SSL_CTX *ctx, const char *ca_file, const char *cert_file,
                      const char *key_file, const char **failed_out)
{
    if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
        *failed_out = ca_file;
        return ERR_TLS;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        *failed_out = cert_file;
        return ERR_TLS;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        *failed_out = key_file;
        return ERR_TLS;
    }
    return 0;
}

static int open_one(const SSL_METHOD *method, const char *ca_file, const char *cert_file,
                    const char *key_file, SSL_CTX **out)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    const char *failed = "";

    ASSERT(ctx != NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, LINK_CIPHERS) != 1 ||
        load_files(ctx, ca_file, cert_file, key_file, &failed) != 0) {
        log_error("link.certificate_unusable", LOG_STR("file", failed),
                  LOG_STR("cause", link_tls_failure(NULL)));
        SSL_CTX_free(ctx);
        return ERR_TLS;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* No resumption: each link proves both certificates anew. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    *out = ctx;
    return 0;
}

int link_tls_open(const char *ca_file, const char *cert_file, const char *key_file,
                  SSL_CTX **server_out, SSL_CTX **client_out)
{
    SSL_CTX *server;
    int rc = open_one(TLS_server_method(), ca_file, cert_file, key_file, &server);

    if (rc != 0) {
        return rc;
    }
    rc = open_one(TLS_client_method(), ca_file, cert_file, key_file, client_out);
    if (rc != 0) {
        SSL_CTX_free(server);
        return rc;
    }
    *server_out = server;
    return 0;
}

/* "node-<id>" in canonical decimal; 0 for any other name. */
static uint32_t parse_node_name(const ASN1_STRING *name)
{
    struct slice text = slice_make(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    size_t prefix_len = sizeof(NODE_PREFIX) - 1;
    uint64_t id = 0;

    if (!slice_starts_with(text, slice_str(NODE_PREFIX)) || text.len == prefix_len ||
        text.len > prefix_len + 10 || text.data[prefix_len] == '0') {
        return 0;
    }
    for (size_t i = prefix_len; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        id = id * 10 + (uint64_t)(text.data[i] - '0');
    }
    return id > UINT32_MAX ? 0 : (uint32_t)id;
}

/* Add one name to what is known so far; false when two names disagree. */
static bool agree(uint32_t *known, uint32_t id)
{
    if (id == 0) {
        return true; /* a name for another use, such as the host's */
    }
    if (*known != 0 && *known != id) {
        return false;
    }
    *known = id;
    return true;
}

static bool collect_subject(const X509 *certificate, uint32_t *id)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, at);

        if (!agree(id, parse_node_name(X509_NAME_ENTRY_get_data(entry)))) {
            return false;
        }
    }
    return true;
}

static bool collect_alternatives(const X509 *certificate, uint32_t *id)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool agreed = true;

    for (int i = 0; names != NULL && agreed && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            agreed = agree(id, parse_node_name(name->d.dNSName));
        }
    }
    GENERAL_NAMES_free(names);
    return agreed;
}

int link_tls_peer_node(const SSL *ssl, uint32_t *node_id_out)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    uint32_t id = 0;

    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK) {
        return ERR_AUTH;
    }
    if (!collect_subject(certificate, &id) || !collect_alternatives(certificate, &id) || id == 0) {
        return ERR_AUTH;
    }
    *node_id_out = id;
    return 0;
}
