/* derivation - the work of checking a password against a key: see sasl.h. */
#include "node/base/mem.h"
#include "xmpp/sasl/scram.h"

struct sasl_derivation {
    enum hash_kind kind;
    uint32_t iterations;
    struct buf salt;
    struct buf password;
    uint8_t stored_key[HASH_SIZE_MAX];
    int rc; /* of the derivation */
};

struct sasl_derivation *sasl_derivation_new(const struct sasl_key *key, struct slice password)
{
    struct sasl_derivation *derivation = mem_zalloc(sizeof(*derivation));

    derivation->kind = key->kind;
    derivation->iterations = key->iterations;
    buf_append(&derivation->salt, key->salt);
    (void)buf_reserve(&derivation->password, password.len); /* at once: no copy stays behind */
    buf_append(&derivation->password, password);
    derivation->rc = ERR_CLOSED;
    return derivation;
}

void sasl_derivation_free(struct sasl_derivation **derivation)
{
    if (*derivation != NULL) {
        buf_deinit(&(*derivation)->salt);
        buf_wipe(&(*derivation)->password);
        explicit_bzero(*derivation, sizeof(**derivation));
        mem_free(derivation);
    }
}

void sasl_derivation_run(struct sasl_derivation *derivation)
{
    uint8_t server_key[HASH_SIZE_MAX];

    derivation->rc = scram_derive(derivation->kind, buf_slice(&derivation->password),
                                  buf_slice(&derivation->salt), derivation->iterations,
                                  derivation->stored_key, server_key);
    explicit_bzero(server_key, sizeof(server_key));
    buf_wipe(&derivation->password);
}

bool sasl_derivation_gives(const struct sasl_derivation *derivation, struct slice stored_key)
{
    return derivation->rc == 0 &&
           crypto_equal(slice_make(derivation->stored_key, hash_size(derivation->kind)),
                        stored_key);
}
