/* What a stream must not hold: each limit at its last allowed value and one beyond, and everything
 * RFC 6120 §11 forbids. The answer must not depend on how the bytes were cut. */
#include "tests/unit/xmpp_xml/transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

/* Feed bytes in pieces of that size behind a header; what the reader says in the end. */
static int outcome_of(const struct xml_limits *limits, struct slice bytes, size_t piece,
                      const char **condition_out)
{
    struct xml_reader *reader = xml_reader_new(limits);
    struct buf out = BUF_EMPTY;
    int rc = 0;

    for (size_t at = 0; at < bytes.len && rc == 0; at += piece) {
        xml_reader_feed(reader,
                        slice_sub(bytes, at, at + piece < bytes.len ? at + piece : bytes.len));
        rc = transcript_drain(reader, &out);
    }
    *condition_out = rc == 0 ? "" : xml_reader_condition(reader);
    buf_deinit(&out);
    xml_reader_free(&reader);
    return rc;
}

static void expect(const struct xml_limits *limits, const char *text, int rc, const char *condition)
{
    static const size_t pieces[] = {1, 2, 7, 64, SIZE_MAX / 2};

    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        const char *said;

        assert_int_equal(outcome_of(limits, slice_str(text), pieces[i], &said), rc);
        assert_string_equal(said, condition);
    }
}

