/* Goal: what another node forwards never gets into the log unless every node can read it, and
 * crashes no leader, whether there is room or not; what stands for a refused command keeps its Ref.
 * Method: vet; refuse for lack of room what passed, decode, refuse again. */
#include "storage/state/command.h"
#include "storage/state/room.h"
#include "storage/state/schema.pb-c.h"
#include "storage/state/vet.h"

#define NODE_ID     2
#define INCARNATION 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Pb__Command *read_again(const struct buf *bytes)
{
    return pb__command__unpack(NULL, buf_len(bytes), buf_slice(bytes).data);
}

static void check_vetted(struct slice command)
{
    struct buf substitute = BUF_EMPTY;
    Pb__Command *stands;

    if (vet_command(NODE_ID, INCARNATION, command, &substitute) != 0) {
        stands = read_again(&substitute);
        ASSERT(stands != NULL);
        ASSERT(stands->body_case == PB__COMMAND__BODY_EMPTY);
        pb__command__free_unpacked(stands, NULL);
    } else {
        ASSERT(buf_len(&substitute) == 0);
    }
    buf_deinit(&substitute);
}

static void check_refused(struct slice command)
{
    struct buf refusal = BUF_EMPTY;
    struct buf again = BUF_EMPTY;
    Pb__Command *before = pb__command__unpack(NULL, command.len, command.data);
    Pb__Command *after;

    ASSERT(before != NULL);
    if (room_refuse(command, ERR_NO_SPACE, &refusal)) {
        after = read_again(&refusal);
        ASSERT(after != NULL);
        ASSERT(after->body_case == PB__COMMAND__BODY_BOUNCE ||
               after->body_case == PB__COMMAND__BODY_EMPTY ||
               after->body_case == before->body_case); /* the same without its content */
        ASSERT(command_ref(before->ref).cookie == command_ref(after->ref).cookie);
        ASSERT(!room_refuse(buf_slice(&refusal), ERR_NO_SPACE, &again));
        pb__command__free_unpacked(after, NULL);
    }
    pb__command__free_unpacked(before, NULL);
    buf_deinit(&refusal);
    buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice command = slice_make(data, size);
    struct buf ignored = BUF_EMPTY;

    check_vetted(command);
    if (vet_command(NODE_ID, INCARNATION, command, &ignored) == 0) {
        check_refused(command);
    }
    buf_deinit(&ignored);
    return 0;
}
