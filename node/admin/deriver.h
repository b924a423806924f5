/* deriver - passwords into SCRAM keys (RFC 5802 §3) on helper threads: a derivation costs
 * milliseconds, an import of thousands must not slow the node's clients. */
#ifndef NODE_ADMIN_DERIVER_H
#define NODE_ADMIN_DERIVER_H

#include "node/base/crypto.h"
#include "node/base/helpers.h"

#include <stdatomic.h>
#include <stddef.h>

#define DERIVER_SALT_BYTES 16
#define DERIVER_KINDS      2 /* SCRAM-SHA-1 and SCRAM-SHA-256 */

struct derived_key {
    uint8_t salt[DERIVER_SALT_BYTES];
    uint8_t stored_key[HASH_SIZE_MAX];
    uint8_t server_key[HASH_SIZE_MAX];
};

struct derived {
    char *password; /* wiped when done; NULL: nothing to derive */
    int rc;         /* ERR_MALFORMED: SASLprep refused it; ERR_CLOSED: the node stops */
    struct derived_key keys[DERIVER_KINDS];
};

struct derivation {
    struct helper_job helper_job;
    struct derived *items; /* owned by the asker */
    size_t count;
    uint32_t iterations;
    const atomic_bool *is_over; /* true: nobody waits for the keys any more */
    /** Called on a helper thread when all are done, or left out because it is over. */
    void (*done)(struct derivation *derivation);
};

/** Kind and SCRAM name of keys[i]. */
extern const enum hash_kind derived_kinds[DERIVER_KINDS];
extern const char *const derived_names[DERIVER_KINDS];

void deriver_give(struct helpers *helpers, struct derivation *derivation);
/** Free the items, with passwords that are still there. */
void derivation_clear(struct derivation *derivation);

#endif
