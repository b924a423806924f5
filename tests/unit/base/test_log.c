/* The log: one line an event, whatever a peer puts into the values. */
#include "node/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Let stderr be a pipe for one call and return what was written. */
static size_t capture(void (*write_lines)(void), char *out, size_t capacity)
{
    int saved = dup(STDERR_FILENO);
    int ends[2];
    ssize_t len;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    write_lines();
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved);
    (void)close(ends[1]);
    len = read(ends[0], out, capacity - 1);
    (void)close(ends[0]);
    len = len < 0 ? 0 : len;
    out[len] = '\0';
    return (size_t)len;
}

static void write_fields(void)
{
    log_info("test.event", LOG_STR("text", "a\"b\\c\nd\x1b[0m\x7f"), LOG_INT("int", -5),
             LOG_UINT("uint", UINT64_MAX), LOG_SLICE("cut", slice_make("xyz", 2)));
}

static void test_fields(void **state)
{
    char line[1000];
    (void)state;

    assert_true(capture(write_fields, line, sizeof(line)) > 25);
    assert_string_equal(line + strlen("2026-11-22T18:00:00.000Z"),
                        " info test.event text=\"a\\\"b\\\\c\\x0ad\\x1b[0m\\x7f\" int=-5 "
                        "uint=18446744073709551615 cut=\"xy\"\n");
}

static void write_levels(void)
{
    log_debug("hidden");
    log_info("hidden");
    log_warn("shown.warn");
    log_error("shown.error");
}

static void test_levels(void **state)
{
    char lines[1000];
    (void)state;

    log_set_level(LOG_WARN);
    (void)capture(write_levels, lines, sizeof(lines));
    log_set_level(LOG_INFO);
    assert_null(strstr(lines, "hidden"));
    assert_non_null(strstr(lines, " warn shown.warn\n"));
    assert_non_null(strstr(lines, " error shown.error\n"));
}

static void write_flood(void)
{
    for (int i = 0; i < 300; i++) {
        log_info("test.flood");
    }
}

static void write_one(void)
{
    log_info("test.flood");
}

static unsigned count_of(const char *lines, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(lines, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* Goal: who can cause an event at will cannot fill the disk, and nothing is left out in silence.
 * Method: far too many lines at once (in two seconds at most); then one by one until the count of
 * those left out comes. */
static void test_flood(void **state)
{
    char lines[20000];
    (void)state;

    (void)capture(write_flood, lines, sizeof(lines));
    assert_in_range(count_of(lines, "test.flood"), 50, 100);
    for (int i = 0; i < 300 && strstr(lines, "suppressed=") == NULL; i++) {
        (void)usleep(10000);
        (void)capture(write_one, lines, sizeof(lines));
    }
    assert_non_null(strstr(lines, "suppressed="));
}

#define STALLED_LINES 40
#define VALUE_BYTES   60000 /* all lines together find room neither in the pipe nor in the queue */

/* Read until so many lines came or are said to be lost, which may be said more than once; returns
 * how many are lost. */
static unsigned long read_all(FILE *in, unsigned long wanted)
{
    char *line = NULL;
    size_t capacity = 0;
    unsigned long count = 0;
    unsigned long lost_count = 0;

    while (count + lost_count < wanted && getline(&line, &capacity, in) > 0) {
        const char *lost = strstr(line, " warn log.lines_lost lines=");

        count += lost == NULL ? 1 : 0;
        lost_count += lost == NULL ? 0 : strtoul(strchr(lost, '=') + 1, NULL, 10);
    }
    assert_int_equal(count + lost_count, wanted);
    free(line);
    return lost_count;
}

/* Goal: who logs never waits for a reader of stderr that stands still, and what is left out is
 * told. Method: far too much for a pipe that nobody reads; the alarm is for a line that waits. Then
 * all is read: what comes and what is said to be lost are all lines. */
static void test_stalled_reader(void **state)
{
    static char value[VALUE_BYTES];
    int saved = dup(STDERR_FILENO);
    int ends[2];
    FILE *in;
    (void)state;

    memset(value, 'x', sizeof(value) - 1);
    (void)alarm(60);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    log_start();
    for (unsigned i = 0; i < STALLED_LINES; i++) {
        log_info("test.stalled", LOG_STR("value", value));
    }
    log_flush(); /* in vain, but it comes back */
    in = fdopen(ends[0], "r");
    assert_in_range(read_all(in, STALLED_LINES), 1, STALLED_LINES - 1);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)fclose(in); /* only now nothing is written to the other end any more */
    (void)close(saved);
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_levels), cmocka_unit_test(test_flood),
        cmocka_unit_test(test_stalled_reader), /* last: from here on a thread writes */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
