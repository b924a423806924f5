/* CSV as operators' spreadsheets, and worse, write it. */
#include "tests/unit/tools_ctl/said.h"

#include "tools/ctl/csv.h"

#include "node/base/assert.h"

/* All rows as text: fields in brackets, rows by line feed, "BAD" at a fault. */
static void parse(const char *bytes, size_t len, char out[1024])
{
    static struct csv csv;
    enum csv_result result;
    size_t at = 0;

    memset(&csv, 0, sizeof(csv));
    csv.stream = tmpfile();
    assert_non_null(csv.stream);
    assert_int_equal(fwrite(bytes, 1, len, csv.stream), len);
    rewind(csv.stream);
    out[0] = '\0';
    while ((result = csv_next(&csv)) == CSV_ROW) {
        for (size_t i = 0; i < csv.count; i++) {
            at += (size_t)snprintf(out + at, 1024 - at, "[%.20s]", csv.fields[i]);
        }
        at += (size_t)snprintf(out + at, 1024 - at, "\n");
    }
    if (result == CSV_BAD) {
        (void)snprintf(out + at, 1024 - at, "BAD %zu", csv.line);
    }
    (void)fclose(csv.stream);
}

/* Goal: what RFC 4180 allows within a line is read; what would come out as other text than was
 * written is a fault and never a shorter password.
 * Method: rows of input and the fields expected. */
static void test_rows(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", ""},
        {"a@b,word\n", "[a@b][word]\n"},
        {"a@b,word", "[a@b][word]\n"},
        {"a@b,word\r\nc@d,x\r\n", "[a@b][word]\n[c@d][x]\n"},
        {"\n\n\r\na@b,word\n\n", "[a@b][word]\n"},
        {"\xef\xbb\xbfjid,password\n", "[jid][password]\n"},
        {"a,\xef\xbb\xbf\n", "[a][\xef\xbb\xbf]\n"},
        {"a,\"x,y\"\n", "[a][x,y]\n"},
        {"a,\"say \"\"hi\"\"\"\n", "[a][say \"hi\"]\n"},
        {"a,\"\"\n", "[a][]\n"},
        {",\n", "[][]\n"},
        {"a,b\"c\n", "[a][b\"c]\n"},
        {"a,wo\rrd\n", "[a][wo\rrd]\n"},
        {"a,\"open\n", "BAD 1"},
        {"a,\"open\"\"\n", "BAD 1"},
        {"ok,x\na,\"\n", "[ok][x]\nBAD 2"},
        {"a,\"x\"y\n", "BAD 1"},
        {"a,\"two\nlines\"\n", "BAD 1"},
        {"1,2,3,4,5,6,7,8\n", "[1][2][3][4][5][6][7][8]\n"},
        {"1,2,3,4,5,6,7,8,9\n", "BAD 1"},
    };
    char out[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        parse(cases[i].in, strlen(cases[i].in), out);
        assert_string_equal(out, cases[i].out);
    }
}

/* Goal: a NUL does not cut a password short. */
static void test_nul(void **state)
{
    char out[1024];

    (void)state;
    parse("a,wo\0rd", 7, out);
    assert_string_equal(out, "BAD 1");
}

/* Goal: a line is taken up to the limit and refused above it, in bounded memory.
 * Method: the longest line that fits, and one byte more. */
static void test_long_line(void **state)
{
    static char bytes[CSV_LINE_MAX + 1];
    char out[1024];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    bytes[CSV_LINE_MAX - 1] = '\n';
    parse(bytes, CSV_LINE_MAX, out);
    assert_string_equal(out, "[xxxxxxxxxxxxxxxxxxxx]\n");
    bytes[CSV_LINE_MAX - 1] = 'x';
    bytes[CSV_LINE_MAX] = '\n';
    parse(bytes, CSV_LINE_MAX + 1, out);
    assert_string_equal(out, "BAD 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
