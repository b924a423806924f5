/* Secrets that all nodes share and no client ever sees: the keys of TLS session tickets, so that a
 * client resumes TLS on any node (DESIGN 5), and the decoy secret of logins (RFC 5802 §9). */
#include "storage/state/apply.h"

#define SECRETS_KEY 1

Pb__SecretsRow *state_secrets(struct state *state, struct arena *arena)
{
    return row_get(state, arena, TABLE_SECRETS, key_u32(SECRETS_KEY));
}

static bool is_sound(const Pb__Rotate *command)
{
    bool is_first = command->version == 0;

    if (command->n_ticket_keys != (is_first ? 2 : 1) ||
        command->decoy_secret.len != (is_first ? STATE_DECOY_SECRET_BYTES : 0)) {
        return false;
    }
    for (size_t i = 0; i < command->n_ticket_keys; i++) {
        const Pb__TicketKey *key = command->ticket_keys[i];

        if (key->name.len != STATE_TICKET_KEY_NAME_BYTES ||
            key->aes_key.len != STATE_TICKET_KEY_BYTES ||
            key->mac_key.len != STATE_TICKET_KEY_BYTES) {
            return false;
        }
    }
    return true;
}

/* The new key goes first and seals nothing yet: by the next rotation every node knows it. */
static void add_keys(struct apply *a, Pb__SecretsRow *row, const Pb__Rotate *command)
{
    size_t kept = row->n_ticket_keys;
    Pb__TicketKey **keys = arena_alloc(a->arena, STATE_TICKET_KEYS_MAX * sizeof(Pb__TicketKey *));
    size_t count = 0;

    for (size_t i = 0; i < command->n_ticket_keys; i++) {
        keys[count++] = command->ticket_keys[i];
    }
    for (size_t i = 0; i < kept && count < STATE_TICKET_KEYS_MAX; i++) {
        keys[count++] = row->ticket_keys[i];
    }
    row->ticket_keys = keys;
    row->n_ticket_keys = count;
}

int secrets_rotate(struct apply *a, const Pb__Rotate *command)
{
    Pb__SecretsRow *row = state_secrets(a->state, a->arena);

    if (!is_sound(command)) {
        return ERR_INVALID;
    }
    if (command->version != (row == NULL ? 0 : row->version)) {
        return ERR_CONFLICT;
    }
    if (row == NULL) {
        row = arena_alloc(a->arena, sizeof(*row));
        pb__secrets_row__init(row);
        row->decoy_secret = command->decoy_secret;
    }
    row->version++;
    row->made_ms = a->now_ms;
    add_keys(a, row, command);
    row_put(a->state, TABLE_SECRETS, key_u32(SECRETS_KEY), row);
    (void)effects_push(a->out, EFFECT_SECRETS);
    return 0;
}
