/* pie - the users in a file of XEP-0227, "Portable Import/Export Format" (urn:xmpp:pie:0), one
 * after the other. Follows XInclude (XEP-0227 §5) to files beside the first one. */
#ifndef TOOLS_CTL_PIE_H
#define TOOLS_CTL_PIE_H

#include "node/base/err.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define NS_PIE       "urn:xmpp:pie:0"
#define NS_PIE_SCRAM "urn:xmpp:pie:0#scram"
#define NS_XINCLUDE  "http://www.w3.org/2001/XInclude"
#define NS_DELAY     "urn:xmpp:delay"

/* Of one entry, as JSON: half of what a command may have. */
#define PIE_ENTRY_BYTES_MAX ((size_t)512 * 1024)
/* Of one user; more is no roster and no offline storage of anybody: the user is refused. */
#define PIE_ENTRIES_MAX 20000
#define PIE_BYTES_MAX   (64 * 1024 * 1024)

/* What a file has that is not taken. */
enum pie_kind {
    PIE_KEPT, /* empty, or in no namespace of its own */
    PIE_PRIVACY,
    PIE_PEP,
    PIE_ARCHIVE,
    PIE_CREDENTIALS, /* of mechanisms that are unknown here, or damaged */
    PIE_CONTACT,     /* with an address that is none */
    PIE_MESSAGE,     /* of a type that does not wait */
    PIE_LARGE,       /* of an entry, or beyond the limits of a stanza */
    PIE_OTHER,
    PIE_KIND_COUNT
};
extern const char *const pie_kind_names[PIE_KIND_COUNT];

struct pie_sink {
    /** Takes user: {user, password or keys or neither, contacts, requests, kept, messages}, as the
     * verb user.load has them. 0, or an error: the rest is not read. */
    int (*user)(void *ctx, json_t *user);
    /** Of a user that is not taken; the others go on. */
    void (*refuse)(void *ctx, const char *user, const char *fault);
    /** What is wrong, and where; line 0: with the file. */
    void (*say)(void *ctx, const char *path, uint64_t line, const char *fault);
    void *ctx;
};

/** Read a file. 0, the sink's error, or an error that was said. skipped: counted up. */
NODISCARD int pie_read(const char *path, const struct pie_sink *sink,
                       size_t skipped[PIE_KIND_COUNT]);
/** The same of an open one; path: its name, for what it includes. */
NODISCARD int pie_read_stream(FILE *stream, const char *path, const struct pie_sink *sink,
                              size_t skipped[PIE_KIND_COUNT]);

#endif
