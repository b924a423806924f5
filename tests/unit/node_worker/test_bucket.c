/* Token buckets: the burst, the rate after it, debt, and long quiet times. */
#include "node/worker/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEGIN_MS 1000000

/* How many can be taken one by one within so many milliseconds? */
static uint32_t take_all(struct bucket *bucket, uint64_t *now_ms, uint32_t within_ms)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < within_ms; i++) {
        while (bucket_left(bucket, *now_ms) > 0) {
            bucket_take(bucket, 1, *now_ms);
            count++;
        }
        (*now_ms)++;
    }
    return count;
}

/* Goal: the burst at once, then the rate, whatever the steps of time; the burst is back when the
 * time for it has passed, and no more than that however long it is quiet. */
static void test_rate(void **state)
{
    uint64_t now_ms = BEGIN_MS;
    struct bucket bucket;
    (void)state;

    bucket_init(&bucket, 30, 5, now_ms);
    assert_int_equal(take_all(&bucket, &now_ms, 1), 150);
    assert_in_range(take_all(&bucket, &now_ms, 10000), 299, 301);
    now_ms += 1000;
    assert_in_range(take_all(&bucket, &now_ms, 1), 29, 31);
    now_ms += UINT64_C(1) << 50;
    assert_int_equal(take_all(&bucket, &now_ms, 1), 150);
}

/* Goal: what was taken beyond the burst is paid back before more may be taken. */
static void test_debt(void **state)
{
    struct bucket bucket;
    (void)state;

    bucket_init(&bucket, 1000, 1, BEGIN_MS);
    bucket_take(&bucket, 3000, BEGIN_MS);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 2000), 0);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 2001), 1);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 9000), 1000);
}

/* Goal: a caller that read the clock a little earlier than the last one gives nobody a full bucket.
 */
static void test_older_time(void **state)
{
    struct bucket bucket;
    (void)state;

    bucket_init(&bucket, 1, 100, BEGIN_MS);
    bucket_take(&bucket, 100, BEGIN_MS + 10);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 9), 0);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 999), 0);
    assert_int_equal(bucket_left(&bucket, BEGIN_MS + 1010), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_older_time),
        cmocka_unit_test(test_debt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
