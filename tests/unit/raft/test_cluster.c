/* The replicated log end to end: three nodes with real links and real disks in one process. */
#include "storage/state/schema.pb-c.h"
#include "tests/unit/raft/cluster.h"

static void start_three(struct cluster *cluster)
{
    cluster_init(cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(cluster, i, true);
    }
    UNTIL(cluster_leader(cluster) >= 0);
}

/* Goal: commands submitted at any node take effect once, in one order, on every node.
 * Method: 200 from each of three nodes; compare what the replicas did. */
static void test_one_order_everywhere(void **state)
{
    static struct cluster cluster;
    (void)state;

    start_three(&cluster);
    for (int k = 0; k < 200; k++) {
        for (size_t i = 0; i < 3; i++) {
            char text[COMMAND_DATA];

            (void)snprintf(text, sizeof(text), "%zu.%d", i, k);
            submit_text(&cluster.replicas[i], text);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        UNTIL(done_count(&cluster.replicas[i]) == 600);
    }
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[0], &cluster.replicas[1]);
    assert_same_order(&cluster.replicas[0], &cluster.replicas[2]);
    cluster_deinit(&cluster);
}

/* Goal: a change of the leader neither loses nor repeats a command of a surviving node, and the old
 * leader catches up.
 * Method: submit while the leader is stopped and started again, three times; each survivor's
 * commands must all be there, in its order, on all nodes. */
static void test_exactly_once_across_leaders(void **state)
{
    static struct cluster cluster;
    size_t sent[3] = {0};
    size_t total = 0;
    (void)state;

    start_three(&cluster);
    for (int round = 0; round < 3; round++) {
        int leader;

        UNTIL((leader = cluster_leader(&cluster)) >= 0);
        for (int k = 0; k < 100; k++) {
            if (k == 50) {
                cluster_stop(&cluster, (size_t)leader);
            }
            for (size_t i = 0; i < 3; i++) {
                char text[COMMAND_DATA];

                if (i != (size_t)leader) {
                    (void)snprintf(text, sizeof(text), "%zu.%zu", i, sent[i]++);
                    submit_text(&cluster.replicas[i], text);
                    total++;
                }
            }
        }
        cluster_start(&cluster, (size_t)leader, true);
        for (size_t i = 0; i < 3; i++) {
            UNTIL(done_count(&cluster.replicas[i]) == total);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[0], &cluster.replicas[1]);
    assert_same_order(&cluster.replicas[0], &cluster.replicas[2]);
    for (size_t i = 0; i < 3; i++) {
        size_t next = 0;

        for (size_t k = 0; k < cluster.replicas[0].done_count; k++) {
            char text[COMMAND_DATA];

            (void)snprintf(text, sizeof(text), "%zu.%zu", i, next);
            if (strcmp(cluster.replicas[0].done[k].data, text) == 0) {
                next++;
            }
        }
        assert_int_equal(next, sent[i]);
    }
    cluster_deinit(&cluster);
}

/* Goal: every node with a majority behind it holds the lease; one without it loses it, and a silent
 * node is reported by the leader.
 * Method: three nodes; stop one, then another. */
static void test_lease_needs_a_majority(void **state)
{
    static struct cluster cluster;
    int leader;
    size_t silent;
    size_t last;
    (void)state;

    start_three(&cluster);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(rlog_lease_held(cluster.replicas[i].rlog));
    }
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    silent = (size_t)(leader + 1) % 3;
    last = (size_t)(leader + 2) % 3;
    cluster_stop(&cluster, silent);
    UNTIL(peek(&cluster.replicas[leader], &cluster.replicas[leader].silent_count) > 0);
    assert_int_equal(peek(&cluster.replicas[leader], &cluster.replicas[leader].silent_node),
                     silent + 1);
    assert_true(rlog_lease_held(cluster.replicas[leader].rlog));
    assert_true(rlog_lease_held(cluster.replicas[last].rlog));
    cluster_stop(&cluster, (size_t)leader);
    UNTIL(!rlog_lease_held(cluster.replicas[last].rlog));
    cluster_deinit(&cluster);
}

static void ignore_status(void *ctx, int status)
{
    (void)ctx;
    (void)status;
}

static bool is_up(struct replica *replica, uint64_t incarnation)
{
    bool up;

    (void)pthread_mutex_lock(&replica->mutex);
    up = replica->up[incarnation];
    (void)pthread_mutex_unlock(&replica->mutex);
    return up;
}

/* Goal: a life that its own node gave up ends in the log, though the node answers the leader all
 * the time: its sessions are no ghosts (P5). The next life has a lease.
 * Method: a follower leaves and is looked at from the third node. */
