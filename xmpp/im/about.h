/* about - what an operator lets the server say of itself: which version it is (XEP-0092), and who
 * answers for it (XEP-0157). State thread and workers share it as an immutable blob; only these
 * functions know what is in it. Pure. */
#ifndef XMPP_IM_ABOUT_H
#define XMPP_IM_ABOUT_H

#include "node/base/blob.h"
#include "node/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* One address; borrowed. */
struct about_contact {
    const char *field;   /* of XEP-0157 §7.1: "abuse-addresses" */
    const char *address; /* a URI (RFC 3986) */
};

/** A blob of what the server says; contacts is put into the order in which it is hashed. */
struct blob *about_new(bool tells_version, struct about_contact *contacts, size_t count);

/* In all that follows about may be NULL: the version is told, and nobody answers for the server. */

/** Is XEP-0092 served? */
bool about_tells_version(const struct blob *about);
/** Append the data form of a disco#info answer (XEP-0128; its kind is told by FORM_TYPE, XEP-0068,
 * in a form of XEP-0004); nothing without contacts. */
void about_append_form(const struct blob *about, struct buf *out);
/** Append what the form adds to the text that is hashed (XEP-0115 §5.1). */
void about_append_text(const struct blob *about, struct buf *out);

#endif
