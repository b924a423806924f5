/* libuv's loops on the machine, as far as the product uses them: a loop runs on a thread of the
 * machine and waits there. The order within a turn is libuv's (docs.libuv.org, "The I/O loop"):
 * timers, idle, prepare, poll, check, closing. */
#include "tests/sim/loop.h"

#include "tests/sim/fds.h"
#include "tests/sim/uv.h"
#include "tests/sim/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All threads of a room share one processor of virtual time, a bit for each turn. */
#define TURN_US_MAX 100000

struct loop_post {
    struct loop_post *next;
    void (*happen)(void *ctx);
    void *ctx;
};

static struct loop *loop_of(const uv_loop_t *uv)
{
    return uv->internal_fields;
}

static void update_time(struct loop *loop)
{
    loop->time_ms = machine_now_us() / 1000;
}

static void wake(struct loop *loop)
{
    loop->is_woken = true;
    if (loop->sleeper != NULL) {
        machine_wake(loop->sleeper);
    }
}

void *loop_allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- loop */

int uv_loop_init(uv_loop_t *uv)
{
    struct loop *loop = loop_allocate(sizeof(*loop));
    void *data = uv->data;

    memset(uv, 0, sizeof(*uv));
    uv->data = data;
    uv->internal_fields = loop;
    loop->uv = uv;
    update_time(loop);
    return 0;
}

int uv_loop_close(uv_loop_t *uv)
{
    struct loop *loop = loop_of(uv);

    if (loop->handles != NULL) {
        return UV_EBUSY;
    }
    free(loop);
    uv->internal_fields = NULL;
    return 0;
}

uint64_t uv_now(const uv_loop_t *uv)
{
    return loop_of(uv)->time_ms;
}

void uv_update_time(uv_loop_t *uv)
{
    update_time(loop_of(uv));
}

uint64_t uv_hrtime(void)
{
    return machine_now_us() * 1000;
}

/* ---- handles */

struct handle *loop_add_handle(uv_loop_t *uv_loop, void *uv, size_t size, uv_handle_type type)
{
    struct handle *handle = loop_allocate(sizeof(*handle));
    uv_handle_t *base = uv;
    void *data = base->data;

    memset(uv, 0, size);
    base->data = data;
    base->loop = uv_loop;
    base->type = type;
    base->u.reserved[0] = handle;
    handle->loop = loop_of(uv_loop);
    handle->uv = base;
    handle->type = type;
    handle->next = handle->loop->handles;
    handle->loop->handles = handle;
    return handle;
}

void loop_add_passive(uv_loop_t *uv_loop, uv_handle_t *uv, size_t size, uv_handle_type type)
{
    (void)loop_add_handle(uv_loop, uv, size, type);
}

void loop_mark_ready(void *ctx)
{
    struct handle *handle = ctx;

    if (!handle->is_ready) {
        handle->is_ready = true;
        handle->next_ready = handle->loop->first_ready;
        handle->loop->first_ready = handle;
    }
    wake(handle->loop);
}

void uv_close(uv_handle_t *uv, uv_close_cb closed)
{
    struct handle *handle = handle_of(uv);

    handle->is_active = false;
    handle->is_closing = true;
    handle->closed = closed;
    if (handle->socket != NULL) {
        net_close(handle->socket);
    }
    if (handle->type == UV_POLL) {
        fds_watch(handle->fd, NULL, NULL);
    }
    wake(handle->loop);
}

int uv_is_closing(const uv_handle_t *uv)
{
    return handle_of(uv)->is_closing;
}

int uv_is_active(const uv_handle_t *uv)
{
    return handle_of(uv)->is_active;
}

void uv_walk(uv_loop_t *uv, uv_walk_cb walk, void *ctx)
{
    for (struct handle *handle = loop_of(uv)->handles; handle != NULL; handle = handle->next) {
        walk(handle->uv, ctx);
    }
}

/* ---- timers */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    (void)loop_add_handle(loop, timer, sizeof(*timer), UV_TIMER);
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb on_time, uint64_t timeout_ms, uint64_t repeat_ms)
{
    struct handle *handle = handle_of(timer);

    if (handle->is_closing) {
        return UV_EINVAL;
    }
    handle->is_active = true;
    handle->on_time = on_time;
    handle->due_ms = handle->loop->time_ms + timeout_ms;
    handle->repeat_ms = repeat_ms;
    handle->started = handle->loop->starts++;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    handle_of(timer)->is_active = false;
    return 0;
}