static void test_node_leaves(void **state)
{
    static struct cluster cluster;
    struct replica *leaving;
    uint64_t incarnation;
    int leader;
    (void)state;

    start_three(&cluster);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(rlog_lease_held(cluster.replicas[i].rlog));
    }
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leaving = &cluster.replicas[(leader + 1) % 3];
    incarnation = peek(leaving, &leaving->incarnation);
    rlog_leave(leaving->rlog);
    UNTIL(!is_up(&cluster.replicas[(leader + 2) % 3], incarnation));
    assert_false(rlog_lease_held(leaving->rlog));
    assert_int_equal(rlog_submit(leaving->rlog, slice_str("Dx")), ERR_BUSY);
    send_start(leaving);
    UNTIL(rlog_lease_held(leaving->rlog));
    assert_true(peek(leaving, &leaving->incarnation) > incarnation);
    submit_text(leaving, "x");
    UNTIL(done_count(leaving) == 1);
    cluster_deinit(&cluster);
}

/* Goal: nobody serves on a lease whose length the majority does not agree on: a leader with a
 * longer one would serve beside its successor. Method: the leader alone has another length; then a
 * follower alone.
 */
static void test_lease_length_differs(void **state)
{
    static struct cluster cluster;
    struct rlog_status status;
    int leader;
    size_t other;
    (void)state;

    start_three(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    other = (size_t)(leader + 1) % 3;
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
        cluster.lease_ms[i] = i == other ? 3000 : 0;
    }
    for (size_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i, true);
    }
    UNTIL(cluster_leader(&cluster) >= 0);
    rlog_transfer(cluster.replicas[leader].rlog, (uint32_t)other + 1, ignore_status, NULL);
    UNTIL(cluster_leader(&cluster) == (int)other);
    (void)usleep(1500 * 1000);
    assert_false(rlog_lease_held(cluster.replicas[other].rlog));
    rlog_get_status(cluster.replicas[leader].rlog, &status);
    assert_true(status.lease_differs);
    rlog_transfer(cluster.replicas[leader].rlog, (uint32_t)leader + 1, ignore_status, NULL);
    UNTIL(rlog_lease_held(cluster.replicas[leader].rlog));
    UNTIL((rlog_get_status(cluster.replicas[leader].rlog, &status), !status.lease_differs));
    cluster_deinit(&cluster);
}

/* Goal: defect 7: commits starve while entries are piled up; at most two are under way.
 * Method: flood the leader, look at its log's end and its commit index. */
