/* pie_write - one user as XEP-0227 has it, from the JSON of the verb user.dump. Pure. */
#ifndef TOOLS_CTL_PIE_WRITE_H
#define TOOLS_CTL_PIE_WRITE_H

#include "node/base/buf.h"

#include <jansson.h>

/** Append the element of a user; name: the local part of its address. */
void pie_write_user(const json_t *user, const char *name, struct buf *out);

#endif
