/* uv - what the two halves of the machine's libuv share: loops (loop.c) and streams (stream.c). */
#ifndef TESTS_SIM_UV_H
#define TESTS_SIM_UV_H

#include "tests/sim/net.h"

#include <uv.h>

struct loop;

struct handle {
    struct handle *next; /* of the loop */
    struct handle *next_ready;
    struct loop *loop;
    uv_handle_t *uv;
    uv_handle_type type;
    bool is_active;
    bool is_closing;
    bool is_ready; /* in the loop's list */
    uv_close_cb closed;
    /* timer */
    uv_timer_cb on_time;
    uint64_t due_ms;
    uint64_t repeat_ms;
    uint64_t started; /* of those due at the same time the one that was started first is first */
    /* prepare, check, idle */
    void (*hook)(void);
    /* tcp */
    struct net_socket *socket;
    struct net_socket *accepted; /* offered, not yet taken */
    uv_connection_cb on_connection;
    uv_connect_t *connect;
    uv_alloc_cb alloc;
    uv_read_cb read;
    uv_write_t *first_write;
    uv_shutdown_t *shutdown;
    /* poll */
    int fd;
    uv_poll_cb on_event;
    uv_async_cb on_async;
};

struct loop_post;

struct loop {
    uv_loop_t *uv;
    struct loop_post *first_post;
    struct sim_thread *sleeper; /* waits in it */
    uint64_t time_ms;
    uint64_t starts;
    struct handle *handles;
    struct handle *first_ready;
    bool is_woken;
    bool is_stopped;
    unsigned requests;
};

/** The machine's side of a handle. */
static inline struct handle *handle_of(const void *uv)
{
    return ((const uv_handle_t *)uv)->u.reserved[0];
}

/** Zeroed. */
void *loop_allocate(size_t size);
struct handle *loop_add_handle(uv_loop_t *uv_loop, void *uv, size_t size, uv_handle_type type);
/** Something may go on with the handle, at the loop's next turn. ctx: the handle. */
void loop_mark_ready(void *ctx);

/** Go on with a stream. */
void stream_serve(struct handle *handle);
/** It is closed: end its requests. */
void stream_cancel(struct handle *handle);

#endif
