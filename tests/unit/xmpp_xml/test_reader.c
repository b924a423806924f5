/* The stream reader: framing, promptness, restarts. Limits and refusals: test_limits.c. */
#include "tests/unit/xmpp_xml/transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream to='example.test' version='1.0' xml:lang='en' "           \
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define HEADER_EVENT "open:jabber:client <stream to='example.test' version='1.0' xml:lang='en'/>\n"

static const char document[] =
    HEADER "\n<presence><show>away</show></presence> "
           "<message to='a@b' type=\"chat\"><body>1 &lt; 2 &amp; \xc3\xa9 "
           "\xf0\x9f\x98\x80&#x41;<![CDATA[<&>]]></body><x xmlns='a:b' p:q='r' xmlns:p='u:v'/>"
           "</message><r xmlns='urn:xmpp:sm:3'/>\r\n</stream:stream> trailing";

static const char document_events[] =
    HEADER_EVENT "stanza:<presence><show>away</show></presence>\n"
                 "stanza:<message to='a@b' type='chat'><body>1 &lt; 2 &amp; \xc3\xa9 "
                 "\xf0\x9f\x98\x80"
                 "A&lt;&amp;&gt;</body><x xmlns='a:b' xmlns:ns1='u:v' ns1:q='r'/></message>\n"
                 "stanza:<r xmlns='urn:xmpp:sm:3'/>\n"
                 "close\n";

/* Goal: framing must not depend on how TCP cuts the bytes.
 * Method: feed one document cut in two at every offset; the transcript must not change. */
static void test_feed_is_split_invariant(void **state)
{
    const struct slice doc = slice_str(document);
    (void)state;

    for (size_t cut = 0; cut <= doc.len; cut++) {
        struct xml_reader *reader = xml_reader_new(NULL);
        struct buf out = BUF_EMPTY;

        xml_reader_feed(reader, slice_sub(doc, 0, cut));
        assert_int_equal(transcript_drain(reader, &out), 0);
        xml_reader_feed(reader, slice_sub(doc, cut, doc.len));
        assert_int_equal(transcript_drain(reader, &out), 0);
        assert_string_equal(buf_text(&out), document_events);

        buf_deinit(&out);
        xml_reader_free(&reader);
        assert_null(reader);
    }
}

/* Goal: the same, with bytes fed but not taken in between.
 * Method: cut at every pair of a stride of offsets, drain at the end only. */
static void test_feed_without_drain(void **state)
{
    const struct slice doc = slice_str(document);
    (void)state;

    for (size_t cut = 0; cut <= doc.len; cut += 3) {
        struct xml_reader *reader = xml_reader_new(NULL);
        struct buf out = BUF_EMPTY;

        xml_reader_feed(reader, slice_sub(doc, 0, cut));
        xml_reader_feed(reader, slice_sub(doc, cut, doc.len));
        assert_int_equal(transcript_drain(reader, &out), 0);
        assert_string_equal(buf_text(&out), document_events);
        buf_deinit(&out);
        xml_reader_free(&reader);
    }
}

/* Goal: an event is out with its last byte (expat may hold tokens back).
 * Method: feed byte by byte; the number of events must rise exactly at each '>' that ends one. */
static void test_events_are_prompt(void **state)
{
    static const char *const pieces[] = {HEADER, "<a h='7'/>", "<iq id='1' type='get'><ping/></iq>",
                                         " <r xmlns='urn:xmpp:sm:3'/>", "</stream:stream>"};
    struct xml_reader *reader = xml_reader_new(NULL);
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        struct slice piece = slice_str(pieces[i]);
        struct xml_event *event = NULL;

        for (size_t at = 0; at < piece.len; at++) {
            xml_reader_feed(reader, slice_sub(piece, at, at + 1));
            assert_int_equal(xml_reader_next(reader, &event), at + 1 == piece.len);
        }
        if (event->kind == XML_EVENT_STANZA) {
            assert_int_equal(event->bytes_len, piece.len - (piece.data[0] == ' '));
        }
        xml_event_free(&event);
    }
    xml_reader_free(&reader);
}

/* Goal: stanzas in front of an error are served before it, however the bytes were cut.
 * Method: two stanzas and rubbish in one piece. */
static void test_error_comes_after_events(void **state)
{
    struct xml_reader *reader = xml_reader_new(NULL);
    struct buf out = BUF_EMPTY;
    (void)state;

    xml_reader_feed(reader, slice_str(HEADER "<presence/><iq/><a></b>"));
    assert_int_equal(transcript_drain(reader, &out), ERR_MALFORMED);
    assert_int_equal(transcript_drain(reader, &out), ERR_MALFORMED);
    assert_string_equal(buf_text(&out),
                        HEADER_EVENT "stanza:<presence/>\nstanza:<iq/>\nerror:not-well-formed\n"
                                     "error:not-well-formed\n");
    buf_deinit(&out);
    xml_reader_free(&reader);
}

static void take_one(struct xml_reader *reader, enum xml_event_kind kind)
{
    struct xml_event *event = NULL;

    assert_int_equal(xml_reader_next(reader, &event), 1);
    assert_int_equal(event->kind, kind);
    xml_event_free(&event);
}

