/* transcript - what a reader said about a document, as text: "open:NS stream", "stanza:<...>",
 * "close", "error:CONDITION". For tests that compare whole runs. */
#ifndef TESTS_UNIT_XMPP_XML_TRANSCRIPT_H
#define TESTS_UNIT_XMPP_XML_TRANSCRIPT_H

#include "xmpp/xml/xml.h"

/* Take all events that are there. Returns the last result of xml_reader_next(). */
static inline int transcript_drain(struct xml_reader *reader, struct buf *out)
{
    struct xml_event *event = NULL;
    int rc;

    while ((rc = xml_reader_next(reader, &event)) == 1) {
        switch (event->kind) {
        case XML_EVENT_OPEN:
            buf_printf(out, "open:%s ", event->content_ns);
            xml_write_element(out, event->element, XML_NS_STREAMS);
            break;
        case XML_EVENT_STANZA:
            buf_append_str(out, "stanza:");
            xml_write_element(out, event->element, XML_NS_CLIENT);
            break;
        case XML_EVENT_CLOSE:
            buf_append_str(out, "close");
            break;
        }
        buf_append_u8(out, '\n');
        xml_event_free(&event);
    }
    if (rc < 0) {
        buf_printf(out, "error:%s\n", xml_reader_condition(reader));
    }
    return rc;
}

#endif
