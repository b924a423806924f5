#include "node/base/waker.h"

#include "node/base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct waker *waker = poll->data;
    uint64_t count;
    ssize_t n;

    ASSERT(status == 0); /* else libuv would have stopped to look */
    (void)events;
    do {
        n = read(waker->fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
    /* First: who comes from here on writes again; who came before is seen by on_wake, which is why
     * this reads the mark too. */
    (void)atomic_exchange(&waker->is_woken, false);
    waker->on_wake(waker->ctx);
}

void waker_init(struct waker *waker, uv_loop_t *loop, void (*on_wake)(void *ctx), void *ctx)
{
    int rc;

    waker->on_wake = on_wake;
    waker->ctx = ctx;
    atomic_init(&waker->is_woken, false);
    waker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(waker->fd >= 0);
    rc = uv_poll_init(loop, &waker->poll, waker->fd);
    ASSERT(rc == 0);
    waker->poll.data = waker;
    rc = uv_poll_start(&waker->poll, UV_READABLE, on_readable);
    ASSERT(rc == 0);
}

void waker_wake(struct waker *waker)
{
    const uint64_t one = 1;
    ssize_t n;

    if (atomic_exchange(&waker->is_woken, true)) {
        return;
    }
    do {
        n = write(waker->fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    ASSERT(n == (ssize_t)sizeof(one));
}

void waker_close(struct waker *waker)
{
    uv_close((uv_handle_t *)&waker->poll, NULL);
}

void waker_deinit(struct waker *waker)
{
    (void)close(waker->fd);
    waker->fd = -1;
    atomic_store(&waker->is_woken, false); /* so that a wake that comes too late is noticed */
}
