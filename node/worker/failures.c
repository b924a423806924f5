#include "node/worker/failures.h"

#include "node/base/crypto.h"
#include "node/base/mem.h"
#include "node/worker/bucket.h"

#include <pthread.h>

#define BUDGETS 4096

struct failures {
    uint8_t secret[16]; /* strangers choose the addresses */
    pthread_mutex_t mutex;
    struct bucket budgets[BUDGETS];
};

struct failures *failures_new(uint64_t now_ms)
{
    struct failures *failures = mem_zalloc(sizeof(*failures));

    random_fill(failures->secret, sizeof(failures->secret));
    (void)pthread_mutex_init(&failures->mutex, NULL);
    for (size_t i = 0; i < BUDGETS; i++) {
        bucket_init(&failures->budgets[i], FAILURES_PER_SECOND, FAILURES_MAX / FAILURES_PER_SECOND,
                    now_ms);
    }
    return failures;
}

void failures_free(struct failures **failures)
{
    if (*failures != NULL) {
        (void)pthread_mutex_destroy(&(*failures)->mutex);
        mem_free(failures);
    }
}

static struct bucket *budget_of(struct failures *failures, const struct address_key *key)
{
    uint64_t hash = siphash(failures->secret, slice_make(key->bytes, sizeof(key->bytes)));

    return &failures->budgets[hash % BUDGETS];
}

/* There is no debt: a minute or two after the last failure all is forgiven. */
void failures_add(struct failures *failures, const struct address_key *key, uint64_t now_ms)
{
    struct bucket *budget = budget_of(failures, key);

    (void)pthread_mutex_lock(&failures->mutex);
    if (bucket_left(budget, now_ms) > 0) {
        bucket_take(budget, 1, now_ms);
    }
    (void)pthread_mutex_unlock(&failures->mutex);
}

bool failures_are_many(struct failures *failures, const struct address_key *key, uint64_t now_ms)
{
    bool are_many;

    (void)pthread_mutex_lock(&failures->mutex);
    are_many = bucket_left(budget_of(failures, key), now_ms) == 0;
    (void)pthread_mutex_unlock(&failures->mutex);
    return are_many;
}
