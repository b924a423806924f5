/* Addresses by RFC 6122: Nodeprep, Nameprep with IDNA, Resourceprep, and SASLprep of RFC 4013.
 * Cases of the RFCs, of RFC 3454's tables, and of the attacks that libraries fell for. */
#include "node/base/jid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct prep_case {
    const char *input;
    const char *output; /* NULL: refused */
};

typedef int (*prep)(struct slice text, char out[JID_PART_BYTES_MAX + 1]);

static void run_cases(prep prepare, const struct prep_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[JID_PART_BYTES_MAX + 1];
        char again[JID_PART_BYTES_MAX + 1];
        int rc = prepare(slice_str(cases[i].input), out);

        if (cases[i].output == NULL) {
            if (rc != ERR_MALFORMED) {
                fail_msg("'%s' should be refused", cases[i].input);
            }
            continue;
        }
        assert_int_equal(rc, 0);
        assert_string_equal(out, cases[i].output);
        assert_int_equal(prepare(slice_str(out), again), 0); /* what is stored stays as it is */
        assert_string_equal(again, out);
    }
}

static const struct prep_case local_cases[] = {
    {"juliet", "juliet"},
    {"Juliet", "juliet"},
    {"juliet.O_o-7!#$%()*+,;=?[\\]^`{|}~", "juliet.o_o-7!#$%()*+,;=?[\\]^`{|}~"},
    {"fu\xc3\x9f"
     "ball",
     "fussball"},
    {"\xc3\x89TOILE", "\xc3\xa9toile"},
    {"\xcf\x80", "\xcf\x80"},
    {"\xce\xa3", "\xcf\x83"},  /* capital sigma folds to the small one */
    {"\xcf\x82", "\xcf\x83"},  /* so does final sigma: RFC 7622's example, here by B.2 */
    {"\xe2\x85\xa3", "iv"},    /* ROMAN NUMERAL FOUR: NFKC and fold */
    {"\xef\xbd\x81", "a"},     /* fullwidth a */
    {"e\xcc\x81", "\xc3\xa9"}, /* composed by NFKC */
    {"a\xc2\xad"
     "b",
     "ab"}, /* B.1: soft hyphen to nothing */
    {"\xef\xbb\xbf"
     "a",
     "a"}, /* B.1: zero width no-break space */
    {"", NULL},
    {"\xc2\xad", NULL}, /* empty after mapping */
    {"a b", NULL},
    {"a\xc2\xa0"
     "b",
     NULL}, /* C.1.2 no-break space */
    {"a\"b", NULL},
    {"a&b", NULL},
    {"a'b", NULL},
    {"a/b", NULL},
    {"a:b", NULL},
    {"a<b", NULL},
    {"a>b", NULL},
    {"a@b", NULL},
    {"a\tb", NULL},
    {"a\x7f", NULL},
    {"a\xc2\x80", NULL},                      /* C.2.2 control */
    {"\xe2\x84\x80", NULL},                   /* ACCOUNT OF decomposes to a/c (A.7) */
    {"\xef\xbc\xa0", NULL},                   /* fullwidth @ */
    {"\xef\xbc\x8f", NULL},                   /* fullwidth / */
    {"\xe2\x80\x8e", NULL},                   /* C.8 left-to-right mark */
    {"\xee\x80\x80", NULL},                   /* C.3 private use */
    {"\xef\xbf\xbe", NULL},                   /* C.4 */
    {"\xef\xbf\xbd", NULL},                   /* C.6 replacement character */
    {"\xe2\xbf\xb0", NULL},                   /* C.7 ideographic description */
    {"\xf3\xa0\x80\x81", NULL},               /* C.9 language tag */
    {"\xe0\xa0\x80", NULL},                   /* unassigned in Unicode 3.2 */
    {"\xd7\x90\xd7\x91", "\xd7\x90\xd7\x91"}, /* right to left throughout */
    {"\xd7\x90"
     "a",
     NULL}, /* RFC 3454 §6: mixed */
    {"\xd8\xa7"
     "1",
     NULL}, /* must end right to left */
    {"\xd8\xa7"
     "1\xd8\xa7",
     "\xd8\xa7"
     "1\xd8\xa7"},
    {"a\xff", NULL},
    {"\xc0\xaf", NULL},         /* overlong '/' */
    {"\xed\xa0\x80", NULL},     /* surrogate */
    {"\xf4\x90\x80\x80", NULL}, /* beyond U+10FFFF */
    {"\xe2\x82", NULL},         /* cut short */
    {"a\xe2\x82", NULL},
};

