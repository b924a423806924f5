/* The certificates and ticket keys that all connections of a node share, and their exchange while
 * connections live. Any thread; a mutex guards what a reload replaces. */
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

/* TLS 1.2 with forward secrecy and authenticated encryption only (RFC 7525 §4.2); 1.3 has no other.
 */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* The name in a ClientHello: list length, type, name length (RFC 6066 §3). */
#define SNI_HEAD_BYTES 5

struct tls_entry {
    char *domain;
    SSL_CTX *ctx;
};

struct tls_set {
    unsigned users; /* connections, and the store while it is the newest; under the store's mutex */
    size_t count;
    struct tls_entry entries[];
};

struct tls_store {
    pthread_mutex_t mutex; /* guards what follows and the users of all sets */
    struct tls_set *newest;
    size_t key_count;
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
};

/* ---------------------------------------------------------------- sets */

void tls_set_free(struct tls_set **set_address)
{
    struct tls_set *set = *set_address;

    for (size_t i = 0; i < set->count; i++) {
        mem_free(&set->entries[i].domain);
        SSL_CTX_free(set->entries[i].ctx);
    }
    mem_free(set_address);
}

struct tls_set *tls_store_take_set(struct tls_store *store)
{
    struct tls_set *set;

    (void)pthread_mutex_lock(&store->mutex);
    set = store->newest;
    if (set != NULL) {
        set->users++;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return set;
}

void tls_store_drop_set(struct tls_store *store, struct tls_set **set)
{
    bool last;

    if (*set == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&store->mutex);
    last = --(*set)->users == 0;
    (void)pthread_mutex_unlock(&store->mutex);
    if (last) {
        tls_set_free(set);
    }
    *set = NULL;
}

/* Exactly that domain first; then a certificate that covers the name, for clients that name the
 * host they connect to instead of the domain they want. */
SSL_CTX *tls_set_choose(const struct tls_set *set, struct slice name)
{
    for (size_t i = 0; i < set->count; i++) {
        const char *domain = set->entries[i].domain;

        if (strlen(domain) == name.len &&
            strncasecmp(domain, (const char *)name.data, name.len) == 0) {
            return set->entries[i].ctx;
        }
    }
    for (size_t i = 0; name.len > 0 && i < set->count; i++) {
        if (X509_check_host(SSL_CTX_get0_certificate(set->entries[i].ctx), (const char *)name.data,
                            name.len, 0, NULL) == 1) {
            return set->entries[i].ctx;
        }
    }
    ASSERT(set->count > 0);
    return set->entries[0].ctx;
}

/* ---------------------------------------------------------------- contexts */

/* The host name of the server_name extension, or empty. */
static struct slice client_hello_name(SSL *ssl)
{
    const unsigned char *data;
    size_t len;
    size_t name_len;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) != 1 ||
        len < SNI_HEAD_BYTES || data[2] != TLSEXT_NAMETYPE_host_name) {
        return slice_make(NULL, 0);
    }
    name_len = get_u16(data + 3);
    if (name_len > len - SNI_HEAD_BYTES || name_len > TLSEXT_MAXLEN_host_name) {
        return slice_make(NULL, 0); /* OpenSSL refuses the hello when it parses the extension */
    }
    return slice_make(data + SNI_HEAD_BYTES, name_len);
}

/* Choose the certificate at the ClientHello and not at OpenSSL's servername callback: that one
 * comes after the ticket was judged, so with the wrong context. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_conn *conn = SSL_get_app_data(ssl);
    struct slice name = client_hello_name(ssl);

    (void)alert;
    (void)arg;
    if (name.len > 0) {
        (void)SSL_set_SSL_CTX(ssl, tls_set_choose(conn->set, name));
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const struct tls_conn *conn = SSL_get_app_data(ssl);
    size_t wanted_len = strlen(conn->alpn);

    (void)arg;
    if (wanted_len == 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
        if (in[at] == wanted_len && in_len - at > wanted_len &&
            memcmp(in + at + 1, conn->alpn, wanted_len) == 0) {
            *out = in + at + 1;
            *out_len = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol (RFC 7301 §3.2) */
}

