/* check - what must hold in every state, and its fingerprint. */
#ifndef TESTS_UNIT_STORAGE_STATE_CHECK_H
#define TESTS_UNIT_STORAGE_STATE_CHECK_H

#include "storage/state/rows.h"

/** The state hash: the sum over all rows, as the store keeps it at marks. */
uint64_t check_hash(struct state *state);
/** Fails the running test when rows and indexes do not fit together. */
void check_invariants(struct state *state);
/** Fails when one side of a subscription believes what the other does not: who sees somebody's
 * presence ("to") must be known there ("from"). */
void check_subscriptions(struct state *state, const char *const *users, size_t count);

#endif
