/* Goal: no bytes of a client crash the stream reader or make it depend on how they are cut, and
 * what it accepts can be stored, embedded and read again unchanged (P9). Method: the first byte
 * gives the size of the pieces. Events of the pieces must be those of one feed; every stanza is
 * written, parsed as a fragment and written again. */
#include "xmpp/xml/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small enough to be reached; a token never hits its limit before it is complete, so that both ways
 * of feeding fail at the same place. */
static const struct xml_limits limits = {.stanza_bytes_max = 2048,
                                         .token_bytes_max = 1024 * 1024,
                                         .depth_max = 8,
                                         .elements_max = 64,
                                         .attributes_max = 8,
                                         .name_bytes_max = 64,
                                         .value_bytes_max = 256};

static void check_round_trip(const struct xml_element *stanza)
{
    const struct xml_element *parsed = NULL;
    struct buf bytes = BUF_EMPTY;
    struct buf again = BUF_EMPTY;
    struct arena arena;
    int rc;

    arena_init(&arena);
    xml_write_children(&bytes, stanza, XML_NS_CLIENT);
    rc = xml_parse_fragment(buf_slice(&bytes), NULL, &arena, &parsed);
    ASSERT(rc == 0);
    xml_write_children(&again, parsed, XML_NS_CLIENT);
    ASSERT(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    buf_deinit(&again);
    buf_deinit(&bytes);
    arena_deinit(&arena);
}

/* Take all events into out; false after an error. */
static bool drain(struct xml_reader *reader, struct buf *out)
{
    struct xml_event *event = NULL;
    int rc;

    while ((rc = xml_reader_next(reader, &event)) == 1) {
        buf_printf(out, "%d %zu ", (int)event->kind, event->bytes_len);
        if (event->element != NULL) {
            xml_write_element(out, event->element, XML_NS_CLIENT);
        }
        if (event->kind == XML_EVENT_STANZA) {
            check_round_trip(event->element);
        }
        xml_event_free(&event);
    }
    if (rc <
        0) { /* which of two faults comes first may depend on the cut: expat reads ahead in text */
        ASSERT(xml_reader_condition(reader)[0] != '\0');
        buf_append_str(out, "error");
    }
    return rc == 0;
}

static void run(struct slice bytes, size_t piece, struct buf *out)
{
    struct xml_reader *reader = xml_reader_new(&limits);
    size_t at = 0;

    do {
        size_t end = bytes.len - at < piece ? bytes.len : at + piece;

        xml_reader_feed(reader, slice_sub(bytes, at, end));
        at = end;
    } while (drain(reader, out) && at < bytes.len);
    xml_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_EMPTY;
    struct buf pieces = BUF_EMPTY;
    struct slice bytes;

    if (size < 2) {
        return 0;
    }
    bytes = slice_make(data + 1, size - 1);
    run(bytes, bytes.len, &whole);
    run(bytes, data[0] % 64 + 1, &pieces);
    ASSERT(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_deinit(&pieces);
    buf_deinit(&whole);
    return 0;
}