static SSL_CTX *ctx_new(const char *domain)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    uint8_t id[HASH_SIZE_MAX];
    bool ok;

    ASSERT(ctx != NULL);
    /* A ticket is good for its domain alone, on any node, whatever certificate that node has. */
    hash_digest(HASH_SHA256, slice_str(domain), id);
    /* No early data: a replayed login or stanza is not worth a round trip. */
    ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(ctx, TLS12_CIPHERS) == 1 &&
         SSL_CTX_set_session_id_context(ctx, id, sizeof(id)) == 1 &&
         SSL_CTX_set_max_early_data(ctx, 0) == 1 && SSL_CTX_set_num_tickets(ctx, 1) == 1;
    ASSERT(ok);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* 32 KiB less for each idle client */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    tls_ticket_setup(ctx);
    return ctx;
}

static void warn_of_certificate(const struct tls_certificate *certificate, X509 *x509)
{
    if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0) {
        log_error("tls.certificate_expired", LOG_STR("domain", certificate->domain),
                  LOG_STR("file", certificate->cert_file));
    }
    if (X509_check_host(x509, certificate->domain, 0, 0, NULL) != 1) {
        log_warn("tls.certificate_lacks_domain", LOG_STR("domain", certificate->domain),
                 LOG_STR("file", certificate->cert_file));
    }
}

static int ctx_load(const struct tls_certificate *certificate, SSL_CTX **out,
                    char fault[TLS_FAULT_BYTES_MAX])
{
    SSL_CTX *ctx = ctx_new(certificate->domain);
    const char *file = certificate->cert_file;
    const char *cause;
    unsigned long code;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate->cert_file) != 1) {
        goto fail;
    }
    file = certificate->key_file;
    if (SSL_CTX_use_PrivateKey_file(ctx, certificate->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        goto fail;
    }
    warn_of_certificate(certificate, SSL_CTX_get0_certificate(ctx));
    *out = ctx;
    return 0;

fail:
    code = ERR_peek_error(); /* the oldest: what is wrong with the file, not who asked for it */
    cause = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    (void)snprintf(fault, TLS_FAULT_BYTES_MAX, "%s: %s", file, cause == NULL ? "unusable" : cause);
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return ERR_TLS;
}

/* ---------------------------------------------------------------- the store */

struct tls_store *tls_store_new(void)
{
    struct tls_store *store = mem_zalloc(sizeof(*store));

    (void)pthread_mutex_init(&store->mutex, NULL);
    random_fill((uint8_t *)&store->keys[0], sizeof(store->keys[0]));
    store->key_count = 1;
    return store;
}

void tls_store_free(struct tls_store **store_address)
{
    struct tls_store *store = *store_address;

    if (store == NULL) {
        return;
    }
    if (store->newest != NULL) {
        ASSERT(store->newest->users == 1);
        tls_store_drop_set(store, &store->newest);
    }
    (void)pthread_mutex_destroy(&store->mutex);
    OPENSSL_cleanse(store->keys, sizeof(store->keys));
    mem_free(store_address);
}

int tls_set_load(const struct tls_certificate *certificates, size_t count,
                 char fault[TLS_FAULT_BYTES_MAX], struct tls_set **out)
{
    struct tls_set *set = mem_zalloc(sizeof(*set) + count * sizeof(set->entries[0]));

    set->users = 1;
    for (; set->count < count; set->count++) {
        struct tls_entry *entry = &set->entries[set->count];

        if (ctx_load(&certificates[set->count], &entry->ctx, fault) != 0) {
            tls_set_free(&set);
            return ERR_TLS;
        }
        entry->domain = mem_strdup(certificates[set->count].domain);
    }
    *out = set;
    return 0;
}

void tls_store_use_take(struct tls_store *store, struct tls_set *set)
{
    struct tls_set *old;

    (void)pthread_mutex_lock(&store->mutex);
    old = store->newest;
    store->newest = set;
    (void)pthread_mutex_unlock(&store->mutex);
    tls_store_drop_set(store, &old);
}

void tls_store_set_ticket_keys(struct tls_store *store, const struct tls_ticket_key *keys,
                               size_t count)
{
    ASSERT(count > 0);
    ASSERT(count <= TLS_TICKET_KEYS_MAX);
    (void)pthread_mutex_lock(&store->mutex);
    memcpy(store->keys, keys, count * sizeof(keys[0]));
    store->key_count = count;
    (void)pthread_mutex_unlock(&store->mutex);
}

bool tls_store_ticket_key(struct tls_store *store, const uint8_t *name, struct tls_ticket_key *out,
                          bool *is_first_out)
{
    bool found = false;

    (void)pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; !found && i < store->key_count; i++) {
        if (name == NULL || memcmp(store->keys[i].name, name, sizeof(out->name)) == 0) {
            *out = store->keys[i];
            *is_first_out = i == 0;
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return found;
}
