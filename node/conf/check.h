/* check - whether the values of a configuration, each good by itself, make sense together; puts
 * domains into the form in which they are looked for. */
#ifndef NODE_CONF_CHECK_H
#define NODE_CONF_CHECK_H

#include "node/conf/conf.h"
#include "node/conf/place.h"

/** Write "file:line:column: key: text" into fault, of the key at path ("limits.workers"); returns
 * ERR_CONFIG. */
int check_tell(const char *file, const char *path, const char *text,
               char fault[CONF_FAULT_BYTES_MAX]);
/** The same of what stands at place. */
int check_tell_at(const char *file, struct place place, const char *path, const char *text,
                  char fault[CONF_FAULT_BYTES_MAX]);
/** ERR_CONFIG and a line in fault. What was left out has its default already, but for the address
 * that clients are told: that one comes from here. */
NODISCARD int check_all(struct conf *conf, const char *file, char fault[CONF_FAULT_BYTES_MAX]);

#endif
