/* Stanza in, command out: the entry of xmpp/im on a worker. */
#include "xmpp/im/request.h"

static bool kind_of(const struct xml_element *stanza, Pb__Stanza__Kind *kind_out)
{
    if (xml_is(stanza, XML_NS_CLIENT, "message")) {
        *kind_out = PB__STANZA__KIND__MESSAGE;
    } else if (xml_is(stanza, XML_NS_CLIENT, "presence")) {
        *kind_out = PB__STANZA__KIND__PRESENCE;
    } else if (xml_is(stanza, XML_NS_CLIENT, "iq")) {
        *kind_out = PB__STANZA__KIND__IQ;
    } else {
        return false;
    }
    return true;
}

int im_command(const struct im_sender *sender, const struct xml_element *stanza,
               struct arena *arena, struct buf *out)
{
    struct request request;
    Pb__Stanza__Kind kind;
    int rc;

    if (!kind_of(stanza, &kind)) {
        return ERR_MALFORMED;
    }
    rc = request_init(&request, sender, stanza, arena, out);
    request.stanza.kind = kind;
    if (rc == ERR_CONFLICT) {
        return rc;
    }
    if (rc != 0) {
        request_refuse(&request, "modify", "jid-malformed"); /* RFC 6120 §8.3.3.8 */
        return 0;
    }
    switch (kind) {
    case PB__STANZA__KIND__MESSAGE:
        request_message(&request);
        break;
    case PB__STANZA__KIND__PRESENCE:
        request_presence(&request);
        break;
    default:
        request_iq(&request);
        break;
    }
    return 0;
}