static void test_two_entries_under_way(void **state)
{
    static struct cluster cluster;
    struct replica *leading;
    int leader;
    (void)state;

    start_three(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leading = &cluster.replicas[leader];
    UNTIL(rlog_lease_held(leading->rlog));
    for (int k = 0; k < 5000; k++) {
        struct rlog_status status;

        submit_text(leading, "x");
        rlog_get_status(leading->rlog, &status);
        assert_true(status.last_index - status.commit_index <= 2);
    }
    UNTIL(done_count(leading) == 5000);
    cluster_deinit(&cluster);
}

/* Goal: a store that is behind its disk stops the intake of its node, and nothing is lost by it.
 * Method: a full follower lags behind, a full leader proposes nothing; both go on afterwards. */
static void test_a_full_store_takes_nothing(void **state)
{
    static struct cluster cluster;
    struct replica *leading;
    struct replica *following;
    int leader;
    (void)state;

    start_three(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leading = &cluster.replicas[leader];
    following = &cluster.replicas[(leader + 1) % 3];
    UNTIL(rlog_lease_held(leading->rlog));
    rlog_set_store_full(following->rlog, true);
    (void)usleep(100 * 1000);
    submit_text(leading, "one");
    UNTIL(done_count(leading) == 1);
    (void)usleep(300 * 1000);
    assert_int_equal(done_count(following), 0);
    rlog_set_store_full(following->rlog, false);
    UNTIL(done_count(following) == 1);

    rlog_set_store_full(leading->rlog, true);
    submit_text(leading, "two");
    (void)usleep(300 * 1000);
    assert_int_equal(done_count(leading), 1);
    rlog_set_store_full(leading->rlog, false);
    UNTIL(done_count(leading) == 2);
    UNTIL(done_count(following) == 2);
    cluster_deinit(&cluster);
}

/* Goal: a leader whose store is behind hands leadership on, but only when a majority keeps up;
 * meanwhile it stays and proposes nothing (DESIGN 3). Method: fill the stores of leader and one
 * follower; empty that of the follower; fill all. */
static void test_a_full_leader_hands_on(void **state)
{
    static struct cluster cluster;
    struct replica *leading;
    struct replica *following;
    uint64_t term;
    int leader;
    (void)state;

    start_three(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leading = &cluster.replicas[leader];
    following = &cluster.replicas[(leader + 1) % 3];
    for (size_t i = 0; i < 3; i++) {
        UNTIL(rlog_lease_held(cluster.replicas[i].rlog));
    }
    rlog_set_store_full(following->rlog, true);
    (void)usleep(800 * 1000); /* so that the leader has been told */
    rlog_set_store_full(leading->rlog, true);
    term = peek(leading, &leading->term);
    submit_text(leading, "waits");
    (void)usleep(1500 * 1000);
    assert_int_equal(cluster_leader(&cluster), leader);
    assert_int_equal(peek(leading, &leading->term), term);
    assert_int_equal(done_count(following), 0);

    rlog_set_store_full(following->rlog, false);
    UNTIL(cluster_leader(&cluster) >= 0 && cluster_leader(&cluster) != leader);
    UNTIL(done_count(following) == 1);
    assert_int_equal(done_count(leading), 0);
    rlog_set_store_full(leading->rlog, false);
    UNTIL(done_count(leading) == 1);
    cluster_deinit(&cluster);
}

static void submit_new_user(struct replica *replica)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__UserSet user = PB__USER_SET__INIT;
    uint8_t bytes[64];
    size_t len;

    user.user = (char *)"a@x";
    user.create = true;
    command.body_case = PB__COMMAND__BODY_USER_SET;
    command.user_set = &user;
    len = pb__command__pack(&command, bytes);
    UNTIL(rlog_submit(replica->rlog, slice_make(bytes, len)) == 0);
}

/* Does the last command carry the reason of a refusal, instead of what was submitted? */
static bool last_is_refused(struct replica *replica)
{
    Pb__Command empty = PB__COMMAND__INIT;
    Pb__Empty body = PB__EMPTY__INIT;
    uint8_t bytes[COMMAND_DATA] = {0}; /* as text: it has no byte 0 */
    bool is_refused;

    body.reason = ERR_NO_SPACE;
    empty.body_case = PB__COMMAND__BODY_EMPTY;
    empty.empty = &body;
    assert_true(pb__command__get_packed_size(&empty) < sizeof(bytes));
    (void)pb__command__pack(&empty, bytes);
    (void)pthread_mutex_lock(&replica->mutex);
    is_refused = strcmp(replica->done[replica->done_count - 1].data, (const char *)bytes + 1) == 0;
    (void)pthread_mutex_unlock(&replica->mutex);
    return is_refused;
}

/* Goal: without room in the leader's store, a command that needs some is replaced by the reason,
 * with the same seq, whichever node it comes from, and the sequence goes on (DESIGN 3).
 * Method: submit a new user at leader and follower, with room and without. */
static void test_no_room_replaces_commands(void **state)
{
    static struct cluster cluster;
    struct replica *nodes[2];
    struct replica *leading;
    int leader;
    (void)state;

    start_three(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leading = nodes[0] = &cluster.replicas[leader];
    nodes[1] = &cluster.replicas[(leader + 1) % 3];
    for (size_t i = 0; i < 2; i++) {
        size_t before = done_count(leading);

        UNTIL(rlog_lease_held(nodes[i]->rlog));
        rlog_set_store_low(leading->rlog, true);
        submit_new_user(nodes[i]);
        UNTIL(done_count(leading) == before + 1);
        assert_true(last_is_refused(leading));
        submit_text(nodes[i], "small"); /* not content, as far as the log can know */
        UNTIL(done_count(leading) == before + 2);
        assert_false(last_is_refused(leading));
        rlog_set_store_low(leading->rlog, false);
        submit_new_user(nodes[i]);
        UNTIL(done_count(leading) == before + 3);
        assert_false(last_is_refused(leading));
    }
    cluster_deinit(&cluster);
}

/* Goal: a node does not start on a disk without room (defect 17). Method: ask for more than any. */
static void test_no_start_without_space(void **state)
{
    static struct cluster cluster;
    const struct rlog_events none = {0};
    struct rlog *rlog = NULL;
    struct rlog_config config;
    (void)state;

    cluster_init(&cluster, 1);
    config = (struct rlog_config){.node_id = 1,
                                  .raft_id = cluster.members[0].raft_id,
                                  .dir = cluster.dirs[0],
                                  .address = cluster.members[0].address,
                                  .bind = cluster.members[0].address,
                                  .disk_free_bytes_min = UINT64_MAX};
    assert_int_equal(rlog_start(&config, &none, &rlog), ERR_NO_SPACE);
    assert_null(rlog);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_order_everywhere),
        cmocka_unit_test(test_exactly_once_across_leaders),
        cmocka_unit_test(test_lease_needs_a_majority),
        cmocka_unit_test(test_node_leaves),
        cmocka_unit_test(test_lease_length_differs),
        cmocka_unit_test(test_two_entries_under_way),
        cmocka_unit_test(test_a_full_store_takes_nothing),
        cmocka_unit_test(test_a_full_leader_hands_on),
        cmocka_unit_test(test_no_room_replaces_commands),
        cmocka_unit_test(test_no_start_without_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