/* Goal: after SASL a new header begins right behind the last stanza, also in the same piece; before
 * TLS nothing that came behind <starttls/> may count (RFC 6120 §5.4.3.3).
 * Method: one piece with all of it, cut at every offset; reset with and without the rest. */
static void test_reset(void **state)
{
    const struct slice doc =
        slice_str(HEADER "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" HEADER "<presence/>");
    const size_t first_len = strlen(HEADER "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    (void)state;

    for (size_t cut = first_len; cut <= doc.len; cut++) {
        for (int drop = 0; drop <= 1; drop++) {
            struct xml_reader *reader = xml_reader_new(NULL);
            struct buf out = BUF_EMPTY;

            xml_reader_feed(reader, slice_sub(doc, 0, cut));
            take_one(reader, XML_EVENT_OPEN);
            take_one(reader, XML_EVENT_STANZA);
            xml_reader_reset(reader, drop);
            xml_reader_feed(reader, slice_sub(doc, drop == 1 ? first_len : cut, doc.len));
            assert_int_equal(transcript_drain(reader, &out), 0);
            assert_string_equal(buf_text(&out), HEADER_EVENT "stanza:<presence/>\n");
            buf_deinit(&out);
            xml_reader_free(&reader);
        }
    }
}

/* Goal: a reader in any state can be freed and reset.
 * Method: both after every prefix of a document. */
static void test_free_and_reset_anywhere(void **state)
{
    const struct slice doc = slice_str(document);
    (void)state;

    for (size_t cut = 0; cut <= doc.len; cut++) {
        struct xml_reader *reader = xml_reader_new(NULL);
        struct xml_event *event = NULL;
        struct buf out = BUF_EMPTY;

        xml_reader_feed(reader, slice_sub(doc, 0, cut));
        if (xml_reader_next(reader, &event) == 1) {
            xml_event_free(&event);
        }
        xml_reader_reset(reader, true);
        assert_false(xml_reader_in_stanza(reader));
        xml_reader_feed(reader, doc);
        assert_int_equal(transcript_drain(reader, &out), 0);
        assert_string_equal(buf_text(&out), document_events);
        xml_reader_reset(reader, true);
        xml_reader_feed(reader, slice_sub(doc, 0, cut));
        buf_deinit(&out);
        xml_reader_free(&reader);
    }
}

/* Goal: time limits on unfinished stanzas can be kept.
 * Method: ask in and between stanzas, tags and keepalives. */
static void test_in_stanza(void **state)
{
    static const struct {
        const char *bytes;
        bool expected;
    } steps[] = {{"<?xml ", true},
                 {"version='1.0'?>", false},
                 {"<stream:stream xmlns='jab", true},
                 {"ber:client' xmlns:stream='http://etherx.jabber.org/streams'>", false},
                 {" \n", false},
                 {"<mess", true},
                 {"age>", true},
                 {"</message>", false}};
    struct xml_reader *reader = xml_reader_new(NULL);
    struct buf out = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        xml_reader_feed(reader, slice_str(steps[i].bytes));
        assert_int_equal(transcript_drain(reader, &out), 0);
        assert_int_equal(xml_reader_in_stanza(reader), steps[i].expected);
    }
    buf_deinit(&out);
    xml_reader_free(&reader);
}

/* Goal: the queries find what the document says.
 * Method: one stanza with mixed content and attributes in namespaces. */
static void test_queries(void **state)
{
    const struct xml_element *stanza;
    const struct xml_element *child;
    struct xml_reader *reader = xml_reader_new(NULL);
    struct xml_event *event = NULL;
    (void)state;

    xml_reader_feed(reader, slice_str(HEADER));
    take_one(reader, XML_EVENT_OPEN);
    xml_reader_feed(reader, slice_str("<iq id='7' xml:lang='de'>a<b/>c<d xmlns='n:s'>x&#10;y</d>"
                                      "<b i='2'/></iq>"));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    stanza = event->element;
    assert_true(xml_is(stanza, XML_NS_CLIENT, "iq"));
    assert_true(xml_is(stanza, NULL, NULL));
    assert_false(xml_is(stanza, XML_NS_SERVER, "iq"));
    assert_string_equal(xml_attr(stanza, "id"), "7");
    assert_null(xml_attr(stanza, "lang"));
    assert_string_equal(xml_attr_ns(stanza, XML_NS_XML, "lang"), "de");
    assert_string_equal(xml_text(stanza), "a");
    assert_string_equal(xml_child_text(stanza, "n:s", "d"), "x\ny");
    assert_null(xml_child_text(stanza, XML_NS_CLIENT, "d"));
    child = xml_child(stanza, XML_NS_CLIENT, "b");
    assert_null(xml_attr(child, "i"));
    assert_string_equal(xml_text(child), "");
    child = xml_sibling(child, XML_NS_CLIENT, "b");
    assert_string_equal(xml_attr(child, "i"), "2");
    assert_null(xml_sibling(child, NULL, NULL));
    xml_event_free(&event);
    xml_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed_is_split_invariant),
        cmocka_unit_test(test_feed_without_drain),
        cmocka_unit_test(test_events_are_prompt),
        cmocka_unit_test(test_error_comes_after_events),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_free_and_reset_anywhere),
        cmocka_unit_test(test_in_stanza),
        cmocka_unit_test(test_queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
