#include "tests/sim/ways.h"

#include "tests/sim/operator.h"

#include <stdio.h>

#define ANSWER_US (10 * UINT64_C(1000000))

static char amiss[64];

static const char *judge_node(struct sim_host *from, const struct sim_cluster *cluster,
                              uint32_t asked)
{
    json_t *list = operator_ask(from, asked, "node.list", NULL, ANSWER_US);
    const json_t *rows = json_object_get(list, "nodes");
    const char *found = NULL;
    json_t *row;
    size_t i;

    if (json_array_size(rows) != cluster->count) {
        (void)snprintf(amiss, sizeof(amiss), "node %u knows %zu members", asked,
                       json_array_size(rows));
        found = amiss;
    }
    json_array_foreach(rows, i, row)
    {
        if (!json_is_true(json_object_get(row, "connected"))) {
            (void)snprintf(amiss, sizeof(amiss), "node %u has no link to node %lld", asked,
                           json_integer_value(json_object_get(row, "node")));
            found = amiss;
        }
    }
    json_decref(list);
    return found;
}

const char *ways_judge(struct sim_host *from, const struct sim_cluster *cluster)
{
    const char *found = NULL;

    for (uint32_t asked = 1; found == NULL && asked <= cluster->count; asked++) {
        found = judge_node(from, cluster, asked);
    }
    return found;
}
