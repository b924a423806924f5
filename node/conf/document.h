/* document - the nodes of a YAML file as libyaml has them: libcyaml keeps neither places nor the
 * texts of numbers. Reads the file only. */
#ifndef NODE_CONF_DOCUMENT_H
#define NODE_CONF_DOCUMENT_H

#include "node/conf/place.h"

#include <yaml.h>

/** The first document of a file; the caller deletes it. False: it cannot be read. */
bool document_load(const char *file, yaml_document_t *out);
/** Does more follow the first document? Then *out is where. */
bool document_is_followed(const char *file, struct place *out);
struct place document_place(const yaml_node_t *node);

#endif
