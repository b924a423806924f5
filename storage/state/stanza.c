#include "storage/state/stanza.h"

#include "node/base/jid.h"
#include "storage/state/pending.h"

static const struct {
    const char *type;
    const char *condition;
} errors[] = {
    [STANZA_SERVICE_UNAVAILABLE] = {"cancel", "service-unavailable"},
    [STANZA_RESOURCE_CONSTRAINT] = {"wait", "resource-constraint"},
    [STANZA_ITEM_NOT_FOUND] = {"cancel", "item-not-found"},
    [STANZA_REMOTE_SERVER_NOT_FOUND] = {"cancel", "remote-server-not-found"},
    [STANZA_NOT_ALLOWED] = {"cancel", "not-allowed"},
    [STANZA_RECIPIENT_UNAVAILABLE] = {"wait", "recipient-unavailable"},
    [STANZA_POLICY_VIOLATION] = {"modify", "policy-violation"},
};

static Pb__Stanza *stanza_new(struct apply *a, Pb__Stanza__Kind kind)
{
    Pb__Stanza *stanza = arena_alloc(a->arena, sizeof(*stanza));

    pb__stanza__init(stanza);
    stanza->kind = kind;
    return stanza;
}

Pb__Stanza *stanza_presence(struct apply *a, const char *type, const char *from, const char *to)
{
    Pb__Stanza *stanza = stanza_new(a, PB__STANZA__KIND__PRESENCE);

    stanza->type = (char *)type;
    stanza->from = (char *)from;
    stanza->to = (char *)to;
    stanza->wall_ms = a->stamp.wall_ms;
    return stanza;
}

Pb__Stanza *stanza_error(struct apply *a, const Pb__Stanza *stanza, enum stanza_error error)
{
    Pb__Stanza *reply;
    const char *inner;

    if (strcmp(stanza->type, "error") == 0 ||
        (stanza->kind == PB__STANZA__KIND__IQ && strcmp(stanza->type, "result") == 0)) {
        return NULL; /* RFC 6120 §8.3.1, §8.2.3 */
    }
    reply = stanza_new(a, stanza->kind);
    reply->type = (char *)"error";
    reply->from = stanza->to;
    reply->to = stanza->from;
    reply->id = stanza->id;
    reply->wall_ms = a->stamp.wall_ms;
    inner = apply_printf(
        a, "<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
        errors[error].type, errors[error].condition);
    reply->inner = (ProtobufCBinaryData){.data = (uint8_t *)inner, .len = strlen(inner)};
    return reply;
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

size_t stanza_content_bytes(const Pb__Stanza *stanza)
{
    return stanza->inner.len + strlen(stanza->type) + strlen(stanza->id) + strlen(stanza->lang);
}

uint32_t stanza_bytes(const Pb__Stanza *stanza)
{
    return (uint32_t)pb__stanza__get_packed_size(stanza);
}

Pb__Stanza *stanza_for_effect(struct apply *a, const Pb__Stanza *stanza)
{
    struct arena *arena = a->out->arena;
    size_t size = pb__stanza__get_packed_size(stanza);
    uint8_t *bytes = arena_alloc(a->arena, size + 1);
    Pb__Stanza *copy;

    pb__stanza__pack(stanza, bytes);
    copy = pb__stanza__unpack(&arena->pb, size, bytes);
    ASSERT(copy != NULL);
    return copy;
}

void stanza_refuse(struct apply *a, uint64_t sender, const Pb__Stanza *stanza,
                   enum stanza_error error)
{
    const Pb__Stanza *reply = stanza_error(a, stanza, error);

    if (reply != NULL) {
        pending_add_self(a, sender, reply);
    }
}

const char *address_bare(struct apply *a, const char *address)
{
    return arena_strndup(a->arena, jid_text_bare(slice_str(address)));
}

const char *address_resource(struct apply *a, const char *address)
{
    return arena_strndup(a->arena, jid_text_resource(slice_str(address)));
}

bool address_is_local(struct apply *a, const char *address)
{
    const char *domain = arena_strndup(a->arena, jid_text_domain(slice_str(address)));

    return state_has_domain(a->state, domain);
}
