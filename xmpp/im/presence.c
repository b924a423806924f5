/* Presence from a client (RFC 6121 §3, §4). */
#include "storage/state/stanza_rules.h"
#include "xmpp/im/request.h"

#include <stdlib.h>

static bool is_availability(const char *type)
{
    return type[0] == '\0' || strcmp(type, "unavailable") == 0;
}

/* RFC 6121 §4.7.2.3: an integer between -128 and +127; absent means 0. */
static int parse_priority(const struct xml_element *presence, int32_t *priority_out)
{
    const char *text = xml_child_text(presence, XML_NS_CLIENT, "priority");
    char *end;
    long value;

    *priority_out = 0;
    if (text == NULL) {
        return 0;
    }
    value = strtol(text, &end, 10);
    while (*end == ' ' || *end == '\n' || *end == '\t' || *end == '\r') {
        end++;
    }
    if (end == text || *end != '\0' || value < -128 || value > 127) {
        return ERR_MALFORMED;
    }
    *priority_out = (int32_t)value;
    return 0;
}

void request_presence(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__SendPresence presence = PB__SEND_PRESENCE__INIT;
    const char *type = request->stanza.type;

    if (strcmp(type, "probe") == 0 || strcmp(type, "error") == 0) {
        request_count(request); /* RFC 6121 §4.3: probes are between servers; errors end here */
        return;
    }
    if (!is_availability(type) && !stanza_is_subscription(&request->stanza)) {
        request_refuse(request, "modify", "bad-request");
        return;
    }
    if (stanza_is_subscription(&request->stanza)) {
        if (!request->has_to) {
            request_refuse(request, "modify", "bad-request");
            return;
        }
        request->stanza.to = (char *)(uintptr_t)request->to_bare; /* RFC 6121 §3.1.2 */
    }
    if (parse_priority(request->element, &presence.priority) != 0) {
        request_refuse(request, "modify", "bad-request");
        return;
    }
    request_take_inner(request);
    presence.from = &request->from;
    presence.stanza = &request->stanza;
    command.body_case = PB__COMMAND__BODY_PRESENCE;
    command.presence = &presence;
    request_pack(request, &command);
}
