/* pki - certificates for a new cluster: its own authority, one certificate a node, and a first one
 * for the domain. EC P-256, as PEM. */
#ifndef TOOLS_CTL_PKI_H
#define TOOLS_CTL_PKI_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PKI_COMMON_NAME_MAX 64 /* RFC 5280 A.1 */

struct pki_pair {
    struct buf certificate; /* PEM */
    struct buf key;         /* PEM; wiped by pki_pair_deinit() */
};

void pki_pair_deinit(struct pki_pair *pair);

/** An authority that signs the certificates of nodes. name: PKI_COMMON_NAME_MAX bytes at most. */
NODISCARD int pki_make_authority(const char *name, struct pki_pair *out);
/** The certificate "CN=node-ID" for both ends of a link. ERR_TLS: authority is none. */
NODISCARD int pki_make_node(const struct pki_pair *authority, uint32_t node_id,
                            struct pki_pair *out);
/** A certificate of the domain signed by itself, so that a node can start before there is a real
 * one. */
NODISCARD int pki_make_domain(const char *domain, struct pki_pair *out);

/** Is pair node node_id of the authority that made it? NULL, or what is wrong. */
const char *pki_check(const struct buf *authority, const struct pki_pair *pair, uint32_t node_id);
/** Do two PEM texts hold the same certificate? */
bool pki_same_certificate(const struct buf *one, const struct buf *other);

#endif
