#include "storage/state/stanza_rules.h"

#include "node/base/assert.h"

#include <string.h>

bool stanza_is(const Pb__Stanza *stanza, const char *type)
{
    return strcmp(stanza->type, type) == 0;
}

bool stanza_type_in(const char *type, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool stanza_is_answer(const Pb__Stanza *stanza)
{
    return stanza_is(stanza, "result") || stanza_is(stanza, "error");
}

bool stanza_wants_no_error(const Pb__Stanza *stanza)
{
    return stanza_is(stanza, "error") ||
           (stanza->kind == PB__STANZA__KIND__IQ && stanza_is(stanza, "result"));
}

bool stanza_is_subscription(const Pb__Stanza *stanza)
{
    static const char *const types[] = {"subscribe", "subscribed", "unsubscribe", "unsubscribed"};

    return stanza_type_in(stanza->type, types, ARRAY_COUNT(types));
}

bool stanza_may_wait(const Pb__Stanza *stanza)
{
    static const char *const others[] = {"groupchat", "headline", "error"};

    return !stanza_type_in(stanza->type, others, ARRAY_COUNT(others));
}

size_t stanza_content_bytes(const Pb__Stanza *stanza)
{
    return stanza->inner.len + strlen(stanza->type) + strlen(stanza->id) + strlen(stanza->lang);
}

void stanza_write_error(const char *type, const char *condition, struct buf *out)
{
    buf_printf(out, "<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
               type, condition);
}

bool roster_item_sees(const Pb__RosterItem *item)
{
    return item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__TO ||
           item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__BOTH;
}

bool roster_item_is_seen(const Pb__RosterItem *item)
{
    return item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__FROM ||
           item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__BOTH;
}
