#include "xmpp/xml/builder.h"

#define TEXT_KEEP_BYTES 4096 /* one large text must not pin its memory on an idle stream */

struct xml_open_element {
    struct xml_element element;
    struct xml_open_element *parent;
    struct xml_node **node_end; /* where the next child goes */
    const struct xml_element **child_end;
};

void xml_builder_init(struct xml_builder *builder)
{
    *builder = (struct xml_builder){0};
}

void xml_builder_deinit(struct xml_builder *builder)
{
    buf_deinit(&builder->text);
}

void xml_builder_begin(struct xml_builder *builder, struct arena *arena)
{
    builder->arena = arena;
    builder->top = NULL;
    builder->depth = 0;
    builder->element_count = 0;
    builder->ns_bytes = 0;
    buf_clear(&builder->text);
    if (builder->text.capacity > TEXT_KEEP_BYTES) {
        buf_deinit(&builder->text);
    }
}

struct name {
    struct slice ns;
    struct slice local;
};

static struct name split_name(const char *text)
{
    const char *separator = strchr(text, XML_NS_SEPARATOR);

    if (separator == NULL) {
        return (struct name){.ns = slice_str(""), .local = slice_str(text)};
    }
    return (struct name){.ns = slice_make(text, (size_t)(separator - text)),
                         .local = slice_str(separator + 1)};
}

static bool name_fits(struct name name, const struct xml_limits *limits)
{
    return name.ns.len <= limits->name_bytes_max && name.local.len <= limits->name_bytes_max;
}

/* A prefix costs its user a byte, the namespace behind it up to name_bytes_max of our memory, and
 * the same again when it is written out: an element shares what its parent and its own attributes
 * named, and what is left to copy counts like bytes of the stanza. */
static const char *copy_ns(struct xml_builder *builder, struct slice ns,
                           const struct xml_element *parent, const struct xml_element *self)
{
    const struct xml_attribute *attribute = self->attributes;

    if (ns.len == 0) {
        return "";
    }
    if (parent != NULL && slice_eq_str(ns, parent->ns)) {
        return parent->ns;
    }
    while (attribute != NULL && !slice_eq_str(ns, attribute->ns)) {
        attribute = attribute->next;
    }
    if (attribute != NULL) {
        return attribute->ns;
    }
    if (parent != NULL) { /* the outermost has one as of right */
        builder->ns_bytes += ns.len;
    }
    return arena_strndup(builder->arena, ns);
}

static int copy_attributes(struct xml_builder *builder, const struct xml_limits *limits,
                           const char **attributes, struct xml_element *element)
{
    struct xml_attribute **out = &element->attributes;

    for (uint32_t count = 0; attributes[0] != NULL; count++, attributes += 2) {
        struct name name = split_name(attributes[0]);
        struct slice value = slice_str(attributes[1]);
        struct xml_attribute *copy;

        if (count == limits->attributes_max || !name_fits(name, limits) ||
            value.len > limits->value_bytes_max) {
            return ERR_LIMIT;
        }
        copy = arena_alloc(builder->arena, sizeof(*copy));
        copy->ns = copy_ns(builder, name.ns, element, element);
        copy->name = arena_strndup(builder->arena, name.local);
        copy->value = arena_strndup(builder->arena, value);
        *out = copy;
        out = &copy->next;
    }
    return builder->ns_bytes > limits->stanza_bytes_max ? ERR_LIMIT : 0;
}

static void append_node(struct xml_open_element *parent, struct xml_node *node)
{
    *parent->node_end = node;
    parent->node_end = &node->next;
}

static void flush_text(struct xml_builder *builder)
{
    struct slice text = buf_slice(&builder->text);
    struct xml_node *node;

    if (text.len > 0) {
        node = arena_alloc(builder->arena, sizeof(*node));
        node->text = arena_strndup(builder->arena, text);
        node->text_len = text.len;
        append_node(builder->top, node);
        buf_clear(&builder->text);
    }
}

static void append_element(struct xml_builder *builder, const struct xml_element *element)
{
    struct xml_node *node = arena_alloc(builder->arena, sizeof(*node));

    flush_text(builder);
    node->element = element;
    append_node(builder->top, node);
    *builder->top->child_end = element;
}

int xml_builder_start(struct xml_builder *builder, const struct xml_limits *limits,
                      const char *name_text, const char **attributes)
{
    struct name name = split_name(name_text);
    struct xml_open_element *open;
    int rc;

    if (builder->depth >= limits->depth_max || builder->element_count >= limits->elements_max ||
        !name_fits(name, limits)) {
        return ERR_LIMIT;
    }
    open = arena_alloc(builder->arena, sizeof(*open));
    open->element.ns = copy_ns(
        builder, name.ns, builder->top == NULL ? NULL : &builder->top->element, &open->element);
    open->element.name = arena_strndup(builder->arena, name.local);
    rc = copy_attributes(builder, limits, attributes, &open->element);
    if (rc != 0) {
        return rc;
    }
    open->node_end = &open->element.nodes;
    open->child_end = &open->element.child;
    open->parent = builder->top;
    if (builder->top != NULL) {
        append_element(builder, &open->element);
        builder->top->child_end = &open->element.sibling;
    }
    builder->top = open;
    builder->depth++;
    builder->element_count++;
    return 0;
}

void xml_builder_text(struct xml_builder *builder, struct slice text)
{
    ASSERT(builder->top != NULL);
    buf_append(&builder->text, text);
}

const struct xml_element *xml_builder_end(struct xml_builder *builder)
{
    struct xml_open_element *open = builder->top;

    ASSERT(open != NULL);
    flush_text(builder);
    builder->top = open->parent;
    builder->depth--;
    return builder->top == NULL ? &open->element : NULL;
}
