/* pki - throwaway certificate authorities and certificates for tests, as PEM files in a directory
 * of their own that goes away with them. */
#ifndef TESTS_LIB_PKI_PKI_H
#define TESTS_LIB_PKI_PKI_H

#include <stddef.h>

#define PKI_PATH_BYTES 128

/* A certificate with its key and the authority that signed it. */
struct pki_files {
    char ca[PKI_PATH_BYTES];
    char cert[PKI_PATH_BYTES];
    char key[PKI_PATH_BYTES];
};

struct pki;

struct pki *pki_new(void);
/** Removes the files. */
void pki_free(struct pki **pki);
/** A certificate under authority number `authority` (made when new) with subject CN=common_name
 * and, unless NULL, one DNS name. Each call makes files of its own. */
void pki_issue(struct pki *pki, unsigned authority, const char *common_name, const char *dns,
               struct pki_files *out);

#endif
