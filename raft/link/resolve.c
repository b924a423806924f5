#include "raft/link/resolve.h"

#include "node/base/assert.h"
#include "node/base/mem.h"

#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct question {
    struct question *next;
    struct resolve_result result;
};

/* Shared by the loop and the thread; the last of them frees it. */
struct resolver {
    pthread_mutex_t mutex;
    pthread_cond_t asked_cond;
    struct question *asked;    /* newest first: at most one a peer, order does not matter */
    struct question *answered; /* likewise */
    bool started;
    bool closed;    /* the async handle is gone */
    unsigned users; /* the loop, and the thread while it runs */

    uv_async_t
        async; /* loop thread only, but for uv_async_send() under the mutex while not closed */
    void (*on_result)(void *ctx, const struct resolve_result *result);
    void *ctx;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void free_questions(struct question *question)
{
    while (question != NULL) {
        struct question *next = question->next;

        mem_free(&question);
        question = next;
    }
}

/* Unlocks; the mutex is held. */
static void leave(struct resolver *resolver)
{
    bool last = --resolver->users == 0;

    (void)pthread_mutex_unlock(&resolver->mutex);
    if (!last) {
        return;
    }
    free_questions(resolver->asked);
    free_questions(resolver->answered);
    (void)pthread_cond_destroy(&resolver->asked_cond);
    (void)pthread_mutex_destroy(&resolver->mutex);
    mem_free(&resolver);
}

static void look_up(struct question *question)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", question->result.address.port);
    if (getaddrinfo(question->result.address.host, port, &hints, &list) != 0) {
        return; /* count stays 0; the dialling side logs it once and asks again */
    }
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
        if (question->result.count < RESOLVE_ADDRESSES_MAX &&
            info->ai_addrlen <= sizeof(struct sockaddr_storage)) {
            memcpy(&question->result.addresses[question->result.count++], info->ai_addr,
                   info->ai_addrlen);
        }
    }
    freeaddrinfo(list);
}

static void *resolve_main(void *arg)
{
    struct resolver *resolver = arg;

    (void)pthread_setname_np(pthread_self(), "resolve");
    (void)pthread_mutex_lock(&resolver->mutex);
    while (!resolver->closed) {
        struct question *question = resolver->asked;

        if (question == NULL) {
            (void)pthread_cond_wait(&resolver->asked_cond, &resolver->mutex);
            continue;
        }
        resolver->asked = question->next;
        (void)pthread_mutex_unlock(&resolver->mutex);
        look_up(question);
        (void)pthread_mutex_lock(&resolver->mutex);
        question->next = resolver->answered;
        resolver->answered = question;
        if (!resolver->closed) {
            (void)uv_async_send(&resolver->async);
        }
    }
    leave(resolver);
    return NULL;
}

static void on_async(uv_async_t *async)
{
    struct resolver *resolver = CONTAINER_OF(async, struct resolver, async);
    struct question *answered;

    (void)pthread_mutex_lock(&resolver->mutex);
    answered = resolver->answered;
    resolver->answered = NULL;
    (void)pthread_mutex_unlock(&resolver->mutex);
    for (const struct question *question = answered; question != NULL; question = question->next) {
        resolver->on_result(resolver->ctx, &question->result);
    }
    free_questions(answered);
}

struct resolver *resolver_new(uv_loop_t *loop,
                              void (*on_result)(void *ctx, const struct resolve_result *result),
                              void *ctx)
{
    struct resolver *resolver = mem_zalloc(sizeof(*resolver));
    int rc;

    resolver->users = 1;
    resolver->on_result = on_result;
    resolver->ctx = ctx;
    (void)pthread_mutex_init(&resolver->mutex, NULL);
    (void)pthread_cond_init(&resolver->asked_cond, NULL);
    rc = uv_async_init(loop, &resolver->async, on_async);
    ASSERT(rc == 0);
    return resolver;
}

static void start_thread(struct resolver *resolver)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(&thread, &attributes, resolve_main, resolver);
    (void)pthread_attr_destroy(&attributes);
    ASSERT(rc == 0);
    resolver->started = true;
    resolver->users++;
}

void resolver_ask(struct resolver *resolver, uint32_t node_id, const struct address *address)
{
    struct question *question = mem_zalloc(sizeof(*question));

    question->result.node_id = node_id;
    question->result.address = *address;
    (void)pthread_mutex_lock(&resolver->mutex);
    if (!resolver->started) {
        start_thread(resolver);
    }
    question->next = resolver->asked;
    resolver->asked = question;
    (void)pthread_cond_signal(&resolver->asked_cond);
    (void)pthread_mutex_unlock(&resolver->mutex);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct resolver *resolver = CONTAINER_OF((uv_async_t *)handle, struct resolver, async);
    void (*on_closed)(void *ctx) = resolver->on_closed;
    void *ctx = resolver->closed_ctx;

    (void)pthread_mutex_lock(&resolver->mutex);
    leave(resolver);
    on_closed(ctx);
}

void resolver_close(struct resolver *resolver, void (*closed)(void *ctx), void *ctx)
{
    resolver->on_closed = closed;
    resolver->closed_ctx = ctx;
    (void)pthread_mutex_lock(&resolver->mutex);
    resolver->closed = true;
    (void)pthread_cond_signal(&resolver->asked_cond);
    (void)pthread_mutex_unlock(&resolver->mutex);
    uv_close((uv_handle_t *)&resolver->async, on_async_closed);
}
