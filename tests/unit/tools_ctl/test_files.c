/* Files that root makes for the user of the node, who meanwhile puts links in their place.
 * Method of all: geteuid() says root and getpwnam() knows the user; what is given away is noted. */
#include "tests/unit/tools_ctl/said.h"

#include "tests/lib/scratch.h"
#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/stat.h>

#define NODE_USER 4711

uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwnam(const char *name);
int __wrap_chown(const char *path, uid_t user, gid_t group);
int __wrap_fchown(int file, uid_t user, gid_t group);
int __wrap_fchownat(int dir, const char *path, uid_t user, gid_t group, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
ssize_t __real_write(int file, const void *bytes, size_t len);
ssize_t __wrap_write(int file, const void *bytes, size_t len);

static char folder[SCRATCH_BYTES];
static char file_path[SCRATCH_BYTES + 16];
static char victim[SCRATCH_BYTES + 16];
static bool swaps;       /* the user puts a link in place of the file */
static bool swaps_dir;   /* or a folder */
static ino_t given;      /* what was given to the user; 0: nothing */
static bool is_followed; /* by a call that follows links */

uid_t __wrap_geteuid(void)
{
    return 0;
}

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd user = {.pw_uid = NODE_USER, .pw_gid = NODE_USER};

    assert_string_equal(name, FILES_USER);
    return &user;
}

static int give(int rc, const struct stat *what, uid_t user)
{
    assert_int_equal(rc, 0);
    assert_int_equal(user, NODE_USER);
    given = what->st_ino;
    return 0;
}

int __wrap_chown(const char *path, uid_t user, gid_t group)
{
    struct stat what;

    (void)group;
    is_followed = true;
    return give(stat(path, &what), &what, user);
}

int __wrap_fchown(int file, uid_t user, gid_t group)
{
    struct stat what;

    (void)group;
    return give(fstat(file, &what), &what, user);
}

int __wrap_fchownat(int dir, const char *path, uid_t user, gid_t group, int flags)
{
    struct stat what;

    (void)group;
    return give(fstatat(dir, path, &what, flags), &what, user);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    int rc = __real_mkdir(path, mode);

    if (swaps && rc == 0) {
        swaps = false;
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(swaps_dir ? rename(victim, path) : symlink(victim, path), 0);
    }
    return rc;
}

ssize_t __wrap_write(int file, const void *bytes, size_t len)
{
    if (swaps) {
        swaps = false;
        assert_int_equal(unlink(file_path), 0);
        assert_int_equal(symlink(victim, file_path), 0);
    }
    return __real_write(file, bytes, len);
}

static ino_t inode_of(const char *path)
{
    struct stat what;

    assert_int_equal(lstat(path, &what), 0);
    return what.st_ino;
}

static int setup(void **state)
{
    (void)state;
    scratch_folder(folder, "files");
    (void)snprintf(file_path, sizeof(file_path), "%s/file", folder);
    (void)snprintf(victim, sizeof(victim), "%s/victim", folder);
    assert_int_equal(mkdir(victim, 0755), 0);
    swaps = false;
    given = 0;
    is_followed = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file_path);
    (void)rmdir(file_path);
    (void)rmdir(victim);
    return rmdir(folder);
}

/* Goal: a private file belongs to the user, others to root. Method: write one of each kind. */
static void test_owner(void **state)
{
    (void)state;
    assert_int_equal(files_write(file_path, slice_str("x"), FILE_PRIVATE), 0);
    assert_int_equal(given, inode_of(file_path));
    given = 0;
    for (enum file_kind kind = FILE_PUBLIC; kind <= FILE_OWN; kind++) {
        (void)unlink(file_path);
        if (kind != FILE_PRIVATE) {
            assert_int_equal(files_write(file_path, slice_str("x"), kind), 0);
        }
    }
    assert_int_equal(given, 0);
}

/* Goal: the user gets the file that was written, whatever its name is for by then.
 * Method: the name becomes a link while the file is open. */
