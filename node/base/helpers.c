#include "node/base/helpers.h"

#include "node/base/assert.h"
#include "node/base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS_MAX 64
#define NICENESS    10

struct helpers {
    const char *name;
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct helper_job *first;
    struct helper_job *last;
    bool is_stopping;
    pthread_t threads[THREADS_MAX];
    long thread_count;
};

/* NULL: there is none, and none will come. */
static struct helper_job *next_job(struct helpers *helpers)
{
    struct helper_job *job;

    (void)pthread_mutex_lock(&helpers->mutex);
    while (helpers->first == NULL && !helpers->is_stopping) {
        (void)pthread_cond_wait(&helpers->has_work, &helpers->mutex);
    }
    job = helpers->first;
    if (job != NULL) {
        helpers->first = job->next;
        if (helpers->first == NULL) {
            helpers->last = NULL;
        }
    }
    (void)pthread_mutex_unlock(&helpers->mutex);
    return job;
}

static void *run(void *ctx)
{
    const struct helpers *helpers = ctx;
    struct helper_job *job;

    (void)pthread_setname_np(pthread_self(), helpers->name);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    while ((job = next_job(ctx)) != NULL) {
        job->run(job);
    }
    return NULL;
}

struct helpers *helpers_start(const char *name)
{
    struct helpers *helpers = mem_zalloc(sizeof(*helpers));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    helpers->name = name;
    (void)pthread_mutex_init(&helpers->mutex, NULL);
    (void)pthread_cond_init(&helpers->has_work, NULL);
    cores = cores < 1 ? 1 : cores;
    helpers->thread_count = cores > THREADS_MAX ? THREADS_MAX : cores;
    for (long i = 0; i < helpers->thread_count; i++) {
        int rc = pthread_create(&helpers->threads[i], NULL, run, helpers);

        ASSERT(rc == 0);
    }
    return helpers;
}

void helpers_stop(struct helpers **address)
{
    struct helpers *helpers = *address;

    (void)pthread_mutex_lock(&helpers->mutex);
    helpers->is_stopping = true;
    (void)pthread_cond_broadcast(&helpers->has_work);
    (void)pthread_mutex_unlock(&helpers->mutex);
    for (long i = 0; i < helpers->thread_count; i++) {
        (void)pthread_join(helpers->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&helpers->has_work);
    (void)pthread_mutex_destroy(&helpers->mutex);
    mem_free(address);
}

void helpers_give(struct helpers *helpers, struct helper_job *job)
{
    (void)pthread_mutex_lock(&helpers->mutex);
    job->next = NULL;
    if (helpers->last == NULL) {
        helpers->first = job;
    } else {
        helpers->last->next = job;
    }
    helpers->last = job;
    (void)pthread_cond_signal(&helpers->has_work);
    (void)pthread_mutex_unlock(&helpers->mutex);
}