int uv_timer_again(uv_timer_t *timer)
{
    struct handle *handle = handle_of(timer);

    if (handle->on_time == NULL) {
        return UV_EINVAL;
    }
    return handle->repeat_ms == 0
               ? 0
               : uv_timer_start(timer, handle->on_time, handle->repeat_ms, handle->repeat_ms);
}

void uv_timer_set_repeat(uv_timer_t *timer, uint64_t repeat_ms)
{
    handle_of(timer)->repeat_ms = repeat_ms;
}

uint64_t uv_timer_get_repeat(const uv_timer_t *timer)
{
    return handle_of(timer)->repeat_ms;
}

static struct handle *first_due(const struct loop *loop)
{
    struct handle *first = NULL;

    for (struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->type == UV_TIMER && handle->is_active &&
            (first == NULL || handle->due_ms < first->due_ms ||
             (handle->due_ms == first->due_ms && handle->started < first->started))) {
            first = handle;
        }
    }
    return first;
}

static void run_timers(struct loop *loop)
{
    struct handle *timer;

    while ((timer = first_due(loop)) != NULL && timer->due_ms <= loop->time_ms) {
        timer->is_active = false;
        if (timer->repeat_ms != 0) {
            (void)uv_timer_start((uv_timer_t *)timer->uv, timer->on_time, timer->repeat_ms,
                                 timer->repeat_ms);
        }
        timer->on_time((uv_timer_t *)timer->uv);
    }
}

/* ---- prepare, check, idle */

#define HOOK(name, kind)                                                                           \
    int uv_##name##_init(uv_loop_t *loop, uv_##name##_t *hook)                                     \
    {                                                                                              \
        (void)loop_add_handle(loop, hook, sizeof(*hook), kind);                                    \
        return 0;                                                                                  \
    }                                                                                              \
    int uv_##name##_start(uv_##name##_t *hook, uv_##name##_cb run)                                 \
    {                                                                                              \
        handle_of(hook)->hook = (void (*)(void))run;                                               \
        handle_of(hook)->is_active = true;                                                         \
        return 0;                                                                                  \
    }                                                                                              \
    int uv_##name##_stop(uv_##name##_t *hook)                                                      \
    {                                                                                              \
        handle_of(hook)->is_active = false;                                                        \
        return 0;                                                                                  \
    }

HOOK(prepare, UV_PREPARE)
HOOK(check, UV_CHECK)
HOOK(idle, UV_IDLE)

static void run_hooks(struct loop *loop, uv_handle_type type)
{
    for (struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->type == type && handle->is_active) {
            ((void (*)(uv_handle_t *))handle->hook)(handle->uv);
        }
    }
}

static bool has_idle(const struct loop *loop)
{
    for (const struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->type == UV_IDLE && handle->is_active) {
            return true;
        }
    }
    return false;
}

/* ---- async */

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb on_async)
{
    struct handle *handle = loop_add_handle(loop, async, sizeof(*async), UV_ASYNC);

    handle->on_async = on_async;
    handle->is_active = true;
    return 0;
}

static void run_async(void *ctx)
{
    struct handle *handle = ctx;

    if (!handle->is_closing) {
        handle->on_async((uv_async_t *)handle->uv);
    }
}

int uv_async_send(uv_async_t *async)
{
    loop_post(async->loop, run_async, handle_of(async));
    return 0;
}

/* ---- poll handles: of counters (eventfd(2)) */

int uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    struct handle *handle = loop_add_handle(loop, poll, sizeof(*poll), UV_POLL);

    handle->fd = fd;
    return 0;
}

int uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb on_event)
{
    struct handle *handle = handle_of(poll);

    (void)events; /* readable, always */
    handle->on_event = on_event;
    handle->is_active = true;
    fds_watch(handle->fd, loop_mark_ready, handle);
    return 0;
}

int uv_poll_stop(uv_poll_t *poll)
{
    struct handle *handle = handle_of(poll);

    handle->is_active = false;
    fds_watch(handle->fd, NULL, NULL);
    return 0;
}

static void serve(struct handle *handle)
{
    if (handle->type == UV_POLL && handle->is_active && fds_is_readable(handle->fd)) {
        handle->on_event((uv_poll_t *)handle->uv, 0, UV_READABLE);
    }
    stream_serve(handle);
}

static void serve_ready(struct loop *loop)
{
    struct handle *list = loop->first_ready;
    struct handle *order = NULL;

    loop->first_ready = NULL;
    while (list != NULL) { /* oldest first */
        struct handle *next = list->next_ready;

        list->next_ready = order;
        order = list;
        list = next;
    }
    while (order != NULL) {
        struct handle *handle = order;

        order = handle->next_ready;
        handle->is_ready = false;
        serve(handle);
    }
}

