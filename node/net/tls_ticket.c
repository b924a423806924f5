/* tls_ticket - session tickets (RFC 5077 §4) sealed with keys that all nodes share, so that a
 * client resumes TLS on any node. */
#include "node/base/crypto.h"
#include "node/net/tls_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* What OpenSSL expects from the callback. */
enum ticket_verdict { TICKET_ERROR = -1, TICKET_UNKNOWN = 0, TICKET_OK = 1, TICKET_RENEW = 2 };

static bool set_keys(const struct tls_ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, bool sealing)
{
    struct tls_ticket_key copy = *key; /* OSSL_PARAM wants it writable */
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.mac_key, sizeof(copy.mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, copy.aes_key, iv, sealing) == 1 &&
              EVP_MAC_CTX_set_params(mac, params) == 1;

    OPENSSL_cleanse(&copy, sizeof(copy));
    return ok;
}

static int on_ticket_key(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_conn *conn = SSL_get_app_data(ssl);
    struct tls_ticket_key key;
    bool is_first;
    bool ok;

    if (!tls_store_ticket_key(conn->store, sealing ? NULL : name, &key, &is_first)) {
        return TICKET_UNKNOWN; /* a full handshake follows */
    }
    if (sealing) {
        memcpy(name, key.name, sizeof(key.name));
        random_fill(iv, EVP_MAX_IV_LENGTH);
    }
    ok = set_keys(&key, iv, cipher, mac, sealing != 0);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!ok) {
        return TICKET_ERROR;
    }
    return is_first ? TICKET_OK : TICKET_RENEW;
}

/* A resumed session keeps the certificate that its client saw, for tls-server-end-point (RFC 5929
 * §4): this node may have another one by now. */
static int on_ticket_made(SSL *ssl, void *arg)
{
    uint8_t digest[TLS_DIGEST_BYTES_MAX];
    SSL_SESSION *session = SSL_get_session(ssl);
    void *known;
    size_t len;

    (void)arg;
    if (SSL_SESSION_get0_ticket_appdata(session, &known, &len) == 1 && len > 0) {
        return 1;
    }
    len = tls_end_point(SSL_get_certificate(ssl), digest);
    return SSL_SESSION_set1_ticket_appdata(session, digest, len);
}

static SSL_TICKET_RETURN on_ticket_opened(SSL *ssl, SSL_SESSION *session,
                                          const unsigned char *key_name, size_t key_name_len,
                                          SSL_TICKET_STATUS status, void *arg)
{
    (void)session;
    (void)key_name;
    (void)key_name_len;
    (void)arg;
    switch (status) {
    case SSL_TICKET_SUCCESS:
        /* On 1.3 a client uses a ticket once (RFC 8446 §C.4), so it needs the next one. */
        return SSL_version(ssl) == TLS1_3_VERSION ? SSL_TICKET_RETURN_USE_RENEW
                                                  : SSL_TICKET_RETURN_USE;
    case SSL_TICKET_SUCCESS_RENEW:
        return SSL_TICKET_RETURN_USE_RENEW;
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

void tls_ticket_setup(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket_key);
    (void)SSL_CTX_set_session_ticket_cb(ctx, on_ticket_made, on_ticket_opened, NULL);
}
