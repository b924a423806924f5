#include "tests/sim/votes.h"

#include "tests/sim/operator.h"

#include <string.h>

#define ANSWER_US  (10 * UINT64_C(1000000))
#define VOTERS_MAX 5

void votes_order(struct sim_host *from, const struct sim_cluster *cluster, bool moves)
{
    static const char *const roles[] = {"voter", "standby"};
    const char *role = roles[machine_draw(2)];
    uint32_t asked = 1 + (uint32_t)machine_draw(cluster->count);
    int node = 1 + (int)machine_draw(cluster->count);

    if (moves && machine_chance(600)) {
        json_decref(operator_ask(from, asked, "member.assign",
                                 json_pack("{s:i,s:s}", "node", node, "role", role), ANSWER_US));
    } else {
        json_decref(operator_ask(from, asked, "cluster.transfer", json_pack("{s:i}", "node", node),
                                 ANSWER_US));
    }
}

static bool are_given_by(struct sim_host *from, const struct sim_cluster *cluster, uint32_t asked)
{
    json_t *list = operator_ask(from, asked, "node.list", NULL, ANSWER_US);
    size_t wanted = cluster->count < VOTERS_MAX ? cluster->count : VOTERS_MAX;
    size_t voters = 0;
    size_t up = 0;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        const char *role = json_string_value(json_object_get(row, "role"));

        up += json_is_true(json_object_get(row, "up"));
        voters += role != NULL && (strcmp(role, "voter") == 0 || strcmp(role, "leader") == 0);
    }
    json_decref(list);
    return up == cluster->count && voters == wanted;
}

bool votes_are_given(struct sim_host *from, const struct sim_cluster *cluster)
{
    return are_given_by(from, cluster, 1 + (uint32_t)machine_draw(cluster->count));
}

bool votes_are_given_everywhere(struct sim_host *from, const struct sim_cluster *cluster)
{
    for (uint32_t asked = 1; asked <= cluster->count; asked++) {
        if (!are_given_by(from, cluster, asked)) {
            return false;
        }
    }
    return true;
}
