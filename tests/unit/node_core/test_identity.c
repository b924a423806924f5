/* Who a node is, on disk. */
#include "node/core/identity.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char dir[32];
    char file[64];
};

static struct folder new_folder(void)
{
    struct folder folder = {.dir = "/tmp/muster-identity-XXXXXX"};

    assert_non_null(mkdtemp(folder.dir));
    (void)snprintf(folder.file, sizeof(folder.file), "%s/node.json", folder.dir);
    return folder;
}

static void remove_folder(const struct folder *folder)
{
    (void)unlink(folder->file);
    (void)rmdir(folder->dir);
}

static void write_file(const struct folder *folder, const char *text)
{
    FILE *file = fopen(folder->file, "we");

    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* Goal: a founding member gets the raft id of its first membership, and keeps it.
 * Method: open twice, the second time without leave to make one. */
static void test_founder(void **state)
{
    struct folder folder = new_folder();
    struct identity identity = {0};

    (void)state;
    assert_int_equal(identity_open(folder.dir, 7, true, &identity), 0);
    assert_int_equal(identity.raft_id, (uint64_t)7 << 32 | 1);
    identity = (struct identity){0};
    assert_int_equal(identity_open(folder.dir, 7, false, &identity), 0);
    assert_int_equal(identity.raft_id, (uint64_t)7 << 32 | 1);
    remove_folder(&folder);
}

/* Goal: a node without an identity that may not make one does not start.
 * Method: an empty folder. */
static void test_no_member(void **state)
{
    struct folder folder = new_folder();
    struct identity identity;

    (void)state;
    assert_int_equal(identity_open(folder.dir, 7, false, &identity), ERR_CONFIG);
    remove_folder(&folder);
}

/* Goal: the data of another node, or a damaged file, is refused.
 * Method: such files. */
static void test_refused(void **state)
{
    static const char *const texts[] = {"{\"node\": 8, \"raft_id\": 34359738369}",
                                        "{\"node\": 7, \"raft_id\": 34359738369}", "{\"node\": 7}",
                                        "{", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct folder folder = new_folder();
        struct identity identity;

        write_file(&folder, texts[i]);
        assert_int_equal(identity_open(folder.dir, 7, true, &identity), ERR_CONFIG);
        remove_folder(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_founder),
        cmocka_unit_test(test_no_member),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
