#include "storage/state/substitute.h"

void substitute_append(Pb__Command *command, const Pb__Ref *ref, struct arena *arena,
                       struct buf *out)
{
    Pb__Ref known = PB__REF__INIT;
    size_t size;
    uint8_t *bytes;

    if (ref != NULL) {
        known.worker = ref->worker;
        known.slot = ref->slot;
        known.generation = ref->generation;
        known.cookie = ref->cookie;
    }
    command->ref = ref == NULL ? NULL : &known;
    size = pb__command__get_packed_size(command);
    bytes = arena_alloc(arena, size);
    (void)pb__command__pack(command, bytes);
    buf_append(out, slice_make(bytes, size));
    command->ref = NULL;
}

void substitute_append_empty(int reason, const Pb__Ref *ref, struct arena *arena, struct buf *out)
{
    Pb__Command substitute = PB__COMMAND__INIT;
    Pb__Empty empty = PB__EMPTY__INIT;

    empty.reason = reason;
    substitute.body_case = PB__COMMAND__BODY_EMPTY;
    substitute.empty = &empty;
    substitute_append(&substitute, ref, arena, out);
}
