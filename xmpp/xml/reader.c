#include "xmpp/xml/reader.h"

#include "node/base/buf.h"
#include "node/base/mem.h"
#include "xmpp/xml/builder.h"
#include "xmpp/xml/parser.h"

#define INPUT_KEEP_BYTES 4096 /* memory an idle stream may hold on to */

/*        root start            child start
 *  HEADER ---------> BETWEEN <-------------> STANZA
 *                       | root end    child end
 *                       v
 *                     CLOSED        xml_reader_reset(): any -> HEADER */
enum reader_state { READER_HEADER, READER_BETWEEN, READER_STANZA, READER_CLOSED };

struct xml_reader {
    struct xml_parser parser;
    struct xml_limits limits;
    struct xml_builder builder;
    enum reader_state state;
    bool suspended;
    /* From the first byte not understood yet; the parser has seen some of it already. */
    struct buf input;
    uint64_t input_offset; /* of its first byte, as the parser counts */
    char *content_ns;
    uint64_t stanza_start;
    struct xml_event *building; /* STANZA only */
    struct xml_event *first;    /* complete, not yet taken */
    struct xml_event **last_next;
};

static struct xml_event *event_new(enum xml_event_kind kind)
{
    struct xml_event *event = mem_zalloc(sizeof(*event));

    event->kind = kind;
    arena_init(&event->arena);
    return event;
}

void xml_event_free(struct xml_event **event)
{
    if (*event != NULL) {
        arena_deinit(&(*event)->arena);
        mem_free(event);
    }
}

static void push_take(struct xml_reader *reader, struct xml_event *event)
{
    *reader->last_next = event;
    reader->last_next = &event->next;
    xml_parser_suspend(&reader->parser);
}

static void fail_limit(struct xml_reader *reader)
{
    xml_parser_fail(&reader->parser, ERR_LIMIT, "policy-violation");
}

/* The stream header must be {XML_NS_STREAMS}stream (RFC 6120 §4.8.1). */
static bool check_root(struct xml_reader *reader, const struct xml_element *root)
{
    if (strcmp(root->ns, XML_NS_STREAMS) != 0) {
        xml_parser_fail(&reader->parser, ERR_INVALID, "invalid-namespace");
        return false;
    }
    if (strcmp(root->name, "stream") != 0) {
        xml_parser_fail(&reader->parser, ERR_INVALID, "bad-format");
        return false;
    }
    return true;
}

static void start_root(struct xml_reader *reader, const char *name, const char **attributes)
{
    struct xml_event *event = event_new(XML_EVENT_OPEN);

    xml_builder_begin(&reader->builder, &event->arena);
    if (xml_builder_start(&reader->builder, &reader->limits, name, attributes) != 0) {
        fail_limit(reader);
        xml_event_free(&event);
        return;
    }
    event->element = xml_builder_end(&reader->builder);
    if (!check_root(reader, event->element)) {
        xml_event_free(&event);
        return;
    }
    event->content_ns = arena_strndup(&event->arena, slice_str(reader->content_ns));
    event->bytes_len = (size_t)(reader->parser.token_end - reader->parser.token_start);
    reader->state = READER_BETWEEN;
    push_take(reader, event);
}

static bool stanza_fits(const struct xml_reader *reader)
{
    return reader->parser.token_end - reader->stanza_start <= reader->limits.stanza_bytes_max;
}

static void reader_on_start(struct xml_parser *parser, const char *name, const char **attributes)
{
    struct xml_reader *reader = CONTAINER_OF(parser, struct xml_reader, parser);

    if (reader->state == READER_HEADER) {
        start_root(reader, name, attributes);
        return;
    }
    if (reader->state == READER_BETWEEN) {
        reader->state = READER_STANZA;
        reader->stanza_start = parser->token_start;
        reader->building = event_new(XML_EVENT_STANZA);
        xml_builder_begin(&reader->builder, &reader->building->arena);
    }
    if (!stanza_fits(reader) ||
        xml_builder_start(&reader->builder, &reader->limits, name, attributes) != 0) {
        fail_limit(reader);
    }
}

static void reader_on_end(struct xml_parser *parser)
{
    struct xml_reader *reader = CONTAINER_OF(parser, struct xml_reader, parser);
    struct xml_event *event = reader->building;

    if (reader->state == READER_BETWEEN) {
        reader->state = READER_CLOSED;
        push_take(reader, event_new(XML_EVENT_CLOSE));
        return;
    }
    if (!stanza_fits(reader)) {
        fail_limit(reader);
        return;
    }
    event->element = xml_builder_end(&reader->builder);
    if (event->element != NULL) {
        event->bytes_len = (size_t)(parser->token_end - reader->stanza_start);
        reader->building = NULL;
        reader->state = READER_BETWEEN;
        push_take(reader, event);
    }
}

