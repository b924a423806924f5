/* One TLS connection between two memory buffers: handshake, bytes, channel bindings. */
#include "node/base/mem.h"
#include "node/net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define EXPORTER_LABEL "EXPORTER-Channel-Binding" /* RFC 9266 §2 */

int tls_conn_new(struct tls_store *store, const struct tls_conn_options *options,
                 struct tls_conn **out)
{
    struct tls_set *set = tls_store_take_set(store);
    struct tls_conn *conn;
    size_t alpn_len;
    BIO *bio;

    if (set == NULL) {
        return ERR_NOT_FOUND;
    }
    conn = mem_zalloc(sizeof(*conn));
    conn->store = store;
    conn->set = set;
    alpn_len = options->alpn == NULL ? 0 : strlen(options->alpn);
    ASSERT(alpn_len <= TLS_ALPN_BYTES_MAX);
    memcpy(conn->alpn, alpn_len == 0 ? "" : options->alpn, alpn_len);
    conn->ssl = SSL_new(tls_set_choose(set, slice_str(options->domain)));
    ASSERT(conn->ssl != NULL);
    bio = bio_pipe_new(&conn->pipe);
    SSL_set_bio(conn->ssl, bio, bio);
    (void)SSL_set_app_data(conn->ssl, conn);
    SSL_set_accept_state(conn->ssl);
    *out = conn;
    return 0;
}

void tls_conn_free(struct tls_conn **conn_address)
{
    struct tls_conn *conn = *conn_address;

    if (conn == NULL) {
        return;
    }
    SSL_free(conn->ssl);
    tls_store_drop_set(conn->store, &conn->set);
    mem_free(conn_address);
}

static int fail(struct tls_conn *conn)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    conn->failure = reason == NULL ? "unknown cause" : reason;
    ERR_clear_error();
    return ERR_TLS;
}

/* Bring the handshake as far as the bytes go. */
static int shake_hands(struct tls_conn *conn)
{
    int rc = SSL_do_handshake(conn->ssl);

    if (rc == 1) {
        conn->handshake_done = true;
        return 0;
    }
    return SSL_get_error(conn->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : fail(conn);
}

static int decrypt(struct tls_conn *conn, struct buf *clear_out)
{
    uint8_t clear[SSL3_RT_MAX_PLAIN_LENGTH];
    size_t len;

    while (SSL_read_ex(conn->ssl, clear, sizeof(clear), &len) == 1) {
        buf_append(clear_out, slice_make(clear, len));
    }
    switch (SSL_get_error(conn->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_CLOSED;
    default:
        return fail(conn);
    }
}

int tls_conn_feed(struct tls_conn *conn, struct slice cipher, struct buf *clear_out,
                  struct buf *cipher_out)
{
    int rc = 0;

    ASSERT(conn->failure == NULL);
    ERR_clear_error();
    conn->pipe = (struct bio_pipe){.in = cipher, .out = cipher_out};
    if (!conn->handshake_done) {
        rc = shake_hands(conn);
    }
    if (rc == 0 && conn->handshake_done) {
        rc = decrypt(conn, clear_out);
    }
    conn->pipe = (struct bio_pipe){.out = NULL};
    return rc;
}

bool tls_conn_handshake_done(const struct tls_conn *conn)
{
    return conn->handshake_done;
}

int tls_conn_write(struct tls_conn *conn, struct slice clear, struct buf *cipher_out)
{
    size_t written;
    int rc = 0;

    ASSERT(conn->handshake_done);
    ASSERT(conn->failure == NULL);
    if (clear.len == 0) {
        return 0;
    }
    ERR_clear_error();
    conn->pipe.out = cipher_out;
    if (SSL_write_ex(conn->ssl, clear.data, clear.len, &written) != 1) {
        rc = fail(conn);
    }
    conn->pipe.out = NULL;
    return rc;
}

void tls_conn_close_notify(struct tls_conn *conn, struct buf *cipher_out)
{
    if (!conn->handshake_done || conn->failure != NULL) {
        return;
    }
    ERR_clear_error();
    conn->pipe.out = cipher_out;
    (void)SSL_shutdown(conn->ssl);
    conn->pipe.out = NULL;
}

const char *tls_conn_failure(const struct tls_conn *conn)
{
    return conn->failure == NULL ? "" : conn->failure;
}

/* ---------------------------------------------------------------- channel binding */

size_t tls_end_point(const X509 *certificate, uint8_t out[TLS_DIGEST_BYTES_MAX])
{
    const EVP_MD *digest = NULL;
    unsigned len = 0;
    int digest_nid = NID_undef;

    if (certificate == NULL ||
        X509_get_signature_info((X509 *)certificate, &digest_nid, NULL, NULL, NULL) != 1) {
        return 0;
    }
    if (digest_nid == NID_md5 || digest_nid == NID_sha1) {
        digest = EVP_sha256(); /* RFC 5929 §4.1 */
    } else {
        digest = EVP_get_digestbynid(digest_nid);
    }
    if (digest == NULL || EVP_MD_get_size(digest) > TLS_DIGEST_BYTES_MAX ||
        X509_digest(certificate, digest, out, &len) != 1) {
        return 0; /* no single hash function, such as Ed25519: undefined by the RFC */
    }
    return len;
}

static size_t get_end_point(SSL *ssl, uint8_t out[TLS_DIGEST_BYTES_MAX])
{
    void *ticket_data;
    size_t len;

    if (SSL_session_reused(ssl) != 1) {
        return tls_end_point(SSL_get_certificate(ssl), out);
    }
    if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &ticket_data, &len) != 1 ||
        len > TLS_DIGEST_BYTES_MAX) {
        return 0;
    }
    memcpy(out, ticket_data, len);
    return len;
}

/* The first Finished message of the handshake (RFC 5929 §3.1): the client's in a full one, the
 * server's in a resumed one. The same formula is what clients use on TLS 1.3, where the RFC defines
 * nothing. */
static size_t get_unique(SSL *ssl, uint8_t out[TLS_DIGEST_BYTES_MAX])
{
    size_t len = SSL_session_reused(ssl) == 1
                     ? SSL_get_finished(ssl, out, TLS_DIGEST_BYTES_MAX)
                     : SSL_get_peer_finished(ssl, out, TLS_DIGEST_BYTES_MAX);

    return len <= TLS_DIGEST_BYTES_MAX ? len : 0;
}

void tls_conn_bindings(const struct tls_conn *conn, struct tls_bindings *out)
{
    SSL *ssl = conn->ssl;

    ASSERT(conn->handshake_done);
    *out = (struct tls_bindings){.tls13 = SSL_version(ssl) == TLS1_3_VERSION,
                                 .resumed = SSL_session_reused(ssl) == 1};
    if (out->tls13 &&
        SSL_export_keying_material(ssl, out->exporter, TLS_EXPORTER_BYTES, EXPORTER_LABEL,
                                   sizeof(EXPORTER_LABEL) - 1, NULL, 0, 0) == 1) {
        out->exporter_len = TLS_EXPORTER_BYTES;
    }
    out->end_point_len = get_end_point(ssl, out->end_point);
    out->unique_len = get_unique(ssl, out->unique);
}

const char *tls_conn_version(const struct tls_conn *conn)
{
    return SSL_get_version(conn->ssl);
}
