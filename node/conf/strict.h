/* strict - the values of a file, before libcyaml reads it: that one names neither the key of a bad
 * value nor what would be good, and lets pass what would mean something else than it says: a number
 * with more behind its digits, or in octal, or instead of a word; a second document. */
#ifndef NODE_CONF_STRICT_H
#define NODE_CONF_STRICT_H

#include "node/conf/conf.h"

/** ERR_CONFIG and a line in fault, as conf_load(). 0 also for what is no YAML, or does not fit the
 * schema: libcyaml tells. */
NODISCARD int strict_check(const char *file, char fault[CONF_FAULT_BYTES_MAX]);

#endif
