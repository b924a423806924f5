#include "tests/sim/replace.h"

#include "tests/sim/disk.h"
#include "tests/sim/operator.h"

#include <stdio.h>

#define PATIENCE_US (300 * UINT64_C(1000000))

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

static json_t *win(const char *verb, json_t *args)
{
    return operator_win(replacement.from, replacement.cluster->count, verb, args, PATIENCE_US);
}

static void *run(void *ctx)
{
    int node = (int)replacement.number;
    char address[32];
    json_t *added;

    (void)ctx;
    (void)snprintf(address, sizeof(address), "10.0.0.%d:%d", node, NODE_LINK_PORT);
    json_decref(win("member.remove", json_pack("{s:i}", "node", node)));
    added = win("member.add", json_pack("{s:i,s:s}", "node", node, "address", address));
    room_join(replacement.cluster, replacement.number,
              (uint64_t)json_integer_value(json_object_get(added, "raft_id")));
    json_decref(added);
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
    room_kill(number);
    room_wipe(cluster, number);
    machine_name_thread(machine_spawn(from, run, NULL), "replace");
}
