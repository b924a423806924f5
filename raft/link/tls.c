#include "raft/link/tls.h"

#include "node/base/mem.h"
#include "node/base/slice.h"
#include "raft/link/link.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

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

/* The file that is no good, or NULL. */
static const char *load_files(SSL_CTX *ctx, const struct link_files *files)
{
    if (SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1) {
        return files->ca;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1) {
        return files->cert;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        return files->key;
    }
    return NULL;
}

static void say_fault(char fault[LINK_FAULT_BYTES_MAX], const char *file, const char *cause)
{
    (void)snprintf(fault, LINK_FAULT_BYTES_MAX, "%s: %s", file, cause);
}

static int open_one(const SSL_METHOD *method, const struct link_files *files,
                    char fault[LINK_FAULT_BYTES_MAX], SSL_CTX **out)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    const char *failed;

    ASSERT(ctx != NULL);
    failed = load_files(ctx, files);
    if (failed != NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, LINK_CIPHERS) != 1) {
        say_fault(fault, failed == NULL ? "TLS 1.3" : failed, link_tls_failure(NULL));
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

int link_certificates_load(const struct link_files *files, char fault[LINK_FAULT_BYTES_MAX],
                           struct link_certificates **out)
{
    struct link_certificates *certificates = mem_zalloc(sizeof(*certificates));
    int rc = open_one(TLS_server_method(), files, fault, &certificates->server);

    if (rc == 0) {
        rc = open_one(TLS_client_method(), files, fault, &certificates->client);
    }
    if (rc != 0) {
        link_certificates_free(&certificates);
        return rc;
    }
    *out = certificates;
    return 0;
}

void link_certificates_free(struct link_certificates **certificates)
{
    if (*certificates != NULL) {
        SSL_CTX_free((*certificates)->server);
        SSL_CTX_free((*certificates)->client);
        mem_free(certificates);
    }
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

static int named_node(const X509 *certificate, uint32_t *node_id_out)
{
    uint32_t id = 0;

    if (!collect_subject(certificate, &id) || !collect_alternatives(certificate, &id) || id == 0) {
        return ERR_AUTH;
    }
    *node_id_out = id;
    return 0;
}

int link_tls_peer_node(const SSL *ssl, uint32_t *node_id_out)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);

    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK) {
        return ERR_AUTH;
    }
    return named_node(certificate, node_id_out);
}

/* NULL, or why other nodes with this CA would refuse our certificate. */
static const char *verify_own(SSL_CTX *ctx)
{
    X509_STORE_CTX *verification = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = NULL;
    const char *cause = NULL;

    ASSERT(verification != NULL);
    if (SSL_CTX_get0_chain_certs(ctx, &chain) != 1 ||
        X509_STORE_CTX_init(verification, SSL_CTX_get_cert_store(ctx),
                            SSL_CTX_get0_certificate(ctx), chain) != 1) {
        cause = link_tls_failure(NULL);
    } else if (X509_verify_cert(verification) != 1) {
        cause = X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification));
    }
    X509_STORE_CTX_free(verification);
    ERR_clear_error();
    return cause;
}

int link_certificates_check(const struct link_certificates *certificates,
                            const struct link_files *files, uint32_t node_id,
                            char fault[LINK_FAULT_BYTES_MAX])
{
    const X509 *own = SSL_CTX_get0_certificate(certificates->server);
    const char *cause = verify_own(certificates->server);
    uint32_t named;

    if (cause == NULL && (named_node(own, &named) != 0 || named != node_id)) {
        cause = "is not the certificate of this node";
    }
    if (cause != NULL) {
        say_fault(fault, files->cert, cause);
        return ERR_TLS;
    }
    return 0;
}
