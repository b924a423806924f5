#include "node/conf/strict.h"

#include "node/conf/document.h"
#include "node/conf/schema.h"

#include <stdio.h>
#include <string.h>

static bool is_decimal(const yaml_node_t *scalar)
{
    const char *text = (const char *)scalar->data.scalar.value;
    size_t len = scalar->data.scalar.length;

    return len > 0 && strspn(text, "0123456789") == len && (text[0] != '0' || len == 1);
}

static const cyaml_schema_value_t *field_schema(const cyaml_schema_value_t *mapping,
                                                const yaml_node_t *key)
{
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key != NULL; field++) {
        if (strcmp(field->key, (const char *)key->data.scalar.value) == 0) {
            return &field->value;
        }
    }
    return NULL;
}

static const yaml_node_t *bad_number(yaml_document_t *document, int index,
                                     const cyaml_schema_value_t *schema);

static const yaml_node_t *bad_in_mapping(yaml_document_t *document, const yaml_node_t *node,
                                         const cyaml_schema_value_t *schema)
{
    const yaml_node_t *bad = NULL;

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         bad == NULL && pair < node->data.mapping.pairs.top; pair++) {
        const cyaml_schema_value_t *value =
            field_schema(schema, yaml_document_get_node(document, pair->key));

        bad = value == NULL ? NULL : bad_number(document, pair->value, value);
    }
    return bad;
}

/* The first number that is none, in the order of the file; the file fits the schema, so this goes
 * no deeper than the schema does. */
static const yaml_node_t *bad_number(yaml_document_t *document, int index,
                                     const cyaml_schema_value_t *schema)
{
    const yaml_node_t *node = yaml_document_get_node(document, index);
    const yaml_node_t *bad = NULL;

    if (node == NULL) {
        return NULL; /* the file has become another since it was found to fit */
    }
    if (schema->type == CYAML_UINT && node->type == YAML_SCALAR_NODE) {
        return is_decimal(node) ? NULL : node;
    }
    if (schema->type == CYAML_MAPPING && node->type == YAML_MAPPING_NODE) {
        return bad_in_mapping(document, node, schema);
    }
    if (schema->type == CYAML_SEQUENCE && node->type == YAML_SEQUENCE_NODE) {
        for (const yaml_node_item_t *item = node->data.sequence.items.start;
             bad == NULL && item < node->data.sequence.items.top; item++) {
            bad = bad_number(document, *item, schema->sequence.entry);
        }
    }
    return bad;
}

static int check_numbers(const char *file, yaml_document_t *document, char *fault)
{
    const yaml_node_t *bad = bad_number(document, 1, &conf_schema);
    struct place place;

    if (bad == NULL) {
        return 0;
    }
    place = document_place(bad);
    (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s:%zu:%zu: '%.40s' is not a decimal number", file,
                   place.line, place.column, (const char *)bad->data.scalar.value);
    return ERR_CONFIG;
}

int strict_check(const char *file, char fault[CONF_FAULT_BYTES_MAX])
{
    yaml_document_t document;
    struct place place;
    int rc;

    if (document_is_followed(file, &place)) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s:%zu:%zu: more follows the first document",
                       file, place.line, place.column);
        return ERR_CONFIG;
    }
    if (!document_load(file, &document)) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s: cannot be read", file);
        return ERR_CONFIG;
    }
    rc = check_numbers(file, &document, fault);
    yaml_document_delete(&document);
    return rc;
}