static bool is_whitespace(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static void reader_on_text(struct xml_parser *parser, struct slice text)
{
    struct xml_reader *reader = CONTAINER_OF(parser, struct xml_reader, parser);

    if (reader->state == READER_STANZA) {
        if (stanza_fits(reader)) {
            xml_builder_text(&reader->builder, text);
        } else {
            fail_limit(reader);
        }
    } else if (!is_whitespace(text)) { /* between stanzas only keepalives: RFC 6120 §4.6.1 */
        xml_parser_fail(parser, ERR_MALFORMED, "bad-format");
    }
}

static void reader_on_default_ns(struct xml_parser *parser, const char *uri)
{
    struct xml_reader *reader = CONTAINER_OF(parser, struct xml_reader, parser);

    if (reader->state == READER_HEADER) {
        mem_free(&reader->content_ns);
        reader->content_ns = mem_strdup(uri);
    }
}

static const struct xml_parser_sink reader_sink = {.start = reader_on_start,
                                                   .end = reader_on_end,
                                                   .text = reader_on_text,
                                                   .default_ns = reader_on_default_ns};

static void begin_stream(struct xml_reader *reader)
{
    xml_parser_init(&reader->parser, &reader_sink, &reader->limits);
    reader->state = READER_HEADER;
    reader->suspended = false;
    reader->input_offset = 0;
    reader->first = NULL;
    reader->last_next = &reader->first;
}

static void end_stream(struct xml_reader *reader)
{
    while (reader->first != NULL) {
        struct xml_event *event = reader->first;

        reader->first = event->next;
        xml_event_free(&event);
    }
    xml_event_free(&reader->building);
    mem_free(&reader->content_ns);
    xml_parser_deinit(&reader->parser);
}

struct xml_reader *xml_reader_new(const struct xml_limits *limits)
{
    struct xml_reader *reader = mem_zalloc(sizeof(*reader));

    reader->limits = xml_limits_complete(limits);
    xml_builder_init(&reader->builder);
    begin_stream(reader);
    return reader;
}

void xml_reader_free(struct xml_reader **reader)
{
    if (*reader != NULL) {
        end_stream(*reader);
        xml_builder_deinit(&(*reader)->builder);
        buf_deinit(&(*reader)->input);
        mem_free(reader);
    }
}

void xml_reader_reset(struct xml_reader *reader, bool drop_input)
{
    end_stream(reader);
    begin_stream(reader);
    if (drop_input) {
        buf_deinit(&reader->input);
    }
}

void xml_reader_set_limits(struct xml_reader *reader, const struct xml_limits *limits)
{
    reader->limits = xml_limits_complete(limits);
}

void xml_reader_feed(struct xml_reader *reader, struct slice bytes)
{
    if (reader->state != READER_CLOSED && reader->parser.error == 0) {
        buf_append(&reader->input, bytes);
    }
}

/* Bytes of the input that the parser has not been given. */
static struct slice unseen_input(struct xml_reader *reader)
{
    size_t seen = (size_t)(reader->parser.fed - reader->input_offset);

    return slice_sub(buf_slice(&reader->input), seen, buf_len(&reader->input));
}

static void drop_understood(struct xml_reader *reader)
{
    buf_consume(&reader->input, (size_t)(reader->parser.token_end - reader->input_offset));
    reader->input_offset = reader->parser.token_end;
    if (buf_len(&reader->input) == 0 && reader->input.capacity > INPUT_KEEP_BYTES) {
        buf_deinit(&reader->input);
    }
}

/* Parse up to the next event, error or end of input. False: no more bytes. */
static bool parse_some(struct xml_reader *reader)
{
    enum xml_parser_status status;

    if (reader->suspended) {
        status = xml_parser_resume(&reader->parser);
    } else if (unseen_input(reader).len > 0) {
        status = xml_parser_feed(&reader->parser, unseen_input(reader));
    } else {
        return false;
    }
    reader->suspended = status == XML_PARSER_SUSPENDED;
    drop_understood(reader);
    return true;
}

int xml_reader_next(struct xml_reader *reader, struct xml_event **event_out)
{
    struct xml_event *event;

    while (reader->first == NULL && reader->parser.error == 0 && reader->state != READER_CLOSED) {
        if (!parse_some(reader)) {
            return 0;
        }
    }
    event = reader->first;
    if (event == NULL) {
        return reader->parser.error;
    }
    reader->first = event->next;
    if (reader->first == NULL) {
        reader->last_next = &reader->first;
    }
    event->next = NULL;
    *event_out = event;
    return 1;
}

const char *xml_reader_condition(const struct xml_reader *reader)
{
    ASSERT(reader->parser.error != 0);
    return reader->parser.condition;
}

bool xml_reader_in_stanza(const struct xml_reader *reader)
{
    return reader->state == READER_STANZA || buf_len(&reader->input) > 0;
}
