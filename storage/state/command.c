#include "storage/state/command.h"

#include "storage/state/versions.h"

void command_append(Pb__Command *command, const struct effect_ref *ref, struct buf *out)
{
    Pb__Ref row = PB__REF__INIT;
    size_t size;

    command->ref = NULL;
    if (ref != NULL && ref->cookie != 0) {
        row.worker = ref->worker;
        row.slot = ref->slot;
        row.generation = ref->generation;
        row.cookie = ref->cookie;
        command->ref = &row;
    }
    size = pb__command__get_packed_size(command);
    buf_commit(out, pb__command__pack(command, buf_reserve(out, size)));
    command->ref = NULL;
}

bool command_is_known(const Pb__Command *command)
{
    return command->body_case != PB__COMMAND__BODY__NOT_SET &&
           (command->body_case != PB__COMMAND__BODY_CLUSTER_SET ||
            command->cluster_set->log_version <= STATE_LOG_VERSION);
}

void command_append_empty(int reason, const struct effect_ref *ref, struct buf *out)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Empty empty = PB__EMPTY__INIT;

    empty.reason = reason;
    command.body_case = PB__COMMAND__BODY_EMPTY;
    command.empty = &empty;
    command_append(&command, ref, out);
}

struct effect_ref command_ref(const Pb__Ref *ref)
{
    if (ref == NULL) {
        return (struct effect_ref){0};
    }
    return (struct effect_ref){.worker = ref->worker,
                               .slot = ref->slot,
                               .generation = ref->generation,
                               .cookie = ref->cookie};
}

struct owner command_owner(const Pb__Owner *owner)
{
    return (struct owner){.incarnation = owner->incarnation,
                          .worker = owner->worker,
                          .slot = owner->slot,
                          .generation = owner->generation};
}

Pb__Owner command_owner_row(const struct owner *owner)
{
    Pb__Owner row = PB__OWNER__INIT;

    row.incarnation = owner->incarnation;
    row.worker = owner->worker;
    row.slot = owner->slot;
    row.generation = owner->generation;
    return row;
}
