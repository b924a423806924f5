/* place - where a key stands in a YAML file: libcyaml tells line and column of what it read before
 * an unknown key, and nothing once it is done. Pure but for reading the file. */
#ifndef NODE_CONF_PLACE_H
#define NODE_CONF_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct place {
    size_t line;   /* from 1 */
    size_t column; /* from 1 */
};

/** The place of the key at path ("limits.workers"); when it is not there false, and the place of
 * the nearest key above it, line 0 for none. */
bool place_of_path(const char *file, const char *path, struct place *out);
/** The first key of this name at or below line. */
bool place_of_key(const char *file, const char *key, size_t line, struct place *out);

#endif
