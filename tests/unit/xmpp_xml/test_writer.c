/* The writer and fragments: whatever tree goes in, its bytes parse back to the same tree. */
#include "node/base/utf8.h"
#include "xmpp/xml/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_same_attributes(const struct xml_element *a, const struct xml_element *b)
{
    const struct xml_attribute *x = a->attributes;
    const struct xml_attribute *y = b->attributes;

    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        assert_string_equal(x->ns, y->ns);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->value, y->value);
    }
    assert_ptr_equal(x, y);
}

static void assert_same_tree(const struct xml_element *a, const struct xml_element *b)
{
    const struct xml_node *x = a->nodes;
    const struct xml_node *y = b->nodes;

    assert_string_equal(a->ns, b->ns);
    assert_string_equal(a->name, b->name);
    assert_same_attributes(a, b);
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        assert_int_equal(x->element == NULL, y->element == NULL);
        if (x->element != NULL) {
            assert_same_tree(x->element, y->element);
        } else {
            assert_int_equal(x->text_len, y->text_len);
            assert_string_equal(x->text, y->text);
        }
    }
    assert_ptr_equal(x, y);
}

/* ---- random trees ---- */

struct random_ctx {
    uint64_t seed;
    struct arena *arena;
    unsigned left; /* elements that may still be made */
};

static unsigned draw(struct random_ctx *ctx, unsigned below)
{
    ctx->seed = ctx->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(ctx->seed >> 33) % below;
}

