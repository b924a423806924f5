#include "xmpp/xml/element.h"

bool xml_is(const struct xml_element *element, const char *ns, const char *name)
{
    return (name == NULL || strcmp(element->name, name) == 0) &&
           (ns == NULL || strcmp(element->ns, ns) == 0);
}

const char *xml_attr_ns(const struct xml_element *element, const char *ns, const char *name)
{
    for (const struct xml_attribute *attribute = element->attributes; attribute != NULL;
         attribute = attribute->next) {
        if (strcmp(attribute->name, name) == 0 && strcmp(attribute->ns, ns) == 0) {
            return attribute->value;
        }
    }
    return NULL;
}

const char *xml_attr(const struct xml_element *element, const char *name)
{
    return xml_attr_ns(element, "", name);
}

static const struct xml_element *first_match(const struct xml_element *element, const char *ns,
                                             const char *name)
{
    while (element != NULL && !xml_is(element, ns, name)) {
        element = element->sibling;
    }
    return element;
}

const struct xml_element *xml_child(const struct xml_element *element, const char *ns,
                                    const char *name)
{
    return first_match(element->child, ns, name);
}

const struct xml_element *xml_sibling(const struct xml_element *element, const char *ns,
                                      const char *name)
{
    return first_match(element->sibling, ns, name);
}

const char *xml_text(const struct xml_element *element)
{
    return element->nodes != NULL && element->nodes->text != NULL ? element->nodes->text : "";
}

const char *xml_child_text(const struct xml_element *element, const char *ns, const char *name)
{
    const struct xml_element *child = xml_child(element, ns, name);

    return child == NULL ? NULL : xml_text(child);
}