static void run_posts(struct loop *loop)
{
    struct loop_post *list = loop->first_post;

    loop->first_post = NULL;
    while (list != NULL) {
        struct loop_post *post = list;

        list = post->next;
        post->happen(post->ctx);
        free(post);
    }
}

/* ---- closing */

static void run_closing(struct loop *loop)
{
    struct handle **at = &loop->handles;

    while (*at != NULL) {
        struct handle *handle = *at;
        uv_handle_t *uv = handle->uv;
        uv_close_cb closed = handle->closed;

        if (!handle->is_closing || handle->is_ready) {
            at = &handle->next;
            continue;
        }
        stream_cancel(handle);
        *at = handle->next;
        if (handle->socket != NULL) {
            net_watch(handle->socket, NULL, NULL);
        }
        free(handle);
        uv->u.reserved[0] = NULL;
        if (closed != NULL) {
            closed(uv);
        }
        at = &loop->handles; /* closed() may have changed the list */
    }
}

static bool is_anything_closing(const struct loop *loop)
{
    for (const struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->is_closing) {
            return true;
        }
    }
    return false;
}

/* ---- run */

static bool is_alive(const struct loop *loop)
{
    for (const struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->is_active || handle->is_closing) {
            return true;
        }
    }
    return loop->requests > 0;
}

static void sleep_until_something(struct loop *loop)
{
    const struct handle *timer = first_due(loop);
    uint64_t until_us = timer == NULL ? SIM_FOREVER : timer->due_ms * 1000;

    loop->sleeper = machine_self();
    if (!loop->is_woken) {
        (void)machine_wait(until_us);
    }
    loop->sleeper = NULL;
    loop->is_woken = false;
}

static bool has_active(const struct loop *loop)
{
    for (const struct handle *handle = loop->handles; handle != NULL; handle = handle->next) {
        if (handle->is_active) {
            return true;
        }
    }
    return false;
}

/* P10: whatever hangs, a loop goes on with all the rest that it has. One that has closed it, to end
 * with its program, may wait for others to end. */
static void check_turn(const struct loop *loop, uint64_t began_us)
{
    const struct sim_host *host = machine_here();
    uint64_t lasted_us =
        machine_now_us() - (began_us > host->thawed_us ? began_us : host->thawed_us);

    if (lasted_us > TURN_US_MAX && has_active(loop)) {
        watch_fail("thread %s of node %u stood still for %llu ms",
                   machine_thread_name(machine_self()), host->number,
                   (unsigned long long)lasted_us / 1000);
    }
}

int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
    struct loop *loop = loop_of(uv);
    uint64_t began_us;

    do {
        began_us = machine_now_us();
        update_time(loop);
        run_timers(loop);
        run_hooks(loop, UV_IDLE);
        run_hooks(loop, UV_PREPARE);
        check_turn(loop, began_us);
        if (mode != UV_RUN_NOWAIT && !has_idle(loop) && loop->first_ready == NULL &&
            loop->first_post == NULL && !is_anything_closing(loop) && is_alive(loop)) {
            sleep_until_something(loop);
        } else {
            machine_yield();
        }
        began_us = machine_now_us();
        update_time(loop);
        run_posts(loop);
        serve_ready(loop);
        run_hooks(loop, UV_CHECK);
        check_turn(loop, began_us);
        run_closing(loop);
    } while (mode == UV_RUN_DEFAULT && is_alive(loop) && !loop->is_stopped);
    loop->is_stopped = false;
    return is_alive(loop);
}

void uv_stop(uv_loop_t *uv)
{
    loop_of(uv)->is_stopped = true;
}

/* ---- what others bring */

void loop_post(uv_loop_t *uv, void (*happen)(void *ctx), void *ctx)
{
    struct loop *loop = loop_of(uv);
    struct loop_post *post = loop_allocate(sizeof(*post));
    struct loop_post **at = &loop->first_post;

    *post = (struct loop_post){.happen = happen, .ctx = ctx};
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = post;
    wake(loop);
}

/* ---- texts and small things */

uv_buf_t uv_buf_init(char *base, unsigned len)
{
    return (uv_buf_t){.base = base, .len = len};
}

int uv_translate_sys_error(int error)
{
    return -error;
}

const char *uv_strerror(int error)
{
    return error == UV_EOF ? "end of file" : strerror(-error);
}
