/* user_set - commands about accounts from what operators send: passwords that keys were derived
 * from, or ready keys. */
#ifndef NODE_ADMIN_USER_SET_H
#define NODE_ADMIN_USER_SET_H

#include "node/admin/request.h"

/* Scratch of one command: everything it points to. */
struct user_command {
    struct arena arena;
    Pb__Command command;
};

void user_command_init(struct user_command *scratch);

/** The bare address, in arena. */
const char *user_bare_text(struct arena *arena, const struct jid *user);
/** Keys of a password; in arena. */
Pb__UserSet *user_set_derived(struct arena *arena, const struct jid *user,
                              const struct derived *derived, uint32_t iterations);
/** The keys in row; NULL: it holds no good ones. */
Pb__UserSet *user_set_ready(struct arena *arena, const struct jid *user, const json_t *row);

#endif
