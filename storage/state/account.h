/* account - domains, accounts, and the erasure of removed accounts. */
#ifndef STORAGE_STATE_ACCOUNT_H
#define STORAGE_STATE_ACCOUNT_H

#include "storage/state/apply.h"

bool account_exists(struct state *state, const char *user);
/** What tells the account from a former one of its name; 0: there is none. */
uint64_t account_created(struct apply *a, const char *user);
/** May user, checked against this version of the credentials, go on? 0 or ERR_AUTH. */
int account_check_login(struct apply *a, const char *user, uint64_t credential_version);
/** How many rows the next step of erasing user may touch. */
size_t account_erasure_rows(struct state *state, struct arena *arena, const char *user);
/** One step of erasing a removed account; true when all is gone. */
bool account_erase_step(struct apply *a, const char *user);

#endif