/* Goal: RFC 6120 §11.1, §11.6 and §4.9.3: each offence gets its condition. */
static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *condition;
    } cases[] = {
        {"<!DOCTYPE x [<!ENTITY a 'b'>]>" HEADER, ERR_RESTRICTED, "restricted-xml"},
        {"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" HEADER, ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<!-- no -->", ERR_RESTRICTED, "restricted-xml"},
        {"<!-- no -->" HEADER, ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<message><!-- no --></message>", ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<?php echo ?>", ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<message>&nbsp;</message>", ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<message to='&secret;'/>", ERR_RESTRICTED, "restricted-xml"},
        {HEADER "<!DOCTYPE x>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a></b>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a b='1' b='2'/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a b=1/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<p:a/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a p:b='c'/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<a xmlns:p=''/>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>]]></message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>&#1;</message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>\x01</message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>\xc0\x80</message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>\xed\xa0\x80</message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<message>\xff</message>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "<m\xc3", 0, ""},
        {HEADER "<?xml version='1.0'?>", ERR_MALFORMED, "not-well-formed"},
        {HEADER "hello", ERR_MALFORMED, "bad-format"},
        {HEADER "<presence/>hello", ERR_MALFORMED, "bad-format"},
        {"GET / HTTP/1.1\r\n", ERR_MALFORMED, "not-well-formed"},
        {"\x16\x03\x01\x02", ERR_MALFORMED, "not-well-formed"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?>" HEADER, ERR_INVALID, "unsupported-encoding"},
        {"<?xml version='1.0' encoding='utf-8'?>" HEADER, 0, ""},
        {"<stream xmlns='jabber:client'>", ERR_INVALID, "invalid-namespace"},
        {"<stream:stream xmlns:stream='http://wrong.example/' xmlns='jabber:client'>", ERR_INVALID,
         "invalid-namespace"},
        {"<stream:x xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
         ERR_INVALID, "bad-format"},
        {"<stream:stream xmlns='jabber:client'>", ERR_MALFORMED, "not-well-formed"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect(NULL, cases[i].text, cases[i].rc, cases[i].condition);
    }
}

#define BYTES_CASE(text, rc, condition)                                                            \
    {                                                                                              \
        {(const uint8_t *)(text), sizeof(text) - 1}, (rc), (condition)                             \
    }

/* Goal: a NUL is no character, and UTF-16 no encoding, wherever and however it comes. */
static void test_nul_and_utf16(void **state)
{
    static const struct {
        struct slice bytes;
        int rc;
        const char *condition;
    } cases[] = {
        BYTES_CASE(HEADER "<message>a\0b</message>", ERR_MALFORMED, "not-well-formed"),
        BYTES_CASE(HEADER "\0", ERR_MALFORMED, "not-well-formed"),
        BYTES_CASE("\0<\0a\0/\0>", ERR_INVALID, "unsupported-encoding"),
        BYTES_CASE("<\0a\0/\0>\0", ERR_INVALID, "unsupported-encoding"),
        BYTES_CASE("\xfe\xff\0<\0a\0/\0>", ERR_INVALID, "unsupported-encoding"),
        BYTES_CASE("\xff\xfe<\0a\0/\0>\0", ERR_INVALID, "unsupported-encoding"),
        BYTES_CASE(" \0<\0a\0/\0>\0", ERR_INVALID, "unsupported-encoding"),
        BYTES_CASE("x\0<\0", ERR_MALFORMED, "not-well-formed"),
        BYTES_CASE("\xef\xbb\xbf" HEADER, 0, ""),
    };
    static const size_t pieces[] = {1, 2, 3, 1000};
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(pieces); j++) {
            const char *said;

            assert_int_equal(outcome_of(NULL, cases[i].bytes, pieces[j], &said), cases[i].rc);
            assert_string_equal(said, cases[i].condition);
        }
    }
}

/* Goal: every limit holds exactly.
 * Method: a document at the limit passes, one beyond it does not. */
static void test_limits_are_exact(void **state)
{
    (void)state;
    struct xml_limits limits = {.stanza_bytes_max = 19};
    expect(&limits, HEADER "<a><b>1234</b></a> ", 0, "");
    expect(&limits, HEADER "<a><b>12345</b></a> ", 0, "");
    expect(&limits, HEADER "<a><b>123456</b></a>", ERR_LIMIT, "policy-violation");
    expect(&limits, HEADER "<a><b><c><d><e><f><g>", ERR_LIMIT, "policy-violation");
    expect(&limits, HEADER "<a>12345678901234567", ERR_LIMIT, "policy-violation");
    expect(&limits, HEADER " \n \n \n \n \n \n \n \n \n \n \n \n", 0, "");

    limits = (struct xml_limits){.token_bytes_max = sizeof(HEADER) - 1};
    expect(&limits, HEADER, 0, "");
    limits.token_bytes_max--;
    expect(&limits, HEADER, ERR_LIMIT, "policy-violation");

    limits = (struct xml_limits){.depth_max = 3};
    expect(&limits, HEADER "<a><b><c/><c></c></b></a><a/>", 0, "");
    expect(&limits, HEADER "<a><b><c><d/></c></b></a>", ERR_LIMIT, "policy-violation");

    limits = (struct xml_limits){.elements_max = 3};
    expect(&limits, HEADER "<a><b/><c/></a><a><b/><c/></a>", 0, "");
    expect(&limits, HEADER "<a><b/><c/><d/></a>", ERR_LIMIT, "policy-violation");

    limits = (struct xml_limits){.attributes_max = 2};
    expect(&limits, HEADER "<a b='1' c='2' xmlns='d'/>", 0, "");
    expect(&limits, HEADER "<a b='1' c='2' d='3'/>", ERR_LIMIT, "policy-violation");

    limits = (struct xml_limits){.name_bytes_max = 40};
    expect(&limits, HEADER "<a2345678901234567890123456789012345678901/>", ERR_LIMIT,
           "policy-violation");
    expect(&limits, HEADER "<a234567890123456789012345678901234567890/>", 0, "");
    expect(&limits, HEADER "<a a2345678901234567890123456789012345678901=''/>", ERR_LIMIT,
           "policy-violation");
    expect(&limits, HEADER "<a xmlns='a2345678901234567890123456789012345678901'/>", ERR_LIMIT,
           "policy-violation");

    limits = (struct xml_limits){.value_bytes_max = 4};
    expect(&limits, HEADER "<a b='1234'/>", 0, "");
    expect(&limits, HEADER "<a b='12345'/>", ERR_LIMIT, "policy-violation");
}

/* Goal: a namespace behind a prefix costs its sender as much as it costs us. Method: a namespace of
 * 24 bytes, one or two at a time, under a limit that holds so many copies and not one more. */
static void test_prefixes_are_charged(void **state)
{
    static const char *const header =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        " xmlns:a='urn:a:34567890123456789012' xmlns:b='urn:b:34567890123456789012'>";
    static const struct {
        const char *stanza;
        int rc;
    } cases[] = {
        {"<i a:c='' a:d='' a:e='' a:f='' a:g=''/>", 0}, /* one copy */
        {"<i a:c='' b:d='' a:e='' b:f='' a:g=''/>", 0}, /* two */
        {"<a:i><a:j/><a:k/><a:l a:m=''/></a:i>", 0},    /* one: the parent's */
        {"<i><a:j/><a:k/></i>", 0},
        {"<i><a:j/><a:k/><a:l/></i>", ERR_LIMIT},
        {"<i><j a:c=''/><k a:c='' b:d=''/></i>", ERR_LIMIT},
    };
    const struct xml_limits limits = {.stanza_bytes_max = 61};
    struct buf text = BUF_EMPTY;
    const char *said;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_clear(&text);
        buf_printf(&text, "%s%s", header, cases[i].stanza);
        assert_int_equal(outcome_of(&limits, buf_slice(&text), 7, &said), cases[i].rc);
    }
    buf_deinit(&text);
}

