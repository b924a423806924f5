/* request - one stanza of a bound session on its way to a command: what all kinds share. Internal
 * to xmpp/im; lives for one im_command(). Pure. */
#ifndef XMPP_IM_REQUEST_H
#define XMPP_IM_REQUEST_H

#include "node/base/jid.h"
#include "xmpp/im/im.h"

struct request {
    const struct im_sender *sender;
    const struct xml_element *element;
    struct arena *arena;
    struct buf *out;

    Pb__From from;     /* session, epoch, count */
    Pb__Stanza stanza; /* attributes; inner is filled in by who needs it */
    const char *user;  /* bare address of the sender */
    bool has_to;
    const char *to_bare; /* bare form of stanza.to; the sender's own without one */
    bool to_full;        /* to has a resource */
    bool to_own;         /* to is absent or the sender's own bare address */
    bool to_server;      /* to is the sender's own domain */
};

/** Fill in what all kinds share. 0, ERR_CONFLICT for a from that is not the sender's, ERR_INVALID
 * for a malformed to (then to counts as absent). */
NODISCARD int request_init(struct request *request, const struct im_sender *sender,
                           const struct xml_element *element, struct arena *arena, struct buf *out);
/** Store the children as bytes in stanza.inner, without stanza-ids that only the server may give
 * (XEP-0359 §5). */
void request_take_inner(struct request *request);
/** Encode command as the outcome of this request, with the sender's ref. */
void request_pack(struct request *request, Pb__Command *command);
/** The stanza changes nothing and wants no answer: only its count enters the log. */
void request_count(struct request *request);
/** Answer with a stanza error (RFC 6120 §8.3), or only count it where errors are never answered.
 * error_type: "cancel", "modify", "auth" or "wait". */
void request_refuse(struct request *request, const char *error_type, const char *condition);

/* The three kinds; each ends in exactly one of the calls above. */
void request_message(struct request *request);
void request_presence(struct request *request);
void request_iq(struct request *request);

/** Does it set what users keep here (XEP-0049, XEP-0054)? */
bool request_is_keep(const struct xml_element *payload);
void request_keep(struct request *request, const struct xml_element *payload);

#endif
