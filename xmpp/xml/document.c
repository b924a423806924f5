#include "xmpp/xml/document.h"

#include "node/base/mem.h"
#include "xmpp/xml/builder.h"
#include "xmpp/xml/parser.h"

struct xml_document {
    struct xml_parser parser;
    struct xml_limits limits;
    struct xml_builder builder;
    struct arena arena; /* of the tree, or the tag, at hand */
    const struct xml_document_sink *sink;
    void *ctx;
    unsigned open_count; /* containers that the tag at hand is in */
    unsigned skip_depth; /* elements of what is passed over, 0: nothing is */
    bool in_tree;
    bool is_over; /* the root was closed */
    uint64_t tree_start;
};

static void fail(struct xml_document *document, int rc)
{
    xml_parser_fail(&document->parser, rc, "");
}

static void begin_tree(struct xml_document *document)
{
    arena_reset(&document->arena);
    xml_builder_begin(&document->builder, &document->arena);
}

static bool tree_fits(const struct xml_document *document)
{
    return document->parser.token_end - document->tree_start <= document->limits.stanza_bytes_max;
}

/* What is at hand is beyond the limits, with so many of its elements open. */
static void pass_over(struct xml_document *document, unsigned depth)
{
    if (document->open_count == 0) {
        fail(document, ERR_LIMIT);
        return;
    }
    document->in_tree = false;
    document->skip_depth = depth;
    document->sink->too_large(document->ctx, document->open_count);
}

/* The next tag of a tree. False: it is passed over. */
static bool start_tree(struct xml_document *document, const char *name, const char **attributes)
{
    unsigned depth = document->builder.depth;

    if (tree_fits(document) &&
        xml_builder_start(&document->builder, &document->limits, name, attributes) == 0) {
        return true;
    }
    pass_over(document, depth + 1);
    return false;
}

static void open_container(struct xml_document *document, const struct xml_element *tag)
{
    int rc = document->open_count == XML_DOCUMENT_OPEN_MAX
                 ? ERR_LIMIT
                 : document->sink->open(document->ctx, document->open_count, tag);

    if (rc != 0) {
        fail(document, rc);
    } else {
        document->open_count++;
    }
}

/* A tag of a container, or the root: what becomes of it? */
static void start_child(struct xml_document *document, const char *name, const char **attributes)
{
    const struct xml_element *tag;

    document->tree_start = document->parser.token_start;
    begin_tree(document);
    if (!start_tree(document, name, attributes)) {
        return;
    }
    tag = xml_builder_end(&document->builder);
    switch (document->sink->choose(document->ctx, document->open_count, tag)) {
    case XML_DOCUMENT_OPEN:
        open_container(document, tag);
        break;
    case XML_DOCUMENT_TREE:
        document->in_tree = true;
        begin_tree(document);
        (void)start_tree(document, name, attributes);
        break;
    case XML_DOCUMENT_SKIP:
        document->skip_depth = 1;
        break;
    }
}

static void document_on_start(struct xml_parser *parser, const char *name, const char **attributes)
{
    struct xml_document *document = CONTAINER_OF(parser, struct xml_document, parser);

    if (document->skip_depth > 0) {
        document->skip_depth++;
    } else if (!document->in_tree) {
        start_child(document, name, attributes);
    } else {
        (void)start_tree(document, name, attributes);
    }
}

static int end_tree(struct xml_document *document)
{
    const struct xml_element *element;

    if (!tree_fits(document)) {
        pass_over(document, document->builder.depth - 1);
        return 0;
    }
    element = xml_builder_end(&document->builder);
    if (element == NULL) {
        return 0;
    }
    document->in_tree = false;
    return document->sink->tree(document->ctx, document->open_count, element);
}

static void document_on_end(struct xml_parser *parser)
{
    struct xml_document *document = CONTAINER_OF(parser, struct xml_document, parser);
    int rc = 0;

    if (document->skip_depth > 0) {
        document->skip_depth--;
    } else if (document->in_tree) {
        rc = end_tree(document);
    } else {
        document->open_count--;
        rc = document->sink->close(document->ctx, document->open_count);
    }
    document->is_over =
        document->open_count == 0 && document->skip_depth == 0 && !document->in_tree;
    if (rc != 0) {
        fail(document, rc);
    }
}

/* Text in containers is the layout of the file. */
static void document_on_text(struct xml_parser *parser, struct slice text)
{
    struct xml_document *document = CONTAINER_OF(parser, struct xml_document, parser);

    if (!document->in_tree) {
        return;
    }
    if (tree_fits(document)) {
        xml_builder_text(&document->builder, text);
    } else {
        pass_over(document, document->builder.depth);
    }
}

static const struct xml_parser_sink document_sink = {
    .start = document_on_start, .end = document_on_end, .text = document_on_text};

struct xml_document *xml_document_new(const struct xml_document_sink *sink, void *ctx,
                                      const struct xml_limits *limits)
{
    struct xml_document *document = mem_zalloc(sizeof(*document));

    document->sink = sink;
    document->ctx = ctx;
    document->limits = xml_limits_complete(limits);
    arena_init(&document->arena);
    xml_builder_init(&document->builder);
    xml_parser_init(&document->parser, &document_sink, &document->limits);
    return document;
}

void xml_document_free(struct xml_document **document)
{
    if (*document != NULL) {
        xml_parser_deinit(&(*document)->parser);
        xml_builder_deinit(&(*document)->builder);
        arena_deinit(&(*document)->arena);
        mem_free(document);
    }
}

int xml_document_feed(struct xml_document *document, struct slice bytes)
{
    if (document->parser.error == 0 && bytes.len > 0) {
        (void)xml_parser_feed(&document->parser, bytes);
    }
    return document->parser.error;
}

int xml_document_end(const struct xml_document *document)
{
    if (document->parser.error != 0) {
        return document->parser.error;
    }
    return document->is_over ? 0 : ERR_MALFORMED;
}

uint64_t xml_document_line(const struct xml_document *document)
{
    return (uint64_t)XML_GetCurrentLineNumber(document->parser.expat);
}
