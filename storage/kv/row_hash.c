/* kv_row_hash - SipHash-1-3 with a fixed key over {table, key length}, key, value, value length,
 * each padded to words, so that no two rows give the same words. The key is no secret: the hash
 * finds replicas that differ, it does not keep out anyone who writes rows. Changing any of it
 * changes the state hash: a new format version of the store. */
#include "storage/kv/kv.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = rotate_left(sip->v1, 13) ^ sip->v0;
    sip->v0 = rotate_left(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = rotate_left(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = rotate_left(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = rotate_left(sip->v1, 17) ^ sip->v2;
    sip->v2 = rotate_left(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip->v0 ^= word;
}

static inline uint64_t load_little_endian(const uint8_t *data, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)data[i] << (8 * i);
    }
    return word;
}

static void sip_bytes(struct sip *sip, struct slice bytes)
{
    size_t at = 0;

    for (; at + 8 <= bytes.len; at += 8) {
        sip_word(sip, load_little_endian(bytes.data + at, 8));
    }
    if (at < bytes.len) {
        sip_word(sip, load_little_endian(bytes.data + at, bytes.len - at));
    }
}

uint64_t kv_row_hash(unsigned table, struct slice key, struct slice value)
{
    struct sip sip = {0x736f6d6570736575u, 0x646f72616e646f6du, 0x6c7967656e657261u,
                      0x7465646279746573u}; /* the key is zero */

    sip_word(&sip, (uint64_t)table << 32 | (uint64_t)key.len);
    sip_bytes(&sip, key);
    sip_bytes(&sip, value);
    sip_word(&sip, (uint64_t)value.len);
    sip.v2 ^= 0xff;
    sip_round(&sip);
    sip_round(&sip);
    sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}
