#include "node/base/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#define GETRANDOM_BYTES_MAX 256 /* larger requests may be cut short by a signal: getrandom(2) */

static const EVP_MD *hash_md(enum hash_kind kind)
{
    return kind == HASH_SHA1 ? EVP_sha1() : EVP_sha256();
}

size_t hash_size(enum hash_kind kind)
{
    return kind == HASH_SHA1 ? 20 : 32;
}

void hash_digest(enum hash_kind kind, struct slice bytes, uint8_t *out)
{
    int ok = EVP_Digest(bytes.data, bytes.len, out, NULL, hash_md(kind), NULL);

    ASSERT(ok == 1);
}

void hash_hmac(enum hash_kind kind, struct slice key, struct slice bytes, uint8_t *out)
{
    const uint8_t *mac;

    ASSERT(key.len <= INT_MAX);
    mac = HMAC(hash_md(kind), key.data == NULL ? "" : (const void *)key.data, (int)key.len,
               bytes.data, bytes.len, out, NULL); /* a NULL key would mean "as before" */
    ASSERT(mac != NULL);
}

void hash_pbkdf2(enum hash_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                 uint8_t *out)
{
    int ok;

    ASSERT(password.len <= INT_MAX);
    ASSERT(salt.len <= INT_MAX);
    ASSERT(iterations > 0);
    ASSERT(iterations <= INT_MAX);
    ok = PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.len, salt.data, (int)salt.len,
                           (int)iterations, hash_md(kind), (int)hash_size(kind), out);
    ASSERT(ok == 1);
}

bool crypto_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

static void system_source(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    while (len > 0) {
        ssize_t got = getrandom(out, len < GETRANDOM_BYTES_MAX ? len : GETRANDOM_BYTES_MAX, 0);

        if (got < 0) {
            ASSERT(errno == EINTR); /* the kernel documents no other error for these arguments */
            continue;
        }
        out += got;
        len -= (size_t)got;
    }
}

/* One source a process: set before threads start, by a simulation or a test only. */
static random_source active_source = system_source;
static void *active_source_ctx;

void random_set_source(random_source source, void *ctx)
{
    active_source = source == NULL ? system_source : source;
    active_source_ctx = ctx;
}

void random_fill(uint8_t *out, size_t len)
{
    active_source(active_source_ctx, out, len);
}

uint64_t random_u64(void)
{
    uint8_t bytes[8];

    random_fill(bytes, sizeof(bytes));
    return get_u64(bytes);
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[3];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[2] = rotate_left(v[2], 32);
    }
}

static uint64_t get_little_endian(const uint8_t *data, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)data[i] << (8 * i);
    }
    return value;
}

static void sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
uint64_t siphash(const uint8_t key[16], struct slice bytes)
{
    uint64_t k0 = get_little_endian(key, 8);
    uint64_t k1 = get_little_endian(key + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    size_t whole = bytes.len - bytes.len % 8;

    for (size_t i = 0; i < whole; i += 8) {
        sip_absorb(v, get_little_endian(bytes.data + i, 8));
    }
    sip_absorb(
        v, (uint64_t)bytes.len << 56 |
               (whole == bytes.len ? 0 : get_little_endian(bytes.data + whole, bytes.len - whole)));
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hex_encode(struct slice bytes, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *text = buf_reserve(out, 2 * bytes.len);

    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[bytes.data[i] & 15];
    }
    buf_commit(out, 2 * bytes.len);
}
