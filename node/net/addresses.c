#include "node/net/addresses.h"

#include "node/base/crypto.h"
#include "node/base/mem.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

/* Strangers choose the keys: hash them by a secret. */
#define HASH_FUNCTION(keyptr, keylen, hashv)                                                       \
    ((hashv) = (unsigned)siphash(addresses->secret, slice_make((keyptr), (keylen))))
#define uthash_malloc(size)     mem_alloc(size)
#define uthash_free(memory, sz) mem_release(memory)
#include <uthash.h>

#define PREFIX_BYTES 8 /* of an IPv6 address: the /64 */

struct count {
    struct address_key key;
    uint32_t connections;
    UT_hash_handle hh;
};

struct addresses {
    uint8_t secret[16];
    pthread_mutex_t mutex; /* guards what follows; held for a look-up, once a connection */
    struct count *counts;
    uint32_t connections; /* the sum of all counts */
};

struct addresses *addresses_new(void)
{
    struct addresses *addresses = mem_zalloc(sizeof(*addresses));

    (void)pthread_mutex_init(&addresses->mutex, NULL);
    random_fill(addresses->secret, sizeof(addresses->secret));
    return addresses;
}

void addresses_free(struct addresses **address)
{
    struct addresses *addresses = *address;
    struct count *count;
    struct count *next;

    if (addresses == NULL) {
        return;
    }
    HASH_ITER(hh, addresses->counts, count, next)
    {
        HASH_DEL(addresses->counts, count);
        mem_free(&count);
    }
    (void)pthread_mutex_destroy(&addresses->mutex);
    mem_free(address);
}

struct address_key address_key(const struct sockaddr *address)
{
    struct address_key key = {{0}};

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

        key.bytes[10] = 0xff;
        key.bytes[11] = 0xff;
        memcpy(key.bytes + 12, &v4->sin_addr, sizeof(v4->sin_addr));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            memcpy(key.bytes, &v6->sin6_addr, sizeof(key.bytes));
        } else {
            memcpy(key.bytes, &v6->sin6_addr, PREFIX_BYTES);
        }
    }
    return key;
}

static struct count *find(struct addresses *addresses, const struct address_key *key)
{
    struct count *count;

    HASH_FIND(hh, addresses->counts, key, sizeof(*key), count);
    return count;
}

struct address_counts addresses_add(struct addresses *addresses, const struct address_key *key)
{
    struct address_counts counts;
    struct count *count;

    (void)pthread_mutex_lock(&addresses->mutex);
    count = find(addresses, key);
    if (count == NULL) {
        count = mem_zalloc(sizeof(*count));
        count->key = *key;
        HASH_ADD(hh, addresses->counts, key, sizeof(count->key), count);
    }
    counts.of_address = ++count->connections;
    counts.of_node = ++addresses->connections;
    (void)pthread_mutex_unlock(&addresses->mutex);
    return counts;
}

void addresses_remove(struct addresses *addresses, const struct address_key *key)
{
    struct count *count;

    (void)pthread_mutex_lock(&addresses->mutex);
    count = find(addresses, key);
    ASSERT(count != NULL);
    addresses->connections--;
    if (--count->connections == 0) {
        HASH_DEL(addresses->counts, count);
        mem_free(&count);
    }
    (void)pthread_mutex_unlock(&addresses->mutex);
}
