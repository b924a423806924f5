/* Passwords from files: the first line, whole. */
#include "tests/unit/tools_ctl/said.h"

#include "tests/lib/scratch.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/password.h"

#include <stdlib.h>

static char path[SCRATCH_BYTES];

/* Read a password file of these bytes; *complaint: what was said. */
static int read_password(const char *bytes, size_t len, struct password *out,
                         const char **complaint)
{
    static struct said said;
    FILE *file = fopen(path, "we");
    int code;

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    (void)fclose(file);
    said_begin(&said, stderr);
    code = password_read(path, out);
    *complaint = said_end(&said);
    return code;
}

/* Goal: the first line is the password, whatever it holds and however it ends. */
static void test_first_line(void **state)
{
    static const char *const files[] = {"top secret", "top secret\n", "top secret\r\n",
                                        "top secret\nsecond line\n"};
    struct password password;
    const char *said;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(read_password(files[i], strlen(files[i]), &password, &said), 0);
        assert_string_equal(password.text, "top secret");
    }
    assert_int_equal(read_password(" a\rb \n", 6, &password, &said), 0);
    assert_string_equal(password.text, " a\rb ");
    password_wipe(&password);
    assert_string_equal(password.text, "");
}

/* Goal: nothing is cut to fit, and each fault says which.
 * Method: an empty file, an empty line, a NUL, one byte more than the limit, no file. */
static void test_faults(void **state)
{
    char bytes[PASSWORD_BYTES_MAX + 1];
    struct password password;
    const char *said;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(read_password(bytes, PASSWORD_BYTES_MAX, &password, &said), 0);
    assert_int_equal(strlen(password.text), PASSWORD_BYTES_MAX);
    assert_int_equal(read_password(bytes, sizeof(bytes), &password, &said), EXIT_USAGE);
    assert_non_null(strstr(said, "too long"));
    assert_int_equal(read_password("", 0, &password, &said), EXIT_USAGE);
    assert_non_null(strstr(said, "no password"));
    assert_int_equal(read_password("\nword\n", 6, &password, &said), EXIT_USAGE);
    assert_non_null(strstr(said, "no password"));
    assert_int_equal(read_password("wo\0rd\n", 6, &password, &said), EXIT_USAGE);
    assert_non_null(strstr(said, "not text"));
}

static int make_file(void **state)
{
    (void)state;
    scratch_file(path, "password");
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_line),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
