#include "storage/state/vet.h"

#include "node/base/jid.h"
#include "storage/state/command.h"

/* A Bounce stands for a command that the leader read: it makes it itself. An Empty may stand for
 * one that its origin takes back. */
static bool is_leaders_own(const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_NODE_DOWN:
    case PB__COMMAND__BODY_NODE_HEALTH:
    case PB__COMMAND__BODY_NODE_VOTES:
    case PB__COMMAND__BODY_EXPIRE:
    case PB__COMMAND__BODY_ROTATE:
    case PB__COMMAND__BODY_BOUNCE:
    case PB__COMMAND__BODY_ALARM_SET:
        return true;
    case PB__COMMAND__BODY_NODE_MOVE:
        return command->node_move->reason != PB__MOVE_REASON__ADMIN_REQUEST;
    default:
        return false;
    }
}

/* Accounts and clients name domains in prepared form: nobody could get at another one. */
static bool is_prepared_domain(const char *name)
{
    char prepared[JID_PART_BYTES_MAX + 1];

    return jid_prep_domain(slice_str(name), prepared) == 0 && strcmp(name, prepared) == 0;
}

static int judge(uint32_t node_id, uint64_t incarnation, const Pb__Command *command)
{
    bool is_start;

    if (!command_is_known(command)) {
        return ERR_VERSION;
    }
    is_start = command->body_case == PB__COMMAND__BODY_START;
    if (is_start != (incarnation == 0) || (is_start && command->start->node != node_id)) {
        return ERR_NOT_ALLOWED;
    }
    if (command->body_case == PB__COMMAND__BODY_NODE_SET && command->node_set->node != node_id) {
        return ERR_NOT_ALLOWED;
    }
    if (command->body_case == PB__COMMAND__BODY_DOMAIN_SET &&
        !is_prepared_domain(command->domain_set->name)) {
        return ERR_MALFORMED;
    }
    return is_leaders_own(command) ? ERR_NOT_ALLOWED : 0;
}

/* As this program writes it. What came in another form (fields out of order, twice, with other
 * lengths) can be read here, but no substitute is sure to be readable that is made of it. */
static bool is_canonical(const Pb__Command *command, struct slice bytes, struct arena *arena)
{
    uint8_t *again;

    if (pb__command__get_packed_size(command) != bytes.len) {
        return false;
    }
    again = arena_alloc(arena, bytes.len);
    (void)pb__command__pack(command, again);
    return slice_eq(slice_make(again, bytes.len), bytes);
}

int vet_command(uint32_t node_id, uint64_t incarnation, struct slice bytes, struct buf *substitute)
{
    struct arena arena;
    const Pb__Command *command;
    int rc;

    arena_init(&arena);
    command = pb__command__unpack(&arena.pb, bytes.len, bytes.data);
    if (command == NULL || !is_canonical(command, bytes, &arena)) {
        rc = ERR_MALFORMED;
    } else {
        rc = judge(node_id, incarnation, command);
    }
    if (rc != 0 && incarnation != 0) {
        const struct effect_ref ref = command_ref(command == NULL ? NULL : command->ref);

        command_append_empty(rc, &ref, substitute);
    }
    arena_deinit(&arena);
    return rc;
}
