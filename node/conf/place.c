#include "node/conf/place.h"

#include "node/conf/document.h"

#include <string.h>

static bool is_scalar(const yaml_node_t *node, const char *text, size_t len)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == len &&
           memcmp(node->data.scalar.value, text, len) == 0;
}

bool place_of_path(const char *file, const char *path, struct place *out)
{
    yaml_document_t document;
    yaml_node_t *node;
    bool found = false;

    if (!document_load(file, &document)) {
        return false;
    }
    *out = (struct place){0};
    node = yaml_document_get_root_node(&document);
    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        yaml_node_t *next = NULL;

        found = false;
        if (node->type != YAML_MAPPING_NODE) {
            break;
        }
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            yaml_node_t *key = yaml_document_get_node(&document, pair->key);

            if (is_scalar(key, path, len)) {
                *out = document_place(key);
                found = true;
                next = yaml_document_get_node(&document, pair->value);
            }
        }
        path += len + (path[len] == '.');
        node = next;
    }
    found = found && *path == '\0';
    yaml_document_delete(&document);
    return found;
}

bool place_of_key(const char *file, const char *name, size_t line, struct place *out)
{
    yaml_document_t document;
    bool found = false;

    if (!document_load(file, &document)) {
        return false;
    }
    for (int i = 1; !found && yaml_document_get_node(&document, i) != NULL; i++) {
        const yaml_node_t *node = yaml_document_get_node(&document, i);

        if (node->type != YAML_MAPPING_NODE) {
            continue;
        }
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             !found && pair < node->data.mapping.pairs.top; pair++) {
            const yaml_node_t *key = yaml_document_get_node(&document, pair->key);

            if (is_scalar(key, name, strlen(name)) && key->start_mark.line + 1 >= line) {
                *out = document_place(key);
                found = true;
            }
        }
    }
    yaml_document_delete(&document);
    return found;
}
