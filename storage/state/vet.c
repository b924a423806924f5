#include "storage/state/vet.h"

#include "node/base/arena.h"
#include "storage/state/schema.pb-c.h"

/* Empty and Bounce stand for a command that the leader read: it makes them itself. */
static bool is_leaders_own(const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_NODE_DOWN:
    case PB__COMMAND__BODY_EXPIRE:
    case PB__COMMAND__BODY_ROTATE:
    case PB__COMMAND__BODY_EMPTY:
    case PB__COMMAND__BODY_BOUNCE:
        return true;
    default:
        return false;
    }
}

static int judge(uint32_t node_id, uint64_t incarnation, const Pb__Command *command)
{
    bool is_start;

    if (command == NULL) {
        return ERR_MALFORMED;
    }
    if (command->body_case == PB__COMMAND__BODY__NOT_SET) {
        return ERR_VERSION;
    }
    is_start = command->body_case == PB__COMMAND__BODY_START;
    if (is_start != (incarnation == 0) || (is_start && command->start->node != node_id)) {
        return ERR_NOT_ALLOWED;
    }
    return is_leaders_own(command) ? ERR_NOT_ALLOWED : 0;
}

static void append_empty(Pb__Ref *ref, int reason, struct arena *arena, struct buf *out)
{
    Pb__Command substitute = PB__COMMAND__INIT;
    Pb__Empty empty = PB__EMPTY__INIT;
    size_t size;
    uint8_t *bytes;

    empty.reason = reason;
    substitute.ref = ref;
    substitute.body_case = PB__COMMAND__BODY_EMPTY;
    substitute.empty = &empty;
    size = pb__command__get_packed_size(&substitute);
    bytes = arena_alloc(arena, size);
    (void)pb__command__pack(&substitute, bytes);
    buf_append(out, slice_make(bytes, size));
}

int vet_command(uint32_t node_id, uint64_t incarnation, struct slice bytes, struct buf *substitute)
{
    struct arena arena;
    const Pb__Command *command;
    int rc;

    arena_init(&arena);
    command = pb__command__unpack(&arena.pb, bytes.len, bytes.data);
    rc = judge(node_id, incarnation, command);
    if (rc != 0 && incarnation != 0) {
        append_empty(command == NULL ? NULL : command->ref, rc, &arena, substitute);
    }
    arena_deinit(&arena);
    return rc;
}
