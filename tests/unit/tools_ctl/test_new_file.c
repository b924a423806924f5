/* A file that gets its name last, while others want the same name.
 * Method of all: what another process would do is done in between, inside a system call that the
 * test stands in for. */
#include "tests/unit/tools_ctl/said.h"

#include "tests/lib/scratch.h"
#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
int __real_flock(int file, int operation);
int __wrap_flock(int file, int operation);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

static char folder[SCRATCH_BYTES];
static char path[SCRATCH_BYTES + 16];
static char tmp_path[SCRATCH_BYTES + 16];
static bool is_other_user;     /* files here belong to somebody else */
static bool has_no_renameat2;  /* the file system */
static struct new_file *rival; /* is complete when its lock is asked for; NULL: none */

uid_t __wrap_geteuid(void)
{
    return __real_geteuid() + (is_other_user ? 1 : 0);
}

int __wrap_flock(int file, int operation)
{
    if (rival != NULL) {
        assert_int_equal(files_give_name(rival), 0);
        files_end_new(rival);
        rival = NULL;
    }
    return __real_flock(file, operation);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (has_no_renameat2) {
        errno = EINVAL;
        return -1;
    }
    return __real_renameat2(from_dir, from, to_dir, to, flags);
}

static void write_text(int file, const char *text)
{
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
}

static void put(const char *where, const char *text, mode_t mode)
{
    int file = open(where, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    assert_true(file >= 0);
    write_text(file, text);
    assert_int_equal(close(file), 0);
}

static void expect(const char *where, const char *text, mode_t mode)
{
    char bytes[64] = {0};
    struct stat what;
    int file = open(where, O_RDONLY | O_CLOEXEC);

    assert_true(file >= 0);
    assert_true(read(file, bytes, sizeof(bytes) - 1) >= 0);
    assert_string_equal(bytes, text);
    assert_int_equal(fstat(file, &what), 0);
    assert_int_equal(what.st_mode & 0777, mode);
    assert_int_equal(close(file), 0);
}

static int begin(struct new_file *out)
{
    struct said said;
    int rc;

    said_begin(&said, stderr);
    rc = files_begin_new(path, out);
    said_end(&said);
    return rc;
}

static int setup(void **state)
{
    (void)state;
    scratch_folder(folder, "new-file");
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    (void)snprintf(tmp_path, sizeof(tmp_path), "%s/file.tmp", folder);
    is_other_user = false;
    has_no_renameat2 = false;
    rival = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(tmp_path);
    return rmdir(folder);
}

/* Goal: nothing is written into a file that another user made, who could read it and keeps it.
 * Method: it is there under the name of the unfinished file. */
static void test_file_of_another(void **state)
{
    struct new_file file;

    (void)state;
    put(tmp_path, "theirs", 0666);
    is_other_user = true;
    assert_int_equal(begin(&file), ERR_EXISTS);
    expect(tmp_path, "theirs", 0666);
}

/* Goal: nothing is written into a file of ours that somebody gave a second name, nor through a
 * link. Method: a file with content under two names; a symbolic link to it. */
static void test_second_name(void **state)
{
    struct new_file file;
    char other[sizeof(path) + 2];

    (void)state;
    (void)snprintf(other, sizeof(other), "%s.o", path);
    put(other, "ours", 0644);
    assert_int_equal(link(other, tmp_path), 0);
    assert_int_equal(begin(&file), ERR_EXISTS);
    assert_int_equal(unlink(tmp_path), 0);
    assert_int_equal(symlink(other, tmp_path), 0);
    assert_int_equal(begin(&file), ERR_IO);
    expect(other, "ours", 0644);
    assert_int_equal(unlink(other), 0);
}

/* Goal: what was left by one that was killed is in nobody's way.
 * Method: a longer file that all may read. */
static void test_left_behind(void **state)
{
    struct new_file file;

    (void)state;
    put(tmp_path, "long and unfinished", 0644);
    assert_int_equal(begin(&file), 0);
    write_text(file.fd, "whole");
    assert_int_equal(files_give_name(&file), 0);
    files_end_new(&file);
    expect(path, "whole", 0600);
    assert_int_equal(access(tmp_path, F_OK), -1);
}

/* Goal: two at once do each other no harm: the second one is refused, and the first one completes.
 */
static void test_second_one(void **state)
{
    struct new_file files[2];

    (void)state;
    assert_int_equal(begin(&files[0]), 0);
    write_text(files[0].fd, "first");
    assert_int_equal(begin(&files[1]), ERR_BUSY);
    assert_int_equal(files_give_name(&files[0]), 0);
    files_end_new(&files[0]);
    expect(path, "first", 0600);
}

/* Goal: one that opened the unfinished file of another does not empty it once it is complete.
 * Method: the first one ends between open and lock of the second. */
static void test_second_one_is_late(void **state)
{
    struct new_file files[2];

    (void)state;
    assert_int_equal(begin(&files[0]), 0);
    write_text(files[0].fd, "first");
    rival = &files[0];
    assert_int_equal(begin(&files[1]), ERR_EXISTS);
    assert_null(rival);
    expect(path, "first", 0600);
}

/* Goal: a file that came meanwhile stays, and the unfinished one goes.
 * Method: with and without a file system that can rename so. */
static void test_name_taken_meanwhile(void **state)
{
    struct new_file file;
    struct said said;

    (void)state;
    for (int i = 0; i < 2; i++) {
        has_no_renameat2 = i == 1;
        assert_int_equal(begin(&file), 0);
        put(path, "theirs", 0644);
        said_begin(&said, stderr);
        assert_int_equal(files_give_name(&file), ERR_EXISTS);
        said_end(&said);
        files_end_new(&file);
        expect(path, "theirs", 0644);
        assert_int_equal(access(tmp_path, F_OK), -1);
        assert_int_equal(unlink(path), 0);

        assert_int_equal(begin(&file), 0);
        assert_int_equal(files_give_name(&file), 0);
        files_end_new(&file);
        expect(path, "", 0600);
        assert_int_equal(access(tmp_path, F_OK), -1);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_one_is_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name_taken_meanwhile, setup, teardown),
    };

    (void)umask(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
