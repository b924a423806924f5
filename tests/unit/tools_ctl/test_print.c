/* Answers for people and for programs. */
#include "tests/unit/tools_ctl/said.h"

#include "tools/ctl/print.h"

/* Goal: columns are as wide as their widest cell, every type has its text, what is missing is a
 * dash, and what a client chose cannot steer a terminal.
 * Method: rows of all types against the text. */
static void test_table(void **state)
{
    static const struct column columns[] = {{"NODE", "node"}, {"UP", "up"}, {"NAME", "name"}};
    static struct said said;
    json_t *rows =
        json_loads("[{\"node\": 1, \"up\": true, \"name\": \"first one\"},"
                   " {\"node\": 12345678, \"up\": false, \"name\": \"\\u001b[2J\\u007f\"},"
                   " {\"name\": null, \"more\": 3}]",
                   0, NULL);

    (void)state;
    said_begin(&said, stdout);
    print_table(rows, columns, 3);
    assert_string_equal(said_end(&said), "NODE      UP   NAME\n"
                                         "1         yes  first one\n"
                                         "12345678  no   ?[2J?\n"
                                         "-         -    -\n");
    json_decref(rows);
}

/* Goal: an object is one line a plain value; a table without rows is its head. */
static void test_object(void **state)
{
    static const struct column columns[] = {{"NODE", "node"}};
    static struct said said;
    json_t *object =
        json_loads("{\"user\": \"a@b\", \"contacts\": 3, \"keys\": [1], \"more\": {}}", 0, NULL);
    json_t *rows = json_array();

    (void)state;
    said_begin(&said, stdout);
    print_object(object);
    print_table(rows, columns, 1);
    assert_string_equal(said_end(&said), "user      a@b\ncontacts  3\nNODE\n");
    json_decref(rows);
    json_decref(object);
}

/* Goal: --json prints one JSON value that reads back as it was. */
static void test_json(void **state)
{
    static struct said said;
    json_t *value =
        json_loads("{\"name\": \"\\u001b\\u00e9\", \"list\": [1, true, null]}", 0, NULL);
    json_t *back;

    (void)state;
    said_begin(&said, stdout);
    print_json(value);
    back = json_loads(said_end(&said), 0, NULL);
    assert_true(json_equal(value, back));
    json_decref(back);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
