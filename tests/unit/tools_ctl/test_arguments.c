/* The command line of musterctl: what is taken, and what is said about the rest. */
#include "tests/unit/tools_ctl/said.h"

#include "tools/ctl/arguments.h"
#include "tools/ctl/help.h"

#include "node/base/assert.h"

#define WORDS_MAX 16

static struct options options;
static char **words;
static int word_count;
static char line_bytes[512];

/* Split at spaces and read. */
static int read_line(const char *text)
{
    static char *argv[WORDS_MAX];
    char *save = NULL;
    int argc = 1;

    (void)snprintf(line_bytes, sizeof(line_bytes), "%s", text);
    argv[0] = (char *)(uintptr_t) "musterctl";
    for (char *at = strtok_r(line_bytes, " ", &save); at != NULL; at = strtok_r(NULL, " ", &save)) {
        argv[argc++] = at;
    }
    argv[argc] = NULL;
    return arguments_read(argc, argv, &options, &words, &word_count);
}

/* The command of a line, or NULL; *complaint: what was said on stderr. */
static const struct command *find(const char *text, const char **complaint)
{
    static struct said said;
    const struct command *command = NULL;

    said_begin(&said, stderr);
    if (read_line(text) == 0) {
        command = arguments_find(&options, words, word_count);
    }
    *complaint = said_end(&said);
    return command;
}

/* Goal: options may stand anywhere, and each lands where it belongs.
 * Method: one line with all kinds. */
static void test_options(void **state)
{
    (void)state;
    assert_int_equal(read_line("--json user add a@b --password-file - --cluster /d --node 3"), 0);
    assert_true(options.json);
    assert_int_equal(options.node, 3);
    assert_string_equal(options.cluster_dir, "/d");
    assert_string_equal(options.password_file, "-");
    assert_int_equal(options.given, OPTION_PASSWORD_FILE);
    assert_int_equal(options.timeout_s, TIMEOUT_S_DEFAULT);
    assert_int_equal(word_count, 3);
    assert_string_equal(words[2], "a@b");
    assert_int_equal(read_line("-- --json"), 0);
    assert_false(options.json);
    assert_string_equal(words[0], "--json");
}

/* Goal: numbers are digits within their range, nothing less and nothing more.
 * Method: what strtol would take. */
static void test_numbers(void **state)
{
    static const char *const bad[] = {"",   "0",   "-1",          "+1",         " 1",
                                      "1x", "0x1", "99999999999", "2147483648", "1 "};
    long number = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(arguments_read_number(bad[i], INT32_MAX, &number));
    }
    assert_true(arguments_read_number("2147483647", INT32_MAX, &number));
    assert_int_equal(number, INT32_MAX);
}

/* Goal: every fault is a usage error that says what is wrong and what would be right.
 * Method: one line for each fault, and a part of what must be said. */
static void test_faults(void **state)
{
    static const struct {
        const char *line;
        const char *said;
    } cases[] = {
        {"", "nouns: alarm assignment backup cluster completion dns domain group ha log"},
        {"usr list", "there is no noun \"usr\"; nouns:"},
        {"user fly", "user: there is no verb \"fly\"; verbs: add assign export import import-xml "
                     "list passwd remove show"},
        {"user", "user: no verb given; verbs: add"},
        {"user add", "usage: musterctl user add ADDRESS"},
        {"user add a@b secret", "usage: musterctl user add ADDRESS"},
        {"reload now", "usage: musterctl reload\n"},
        {"user add a@b --replace", "takes no --replace"},
        {"node promote 2 --witness", "takes no --witness"},
        {"--flying user list", "musterctl --help lists the options"},
        {"--timeout 0 user list", "--timeout 0: a number from 1 to 86400"},
        {"--node two --cluster /d user list", "--node two: a number"},
        {"--node 2 user list", "--node needs --cluster"},
        {"--cluster /d --control /c user list", "--cluster or --control"},
        {"user show \xff", "not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *said = NULL;

        assert_null(find(cases[i].line, &said));
        if (strstr(said, cases[i].said) == NULL) {
            fail_msg("\"%s\" said: %s", cases[i].line, said);
        }
    }
}

/* Goal: every command of the table is found by its words, and its help says how to call it.
 * Method: as many arguments as the pattern has. */
static void test_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        char line[200];
        const char *said = NULL;
        static struct said out;

        (void)snprintf(line, sizeof(line), "%s %s %s", command->noun,
                       command->verb == NULL ? "" : command->verb, command->arguments);
        assert_ptr_equal(find(line, &said), command);
        assert_string_equal(said, "");
        said_begin(&out, stdout);
        assert_int_equal(help_print(words, command->verb == NULL ? 1 : 2), EXIT_OK);
        assert_non_null(strstr(said_end(&out), command->summary));
    }
}

/* Goal: a word in brackets may be left out. */
static void test_optional_argument(void **state)
{
    const char *said = NULL;

    (void)state;
    assert_non_null(find("session list", &said));
    assert_non_null(find("session list a@b", &said));
    assert_null(find("session list a@b c@d", &said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_optional_argument),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
