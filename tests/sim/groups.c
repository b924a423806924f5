#include "tests/sim/groups.h"

#include "tests/sim/operator.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)

static bool insist(struct sim_host *from, const struct sim_cluster *cluster, const char *verb,
                   json_t *args)
{
    return operator_insist(from, cluster->count, verb, args, "exists", 30 * SECOND_US);
}

bool groups_make(struct sim_host *from, const struct sim_cluster *cluster)
{
    bool is_made = true;

    for (uint32_t first = 1; is_made && first < cluster->count - cluster->witnesses; first += 2) {
        char name[16];

        (void)snprintf(name, sizeof(name), "pair%u", first);
        is_made = insist(from, cluster, "group.create", json_pack("{s:s}", "group", name)) &&
                  insist(from, cluster, "group.add-node",
                         json_pack("{s:s,s:i}", "group", name, "node", (int)first)) &&
                  insist(from, cluster, "group.add-node",
                         json_pack("{s:s,s:i}", "group", name, "node", (int)first + 1)) &&
                  insist(from, cluster, "group.enable", json_pack("{s:s}", "group", name));
    }
    return is_made;
}

void groups_order(struct sim_host *from, const struct sim_cluster *cluster)
{
    static const char *const verbs[] = {"ha.failover", "ha.fallback", "ha.fallback",
                                        "ha.drain",    "ha.abort",    "cluster.transfer"};
    const char *verb = verbs[machine_draw(sizeof(verbs) / sizeof(verbs[0]))];
    int node = 1 + (int)machine_draw(cluster->count);

    json_decref(operator_ask(
        from, 1 + (uint32_t)machine_draw(cluster->count), verb,
        json_pack("{s:i,s:i}", "node", node, "rate", 1 + (int)machine_draw(20)), 10 * SECOND_US));
}

static bool is_normal(struct sim_host *from, uint32_t asked, const json_t *row)
{
    const char *state = json_string_value(json_object_get(row, "state"));

    if (state != NULL && strcmp(state, "Normal") == 0) {
        return true;
    }
    json_decref(operator_ask(
        from, asked, "ha.fallback",
        json_pack("{s:I}", "node", json_integer_value(json_object_get(row, "node"))), SECOND_US));
    return false;
}

bool groups_are_normal(struct sim_host *from, const struct sim_cluster *cluster)
{
    uint32_t asked = 1 + (uint32_t)machine_draw(cluster->count);
    json_t *status = operator_ask(from, asked, "ha.status", NULL, SECOND_US);
    bool are_normal = status != NULL;
    json_t *group;
    json_t *row;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(status, "groups"), i, group)
    {
        bool is_enabled = json_is_true(json_object_get(group, "ha_enabled"));

        json_array_foreach(json_object_get(group, "nodes"), j, row)
        {
            if (is_enabled) {
                are_normal = is_normal(from, asked, row) && are_normal;
            }
        }
    }
    json_decref(status);
    return are_normal;
}
