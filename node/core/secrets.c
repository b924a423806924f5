/* Secrets that all nodes share: drawn by the leader, and handed to this process whenever the state
 * has others. Never logged. */
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/core/core_private.h"

void core_tell_secrets(struct core *core)
{
    const Pb__SecretsRow *row = state_secrets(core->state, &core->arena);

    core->secrets_version = row == NULL ? 0 : row->version;
    core->secrets_made_ms = row == NULL ? 0 : row->made_ms;
    if (row != NULL) {
        core->on_secrets(core->ctx, row);
        log_info("core.secrets_set", LOG_UINT("version", row->version));
    }
}

static ProtobufCBinaryData draw(struct core *core, size_t len)
{
    uint8_t *bytes = arena_alloc(&core->arena, len);

    random_fill(bytes, len);
    return (ProtobufCBinaryData){.len = len, .data = bytes};
}

static Pb__TicketKey *draw_key(struct core *core)
{
    Pb__TicketKey *key = arena_alloc(&core->arena, sizeof(*key));

    pb__ticket_key__init(key);
    key->name = draw(core, STATE_TICKET_KEY_NAME_BYTES);
    key->aes_key = draw(core, STATE_TICKET_KEY_BYTES);
    key->mac_key = draw(core, STATE_TICKET_KEY_BYTES);
    return key;
}

void core_rotate_secrets(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Rotate rotate = PB__ROTATE__INIT;
    Pb__TicketKey *keys[2] = {draw_key(core), draw_key(core)};
    bool is_first = core->secrets_version == 0;

    rotate.version = core->secrets_version;
    rotate.ticket_keys = keys;
    rotate.n_ticket_keys = is_first ? 2 : 1; /* one to use, one to use next */
    if (is_first) {
        rotate.decoy_secret = draw(core, STATE_DECOY_SECRET_BYTES);
    }
    command.body_case = PB__COMMAND__BODY_ROTATE;
    command.rotate = &rotate;
    core_decide(core, &command, COOKIE_NONE);
}
