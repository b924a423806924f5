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

Pb__Stanza *stanza_kept_request(struct apply *a, const Pb__Stanza *request, const char *from,
                                const char *to)
{
    Pb__Stanza *bare;

    if (stanza_content_bytes(request) <= STANZA_SMALL_BYTES_MAX) {
        return (Pb__Stanza *)request;
    }
    bare = stanza_presence(a, "subscribe", from, to);
    bare->wall_ms = request->wall_ms;
    return bare;
}

Pb__Stanza *stanza_error(struct apply *a, const Pb__Stanza *stanza, enum stanza_error error)
{
    struct buf inner = BUF_EMPTY;
    struct slice copy;
    Pb__Stanza *reply;

    if (stanza_wants_no_error(stanza)) {
        return NULL;
    }
    reply = stanza_new(a, stanza->kind);
    reply->type = (char *)"error";
    reply->from = stanza->to;
    reply->to = stanza->from;
    reply->id = stanza->id;
    reply->wall_ms = a->stamp.wall_ms;
    stanza_write_error(errors[error].type, errors[error].condition, &inner);
    copy = arena_copy(a->arena, buf_slice(&inner));
    buf_deinit(&inner);
    reply->inner = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)copy.data, .len = copy.len};
    return reply;
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

char *address_full(struct apply *a, const char *user, const char *resource)
{
    return (char *)apply_printf(a, "%s/%s", user, resource);
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
