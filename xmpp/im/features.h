/* features - what the server says that it is and can do (XEP-0030), and the hash of it that spares
 * clients the question (XEP-0115). Pure; the same for every domain. What a later written version
 * than log_version brings is not served yet, and not said; about is what the operator lets the
 * server say of itself (about.h). */
#ifndef XMPP_IM_FEATURES_H
#define XMPP_IM_FEATURES_H

#include "xmpp/im/about.h"

#include <stdint.h>

#define FEATURES_NODE "urn:muster:server"

/** Append identity, features and form, as children of a disco#info query. */
void features_append_info(uint32_t log_version, const struct blob *about, struct buf *out);
/** Append the verification string of it (XEP-0115 §5.1). */
void features_append_ver(uint32_t log_version, const struct blob *about, struct buf *out);

#endif
