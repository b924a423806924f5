/* tls_internal - what tls_store.c and tls_conn.c share. */
#ifndef NODE_NET_TLS_INTERNAL_H
#define NODE_NET_TLS_INTERNAL_H

#include "node/base/bio.h"
#include "node/net/tls.h"

#include <openssl/ssl.h>

#define TLS_ALPN_BYTES_MAX 31

struct tls_conn {
    SSL *ssl;
    struct bio_pipe pipe;
    struct tls_store *store;
    struct tls_set *set;
    bool handshake_done;
    const char *failure; /* of OpenSSL's tables; NULL: none */
    char alpn[TLS_ALPN_BYTES_MAX + 1];
};

/** The newest set with a reference, or NULL before the first load. */
struct tls_set *tls_store_take_set(struct tls_store *store);
void tls_store_drop_set(struct tls_store *store, struct tls_set **set);
/** The context for a name; for an unknown or empty one the first. Borrowed from the set. */
SSL_CTX *tls_set_choose(const struct tls_set *set, struct slice name);
/** The hash of a certificate as RFC 5929 §4.1 takes it; its length, 0 when there is none. */
size_t tls_end_point(const X509 *certificate, uint8_t out[TLS_DIGEST_BYTES_MAX]);

/** Session ticket callbacks of a context; the keys are those of the store of each connection. */
void tls_ticket_setup(SSL_CTX *ctx);
/** The first key, or the one of that name when name is not NULL. False: there is none. */
bool tls_store_ticket_key(struct tls_store *store, const uint8_t *name, struct tls_ticket_key *out,
                          bool *is_first_out);

#endif