static void test_local(void **state)
{
    (void)state;
    run_cases(jid_prep_local, local_cases, ARRAY_COUNT(local_cases));
}

static const struct prep_case resource_cases[] = {
    {"Balcony", "Balcony"}, /* case stays */
    {"a b", "a b"},
    {"a/b@c", "a/b@c"},
    {"\"&'<>:", "\"&'<>:"},
    {"\xf0\x9f\x93\xb1 phone", "\xf0\x9f\x93\xb1 phone"}, /* emoji: unassigned is let through */
    {"\xe2\x85\xa3", "IV"},
    {"\xc2\xaa", "a"},
    {"x\xc2\xad", "x"},
    {"", NULL},
    {"\xc2\xad", NULL},
    {"a\nb", NULL},
    {"a\x7f", NULL},
    {"\xe2\x80\xa8", NULL}, /* C.2.2 line separator */
    {"\xee\x80\x80", NULL},
    {"\xe2\x80\xae", NULL}, /* C.8 right-to-left override */
    {"\xff", NULL},
};

static void test_resource(void **state)
{
    (void)state;
    run_cases(jid_prep_resource, resource_cases, ARRAY_COUNT(resource_cases));
}

static const struct prep_case domain_cases[] = {
    {"example.com", "example.com"},
    {"EXAMPLE.Com", "example.com"},
    {"example.com.", "example.com"}, /* RFC 6122 §2.2: the final dot is stripped */
    {"localhost", "localhost"},
    {"127.0.0.1", "127.0.0.1"},
    {"[::1]", "[::1]"},
    {"[0:0:0:0:0:0:0:1]", "[::1]"},
    {"[2001:DB8::A]", "[2001:db8::a]"},
    {"b\xc3\xbc"
     "cher.example",
     "b\xc3\xbc"
     "cher.example"},
    {"B\xc3\x9c"
     "CHER.example",
     "b\xc3\xbc"
     "cher.example"},
    {"xn--bcher-kva.example", "b\xc3\xbc"
                              "cher.example"},
    {"XN--BCHER-KVA.example", "b\xc3\xbc"
                              "cher.example"},
    {"stra\xc3\x9f"
     "e.example",
     "strasse.example"}, /* IDNA2003 maps sharp s */
    {"a\xe3\x80\x82"
     "b\xef\xbc\x8e"
     "c\xef\xbd\xa1"
     "d",
     "a.b.c.d"}, /* ideographic and other full stops separate labels */
    {"\xef\xbd\x85xample.com", "example.com"},
    {"", NULL},
    {".", NULL},
    {"..", NULL},
    {"a..b", NULL},
    {".a", NULL},
    {"a..", NULL},
    {"-a.b", NULL},
    {"a-.b", NULL},
    {"a_b.c", NULL}, /* UseSTD3ASCIIRules */
    {"a b.c", NULL},
    {"a@b", NULL},
    {"a/b", NULL},
    {"a\xef\xbc\xa0"
     "b",
     NULL}, /* fullwidth @ becomes @ */
    {"a\xe2\x80\xa4"
     "b",
     NULL}, /* ONE DOT LEADER becomes a dot inside a label */
    {"xn--\xc3\xbc.example", NULL},
    {"xn--a.example", NULL},      /* decodes to U+0080 */
    {"xn--ASCII-.example", NULL}, /* an ACE label that needs none */
    {"[::1", NULL},
    {"[]", NULL},
    {"[::g]", NULL},
    {"[127.0.0.1]", NULL},
    {"\xff.example", NULL},
    {"xn--r6j.example", NULL}, /* U+3002, a separator itself, within a label */
    {"123456789012345678901234567890123456789012345678901234567890123.example",
     "123456789012345678901234567890123456789012345678901234567890123.example"},
    {"1234567890123456789012345678901234567890123456789012345678901234.example", NULL},
};

static void test_domain(void **state)
{
    (void)state;
    run_cases(jid_prep_domain, domain_cases, ARRAY_COUNT(domain_cases));
}

