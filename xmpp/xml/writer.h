/* writer - elements and texts to bytes. Whatever goes in, what comes out is well-formed: characters
 * that XML cannot carry become U+FFFD. Attributes are quoted by '. Pure. */
#ifndef XMPP_XML_WRITER_H
#define XMPP_XML_WRITER_H

#include "node/base/buf.h"
#include "xmpp/xml/element.h"

/** Escape for element content. */
void xml_write_text(struct buf *out, struct slice text);
/** Append " name='value'" with value escaped; nothing when value is NULL. */
void xml_write_attr(struct buf *out, const char *name, const char *value);
/** Append "<name>text</name>"; name may carry attributes of its own ("show", "x xmlns='a:b'"). */
void xml_write_text_element(struct buf *out, const char *name, const char *text);

/** Append element as it has to stand where default_ns is the default namespace. Foreign namespaces
 * become xmlns attributes, prefixed attributes get declared prefixes. */
void xml_write_element(struct buf *out, const struct xml_element *element, const char *default_ns);
/** Append all children (elements and text) of element likewise. With XML_NS_CLIENT they are bytes
 * that can be stored, and embedded in any stanza of a jabber:client stream. */
void xml_write_children(struct buf *out, const struct xml_element *element, const char *default_ns);

#endif
