/* fragment - parse stored children of a stanza: the reader's parser over a document made up around
 * them. */
#include "xmpp/xml/builder.h"
#include "xmpp/xml/parser.h"
#include "xmpp/xml/reader.h"

#define ROOT_START "<x xmlns='" XML_NS_CLIENT "'>"
#define ROOT_END   "</x>"

/* Escapes and repeated namespaces make stored bytes longer than what was received; that they fit
 * into a command was checked before they were stored. */
static const struct xml_limits stored_limits = {.stanza_bytes_max = UINT32_MAX / 2,
                                                .token_bytes_max = UINT32_MAX / 2};

struct fragment {
    struct xml_parser parser;
    struct xml_limits limits;
    struct xml_builder builder;
    const struct xml_element *element;
};

static void fragment_on_start(struct xml_parser *parser, const char *name, const char **attributes)
{
    struct fragment *fragment = CONTAINER_OF(parser, struct fragment, parser);

    if (xml_builder_start(&fragment->builder, &fragment->limits, name, attributes) != 0) {
        xml_parser_fail(parser, ERR_LIMIT, "policy-violation");
    }
}

static void fragment_on_end(struct xml_parser *parser)
{
    struct fragment *fragment = CONTAINER_OF(parser, struct fragment, parser);

    fragment->element = xml_builder_end(&fragment->builder);
}

static void fragment_on_text(struct xml_parser *parser, struct slice text)
{
    xml_builder_text(&CONTAINER_OF(parser, struct fragment, parser)->builder, text);
}

static const struct xml_parser_sink fragment_sink = {
    .start = fragment_on_start, .end = fragment_on_end, .text = fragment_on_text};

static int parse_parts(struct fragment *fragment, struct slice bytes)
{
    const struct slice parts[] = {slice_str(ROOT_START), bytes, slice_str(ROOT_END)};

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (parts[i].len > 0 && xml_parser_feed(&fragment->parser, parts[i]) == XML_PARSER_FAILED) {
            return fragment->parser.error;
        }
    }
    return fragment->element == NULL ? ERR_MALFORMED : 0;
}

int xml_parse_fragment(struct slice bytes, const struct xml_limits *limits, struct arena *arena,
                       const struct xml_element **element_out)
{
    struct fragment fragment = {.limits =
                                    xml_limits_complete(limits == NULL ? &stored_limits : limits)};
    int rc;

    if (bytes.len > fragment.limits.stanza_bytes_max || bytes.len > INT32_MAX) {
        return ERR_LIMIT;
    }
    xml_parser_init(&fragment.parser, &fragment_sink, &fragment.limits);
    xml_builder_init(&fragment.builder);
    xml_builder_begin(&fragment.builder, arena);
    rc = parse_parts(&fragment, bytes);
    if (rc == 0) {
        *element_out = fragment.element;
    }
    xml_builder_deinit(&fragment.builder);
    xml_parser_deinit(&fragment.parser);
    return rc;
}
