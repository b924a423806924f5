#include "node/admin/deriver.h"

#include "node/base/mem.h"
#include "xmpp/sasl/sasl.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS_MAX 64
#define NICENESS    10

const enum hash_kind derived_kinds[DERIVER_KINDS] = {HASH_SHA1, HASH_SHA256};
const char *const derived_names[DERIVER_KINDS] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};

struct deriver {
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct mail *first;
    struct mail *last;
    bool is_stopping;
    pthread_t threads[THREADS_MAX];
    long thread_count;
};

static void derive(struct derived *item, uint32_t iterations)
{
    struct slice password = slice_str(item->password);

    item->rc = 0;
    for (size_t i = 0; item->rc == 0 && i < DERIVER_KINDS; i++) {
        struct derived_key *key = &item->keys[i];

        random_fill(key->salt, sizeof(key->salt));
        item->rc =
            scram_derive(derived_kinds[i], password, slice_make(key->salt, sizeof(key->salt)),
                         iterations, key->stored_key, key->server_key);
    }
    explicit_bzero(item->password, password.len);
    mem_free(&item->password);
}

static struct derivation *next_work(struct deriver *deriver)
{
    struct mail *mail;

    (void)pthread_mutex_lock(&deriver->mutex);
    while (deriver->first == NULL && !deriver->is_stopping) {
        (void)pthread_cond_wait(&deriver->has_work, &deriver->mutex);
    }
    mail = deriver->first;
    if (mail != NULL) {
        deriver->first = mail->next;
        if (deriver->first == NULL) {
            deriver->last = NULL;
        }
    }
    (void)pthread_mutex_unlock(&deriver->mutex);
    return mail == NULL ? NULL : CONTAINER_OF(mail, struct derivation, mail);
}

static void *run(void *ctx)
{
    struct derivation *work;

    (void)pthread_setname_np(pthread_self(), "deriver");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    while ((work = next_work(ctx)) != NULL) {
        for (size_t i = 0; i < work->count; i++) {
            if (work->items[i].password != NULL) {
                derive(&work->items[i], work->iterations);
            }
        }
        work->done(work);
    }
    return NULL;
}

struct deriver *deriver_start(void)
{
    struct deriver *deriver = mem_zalloc(sizeof(*deriver));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    (void)pthread_mutex_init(&deriver->mutex, NULL);
    (void)pthread_cond_init(&deriver->has_work, NULL);
    cores = cores < 1 ? 1 : cores;
    deriver->thread_count = cores > THREADS_MAX ? THREADS_MAX : cores;
    for (long i = 0; i < deriver->thread_count; i++) {
        int rc = pthread_create(&deriver->threads[i], NULL, run, deriver);

        ASSERT(rc == 0);
    }
    return deriver;
}

void deriver_stop(struct deriver **address)
{
    struct deriver *deriver = *address;

    (void)pthread_mutex_lock(&deriver->mutex);
    deriver->is_stopping = true;
    (void)pthread_cond_broadcast(&deriver->has_work);
    (void)pthread_mutex_unlock(&deriver->mutex);
    for (long i = 0; i < deriver->thread_count; i++) {
        (void)pthread_join(deriver->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&deriver->has_work);
    (void)pthread_mutex_destroy(&deriver->mutex);
    mem_free(address);
}

void deriver_give(struct deriver *deriver, struct derivation *derivation)
{
    (void)pthread_mutex_lock(&deriver->mutex);
    derivation->mail.next = NULL;
    if (deriver->last == NULL) {
        deriver->first = &derivation->mail;
    } else {
        deriver->last->next = &derivation->mail;
    }
    deriver->last = &derivation->mail;
    (void)pthread_cond_signal(&deriver->has_work);
    (void)pthread_mutex_unlock(&deriver->mutex);
}
