#include "tests/sim/replace.h"

#include "tests/sim/disk.h"
#include "tests/sim/operator.h"
#include "tests/sim/votes.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_US (60 * UINT64_C(1000000))
#define ANSWER_US   (15 * UINT64_C(1000000))
#define RETRY_US    100000

static struct {
    struct sim_host *from;
    struct sim_cluster *cluster;
    uint32_t number; /* 0: none is being replaced */
} replacement;

void replace_init(void)
{
    replacement.number = 0;
}

bool replace_is_over(void)
{
    return replacement.number == 0;
}

bool replace_is_of(uint32_t number)
{
    return replacement.number == number;
}

/* Under a raft id of its own each time: when an answer was lost nobody knows which one it was. */
static uint64_t add_anew(int node)
{
    struct sim_host *from = replacement.from;
    uint32_t asked = 1 + (uint32_t)machine_draw(replacement.cluster->count);
    char address[ADDRESS_BYTES];
    uint64_t raft_id;
    json_t *added;

    room_address(replacement.cluster, (uint32_t)node, address);
    if (!operator_insist(from, replacement.cluster->count, "member.remove",
                         json_pack("{s:i}", "node", node), "not_found", PATIENCE_US)) {
        return 0;
    }
    added = operator_ask(from, asked, "member.add",
                         json_pack("{s:i,s:s}", "node", node, "address", address), ANSWER_US);
    raft_id = (uint64_t)json_integer_value(json_object_get(added, "raft_id"));
    json_decref(added);
    return raft_id;
}

static void *run(void *ctx)
{
    uint64_t raft_id = 0;

    (void)ctx;
    /* Of fewer voters none can be spared. */
    if (!votes_are_given_everywhere(replacement.from, replacement.cluster)) {
        replacement.number = 0;
        return NULL;
    }
    room_kill(replacement.number);
    room_wipe(replacement.cluster, replacement.number);
    while (raft_id == 0) {
        raft_id = add_anew((int)replacement.number);
        machine_sleep_us(RETRY_US);
    }
    room_join(replacement.cluster, replacement.number, raft_id);
    replacement.number = 0;
    return NULL;
}

void replace_begin(struct sim_host *from, struct sim_cluster *cluster, uint32_t number)
{
    if (replacement.number != 0) {
        return;
    }
    replacement.from = from;
    replacement.cluster = cluster;
    replacement.number = number;
    machine_name_thread(machine_spawn(from, run, NULL), "replace");
}
