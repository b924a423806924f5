/* Wakers: no wake is lost, none comes after the end (run under TSan too). */
#include "node/base/waker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS 4
#define WAKES   20000
#define LIMIT_S 30

struct scene {
    uv_loop_t loop;
    uv_timer_t limit;
    struct waker waker;
    atomic_uint said;
    unsigned wakes;
};

static void on_limit(uv_timer_t *limit)
{
    (void)limit;
    fail_msg("a wake was lost");
}

static void on_wake(void *ctx)
{
    struct scene *scene = ctx;

    scene->wakes++;
    if (atomic_load_explicit(&scene->said, memory_order_relaxed) == THREADS * WAKES) {
        waker_close(&scene->waker);
        uv_close((uv_handle_t *)&scene->limit, NULL);
    }
}

static void *say_all(void *ctx)
{
    struct scene *scene = ctx;

    for (unsigned i = 0; i < WAKES; i++) {
        (void)atomic_fetch_add_explicit(&scene->said, 1, memory_order_relaxed);
        waker_wake(&scene->waker);
    }
    return NULL;
}

static void open_scene(struct scene *scene)
{
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(uv_timer_init(&scene->loop, &scene->limit), 0);
    assert_int_equal(uv_timer_start(&scene->limit, on_limit, LIMIT_S * 1000, 0), 0);
    waker_init(&scene->waker, &scene->loop, on_wake, scene);
}

static void close_scene(struct scene *scene)
{
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    waker_deinit(&scene->waker);
}

/* Goal: after the last wake the loop runs once more and sees all that was said before it.
 * Method: four threads say something and wake, as fast as they can; the loop ends when it has seen
 * everything, and would else wait for ever. */
static void test_no_wake_is_lost(void **state)
{
    static struct scene scene;
    pthread_t threads[THREADS];
    (void)state;

    open_scene(&scene);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, say_all, &scene), 0);
    }
    assert_int_equal(uv_run(&scene.loop, UV_RUN_DEFAULT), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(scene.wakes <= THREADS * WAKES);
    close_scene(&scene);
}

/* Goal: whoever wakes too late harms nobody, and many wakes at once are one.
 * Method: wake twice, look; close, wake, look. */
static void test_end(void **state)
{
    static struct scene scene;
    (void)state;

    open_scene(&scene);
    waker_wake(&scene.waker);
    waker_wake(&scene.waker);
    (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(scene.wakes, 1);
    waker_close(&scene.waker);
    waker_wake(&scene.waker);
    uv_close((uv_handle_t *)&scene.limit, NULL);
    assert_int_equal(uv_run(&scene.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(scene.wakes, 1);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wake_is_lost),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
