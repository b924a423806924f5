/* strict - what libcyaml lets pass in a file that fits the schema, and which would mean something
 * else than it says: a number with more behind its digits, or in octal; a second document. */
#ifndef NODE_CONF_STRICT_H
#define NODE_CONF_STRICT_H

#include "node/conf/conf.h"

/** ERR_CONFIG and a line in fault, as conf_load(). */
NODISCARD int strict_check(const char *file, char fault[CONF_FAULT_BYTES_MAX]);

#endif
