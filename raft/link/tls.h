/* tls - the TLS of node links: version 1.3, both sides proven by certificates of the cluster CA. */
#ifndef RAFT_LINK_TLS_H
#define RAFT_LINK_TLS_H

#include "node/base/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* What both directions of links made from now on use. */
struct link_certificates {
    SSL_CTX *server;
    SSL_CTX *client;
};

/** The node that the peer's verified certificate names: subject "CN=node-<id>" or a DNS name of
 * that form (RFC 6125 §6.4.4 would take the first only when there is none of the second; here all
 * must agree). ERR_AUTH when it names none or several. */
NODISCARD int link_tls_peer_node(const SSL *ssl, uint32_t *node_id_out);
/** Text of the first OpenSSL error since the last call or of the failed verification; empties the
 * error queue. */
const char *link_tls_failure(const SSL *ssl);

#endif