/* Goal: a prepared domain goes back to the name that DNS has for it.
 * Method: prepare each, then ask for that name; a literal stays what it is. */
static void test_domain_to_dns(void **state)
{
    static const struct {
        const char *text;
        const char *dns;
    } cases[] = {
        {"Example.ORG.", "example.org"},
        {"B\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"127.0.0.1", "127.0.0.1"},
        {"[::1]", "[::1]"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char prepared[JID_PART_BYTES_MAX + 1];
        char dns[JID_PART_BYTES_MAX + 1];

        assert_int_equal(jid_prep_domain(slice_str(cases[i].text), prepared), 0);
        jid_domain_to_dns(prepared, dns);
        assert_string_equal(dns, cases[i].dns);
    }
}

static void append_repeated(struct buf *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, text);
    }
}

/* Goal: 1023 bytes a part after preparation, 253 for a name in DNS, exactly.
 * Method: the last length that fits and the next, in ASCII and by way of the tables. */
static void test_lengths(void **state)
{
    static const struct {
        prep prepare;
        const char *piece;
        const char *tail;
        size_t count;
        int rc;
    } cases[] = {
        {jid_prep_local, "a", "", 1023, 0},
        {jid_prep_local, "a", "", 1024, ERR_MALFORMED},
        {jid_prep_resource, "a", "", 1023, 0},
        {jid_prep_resource, "a", "", 1024, ERR_MALFORMED},
        {jid_prep_local, "\xc3\xa9", "a", 511, 0},
        {jid_prep_local, "\xc3\xa9", "aa", 511, ERR_MALFORMED},
        {jid_prep_local, "a\xc2\xad", "", 341, 0}, /* 1023 bytes, whatever remains */
        {jid_prep_local, "a\xc2\xad", "", 342, ERR_MALFORMED},
        {jid_prep_resource, "\xef\xb7\xba", "", 31, 0}, /* 18 characters come out of one */
        {jid_prep_resource, "\xef\xb7\xba", "", 32, ERR_MALFORMED},
        {jid_prep_resource, "\xef\xb7\xba", "", 1023, ERR_MALFORMED},
        {jid_prep_resource, "\xef\xb7\xba", "", 5000, ERR_MALFORMED},
        {jid_prep_domain, "a.", "a", 126, 0},
        {jid_prep_domain, "a.", "aa", 126, ERR_MALFORMED},
        {jid_prep_domain, "\xc3\xbc.", "a", 28, 0}, /* 8 and a dot each in DNS: xn--tda */
        {jid_prep_domain, "\xc3\xbc.", "a", 32, ERR_MALFORMED},
    };
    struct buf text = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char out[JID_PART_BYTES_MAX + 1];

        buf_clear(&text);
        append_repeated(&text, cases[i].piece, cases[i].count);
        buf_append_str(&text, cases[i].tail);
        assert_int_equal(cases[i].prepare(buf_slice(&text), out), cases[i].rc);
    }
    buf_deinit(&text);
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        const char *local, *domain, *resource; /* domain NULL: refused */
    } cases[] = {
        {"example.com", "", "example.com", ""},
        {"Juliet@Example.com", "juliet", "example.com", ""},
        {"juliet@example.com/Balcony", "juliet", "example.com", "Balcony"},
        {"example.com/a@b/c", "", "example.com", "a@b/c"},
        {"room@chat.example.com/user@host", "room", "chat.example.com", "user@host"},
        {"juliet@[::1]/x", "juliet", "[::1]", "x"},
        {"", NULL, NULL, NULL},
        {"@", NULL, NULL, NULL},
        {"/", NULL, NULL, NULL},
        {"@example.com", NULL, NULL, NULL},
        {"juliet@", NULL, NULL, NULL},
        {"juliet@/x", NULL, NULL, NULL},
        {"example.com/", NULL, NULL, NULL},
        {"/x", NULL, NULL, NULL},
        {"a@b@c", NULL, NULL, NULL},
        {"a b@example.com", NULL, NULL, NULL},
        {"\xe2\x84\x80@example.com", NULL, NULL, NULL},
    };
    struct jid jid;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int rc = jid_parse(slice_str(cases[i].text), &jid);

        assert_int_equal(rc, cases[i].domain == NULL ? ERR_MALFORMED : 0);
        if (rc == 0) {
            assert_string_equal(jid.local, cases[i].local);
            assert_string_equal(jid.domain, cases[i].domain);
            assert_string_equal(jid.resource, cases[i].resource);
        }
    }
    assert_int_equal(jid_parse(slice_make("a\0b@c", 5), &jid), ERR_MALFORMED);
    assert_int_equal(jid_parse(slice_make("a@c\0", 4), &jid), ERR_MALFORMED);
    assert_int_equal(jid_parse(slice_make("a@c/x\0y", 7), &jid), ERR_MALFORMED);
}

