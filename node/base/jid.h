/* jid - parse and prepare XMPP addresses (RFC 6122): nodeprep, nameprep, resourceprep by libidn. */
#ifndef NODE_BASE_JID_H
#define NODE_BASE_JID_H

#include "node/base/buf.h"
#include "node/base/err.h"

#define JID_PART_BYTES_MAX 1023 /* RFC 6122 §2.1, each part */
/* Of a user name, as of a localpart; of a password likewise. */
#define JID_SASLPREP_BYTES_MAX 1023

/** A prepared address. Parts are NUL-terminated UTF-8; local and resource may be empty. */
struct jid {
    char local[JID_PART_BYTES_MAX + 1];
    char domain[JID_PART_BYTES_MAX + 1];
    char resource[JID_PART_BYTES_MAX + 1];
};

/** Parse and prepare text. 0 and *out, or ERR_MALFORMED and *out undefined. */
NODISCARD int jid_parse(struct slice text, struct jid *out);
/** Prepare one part alone; ERR_MALFORMED when prohibited, empty or too long. */
NODISCARD int jid_prep_local(struct slice text, char out[JID_PART_BYTES_MAX + 1]);
/** Also refuses what no DNS name can be; an ACE label ("xn--...") comes out as its text. */
NODISCARD int jid_prep_domain(struct slice text, char out[JID_PART_BYTES_MAX + 1]);
NODISCARD int jid_prep_resource(struct slice text, char out[JID_PART_BYTES_MAX + 1]);
/** What DNS, TLS and certificates call a prepared domain: labels with more than ASCII as ACE. */
void jid_domain_to_dns(const char *prepared, char out[JID_PART_BYTES_MAX + 1]);
/** SASLprep (RFC 4013) of a password or user name of at most JID_SASLPREP_BYTES_MAX bytes, as a
 * stored string (RFC 5802 §2.2); else ERR_MALFORMED. */
NODISCARD int jid_saslprep(struct slice text, struct buf *out);

/** "local@domain" or "domain". */
void jid_format_bare(const struct jid *jid, struct buf *out);
/** Bare, and "/resource" when there is one. */
void jid_format(const struct jid *jid, struct buf *out);
/** Bytes of text up to the '/': the bare address of an already prepared full one. */
struct slice jid_text_bare(struct slice text);
/** Bytes of text after the first '/', or empty. */
struct slice jid_text_resource(struct slice text);
/** Bytes between '@' and '/': the domain of a prepared address. */
struct slice jid_text_domain(struct slice text);

#endif
