/* element - an XML element as a tree in an arena, read-only for its users. Texts are NUL-terminated
 * UTF-8; namespaces are resolved, prefixes are gone. */
#ifndef XMPP_XML_ELEMENT_H
#define XMPP_XML_ELEMENT_H

#include "node/base/arena.h"

#define XML_NS_CLIENT  "jabber:client"
#define XML_NS_SERVER  "jabber:server"
#define XML_NS_STREAMS "http://etherx.jabber.org/streams"
#define XML_NS_XML     "http://www.w3.org/XML/1998/namespace" /* of xml:lang */

struct xml_attribute {
    struct xml_attribute *next; /* in document order */
    const char *ns;             /* "" for the usual attribute without a prefix */
    const char *name;
    const char *value;
};

/* A child: an element, or a run of text between elements. */
struct xml_node {
    struct xml_node *next;             /* in document order */
    const struct xml_element *element; /* NULL: text */
    const char *text;                  /* NULL: element */
    size_t text_len;
};

struct xml_element {
    const char *ns; /* "" for none */
    const char *name;
    struct xml_attribute *attributes;
    struct xml_node *nodes;
    const struct xml_element *child;   /* first child element */
    const struct xml_element *sibling; /* next child element of the same parent */
};

/** Is it this element? ns or name NULL: any. */
bool xml_is(const struct xml_element *element, const char *ns, const char *name);
/** Value of the attribute without a namespace, or NULL. */
const char *xml_attr(const struct xml_element *element, const char *name);
const char *xml_attr_ns(const struct xml_element *element, const char *ns, const char *name);
/** First child element of that name, or NULL; ns or name NULL: any. */
const struct xml_element *xml_child(const struct xml_element *element, const char *ns,
                                    const char *name);
/** Next sibling of that name: for (e = xml_child(p, n, m); e != NULL; e = xml_sibling(e, n, m)). */
const struct xml_element *xml_sibling(const struct xml_element *element, const char *ns,
                                      const char *name);
/** The text in front of the first child element; "" when there is none. */
const char *xml_text(const struct xml_element *element);
/** Text of the first child of that name, or NULL when there is no such child. */
const char *xml_child_text(const struct xml_element *element, const char *ns, const char *name);

#endif
