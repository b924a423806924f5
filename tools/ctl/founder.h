/* founder - the first node of a cluster on a real machine: its authority, certificates,
 * configuration, and that it founds the cluster. What fails is said on stderr; nothing that is
 * there is overwritten. */
#ifndef TOOLS_CTL_FOUNDER_H
#define TOOLS_CTL_FOUNDER_H

#include "tools/ctl/place.h"

#define FOUNDER_NODE 1

/** Are name and address fit for a configuration? */
bool founder_is_sound(const struct setup *setup);
/** A domain in prepared form; false when it is none. */
bool founder_read_domain(const char *text, char *out);
/** All but the identity: without it the node does not start. */
NODISCARD int founder_make(struct place *place, const struct setup *setup);
/** The identity, which comes last. */
NODISCARD int founder_name(struct place *place, const struct setup *setup);
/** What to do next, for people. */
void founder_print_next(struct place *place, const struct setup *setup);

#endif
