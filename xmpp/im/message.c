/* Messages from a client (RFC 6121 §5). */
#include "storage/state/stanza_rules.h"
#include "xmpp/im/request.h"

#define NS_HINTS      "urn:xmpp:hints"                 /* XEP-0334 */
#define NS_ENCRYPTION "urn:xmpp:eme:0"                 /* XEP-0380 */
#define NS_OMEMO      "urn:xmpp:omemo:2"               /* XEP-0384 */
#define NS_OMEMO_OLD  "eu.siacs.conversations.axolotl" /* the same before its version 0.4 */

/* Something for a person to read; encrypted, it may come without a body. */
static bool has_content(const struct xml_element *message)
{
    return xml_child(message, XML_NS_CLIENT, "body") != NULL ||
           xml_child(message, NS_ENCRYPTION, "encryption") != NULL ||
           xml_child(message, NS_OMEMO, "encrypted") != NULL ||
           xml_child(message, NS_OMEMO_OLD, "encrypted") != NULL;
}

/* XEP-0160 §3: what a person would miss goes to offline storage: chat and normal messages with
 * content, and what the sender wants kept, unless the sender forbids it: XEP-0334 §4.4 and §4.2
 * (<no-permanent-store/>, §4.1, is about archives and lets a message wait). */
static bool may_be_stored(const struct request *request)
{
    const struct xml_element *message = request->element;

    return stanza_may_wait(&request->stanza) && xml_child(message, NS_HINTS, "no-store") == NULL &&
           (has_content(message) || xml_child(message, NS_HINTS, "store") != NULL);
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
