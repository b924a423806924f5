/* keys - certificates and keys of the programs, decoded once for all runs. */
#ifndef TESTS_SIM_KEYS_H
#define TESTS_SIM_KEYS_H

#include "tests/lib/pki/pki.h"

/** Decode them, and let two of them shake hands, so that what OpenSSL sets up at its first use is
 * there before a run begins. */
void keys_warm(const struct pki_files *files);

#endif
