/* Messages from a client (RFC 6121 §5). */
#include "storage/state/stanza_rules.h"
#include "xmpp/im/request.h"
#include "xmpp/xml/ns.h"

#define NS_HINTS      "urn:xmpp:hints"                        /* XEP-0334 */
#define NS_ENCRYPTION "urn:xmpp:eme:0"                        /* XEP-0380 */
#define NS_OMEMO      "urn:xmpp:omemo:2"                      /* XEP-0384 */
#define NS_OMEMO_OLD  "eu.siacs.conversations.axolotl"        /* the same before its version 0.4 */
#define NS_RECEIPTS   "urn:xmpp:receipts"                     /* XEP-0184 */
#define NS_STATES     "http://jabber.org/protocol/chatstates" /* XEP-0085 */
#define NS_MARKERS    "urn:xmpp:chat-markers:0"               /* XEP-0333 */
#define NS_INVITATION "jabber:x:conference"                   /* XEP-0249 */
#define NS_MUC_USER   "http://jabber.org/protocol/muc#user"   /* XEP-0045 §7.8.2 */

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

/* What goes with a conversation though it has no text. */
static bool has_im_payload(const struct xml_element *message)
{
    static const char *const namespaces[] = {NS_RECEIPTS, NS_STATES, NS_MARKERS, NS_INVITATION};
    const struct xml_element *muc = xml_child(message, NS_MUC_USER, "x");

    for (size_t i = 0; i < ARRAY_COUNT(namespaces); i++) {
        if (xml_child(message, namespaces[i], NULL) != NULL) {
            return true;
        }
    }
    return muc != NULL && xml_child(muc, NS_MUC_USER, "invite") != NULL;
}

/* XEP-0280 §6.1, where what is encrypted counts as a body, and §9 with XEP-0334 §4.3 for what its
 * sender keeps from it. Errors are not copied: what they answer is not known any more. */
static bool may_be_copied(const struct request *request)
{
    const struct xml_element *message = request->element;
    const char *type = request->stanza.type;

    if (strcmp(type, "groupchat") == 0 || strcmp(type, "error") == 0 ||
        xml_child(message, NS_CARBONS, "private") != NULL ||
        xml_child(message, NS_HINTS, "no-copy") != NULL) {
        return false;
    }
    return strcmp(type, "chat") == 0 || (has_content(message) && strcmp(type, "headline") != 0) ||
           has_im_payload(message);
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
    message.copy =
        request->sender->log_version >= STATE_LOG_VERSION_COPIES && may_be_copied(request);
    command.body_case = PB__COMMAND__BODY_MESSAGE;
    command.message = &message;
    request_pack(request, &command);
}
