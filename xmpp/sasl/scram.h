/* scram - messages and arithmetic of RFC 5802, without the order in which they come (server.c).
 * Pure: slices in a parsed message point into the bytes that were parsed. */
#ifndef XMPP_SASL_SCRAM_H
#define XMPP_SASL_SCRAM_H

#include "xmpp/sasl/sasl.h"

#define SCRAM_NONCE_BYTES_MAX 256 /* of a client; those in use have 20 to 40 */

/* RFC 5802 §7, client-first-message. */
struct scram_client_first {
    struct slice gs2_header;   /* with its final comma */
    char binding_flag;         /* 'p', 'y' or 'n' */
    struct slice binding_type; /* with 'p' */
    struct slice authzid;      /* escaped; empty when absent */
    struct slice bare;         /* client-first-message-bare */
    struct slice user;         /* escaped */
    struct slice nonce;
};

/* The same, client-final-message. */
struct scram_client_final {
    struct slice without_proof;
    struct slice binding; /* base64 */
    struct slice nonce;
    struct slice proof; /* base64 */
};

/** 0 and *out, or ERR_MALFORMED, which mandatory extensions ("m=") are too. */
NODISCARD int scram_parse_client_first(struct slice message, struct scram_client_first *out);
NODISCARD int scram_parse_client_final(struct slice message, struct scram_client_final *out);
/** Undo "=2C" and "=3D" of a saslname. */
NODISCARD int scram_unescape(struct slice name, struct buf *out);

/** What it takes to check a password against key; both are copied. */
struct sasl_derivation *sasl_derivation_new(const struct sasl_key *key, struct slice password);
/** Did it run, and come to stored_key? */
bool sasl_derivation_gives(const struct sasl_derivation *derivation, struct slice stored_key);

/** Does proof (raw bytes) show knowledge of the password behind stored_key? */
bool scram_proof_valid(enum hash_kind kind, struct slice stored_key, struct slice auth_message,
                       struct slice proof);

#endif
