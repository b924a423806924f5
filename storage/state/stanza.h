/* stanza - make and answer stanzas inside the state. All in the command's arena. */
#ifndef STORAGE_STATE_STANZA_H
#define STORAGE_STATE_STANZA_H

#include "storage/state/apply.h"
#include "storage/state/stanza_rules.h"

/* RFC 6120 §8.3.3; stanza.c has the words. */
enum stanza_error {
    STANZA_SERVICE_UNAVAILABLE,
    STANZA_RESOURCE_CONSTRAINT,
    STANZA_ITEM_NOT_FOUND,
    STANZA_REMOTE_SERVER_NOT_FOUND,
    STANZA_NOT_ALLOWED,
    STANZA_RECIPIENT_UNAVAILABLE,
    STANZA_POLICY_VIOLATION
};

/* Content of a stanza that is kept where there is no room for a large one. */
#define STANZA_SMALL_BYTES_MAX 1024

/** A presence without content. */
Pb__Stanza *stanza_presence(struct apply *a, const char *type, const char *from, const char *to);
/** What is kept of a subscription request: strangers must not fill the roster. RFC 6121 §3.1.3
 * wants it kept with its content, which is <status/> and small, or an attack. */
Pb__Stanza *stanza_kept_request(struct apply *a, const Pb__Stanza *request, const char *from,
                                const char *to);
/** The error that answers stanza, or NULL: errors and IQ results are never answered. */
Pb__Stanza *stanza_error(struct apply *a, const Pb__Stanza *stanza, enum stanza_error error);
/** Bytes of a stanza in a row. */
uint32_t stanza_bytes(const Pb__Stanza *stanza);
/** A deep copy that lives as long as the effects. */
Pb__Stanza *stanza_for_effect(struct apply *a, const Pb__Stanza *stanza);
/** Queue the error for the session that caused it. */
void stanza_refuse(struct apply *a, uint64_t sender, const Pb__Stanza *stanza,
                   enum stanza_error error);

char *address_full(struct apply *a, const char *user, const char *resource);
const char *address_bare(struct apply *a, const char *address);
const char *address_resource(struct apply *a, const char *address);
/** Is the domain of address served here? */
bool address_is_local(struct apply *a, const char *address);

#endif