/* Goal: what is too large is refused with little memory and in little time.
 * Method: the shapes of attack in pieces as a socket brings them; the test's time limit. */
static void test_bombs(void **state)
{
    struct buf bomb = BUF_EMPTY;
    const char *said;
    (void)state;

    buf_append_str(&bomb, HEADER "<message><body>");
    for (size_t i = 0; i < 10 * 1024 * 1024 / 16; i++) { /* 10 MB of text */
        buf_append_str(&bomb, "0123456789abcdef");
    }
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 16384, &said), ERR_LIMIT);
    assert_string_equal(said, "policy-violation");

    buf_clear(&bomb);
    buf_append_str(&bomb, HEADER "<message");
    for (unsigned i = 0; i < 100000; i++) {
        buf_printf(&bomb, " a%u=''", i);
    }
    buf_append_str(&bomb, "/>");
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 16384, &said), ERR_LIMIT);
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), SIZE_MAX / 2, &said), ERR_LIMIT);
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 1, &said), ERR_LIMIT);

    buf_clear(&bomb);
    buf_append_str(&bomb, HEADER);
    for (size_t i = 0; i < 100000; i++) {
        buf_append_str(&bomb, "<x>");
    }
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 16384, &said), ERR_LIMIT);

    buf_clear(&bomb);
    buf_append_str(&bomb, HEADER "<message>");
    for (size_t i = 0; i < 100000; i++) {
        buf_append_str(&bomb, "<x/>");
    }
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 16384, &said), ERR_LIMIT);

    buf_clear(&bomb);
    buf_append_str(&bomb, HEADER "<message>");
    for (size_t i = 0; i < 100000; i++) {
        buf_append_str(&bomb, "<![CDATA[]]>"); /* no text, no end */
    }
    assert_int_equal(outcome_of(NULL, buf_slice(&bomb), 16384, &said), ERR_LIMIT);
    buf_deinit(&bomb);
}

/* Goal: with limits made for it a 10 MB stanza is read whole. */
static void test_large_stanza_when_allowed(void **state)
{
    const struct xml_limits limits = {.stanza_bytes_max = 11 * 1024 * 1024};
    struct xml_reader *reader = xml_reader_new(&limits);
    struct xml_event *event = NULL;
    (void)state;

    xml_reader_feed(reader, slice_str(HEADER));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    xml_event_free(&event);
    xml_reader_feed(reader, slice_str("<message><body>"));
    for (size_t i = 0; i < 10 * 1024 * 1024 / 16; i++) {
        xml_reader_feed(reader, slice_str("0123456789abcdef"));
        assert_int_equal(xml_reader_next(reader, &event), 0);
    }
    xml_reader_feed(reader, slice_str("</body></message>"));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    assert_int_equal(strlen(xml_child_text(event->element, NULL, "body")), 10 * 1024 * 1024);
    xml_event_free(&event);
    xml_reader_free(&reader);
}

/* Goal: limits may change while a stream runs (a stranger gets less than a user). */
static void test_set_limits(void **state)
{
    struct xml_limits limits = {.stanza_bytes_max = 10};
    struct xml_reader *reader = xml_reader_new(&limits);
    struct buf out = BUF_EMPTY;
    (void)state;

    xml_reader_feed(reader, slice_str(HEADER));
    assert_int_equal(transcript_drain(reader, &out), 0);
    limits.stanza_bytes_max = 100;
    xml_reader_set_limits(reader, &limits);
    xml_reader_feed(reader, slice_str("<a>12345678901234567890</a>"));
    assert_int_equal(transcript_drain(reader, &out), 0);
    limits.stanza_bytes_max = 10;
    xml_reader_set_limits(reader, &limits);
    xml_reader_feed(reader, slice_str("<a>12345678901234567890</a>"));
    assert_int_equal(transcript_drain(reader, &out), ERR_LIMIT);
    buf_deinit(&out);
    xml_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul_and_utf16),
        cmocka_unit_test(test_limits_are_exact),
        cmocka_unit_test(test_prefixes_are_charged),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_large_stanza_when_allowed),
        cmocka_unit_test(test_set_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
