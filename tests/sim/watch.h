/* watch - what must hold at every step, seen where it happens: one leader a term (Ongaro's thesis,
 * 3.2), the same entry at the same index on all nodes for ever (3.6.3), the same state there (P7),
 * and nobody serves who is presumed dead (P6). */
#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

#include <stddef.h>
#include <stdint.h>

void watch_init(void);
/** The first violation, in words; NULL: there was none. */
const char *watch_fault(void);
/** Something else found one. */
void watch_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** How many entries were applied somewhere, and how many marks were compared. */
size_t watch_entries(void);
size_t watch_marks(void);

#endif
