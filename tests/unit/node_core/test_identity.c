/* Who a node is, on disk. */
#include "node/core/identity.h"

#include "node/base/assert.h"
#include "tests/lib/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char dir[SCRATCH_BYTES];
    char file[SCRATCH_BYTES + 16];
    char log[SCRATCH_BYTES + 16];
    char mark[SCRATCH_BYTES + 32];
};

static struct folder new_folder(void)
{
    struct folder folder;

    scratch_folder(folder.dir, "identity");
    (void)snprintf(folder.file, sizeof(folder.file), "%s/node.json", folder.dir);
    (void)snprintf(folder.log, sizeof(folder.log), "%s/raft", folder.dir);
    (void)snprintf(folder.mark, sizeof(folder.mark), "%s/membership", folder.log);
    assert_int_equal(mkdir(folder.log, 0700), 0);
    return folder;
}

static void remove_folder(const struct folder *folder)
{
    (void)unlink(folder->file);
    (void)unlink(folder->mark);
    (void)rmdir(folder->log);
    (void)rmdir(folder->dir);
}

static void write_file(const struct folder *folder, const char *text)
{
    FILE *file = fopen(folder->file, "we");

    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* The text of a file in the folder, "" when there is none. */
static const char *text_of(const char *path)
{
    static char text[256];
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file != NULL) {
        len = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
    }
    text[len] = '\0';
    return text;
}

/* Goal: a founding member founds once: from its first start on its log may not be lost, or it would
 * give votes twice. Method: begin, then take the log away; then put another membership's there. */
static void test_founder(void **state)
{
    struct folder folder = new_folder();
    struct identity identity;

    (void)state;
    write_file(&folder, "{\"node\": 7, \"raft_id\": 30064771073, \"bootstrap\": true}");
    assert_int_equal(identity_open(folder.dir, 7, &identity), 0);
    assert_true(identity.bootstrap);
    assert_int_equal(identity_check_log(&identity, folder.log), 0);
    assert_int_equal(identity_begin(&identity, folder.dir, folder.log), 0);
    assert_string_equal(text_of(folder.file),
                        "{\"node\": 7, \"raft_id\": 30064771073, \"begun\": true}\n");

    assert_int_equal(identity_open(folder.dir, 7, &identity), 0);
    assert_false(identity.bootstrap);
    assert_int_equal(identity.raft_id, (uint64_t)7 << 32 | 1);
    assert_int_equal(identity_check_log(&identity, folder.log), 0);

    assert_int_equal(unlink(folder.mark), 0);
    assert_int_equal(identity_check_log(&identity, folder.log), ERR_CORRUPT);
    identity.raft_id++;
    assert_int_equal(
        identity_begin(&(struct identity){.node_id = 7, .raft_id = 5}, folder.dir, folder.log), 0);
    assert_int_equal(identity_check_log(&identity, folder.log), ERR_CORRUPT);
    remove_folder(&folder);
}

/* Goal: a joiner keeps whom it was told of, also when its log has begun.
 * Method: one with two others; what it writes is read again. */
static void test_members(void **state)
{
    struct folder folder = new_folder();
    struct identity identity;

    (void)state;
    write_file(&folder, "{\"node\": 7, \"raft_id\": 30064771074, \"members\": [{\"node\": 2, "
                        "\"address\": \"b:7101\"}, {\"node\": 9, \"address\": \"[::9]:7101\"}]}");
    for (int reads = 0; reads < 2; reads++) {
        assert_int_equal(identity_open(folder.dir, 7, &identity), 0);
        assert_int_equal(identity.begun, reads == 1);
        assert_int_equal(identity.member_count, 2);
        assert_int_equal(identity.members[0].node_id, 2);
        assert_string_equal(identity.members[1].address, "[::9]:7101");
        assert_int_equal(identity_begin(&identity, folder.dir, folder.log), 0);
    }
    remove_folder(&folder);
}

static void write_mark(const struct folder *folder, const char *text)
{
    FILE *file = fopen(folder->mark, "we");

    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* Goal: what a founder's first start left when it was cut short goes; nothing else ever does.
 * Method: a file in the log's folder, for a founder before and after it has begun, and a joiner. */
static void test_first_start_cut_short(void **state)
{
    struct folder folder = new_folder();
    struct identity founder = {.node_id = 7, .raft_id = 30064771073, .bootstrap = true};
    const struct identity joiner = {.node_id = 7, .raft_id = 30064771074};

    (void)state;
    write_mark(&folder, "torn");
    assert_int_equal(identity_clear_log(&joiner, folder.log), 0);
    assert_string_equal(text_of(folder.mark), "torn");
    assert_int_equal(identity_clear_log(&founder, folder.log), 0);
    assert_string_equal(text_of(folder.mark), "");
    assert_int_equal(identity_begin(&founder, folder.dir, folder.log), 0);
    assert_int_equal(identity_clear_log(&founder, folder.log), 0);
    assert_string_equal(text_of(folder.mark), "30064771073\n");
    remove_folder(&folder);
}

/* Goal: a node without an identity does not start, as one whose whole disk was lost.
 * Method: an empty folder. */
static void test_no_member(void **state)
{
    struct folder folder = new_folder();
    struct identity identity;

    (void)state;
    assert_int_equal(identity_open(folder.dir, 7, &identity), ERR_CONFIG);
    remove_folder(&folder);
}

/* Goal: the data of another node, or a damaged file, is refused.
 * Method: such files. */
static void test_refused(void **state)
{
    static const char *const texts[] = {
        "{\"node\": 8, \"raft_id\": 34359738369}",
        "{\"node\": 7, \"raft_id\": 34359738369}",
        "{\"node\": 7}",
        "{\"node\": 7, \"raft_id\": 30064771073, \"members\": [{\"node\": 0, \"address\": \"a\"}]}",
        "{\"node\": 7, \"raft_id\": 30064771073, \"members\": [7]}",
        "{",
        "",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct folder folder = new_folder();
        struct identity identity;

        write_file(&folder, texts[i]);
        assert_int_equal(identity_open(folder.dir, 7, &identity), ERR_CONFIG);
        remove_folder(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_founder),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_first_start_cut_short),
        cmocka_unit_test(test_no_member),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
