/* waker - wakes a loop from another thread, as uv_async_t does, without its price: libuv 1.44 marks
 * a handle before and after the write that wakes, and a loop that runs before the writer does again
 * burns its processor until the second mark. With few processors for many threads it often does. */
#ifndef NODE_BASE_WAKER_H
#define NODE_BASE_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <uv.h>

struct waker {
    uv_poll_t poll;
    int fd;
    atomic_bool is_woken;
    void (*on_wake)(void *ctx);
    void *ctx;
};

/** on_wake runs on the loop's thread, once or more often after each call of waker_wake(). Aborts
 * when the process has no descriptor left for it. */
void waker_init(struct waker *waker, uv_loop_t *loop, void (*on_wake)(void *ctx), void *ctx);
/** Any thread, between waker_init() and waker_deinit(). What the caller wrote before, on_wake sees.
 */
void waker_wake(struct waker *waker);
/** Loop thread: on_wake is not called any more. */
void waker_close(struct waker *waker);
/** After the loop ran once more since waker_close(), and when no thread can wake it any more. */
void waker_deinit(struct waker *waker);

#endif