static const char *draw_text(struct random_ctx *ctx)
{
    static const char *const pieces[] = {
        "a",  "<",  "&", "\"",       "'",    ">",    "]]>",  "\n",
        "\t", "\r", " ", "\xc3\xa9", "\r\n", "&lt;", "&#0;", "\xf0\x9f\x98\x80"};
    struct buf text = BUF_EMPTY;
    const char *copy;

    for (unsigned count = 1 + draw(ctx, 6); count > 0; count--) {
        buf_append_str(&text, pieces[draw(ctx, ARRAY_COUNT(pieces))]);
    }
    copy = arena_strndup(ctx->arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

static const char *draw_ns(struct random_ctx *ctx)
{
    static const char *const names[] = {"",    XML_NS_CLIENT, XML_NS_SERVER, XML_NS_STREAMS,
                                        "u:a", "u:b'&<",      XML_NS_XML};

    return names[draw(ctx, ARRAY_COUNT(names))];
}

static void draw_attributes(struct random_ctx *ctx, struct xml_attribute **out)
{
    static const char *const names[] = {"a", "to", "lang", "\xc3\xa9t\xc3\xa9"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) { /* distinct names: distinct attributes */
        struct xml_attribute *attribute;

        if (draw(ctx, 3) != 0) {
            continue;
        }
        attribute = arena_alloc(ctx->arena, sizeof(*attribute));
        attribute->ns = draw_ns(ctx);
        attribute->name = names[i];
        attribute->value = draw_text(ctx);
        *out = attribute;
        out = &attribute->next;
    }
}

static struct xml_element *draw_element(struct random_ctx *ctx, unsigned depth)
{
    static const char *const names[] = {"body", "x", "query", "_-.0", "\xce\xb1"};
    struct xml_element *element = arena_alloc(ctx->arena, sizeof(*element));
    struct xml_node **end = &element->nodes;
    bool text_allowed = true; /* adjacent texts would parse as one */

    element->ns = draw_ns(ctx);
    element->name = names[draw(ctx, ARRAY_COUNT(names))];
    draw_attributes(ctx, &element->attributes);
    for (unsigned count = draw(ctx, 4); count > 0; count--) {
        struct xml_node *node = arena_alloc(ctx->arena, sizeof(*node));

        if (text_allowed && draw(ctx, 2) == 0) {
            node->text = draw_text(ctx);
            node->text_len = strlen(node->text);
            text_allowed = false;
        } else if (depth < 8 && ctx->left > 0) {
            ctx->left--;
            node->element = draw_element(ctx, depth + 1);
            text_allowed = true;
        } else {
            continue;
        }
        *end = node;
        end = &node->next;
    }
    return element;
}

/* Goal: P9 and storage: no tree is changed by writing and reading it again.
 * Method: 3,000 random trees with every awkward character and namespace, as children of a stanza.
 */
static void test_round_trip(void **state)
{
    (void)state;

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct arena arena;
        struct random_ctx ctx = {.seed = seed, .arena = &arena, .left = 40};
        const struct xml_element *parsed = NULL;
        struct xml_element *stanza;
        struct buf bytes = BUF_EMPTY;
        struct buf again = BUF_EMPTY;

        arena_init(&arena);
        stanza = draw_element(&ctx, 0);
        stanza->ns = XML_NS_CLIENT;
        stanza->name = "x"; /* as xml_parse_fragment() names the parent */
        stanza->attributes = NULL;

        xml_write_children(&bytes, stanza, XML_NS_CLIENT);
        assert_int_equal(xml_parse_fragment(buf_slice(&bytes), NULL, &arena, &parsed), 0);
        assert_same_tree(stanza, parsed);
        xml_write_children(&again, parsed, XML_NS_CLIENT);
        assert_true(slice_eq(buf_slice(&bytes), buf_slice(&again)));

        buf_deinit(&again);
        buf_deinit(&bytes);
        arena_deinit(&arena);
    }
}

static void expect_fragment(const char *text, const char *written)
{
    struct arena arena;
    const struct xml_element *parsed = NULL;
    struct buf out = BUF_EMPTY;

    arena_init(&arena);
    assert_int_equal(xml_parse_fragment(slice_str(text), NULL, &arena, &parsed), 0);
    xml_write_children(&out, parsed, XML_NS_CLIENT);
    assert_string_equal(buf_text(&out), written);
    buf_deinit(&out);
    arena_deinit(&arena);
}

/* Goal: namespaces come out as a client expects them. */
static void test_namespaces(void **state)
{
    (void)state;
    expect_fragment("", "");
    expect_fragment("text", "text");
    expect_fragment("<body>hi</body>", "<body>hi</body>");
    expect_fragment("<p:a xmlns:p='u:p'><p:b/><c/></p:a>",
                    "<a xmlns='u:p'><b/><c xmlns='jabber:client'/></a>");
    expect_fragment("<a xmlns=''><b/></a>", "<a xmlns=''><b/></a>");
    expect_fragment("<a xmlns='u:p' xml:lang='de' xmlns:q='u:q' q:x='1' q:y='2' z='3'/>",
                    "<a xmlns='u:p' xml:lang='de' xmlns:ns2='u:q' ns2:x='1' ns2:y='2' z='3'/>");
    expect_fragment("<a xmlns:q='u:q' xmlns:r='u:r' q:x='1' r:x='2'/>",
                    "<a xmlns:ns1='u:q' ns1:x='1' xmlns:ns2='u:r' ns2:x='2'/>");
    expect_fragment("<xml:a><b/></xml:a>", "<xml:a><b/></xml:a>");
}

/* Goal: stored bytes that are no children of one stanza are refused, not repaired. */
static void test_bad_fragments(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"</x>", ERR_MALFORMED},      {"</x><x>", ERR_MALFORMED},       {"<a>", ERR_MALFORMED},
        {"<a", ERR_MALFORMED},        {"<![CDATA[", ERR_MALFORMED},     {"<p:a/>", ERR_MALFORMED},
        {"<!--x-->", ERR_RESTRICTED}, {"&nbsp;", ERR_RESTRICTED},       {"\xff", ERR_MALFORMED},
        {"<a b='c", ERR_MALFORMED},   {"</x><!-- -->", ERR_RESTRICTED},
    };
    const struct xml_limits limits = {.stanza_bytes_max = 8};
    const struct xml_element *parsed = NULL;
    struct arena arena;
    (void)state;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(xml_parse_fragment(slice_str(cases[i].text), NULL, &arena, &parsed),
                         cases[i].rc);
        assert_null(parsed);
    }
    assert_int_equal(xml_parse_fragment(slice_str("<a>1</a>"), &limits, &arena, &parsed), 0);
    assert_int_equal(xml_parse_fragment(slice_str("<a>12</a>"), &limits, &arena, &parsed),
                     ERR_LIMIT);
    arena_deinit(&arena);
}

