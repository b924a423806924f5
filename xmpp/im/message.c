/* Messages from a client (RFC 6121 §5). */
#include "xmpp/im/request.h"

#define NS_HINTS "urn:xmpp:hints" /* XEP-0334 */

/* XEP-0160 §3: what a person would miss goes to offline storage: chat and normal messages with a
 * body, unless the sender forbids it (XEP-0334). */
static bool may_be_stored(const struct request *request)
{
    const struct xml_element *message = request->element;
    const char *type = request->stanza.type;

    if (strcmp(type, "groupchat") == 0 || strcmp(type, "headline") == 0 ||
        strcmp(type, "error") == 0) {
        return false;
    }
    return xml_child(message, XML_NS_CLIENT, "body") != NULL &&
           xml_child(message, NS_HINTS, "no-store") == NULL &&
           xml_child(message, NS_HINTS, "no-permanent-store") == NULL;
}

void request_message(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__SendMessage message = PB__SEND_MESSAGE__INIT;

    if (!request->has_to) { /* RFC 6120 §10.3.1: to the sender's own account */
        request->stanza.to = (char *)(uintptr_t)request->user;
    }
    request_take_inner(request);
    message.from = &request->from;
    message.stanza = &request->stanza;
    message.store = may_be_stored(request);
    command.body_case = PB__COMMAND__BODY_MESSAGE;
    command.message = &message;
    request_pack(request, &command);
}
