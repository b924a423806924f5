/* schema - the keys of the configuration file, for libcyaml. */
#ifndef NODE_CONF_SCHEMA_H
#define NODE_CONF_SCHEMA_H

#include "node/conf/conf.h"

#include <cyaml/cyaml.h>

extern const cyaml_schema_value_t conf_schema;

#endif
