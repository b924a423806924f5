#include "node/conf/strict.h"

#include "node/base/assert.h"
#include "node/base/buf.h"
#include "node/conf/check.h"
#include "node/conf/document.h"
#include "node/conf/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18 /* what a uint64_t holds in any case */

/* A value, and where it is: "timers.lease_ms". */
struct value {
    const yaml_node_t *node;
    const cyaml_schema_value_t *schema;
    char path[64];
};

static const char *text_of(const yaml_node_t *scalar)
{
    return (const char *)scalar->data.scalar.value;
}

/* ---- numbers */

struct range {
    const char *path;
    uint32_t min, max;
};

#define TIMER(name, least, most, standard, moment) {"timers." #name, least, most},
#define LIMIT(name, least, most, standard, moment) {"limits." #name, least, most},
static const struct range ranges[] = {
    CONF_TIMERS_MAP(TIMER) CONF_LIMITS_MAP(LIMIT){"node.id", 1, CONF_NODE_ID_MAX},
    {"cluster.members.node", 1, CONF_NODE_ID_MAX},
    {"c2s.port", 1, UINT16_MAX},
    {"c2s.tls_port", 0, UINT16_MAX},
};

static bool is_decimal(const yaml_node_t *scalar)
{
    const char *text = text_of(scalar);
    size_t len = scalar->data.scalar.length;

    return len > 0 && strspn(text, "0123456789") == len && (text[0] != '0' || len == 1);
}

/* Whether the member of the struct can hold it; conf.c and check.c know what makes sense there. */
static bool is_held(const struct value *value)
{
    return value->node->data.scalar.length <= DIGITS_MAX &&
           strtoull(text_of(value->node), NULL, 10) >> 8 * value->schema->data_size == 0;
}

static void tell_number(const struct value *value, struct buf *out)
{
    buf_printf(out, is_decimal(value->node) ? "%s is not" : "'%s' is not a decimal number",
               text_of(value->node));
    for (size_t i = 0; i < ARRAY_COUNT(ranges); i++) {
        if (strcmp(ranges[i].path, value->path) == 0) {
            buf_printf(out, " between %u and %u", ranges[i].min, ranges[i].max);
        }
    }
}

/* ---- words */

static bool is_listed(const struct value *value)
{
    for (uint32_t i = 0; i < value->schema->enumeration.count; i++) {
        if (strcmp(value->schema->enumeration.strings[i].str, text_of(value->node)) == 0) {
            return true;
        }
    }
    return false;
}

static void tell_word(const struct value *value, struct buf *out)
{
    buf_printf(out, "'%s' is not one of", text_of(value->node));
    for (uint32_t i = 0; i < value->schema->enumeration.count; i++) {
        buf_printf(out, "%s %s", i == 0 ? "" : ",", value->schema->enumeration.strings[i].str);
    }
}

/* ---- the walk */

static bool is_good(const struct value *value)
{
    if (value->node->type != YAML_SCALAR_NODE) {
        return true; /* libcyaml finds it */
    }
    switch (value->schema->type) {
    case CYAML_UINT:
        return is_decimal(value->node) && is_held(value);
    case CYAML_ENUM:
        return is_listed(value);
    default:
        return true;
    }
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_value_t *mapping,
                                              const yaml_node_t *key)
{
    const cyaml_schema_field_t *field = mapping->mapping.fields;

    if (key == NULL || key->type != YAML_SCALAR_NODE) {
        return NULL;
    }
    while (field->key != NULL && strcmp(field->key, text_of(key)) != 0) {
        field++;
    }
    return field->key == NULL ? NULL : field;
}

static bool find_bad(yaml_document_t *document, const struct value *value, struct value *bad_out);

static bool find_bad_in_mapping(yaml_document_t *document, const struct value *mapping,
                                struct value *bad_out)
{
    for (const yaml_node_pair_t *pair = mapping->node->data.mapping.pairs.start;
         pair < mapping->node->data.mapping.pairs.top; pair++) {
        const cyaml_schema_field_t *field =
            find_field(mapping->schema, yaml_document_get_node(document, pair->key));
        struct value value = {.node = yaml_document_get_node(document, pair->value)};

        if (field == NULL) {
            continue;
        }
        value.schema = &field->value;
        /* the keys of the schema are shorter */
        (void)snprintf(value.path, sizeof(value.path), "%.30s%s%.30s", mapping->path,
                       mapping->path[0] == '\0' ? "" : ".", field->key);
        if (find_bad(document, &value, bad_out)) {
            return true;
        }
    }
    return false;
}

/* The first bad one, in the order of the file; this goes no deeper than the schema does. */
static bool find_bad(yaml_document_t *document, const struct value *value, struct value *bad_out)
{
    struct value item = *value;

    if (value->schema->type == CYAML_MAPPING && value->node->type == YAML_MAPPING_NODE) {
        return find_bad_in_mapping(document, value, bad_out);
    }
    if (value->schema->type == CYAML_SEQUENCE && value->node->type == YAML_SEQUENCE_NODE) {
        item.schema = value->schema->sequence.entry;
        for (const yaml_node_item_t *at = value->node->data.sequence.items.start;
             at < value->node->data.sequence.items.top; at++) {
            item.node = yaml_document_get_node(document, *at);
            if (find_bad(document, &item, bad_out)) {
                return true;
            }
        }
        return false;
    }
    *bad_out = *value;
    return !is_good(value);
}

static int check_values(const char *file, yaml_document_t *document, char *fault)
{
    const struct value root = {.node = yaml_document_get_root_node(document),
                               .schema = &conf_schema};
    struct buf text = BUF_EMPTY;
    struct value bad;

    if (root.node == NULL || !find_bad(document, &root, &bad)) {
        return 0;
    }
    if (bad.schema->type == CYAML_ENUM) {
        tell_word(&bad, &text);
    } else {
        tell_number(&bad, &text);
    }
    check_tell_at(file, document_place(bad.node), bad.path, buf_text(&text), fault);
    buf_deinit(&text);
    return ERR_CONFIG;
}

int strict_check(const char *file, char fault[CONF_FAULT_BYTES_MAX])
{
    yaml_document_t document;
    struct place place;
    int rc;

    if (!document_load(file, &document)) {
        return 0;
    }
    rc = check_values(file, &document, fault);
    yaml_document_delete(&document);
    if (rc == 0 && document_is_followed(file, &place)) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s:%zu:%zu: more follows the first document",
                       file, place.line, place.column);
        return ERR_CONFIG;
    }
    return rc;
}
