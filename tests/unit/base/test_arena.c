/* Arena: zeroed, aligned, apart from each other, and gone at once. */
#include "node/base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Goal: blocks of any size do not overlap and are zeroed, also in memory that was used before.
 * Method: fill each block with its number, check all of them at the end, reset, once more. */
static void test_blocks_are_apart(void **state)
{
    uint8_t *blocks[200];
    struct arena arena;
    (void)state;

    arena_init(&arena);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
            size_t size = i * i % 7000;

            blocks[i] = arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
            for (size_t j = 0; j < size; j++) {
                assert_int_equal(blocks[i][j], 0);
                blocks[i][j] = (uint8_t)i;
            }
        }
        for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
            for (size_t j = 0; j < i * i % 7000; j++) {
                assert_int_equal(blocks[i][j], (uint8_t)i);
            }
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

/* Goal: what was taken is known, in however many chunks it stands. */
static void test_used(void **state)
{
    struct arena arena;
    size_t used;
    (void)state;

    arena_init(&arena);
    assert_int_equal(arena_used(&arena), 0);
    for (size_t i = 1; i <= 10; i++) {
        (void)arena_alloc(&arena, 1000);
        used = arena_used(&arena);
        assert_in_range(used, i * 1000, i * (1000 + alignof(max_align_t)));
    }
    arena_reset(&arena);
    assert_int_equal(arena_used(&arena), 0);
    arena_deinit(&arena);
}

static void test_copies(void **state)
{
    struct arena arena;
    struct slice copy;
    (void)state;

    arena_init(&arena);
    assert_string_equal(arena_strndup(&arena, slice_sub(slice_str("hello"), 0, 4)), "hell");
    assert_string_equal(arena_strndup(&arena, slice_make(NULL, 0)), "");
    copy = arena_copy(&arena, slice_make("a\0b", 3));
    assert_memory_equal(copy.data, "a\0b", 4); /* a NUL is kept behind it */
    assert_int_equal(copy.len, 3);
    arena_reset(&arena);
    arena_reset(&arena);
    arena_deinit(&arena);
    arena_deinit(&arena);
}

/* Goal: protobuf-c can be told to allocate here. */
static void test_protobuf_allocator(void **state)
{
    struct arena arena;
    uint8_t *memory;
    (void)state;

    arena_init(&arena);
    memory = arena.pb.alloc(arena.pb.allocator_data, 100);
    memset(memory, 1, 100);
    arena.pb.free(arena.pb.allocator_data, memory);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_apart),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_protobuf_allocator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
