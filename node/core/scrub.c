#include "node/core/scrub.h"

#include "node/base/mem.h"

#include <pthread.h>
#include <time.h>

struct scrub {
    struct kv *kv;
    struct inbox *inbox;
    uint32_t period_s;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_stopping;        /* under the mutex */
    struct core_job *wanted; /* under the mutex; NULL: nobody waits */
};

/* Wait for the next time, or for somebody who wants a scrub; false: there is none. */
static bool wait_for_time(struct scrub *scrub, struct core_job **job_out)
{
    struct timespec until;
    bool is_stopping;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)scrub->period_s;
    (void)pthread_mutex_lock(&scrub->mutex);
    while (!scrub->is_stopping && scrub->wanted == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&scrub->wake, &scrub->mutex, &until);
    }
    is_stopping = scrub->is_stopping;
    if (!is_stopping) {
        *job_out = scrub->wanted;
        scrub->wanted = NULL;
    }
    (void)pthread_mutex_unlock(&scrub->mutex);
    return !is_stopping;
}

static void *run(void *ctx)
{
    struct scrub *scrub = ctx;
    struct core_job *job = NULL;

    (void)pthread_setname_np(pthread_self(), "scrub");
    while (wait_for_time(scrub, &job)) {
        struct note *note = note_new(NOTE_SCRUBBED);
        struct kv_mark mark = {0};

        note->status = kv_scrub(scrub->kv, &mark, &note->hash);
        note->index = mark.index;
        note->hash -= mark.hash; /* by how much the sum is off */
        note->job = job;
        inbox_post_take(scrub->inbox, note);
    }
    return NULL;
}

struct scrub *scrub_start(struct kv *kv, struct inbox *inbox, uint32_t period_s)
{
    struct scrub *scrub = mem_zalloc(sizeof(*scrub));
    pthread_condattr_t attributes;
    int rc;

    scrub->kv = kv;
    scrub->inbox = inbox;
    scrub->period_s = period_s;
    (void)pthread_mutex_init(&scrub->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&scrub->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    rc = pthread_create(&scrub->thread, NULL, run, scrub);
    ASSERT(rc == 0);
    return scrub;
}

bool scrub_now(struct scrub *scrub, struct core_job *job)
{
    bool is_free;

    (void)pthread_mutex_lock(&scrub->mutex);
    is_free = scrub->wanted == NULL;
    if (is_free) {
        scrub->wanted = job;
        (void)pthread_cond_signal(&scrub->wake);
    }
    (void)pthread_mutex_unlock(&scrub->mutex);
    return is_free;
}

static void give_back(struct scrub *scrub)
{
    if (scrub->wanted != NULL) {
        struct note *note = note_new(NOTE_SCRUBBED);

        note->status = ERR_CLOSED;
        note->job = scrub->wanted;
        inbox_post_take(scrub->inbox, note);
    }
}

void scrub_stop(struct scrub **address)
{
    struct scrub *scrub = *address;

    (void)pthread_mutex_lock(&scrub->mutex);
    scrub->is_stopping = true;
    (void)pthread_cond_signal(&scrub->wake);
    (void)pthread_mutex_unlock(&scrub->mutex);
    (void)pthread_join(scrub->thread, NULL);
    give_back(scrub);
    (void)pthread_cond_destroy(&scrub->wake);
    (void)pthread_mutex_destroy(&scrub->mutex);
    mem_free(address);
}
