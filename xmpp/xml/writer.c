#include "xmpp/xml/writer.h"

#include "node/base/utf8.h"

#include <stdio.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* XML 1.0 §2.2: no controls but tab and line ends, neither U+FFFE nor U+FFFF. sequence is valid
 * UTF-8. */
static bool is_xml_char(struct slice sequence)
{
    uint8_t lead = sequence.data[0];

    if (lead < 0x20) {
        return lead == '\t' || lead == '\n' || lead == '\r';
    }
    return !(lead == 0xef && sequence.data[1] == 0xbf && sequence.data[2] >= 0xbe);
}

/* What stands for c in content, or in an attribute; NULL: c itself. A parser folds "\r" to "\n" in
 * content and all line ends and tabs to spaces in attributes unless they are references. */
static const char *reference(uint8_t c, bool in_attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r':
        return "&#13;";
    case '\'':
        return in_attribute ? "&apos;" : NULL;
    case '\n':
        return in_attribute ? "&#10;" : NULL;
    case '\t':
        return in_attribute ? "&#9;" : NULL;
    default:
        return NULL;
    }
}

static void escape(struct buf *out, struct slice text, bool in_attribute)
{
    size_t plain = 0; /* where the run began that needs no change */
    size_t at = 0;

    while (at < text.len) {
        struct slice rest = slice_sub(text, at, text.len);
        size_t len = utf8_sequence_len(rest);
        bool fits = len > 0 && is_xml_char(rest);
        const char *instead = fits ? reference(text.data[at], in_attribute) : REPLACEMENT;

        len = len > 0 ? len : 1;
        if (instead != NULL) {
            buf_append(out, slice_sub(text, plain, at));
            buf_append_str(out, instead);
            plain = at + len;
        }
        at += len;
    }
    buf_append(out, slice_sub(text, plain, text.len));
}

void xml_write_text(struct buf *out, struct slice text)
{
    escape(out, text, false);
}

void xml_write_attr(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        buf_append_u8(out, ' ');
        buf_append_str(out, name);
        buf_append_str(out, "='");
        escape(out, slice_str(value), true);
        buf_append_u8(out, '\'');
    }
}

void xml_write_text_element(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "<%s>", name);
    escape(out, slice_str(text), false);
    buf_printf(out, "</%.*s>", (int)strcspn(name, " "), name);
}

/* Number of the prefix made for the namespace of attribute: its place among the element's
 * namespaced attributes, that of the first one if several share the namespace. */
static unsigned prefix_number(const struct xml_element *element,
                              const struct xml_attribute *attribute)
{
    const struct xml_attribute *other = element->attributes;
    unsigned number = 1;

    while (strcmp(other->ns, attribute->ns) != 0) {
        number += other->ns[0] != '\0';
        other = other->next;
    }
    return number;
}

static bool is_first_of_ns(const struct xml_element *element, const struct xml_attribute *attribute)
{
    const struct xml_attribute *other = element->attributes;

    while (strcmp(other->ns, attribute->ns) != 0) {
        other = other->next;
    }
    return other == attribute;
}

static void write_prefixed_attribute(struct buf *out, const struct xml_element *element,
                                     const struct xml_attribute *attribute)
{
    char name[sizeof("xmlns:ns4294967295")];
    unsigned number = prefix_number(element, attribute);

    if (is_first_of_ns(element, attribute)) {
        (void)snprintf(name, sizeof(name), "xmlns:ns%u", number);
        xml_write_attr(out, name, attribute->ns);
    }
    buf_printf(out, " ns%u:%s='", number, attribute->name);
    escape(out, slice_str(attribute->value), true);
    buf_append_u8(out, '\'');
}

static void write_attributes(struct buf *out, const struct xml_element *element)
{
    for (const struct xml_attribute *attribute = element->attributes; attribute != NULL;
         attribute = attribute->next) {
        if (attribute->ns[0] == '\0') {
            xml_write_attr(out, attribute->name, attribute->value);
        } else if (strcmp(attribute->ns, XML_NS_XML) == 0) {
            buf_printf(out, " xml:%s='", attribute->name);
            escape(out, slice_str(attribute->value), true);
            buf_append_u8(out, '\'');
        } else {
            write_prefixed_attribute(out, element, attribute);
        }
    }
}

/* Recursion is as deep as the tree, which the reader's depth_max bounds. */
void xml_write_element(struct buf *out, const struct xml_element *element, const char *default_ns)
{
    /* Namespaces in XML §3: that of xml: cannot be a default namespace. */
    bool is_xml = strcmp(element->ns, XML_NS_XML) == 0;
    const char *prefix = is_xml ? "xml:" : "";
    const char *inner_ns = is_xml ? default_ns : element->ns;

    buf_printf(out, "<%s%s", prefix, element->name);
    if (strcmp(inner_ns, default_ns) != 0) {
        xml_write_attr(out, "xmlns", inner_ns);
    }
    write_attributes(out, element);
    if (element->nodes == NULL) {
        buf_append_str(out, "/>");
        return;
    }
    buf_append_u8(out, '>');
    xml_write_children(out, element, inner_ns);
    buf_printf(out, "</%s%s>", prefix, element->name);
}

void xml_write_children(struct buf *out, const struct xml_element *element, const char *default_ns)
{
    for (const struct xml_node *node = element->nodes; node != NULL; node = node->next) {
        if (node->element != NULL) {
            xml_write_element(out, node->element, default_ns);
        } else {
            escape(out, slice_make(node->text, node->text_len), false);
        }
    }
}
