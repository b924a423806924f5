/* builder - one element tree grows in an arena as tags and text come in, within limits. Names are
 * those of expat: namespace, XML_NS_SEPARATOR, local name. Used by reader and fragment alone. */
#ifndef XMPP_XML_BUILDER_H
#define XMPP_XML_BUILDER_H

#include "node/base/buf.h"
#include "node/base/err.h"
#include "xmpp/xml/element.h"
#include "xmpp/xml/limits.h"

#define XML_NS_SEPARATOR '\x01' /* no XML document can hold it */

struct xml_open_element;

struct xml_builder {
    struct arena *arena; /* where the current tree grows */
    struct xml_open_element *top;
    uint32_t depth;
    uint32_t element_count;
    size_t ns_bytes; /* copied for the current tree */
    struct buf text; /* not yet a node: expat hands out one run of text in pieces */
};

void xml_builder_init(struct xml_builder *builder);
void xml_builder_deinit(struct xml_builder *builder);
/** The next start tag begins a new tree in arena. */
void xml_builder_begin(struct xml_builder *builder, struct arena *arena);
/** 0 or ERR_LIMIT. attributes: name, value, ..., NULL. */
NODISCARD int xml_builder_start(struct xml_builder *builder, const struct xml_limits *limits,
                                const char *name, const char **attributes);
void xml_builder_text(struct xml_builder *builder, struct slice text);
/** Close the innermost element: the whole tree when that was the outermost, else NULL. */
const struct xml_element *xml_builder_end(struct xml_builder *builder);

#endif
