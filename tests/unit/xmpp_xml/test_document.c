/* A file as elements: what is opened, taken whole, passed over, and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/base/buf.h"
#include "xmpp/xml/document.h"

#define LIMITS                                                                                     \
    (&(const struct xml_limits){                                                                   \
        .stanza_bytes_max = 200, .token_bytes_max = 100, .depth_max = 4, .value_bytes_max = 50})

/* What came, as text. "open" is a container, "skip" is passed over, all else is a tree. */
static enum xml_document_choice choose(void *ctx, unsigned depth, const struct xml_element *tag)
{
    (void)ctx;
    (void)depth;
    if (strcmp(tag->name, "open") == 0) {
        return XML_DOCUMENT_OPEN;
    }
    return strcmp(tag->name, "skip") == 0 ? XML_DOCUMENT_SKIP : XML_DOCUMENT_TREE;
}

static int note_open(void *ctx, unsigned depth, const struct xml_element *tag)
{
    const char *id = xml_attr(tag, "id");

    buf_printf(ctx, "%u(%s ", depth, id == NULL ? "" : id);
    return 0;
}

static int note_tree(void *ctx, unsigned depth, const struct xml_element *element)
{
    const struct xml_element *child = xml_child(element, NULL, NULL);

    buf_printf(ctx, "%u:%s[%s]%s ", depth, element->name, xml_text(element),
               child == NULL ? "" : child->name);
    return strcmp(element->name, "stop") == 0 ? ERR_CONFLICT : 0;
}

static int note_close(void *ctx, unsigned depth)
{
    buf_printf(ctx, "%u) ", depth);
    return 0;
}

static void note_large(void *ctx, unsigned depth)
{
    buf_printf(ctx, "%u! ", depth);
}

static const struct xml_document_sink sink = {.choose = choose,
                                              .open = note_open,
                                              .tree = note_tree,
                                              .close = note_close,
                                              .too_large = note_large};

/* Read a text in pieces of so many bytes; returns what came and the outcome. */
static int read_pieces(const char *text, size_t piece, struct buf *out)
{
    struct xml_document *document = xml_document_new(&sink, out, LIMITS);
    struct slice bytes = slice_str(text);
    int rc = 0;

    for (size_t at = 0; at < bytes.len && rc == 0; at += piece) {
        size_t end = at + piece < bytes.len ? at + piece : bytes.len;

        rc = xml_document_feed(document, slice_sub(bytes, at, end));
    }
    if (rc == 0) {
        rc = xml_document_end(document);
    } else {
        assert_int_equal(xml_document_feed(document, slice_str("<x/>")), rc);
        assert_int_equal(xml_document_end(document), rc);
    }
    xml_document_free(&document);
    return rc;
}

static void expect(const char *text, int rc, const char *came)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        struct buf out = BUF_EMPTY;

        assert_int_equal(read_pieces(text, piece, &out), rc);
        assert_string_equal(buf_text(&out), came);
        buf_deinit(&out);
    }
}

/* Goal: containers, trees and what is passed over come as the user says, however bytes are cut.
 * Method: one document with all of them, in pieces of every size. */
static void test_elements(void **state)
{
    (void)state;
    expect("<?xml version='1.0' encoding='UTF-8'?>\n<open id='r'> <open id='h'>layout"
           "<t>text<c/></t><skip><open><t/></open></skip>\n<u/></open><open/></open>\n",
           0, "0(r 1(h 2:t[text]c 2:u[] 1) 1( 1) 0) ");
    expect("<t/>", 0, "0:t[] ");
    expect("<skip><a/></skip>", 0, "");
}

/* Goal: what a stream may not hold, a file may not either; what breaks off is refused, and what the
 * user says ends it. Method: one fault each; what came before it has come. */
static void test_faults(void **state)
{
    (void)state;
    expect("<open><t/><!-- c --></open>", ERR_RESTRICTED, "0( 1:t[] ");
    expect("<open><?p i?></open>", ERR_RESTRICTED, "0( ");
    expect("<!DOCTYPE x><open/>", ERR_RESTRICTED, "");
    expect("<open>&x;</open>", ERR_RESTRICTED, "0( ");
    expect("<open><t></open>", ERR_MALFORMED, "0( ");
    expect("<open><t/>", ERR_MALFORMED, "0( 1:t[] ");
    expect("", ERR_MALFORMED, "");
    expect("<open/><open/>", ERR_MALFORMED, "0( 0) ");
    expect("<open><stop/><t/></open>", ERR_CONFLICT, "0( 1:stop[] ");
}

/* Goal: what is too deep or has too much on a tag is passed over, at whatever element that shows,
 * and what is behind it comes; but not the root. A tag beyond all bounds ends the document.
 * Method: each, between two trees. */
static void test_too_large(void **state)
{
#define LONG "0123456789012345678901234567890123456789012345678901" /* longer than an attribute */
    (void)state;
    expect("<open><t/><a><b><c><d><e/></d></c>x</b><f/></a><t/></open>", 0,
           "0( 1:t[] 1! 1:t[] 0) ");
    expect("<open><t/><a x='" LONG "'><b/>x</a><t/></open>", 0, "0( 1:t[] 1! 1:t[] 0) ");
    expect("<open><t/><a><b x='" LONG "'><b/></b>x<c/></a><t/></open>", 0, "0( 1:t[] 1! 1:t[] 0) ");
    expect("<open><open x='" LONG "'><t/></open><t/></open>", 0, "0( 1! 1:t[] 0) ");
    expect("<open><skip><t x='" LONG "'/></skip><t/></open>", 0, "0( 1:t[] 0) ");
    expect("<open x='" LONG "'/>", ERR_LIMIT, "");
    expect("<t><a><b><c><d/></c></b></a></t>", ERR_LIMIT, "");
    expect("<open><a x='" LONG LONG "'/></open>", ERR_LIMIT, "0( ");
}

/* Goal: a tree is bounded, a document and what is passed over are not.
 * Method: a tree of the limit and one beyond it, as text and as elements; a long document of short
 * trees; the same inside of what is passed over. */
static void test_bounds(void **state)
{
    struct buf text = BUF_EMPTY;
    struct buf out = BUF_EMPTY;

    (void)state;
    for (unsigned len = 190; len <= 194; len++) { /* with its tags 7 more */
        buf_clear(&text);
        buf_clear(&out);
        buf_printf(&text, "<open><t>%0*d</t></open>", (int)len, 1);
        assert_int_equal(read_pieces(buf_text(&text), 1000, &out), 0);
        assert_int_equal(strstr(buf_text(&out), "1:t[") != NULL, len <= 193);
        assert_int_equal(strstr(buf_text(&out), "0( 1! 0) ") != NULL, len > 193);
    }
    buf_clear(&text);
    buf_append_str(&text, "<open><t>");
    for (unsigned i = 0; i < 50; i++) {
        buf_append_str(&text, "<c/>");
    }
    buf_append_str(&text, "</t></open>");
    expect(buf_text(&text), 0, "0( 1! 0) ");
    buf_clear(&text);
    buf_append_str(&text, "<open>");
    for (unsigned i = 0; i < 1000; i++) {
        buf_append_str(&text,
                       "<t>some text</t><skip><a><b><c><d><e>deep</e></d></c></b></a></skip>");
    }
    buf_append_str(&text, "</open>");
    assert_int_equal(read_pieces(buf_text(&text), 4096, &out), 0);
    buf_deinit(&text);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