static void test_format_and_cut(void **state)
{
    const struct slice full = slice_str("a@b/c/d@e");
    struct jid jid;
    struct buf out = BUF_EMPTY;
    (void)state;

    assert_int_equal(jid_parse(full, &jid), 0);
    jid_format(&jid, &out);
    assert_string_equal(buf_text(&out), "a@b/c/d@e");
    buf_clear(&out);
    jid_format_bare(&jid, &out);
    assert_string_equal(buf_text(&out), "a@b");
    assert_true(slice_eq_str(jid_text_bare(full), "a@b"));
    assert_true(slice_eq_str(jid_text_resource(full), "c/d@e"));
    assert_true(slice_eq_str(jid_text_domain(full), "b"));
    assert_true(slice_eq_str(jid_text_domain(slice_str("b/c@d")), "b"));
    assert_true(slice_eq_str(jid_text_bare(slice_str("b")), "b"));
    assert_int_equal(jid_text_resource(slice_str("b")).len, 0);
    assert_int_equal(jid_text_bare(slice_str(NULL)).len, 0);
    buf_deinit(&out);
}

/* Goal: what a stranger may have prepared costs little. Method: the most that is taken, of
 * characters that vanish (SOFT HYPHEN) and that grow (U+FDFA: 18 for one), and one byte more. */
static void test_saslprep_is_bounded(void **state)
{
    struct buf text = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    (void)state;

    append_repeated(&text, "\xc2\xad", (JID_SASLPREP_BYTES_MAX - 1) / 2);
    buf_append_u8(&text, 'a');
    assert_int_equal(buf_len(&text), JID_SASLPREP_BYTES_MAX);
    assert_int_equal(jid_saslprep(buf_slice(&text), &out), 0);
    assert_string_equal(buf_text(&out), "a");
    buf_append_u8(&text, 'b');
    assert_int_equal(jid_saslprep(buf_slice(&text), &out), ERR_MALFORMED);
    buf_clear(&text);
    append_repeated(&text, "\xef\xb7\xba", JID_SASLPREP_BYTES_MAX / 3);
    assert_int_equal(jid_saslprep(buf_slice(&text), &out), ERR_MALFORMED);
    assert_string_equal(buf_text(&out), "a");
    buf_deinit(&text);
    buf_deinit(&out);
}

/* RFC 4013 §3, and what RFC 5802 §2.2 adds: unassigned code points are refused. */
static void test_saslprep(void **state)
{
    static const struct prep_case cases[] = {
        {"I\xc2\xadX", "IX"},
        {"user", "user"},
        {"USER", "USER"},
        {"\xc2\xaa", "a"},
        {"\xe2\x85\xa8", "IX"},
        {"\x07", NULL},
        {"\xd8\xa7"
         "1",
         NULL},
        {"", ""},
        {"a b", "a b"},
        {"a\xc2\xa0"
         "b",
         "a b"}, /* C.1.2 becomes a space */
        {"p\xc3\xa4ss", "p\xc3\xa4ss"},
        {"\xe0\xa0\x80", NULL},
        {"\xff", NULL},
    };
    struct buf out = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_clear(&out);
        if (cases[i].output == NULL) {
            assert_int_equal(jid_saslprep(slice_str(cases[i].input), &out), ERR_MALFORMED);
        } else {
            assert_int_equal(jid_saslprep(slice_str(cases[i].input), &out), 0);
            assert_string_equal(buf_text(&out), cases[i].output);
        }
    }
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_resource),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_domain_to_dns),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format_and_cut),
        cmocka_unit_test(test_saslprep),
        cmocka_unit_test(test_saslprep_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
