/* reader - bytes of one XMPP stream in (RFC 6120 §4), stream header, stanzas and footer out.
 * Sans-I/O: no socket, clock or callback. One reader per stream, used by one worker. */
#ifndef XMPP_XML_READER_H
#define XMPP_XML_READER_H

#include "node/base/err.h"
#include "xmpp/xml/element.h"
#include "xmpp/xml/limits.h"

enum xml_event_kind {
    XML_EVENT_OPEN,   /* <stream:stream ...>: element without children, and content_ns */
    XML_EVENT_STANZA, /* a complete child of the stream */
    XML_EVENT_CLOSE   /* </stream:stream>: what follows is ignored */
};

struct xml_event {
    enum xml_event_kind kind;
    const struct xml_element *element; /* NULL for CLOSE */
    const char *content_ns;            /* OPEN: the default namespace, "" when none is declared */
    size_t bytes_len;                  /* OPEN, STANZA: length on the wire */
    struct arena arena;                /* element lives here, and what the user adds for it */
    struct xml_event *next;
};

struct xml_reader;

/** Create a reader; free it with xml_reader_free(). Never returns NULL. */
struct xml_reader *xml_reader_new(const struct xml_limits *limits);
/** Free *reader and set it to NULL. */
void xml_reader_free(struct xml_reader **reader);

/** Add borrowed bytes, cut anywhere. They are parsed by xml_reader_next(), one event at a time, so
 * that nothing behind a stanza is touched before the stanza was acted upon. */
void xml_reader_feed(struct xml_reader *reader, struct slice bytes);

/** 1 and the next event, which the caller owns: xml_event_free(). 0: needs more bytes. Else the
 * stream is at its end: ERR_MALFORMED, ERR_LIMIT, ERR_RESTRICTED (DTD, comment, PI, entity; RFC
 * 6120 §11.1) or ERR_INVALID (root element, encoding); every later call returns the same. */
NODISCARD int xml_reader_next(struct xml_reader *reader, struct xml_event **event_out);

/** The stream error that RFC 6120 §4.9.3 names for the error of xml_reader_next():
 * "not-well-formed", "policy-violation", "restricted-xml", "invalid-namespace", "bad-format",
 * "unsupported-encoding". */
const char *xml_reader_condition(const struct xml_reader *reader);

/** Expect a new stream header (RFC 6120 §4.3.3). While it is not decided whether the stream starts
 * again, do not call xml_reader_next(): it would take the new header for a stanza. Bytes fed behind
 * the last event are parsed as part of the new stream, or forgotten when drop_input: what came in
 * clear before TLS must not count. */
void xml_reader_reset(struct xml_reader *reader, bool drop_input);

/** Change the limits, from the next element on: a stranger gets less than a user. */
void xml_reader_set_limits(struct xml_reader *reader, const struct xml_limits *limits);

/** Inside a stanza or tag that is not complete? (For slow-loris time limits.) */
bool xml_reader_in_stanza(const struct xml_reader *reader);

void xml_event_free(struct xml_event **event);

/** Parse stored children of a stanza (what xml_write_children() made) as children of an element
 * without a name in jabber:client, all in arena. limits NULL: what a reader with default limits let
 * pass, however much longer it became when it was written. 0 and *element_out, or the errors of
 * xml_reader_next(). */
NODISCARD int xml_parse_fragment(struct slice bytes, const struct xml_limits *limits,
                                 struct arena *arena, const struct xml_element **element_out);

#endif
