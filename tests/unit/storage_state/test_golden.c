/* Goal: what each command does is written down, and changes only on purpose.
 * Method: golden/NAME.txt holds entries ("> incarnation command", "& ..." joins the entry before
 * it,
 * "! advance ms" moves the clock) and below each the effects and the state hash. The file is run
 * and written again: it must not change. GOLDEN_WRITE=1 in the environment rewrites it for review.
 */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY "tests/unit/storage_state/golden/"

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    assert_non_null(file);
    while ((len = fread(buf_reserve(out, 4096), 1, 4096, file)) > 0) {
        buf_commit(out, len);
    }
    (void)fclose(file);
}

static void write_file(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(buf_slice(text).data, 1, buf_len(text), file), buf_len(text));
    assert_int_equal(fclose(file), 0);
}

static void flush_batch(struct world *world, struct buf *batch, struct buf *out)
{
    if (buf_len(batch) == 0) {
        return;
    }
    buf_append_str(out, world_run(world, buf_text(batch)));
    buf_printf(out, "hash %016llx\n", (unsigned long long)check_hash(world->state));
    check_invariants(world->state);
    buf_clear(batch);
}

static void run_file(struct buf *in, struct buf *out)
{
    struct world world;
    struct buf batch = BUF_EMPTY;
    char *save = NULL;
    char *text = strdup(buf_text(in));

    world_open(&world);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] == '>' || line[0] == '#' || line[0] == '!') {
            flush_batch(&world, &batch, out);
        }
        if (line[0] == '>' || line[0] == '&') {
            buf_printf(out, "%s\n", line);
            buf_printf(&batch, "%s\n", line + 2);
        } else if (line[0] == '#') {
            buf_printf(out, "%s%s\n", buf_len(out) == 0 ? "" : "\n", line);
        } else if (line[0] == '!') {
            buf_printf(out, "%s\n", line);
            world.now_ms += strtoull(line + strlen("! advance "), NULL, 10);
        }
    }
    flush_batch(&world, &batch, out);
    world_close(&world);
    buf_deinit(&batch);
    free(text);
}

static void test_golden(void **state)
{
    const char *name = *state;
    struct buf before = BUF_EMPTY, after = BUF_EMPTY;
    char path[256];

    (void)snprintf(path, sizeof(path), DIRECTORY "%s.txt", name);
    read_file(path, &before);
    run_file(&before, &after);
    if (getenv("GOLDEN_WRITE") != NULL) {
        write_file(path, &after);
    } else {
        assert_string_equal(buf_text(&after), buf_text(&before));
    }
    buf_deinit(&before);
    buf_deinit(&after);
}

#define GOLDEN(file)                                                                               \
    {                                                                                              \
        .name = "golden " file, .test_func = test_golden, .initial_state = (void *)(file)          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN("accounts"), GOLDEN("streams"), GOLDEN("messages"), GOLDEN("roster"),
        GOLDEN("presence"), GOLDEN("expiry"),  GOLDEN("kept"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
