/* crypto - the few primitives that protocol code needs, over libcrypto, and the base64 around
 * them. Random bytes come from here alone, so that simulation can fix them. */
#ifndef NODE_BASE_CRYPTO_H
#define NODE_BASE_CRYPTO_H

#include "node/base/buf.h"
#include "node/base/err.h"

enum hash_kind { HASH_SHA1, HASH_SHA256 };

#define HASH_SIZE_MAX 32

/** Bytes of a digest: 20 or 32. */
size_t hash_size(enum hash_kind kind);
/** out has room for hash_size(kind) bytes. */
void hash_digest(enum hash_kind kind, struct slice bytes, uint8_t *out);
void hash_hmac(enum hash_kind kind, struct slice key, struct slice bytes, uint8_t *out);
/** PBKDF2-HMAC (RFC 2898), the Hi() of RFC 5802 §2.2. About 0.2 us an iteration. */
void hash_pbkdf2(enum hash_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                 uint8_t *out);
/** Equal? In time that does not depend on the content. */
bool crypto_equal(struct slice a, struct slice b);

/** Where random bytes come from; NULL restores the system's source. For simulation and tests. */
typedef void (*random_source)(void *ctx, uint8_t *out, size_t len);
void random_set_source(random_source source, void *ctx);
void random_fill(uint8_t *out, size_t len);
uint64_t random_u64(void);

/** SipHash-2-4 with a key of 16 bytes: for hash tables over names from the network. */
uint64_t siphash(const uint8_t key[16], struct slice bytes);

void base64_encode(struct slice bytes, struct buf *out);
/** Append the decoded bytes. ERR_MALFORMED for anything but canonical padded base64 (RFC 4648). */
NODISCARD int base64_decode(struct slice text, struct buf *out);
void hex_encode(struct slice bytes, struct buf *out);

#endif
