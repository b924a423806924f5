/* effect_text - effects and stanzas as text, one a line. */
#ifndef TESTS_UNIT_STORAGE_STATE_EFFECT_TEXT_H
#define TESTS_UNIT_STORAGE_STATE_EFFECT_TEXT_H

#include "storage/state/rows.h"

/** Append one effect as a line; a pending one with what it points to. */
void effect_to_text(struct state *state, const struct effect *effect, struct buf *out);
/** Append one entry of a pending list, without a newline. */
void pending_to_text(uint64_t position, const Pb__PendingRow *row, struct buf *out);

#endif