/* Goal: what a reader let pass can be read again after it grew in writing.
 * Method: the longest tags that fit the limits, full of characters that need escapes. */
static void test_grown_stanza(void **state)
{
    struct xml_reader *reader = xml_reader_new(NULL);
    struct xml_event *event = NULL;
    const struct xml_element *parsed = NULL;
    struct buf stanza = BUF_EMPTY;
    struct buf bytes = BUF_EMPTY;
    (void)state;

    xml_reader_feed(reader, slice_str("<stream:stream xmlns='jabber:client' "
                                      "xmlns:stream='http://etherx.jabber.org/streams'>"));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    xml_event_free(&event);
    buf_append_str(&stanza, "<iq><a b=\"");
    memset(buf_reserve(&stanza, 8000), '\'', 8000);
    buf_commit(&stanza, 8000);
    buf_append_str(&stanza, "\"/>");
    memset(buf_reserve(&stanza, 250000), '>', 250000);
    buf_commit(&stanza, 250000);
    buf_append_str(&stanza, "</iq>");
    xml_reader_feed(reader, buf_slice(&stanza));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    xml_write_children(&bytes, event->element, XML_NS_CLIENT);
    assert_true(buf_len(&bytes) > 1000000);
    assert_int_equal(xml_parse_fragment(buf_slice(&bytes), NULL, &event->arena, &parsed), 0);
    assert_int_equal(strlen(xml_attr(parsed->child, "b")), 8000);
    xml_event_free(&event);
    xml_reader_free(&reader);
    buf_deinit(&bytes);
    buf_deinit(&stanza);
}

/* Goal: text from elsewhere (SIP, operators) cannot break a client's stream.
 * Method: characters that XML cannot carry, and broken UTF-8; and 20,000 random byte strings. */
static void test_writer_is_safe(void **state)
{
    static const struct {
        const char *text;
        const char *written;
    } cases[] = {
        {"\x01", "\xef\xbf\xbd"},
        {"a\x1f\x7f", "a\xef\xbf\xbd\x7f"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xef\xbf\xbe", "\xef\xbf\xbd"},
        {"\xef\xbf\xbf", "\xef\xbf\xbd"},
        {"]]>", "]]&gt;"},
        {"\r\n\t", "&#13;\n\t"},
    };
    struct random_ctx ctx = {.seed = 7};
    struct buf out = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_clear(&out);
        xml_write_text(&out, slice_str(cases[i].text));
        assert_string_equal(buf_text(&out), cases[i].written);
    }
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[12];

        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)draw(&ctx, 256);
        }
        buf_clear(&out);
        xml_write_text(&out, slice_make(bytes, 1 + draw(&ctx, sizeof(bytes) - 1)));
        assert_true(utf8_valid_text(buf_slice(&out)));
    }
    buf_deinit(&out);
}

static void test_write_helpers(void **state)
{
    struct buf out = BUF_EMPTY;
    (void)state;

    xml_write_attr(&out, "a", NULL);
    xml_write_attr(&out, "b", "<'\"&\t\n>");
    xml_write_text_element(&out, "x xmlns='u:x'", "1<2");
    assert_string_equal(buf_text(&out),
                        " b='&lt;&apos;\"&amp;&#9;&#10;&gt;'<x xmlns='u:x'>1&lt;2</x>");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_bad_fragments), cmocka_unit_test(test_writer_is_safe),
        cmocka_unit_test(test_write_helpers), cmocka_unit_test(test_grown_stanza),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