static void test_swapped_file(void **state)
{
    (void)state;
    swaps = true;
    assert_int_equal(files_write(file_path, slice_str("x"), FILE_PRIVATE), 0);
    assert_false(swaps);
    assert_int_not_equal(given, inode_of(victim));
    assert_false(is_followed);
}

/* Goal: a link that was there is not written through. Method: to nothing, so that open() could make
 * what it is to. */
static void test_planted_link(void **state)
{
    struct said said;

    (void)state;
    (void)rmdir(victim);
    assert_int_equal(symlink(victim, file_path), 0);
    said_begin(&said, stderr);
    assert_int_equal(files_write(file_path, slice_str("x"), FILE_PRIVATE), ERR_EXISTS);
    said_end(&said);
    assert_int_equal(access(victim, F_OK), -1);
}

/* Goal: a directory that is a link is given away as the link, not as what it is to.
 * Method: with and without the slash at the end, which makes system calls follow. */
static void test_linked_dir(void **state)
{
    char with_slash[sizeof(file_path) + 2];

    (void)state;
    assert_int_equal(symlink(victim, file_path), 0);
    (void)snprintf(with_slash, sizeof(with_slash), "%s//", file_path);
    for (int i = 0; i < 2; i++) {
        given = 0;
        assert_int_equal(files_make_dir(i == 0 ? file_path : with_slash, FILE_PRIVATE), 0);
        assert_int_equal(given, inode_of(file_path));
    }
    assert_false(is_followed);
}

/* Goal: a directory is made with those above it, and is the user's. Method: two levels. */
static void test_dir(void **state)
{
    char path[sizeof(file_path) + 2];
    struct stat what;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/d", file_path);
    assert_int_equal(files_make_dir(path, FILE_PRIVATE), 0);
    assert_int_equal(given, inode_of(path));
    assert_int_equal(stat(path, &what), 0);
    assert_int_equal(what.st_mode & 0777, 0700);
    assert_int_equal(stat(file_path, &what), 0);
    assert_int_equal(what.st_mode & 0777, 0755);
    assert_int_equal(rmdir(path), 0);
}

/* Goal: a folder is root's until it is given away, and then it is the one that was made.
 * Method: make it, move it, put a link in its place, give it. */
static void test_created_dir(void **state)
{
    char moved[sizeof(file_path) + 2];
    struct stat what;
    ino_t made;
    int dir = -1;

    (void)state;
    (void)snprintf(moved, sizeof(moved), "%s.m", file_path);
    assert_int_equal(files_create_dir(file_path, &dir), 0);
    assert_int_equal(stat(file_path, &what), 0);
    assert_int_equal(what.st_mode & 0777, 0700);
    assert_int_equal(given, 0);
    made = inode_of(file_path);
    assert_int_equal(rename(file_path, moved), 0);
    assert_int_equal(symlink(victim, file_path), 0);
    assert_int_equal(files_give_dir(dir, file_path), 0);
    assert_int_equal(given, made);
    assert_int_equal(close(dir), 0);
    assert_int_equal(rmdir(moved), 0);
}

/* Goal: a folder that the user puts in place of the one that was made is not taken for it.
 * Method: a link, and one that others may enter, between making and opening; one that is there. */
static void test_swapped_dir(void **state)
{
    struct said said;
    int dir = -1;

    (void)state;
    said_begin(&said, stderr);
    assert_int_equal(files_create_dir(victim, &dir), ERR_EXISTS);
    for (int i = 0; i < 2; i++) {
        (void)unlink(file_path);
        swaps = true;
        swaps_dir = i == 1;
        assert_int_equal(files_create_dir(file_path, &dir), ERR_IO);
        assert_false(swaps);
    }
    said_end(&said);
    assert_int_equal(dir, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swapped_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_planted_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linked_dir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_created_dir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swapped_dir, setup, teardown),
    };

    (void)umask(0022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
